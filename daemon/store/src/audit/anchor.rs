//! What is remembered of the log outside of the vault.

use std::{fmt, str::FromStr};

use vault_crypto::ChainHash;

use crate::key_source::KeySourceError;

/// What is remembered of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// The number of its newest record.
    pub sequence: u64,
    /// The chain's hash after that.
    pub hash: ChainHash,
    /// The oldest segment that was kept.
    pub first_segment: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Text that is no anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the anchor of the audit log is malformed")]
pub struct ParseAnchoredError;

/// Readable text, since some keyrings take no other.
impl fmt::Display for Anchored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sequence,
            hash,
            first_segment,
            at_ms,
        } = self;
        write!(f, "1 {sequence} {hash} {first_segment} {at_ms}")
    }
}

impl FromStr for Anchored {
    type Err = ParseAnchoredError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fields: Vec<&str> = text.split(' ').collect();
        let ["1", sequence, hash, first_segment, at_ms] = fields.as_slice() else {
            return Err(ParseAnchoredError);
        };
        let number = |text: &str| text.parse().map_err(|_| ParseAnchoredError);
        let anchored = Self {
            sequence: number(sequence)?,
            hash: hash.parse().map_err(|_| ParseAnchoredError)?,
            first_segment: number(first_segment)?,
            at_ms: at_ms.parse().map_err(|_| ParseAnchoredError)?,
        };
        // One way to write it: what differs was not written by us.
        if anchored.to_string() == text {
            Ok(anchored)
        } else {
            Err(ParseAnchoredError)
        }
    }
}

/// Remembers one log, in the keyring. Calls block, and show no dialog.
pub trait AuditAnchor: Send + Sync {
    /// Whether it can remember anything: a backend that holds the storage key alone cannot.
    fn is_kept(&self) -> bool;

    /// What is remembered; none before the first time. [`KeySourceError::Damaged`] where it is no
    /// anchor.
    fn load(&self) -> Result<Option<Anchored>, KeySourceError>;

    /// Remembers this, durably.
    fn save(&self, anchored: &Anchored) -> Result<(), KeySourceError>;
}

/// Remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAnchor;

impl AuditAnchor for NoAnchor {
    fn is_kept(&self) -> bool {
        false
    }

    fn load(&self) -> Result<Option<Anchored>, KeySourceError> {
        Ok(None)
    }

    fn save(&self, _: &Anchored) -> Result<(), KeySourceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_written_and_in_no_other_form() {
        let anchored = Anchored {
            sequence: 42,
            hash: ChainHash::from_bytes([0xA5; 32]),
            first_segment: 3,
            at_ms: -1,
        };
        let text = anchored.to_string();
        assert_eq!(text, format!("1 42 {} 3 -1", "a5".repeat(32)));
        assert_eq!(text.parse(), Ok(anchored));
        for bad in [
            "",
            "1",
            &text.replacen('1', "2", 1),
            &text.replace("42", "+42"),
            &text.replace("42", "042"),
            &text.replace("a5", "A5"),
            &format!("{text} "),
            &text.replace("-1", ""),
        ] {
            assert_eq!(bad.parse::<Anchored>(), Err(ParseAnchoredError), "{bad}");
        }
    }
}
