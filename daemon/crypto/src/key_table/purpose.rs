//! What a data key is for.

use std::fmt;

/// No active purpose begins like this: their first parts are words of ours.
const RETIRED: &str = "retired/";

/// What a data key is for: `store/<store id>`, `catalogue`, `names`, ...
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyPurpose(String);

impl KeyPurpose {
    /// The key of the catalogue.
    pub fn catalogue() -> Self {
        Self("catalogue".to_owned())
    }

    /// The key of object names.
    pub fn names() -> Self {
        Self("names".to_owned())
    }

    /// The key of the audit log.
    pub fn audit() -> Self {
        Self("audit".to_owned())
    }

    /// The key of the store with this identifier.
    pub fn store(id: &str) -> Self {
        Self(format!("store/{id}"))
    }

    /// A purpose read from a table, which may be one that a later version of vaultd knows.
    pub(super) fn read(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The purpose of a key that was renewed: `retired/` and the purpose it had. Of a retired
    /// purpose, itself.
    #[must_use]
    pub fn retired(&self) -> Self {
        if self.is_retired() {
            self.clone()
        } else {
            Self(format!("{RETIRED}{}", self.0))
        }
    }

    /// Whether keys of this purpose only open what was sealed before a renewal.
    pub fn is_retired(&self) -> bool {
        self.0.starts_with(RETIRED)
    }

    /// The purpose that new objects are sealed under: without `retired/`, where it stands.
    #[must_use]
    pub fn active(&self) -> Self {
        Self(self.0.strip_prefix(RETIRED).unwrap_or(&self.0).to_owned())
    }

    /// The text of the purpose.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_retires_once_and_comes_back() {
        let purpose = KeyPurpose::store("0011223344556677");
        let retired = purpose.retired();
        assert_eq!(retired.as_str(), "retired/store/0011223344556677");
        assert!(retired.is_retired() && !purpose.is_retired());
        assert_eq!(retired.retired(), retired);
        assert_eq!(retired.active(), purpose);
        assert_eq!(purpose.active(), purpose);
        // A store of that name is not a retired key.
        assert!(!KeyPurpose::store("retired/x").is_retired());
    }
}
