//! What a client calls a blob by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use vault_crypto::ContentHash;

use crate::id::InvalidId;

/// A blob ref: the SHA-256 of the content, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobRef(ContentHash);

impl BlobRef {
    /// Parses a ref. Capital letters are refused: one content has one ref.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let wrong = || {
            let rule = "a ref is the SHA-256 of the content in 64 lower-case hex digits";
            InvalidId::new("blob ref", text, rule)
        };
        text.parse().map(Self).map_err(|_| wrong())
    }

    /// The ref of content with this hash.
    pub const fn new(hash: ContentHash) -> Self {
        Self(hash)
    }

    /// The hash of the content.
    pub const fn hash(&self) -> &ContentHash {
        &self.0
    }
}

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobRef({self})")
    }
}

impl FromStr for BlobRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for BlobRef {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<BlobRef> for String {
    fn from(reference: BlobRef) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_has_one_spelling() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let reference = BlobRef::parse(text).expect("a ref");
        assert_eq!(reference, BlobRef::new(ContentHash::of(b"")));
        assert_eq!(reference.to_string(), text);
        for bad in [
            &text.to_uppercase(),
            &text[..63],
            &format!("{text}0"),
            &text.replace('e', "g"),
            "",
        ] {
            assert!(BlobRef::parse(bad).is_err(), "{bad}");
        }
    }
}
