//! Names as types: parsed once at the edge, well formed ever after.

use std::{borrow::Cow, fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A name that is not well formed, with what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{name}` is not acceptable: {rule}")]
pub struct InvalidId {
    what: &'static str,
    name: String,
    rule: Cow<'static, str>,
}

impl InvalidId {
    pub(crate) fn new(what: &'static str, name: &str, rule: impl Into<Cow<'static, str>>) -> Self {
        // Shortened, and free of control characters, since it is shown on terminals.
        let name = name
            .chars()
            .take(80)
            .map(|c| if c.is_control() { '\u{FFFD}' } else { c });
        Self {
            what,
            name: name.collect(),
            rule: rule.into(),
        }
    }
}

/// The store in which vaultd keeps who may use the vault.
const AUTH: &str = ".auth";

/// What the audit log is called where stores are told apart by name. No store has it.
const AUDIT_LOG: &str = ".audit";

/// The name of a store: a path such as `chat/conversations`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreName(String);

impl StoreName {
    /// Parses a name: one to eight parts joined by `/`, each 1 to 64 letters, digits, `_`, `-`
    /// or `.`, not beginning with `.`, not ending in `.json`.
    pub fn parse(name: &str) -> Result<Self, InvalidId> {
        const RULE: &str = "use 1 to 8 parts joined by `/`, each of 1 to 64 letters, digits, \
                            `_`, `-` or `.`, not starting with `.` and not ending in `.json`";
        let part_ok = |part: &str| {
            (1..=64).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
                && !part.starts_with('.')
                // A plain store's folder must not look like a document beside it.
                && !part.to_ascii_lowercase().ends_with(".json")
        };
        let parts = name.split('/').count();
        if parts <= 8 && name.split('/').all(part_ok) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidId::new("store name", name, RULE))
        }
    }

    /// The store of vaultd's own in which it keeps who may use the vault: `.auth`, which
    /// [`Self::parse`] refuses, so that no client can name it.
    pub fn auth() -> Self {
        Self(AUTH.to_owned())
    }

    /// What stands for the audit log among the names of stores.
    pub(crate) fn audit_log() -> Self {
        Self(AUDIT_LOG.to_owned())
    }

    /// Whether it is a store of vaultd's own.
    pub fn is_internal(&self) -> bool {
        self.0 == AUTH
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreName> for String {
    fn from(name: StoreName) -> Self {
        name.0
    }
}

impl TryFrom<String> for StoreName {
    type Error = InvalidId;

    /// As it stands in the catalogue, where stores of vaultd's own are, too.
    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            AUTH => Ok(Self(name)),
            _ => Self::parse(&name),
        }
    }
}

/// The id of a document: 1 to 200 bytes of UTF-8 without control characters.
///
/// Ids of a protected store are private: they are kept sealed and zeroed when dropped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DocumentId(String);

impl DocumentId {
    /// Longest id, in bytes.
    pub const LIMIT: usize = 200;

    /// Parses an id.
    pub fn parse(id: &str) -> Result<Self, InvalidId> {
        const RULE: &str = "use 1 to 200 bytes of UTF-8 without control characters";
        if (1..=Self::LIMIT).contains(&id.len()) && !id.chars().any(char::is_control) {
            Ok(Self(id.to_owned()))
        } else {
            Err(InvalidId::new("document id", id, RULE))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Drop for DocumentId {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The lasting identifier of a store: names its folder and its data key. 8 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId([u8; 8]);

impl StoreId {
    /// A new random identifier.
    pub fn generate() -> Result<Self, vault_crypto::RandomError> {
        vault_crypto::random_bytes().map(Self)
    }

    /// The bytes, for associated data.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({self})")
    }
}

impl FromStr for StoreId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| InvalidId::new("store id", text, "16 hex digits"))
    }
}

/// A place in a store's one increasing count of changes; the first change is 1.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl Revision {
    /// Before the first change.
    pub const ZERO: Self = Self(0);

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_names_are_paths_of_plain_parts() {
        for good in [
            "a",
            "chat/conversations",
            "plugins/com.example.x",
            "A-b_c/1",
        ] {
            assert!(StoreName::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        let deep = "a/".repeat(8) + "a";
        for bad in [
            "", "/", "a/", "/a", "a//b", "..", "a/../b", ".hidden", "a b", "é", "x.json", "a\\b",
            "a\0", &long, &deep,
        ] {
            assert!(StoreName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_client_can_name_a_store_of_vaultds_own() {
        let own = StoreName::auth();
        assert!(own.is_internal() && StoreName::parse(own.as_str()).is_err());
        let written = serde_json::to_string(&own).expect("a name");
        let read: StoreName = serde_json::from_str(&written).expect("as the catalogue has it");
        assert_eq!(read, own);
        for other in [".auth/a", ".AUTH", ".other", "a/.auth"] {
            assert!(StoreName::try_from(other.to_owned()).is_err(), "{other}");
        }
    }

    #[test]
    fn document_ids_are_short_printable_text() {
        for good in ["a", "a/b", "..", "ünï", &"x".repeat(200)] {
            assert!(DocumentId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a\nb", "\u{7f}", "a\0", &"x".repeat(201)] {
            assert!(DocumentId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
