//! The stable names of failures, as they stand in `google.rpc.ErrorInfo`.

use crate::v1::Reason;

/// The `domain` of every `google.rpc.ErrorInfo` that vaultd sends.
pub const DOMAIN: &str = "vaultd";

const PREFIX: &str = "REASON_";

impl Reason {
    /// The name on the wire: the enum's without its prefix, such as `LOCKED`.
    pub fn wire_name(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }

    /// The reason of a name read from the wire; `None` for one this build does not know.
    pub fn from_wire_name(name: &str) -> Option<Self> {
        Self::from_str_name(&format!("{PREFIX}{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire() {
        for number in 1..=55 {
            let reason = Reason::try_from(number).expect("numbers are dense");
            assert_eq!(Reason::from_wire_name(reason.wire_name()), Some(reason));
            assert!(!reason.wire_name().starts_with(PREFIX));
        }
        assert_eq!(Reason::from_wire_name("NO_SUCH_REASON"), None);
    }
}
