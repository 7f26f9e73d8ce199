//! Hashes of plaintext content, kept only inside sealed data.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;

use crate::{id::ParseIdError, primitives};

/// SHA-256 (FIPS 180-4) of some content, shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hashes `content` at once.
    pub fn of(content: &[u8]) -> Self {
        Self(primitives::sha256(content))
    }

    /// A hash that was read.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Hashes content that is not in memory as a whole.
#[derive(Clone, Default)]
pub struct ContentHasher(primitives::Sha256Stream);

impl ContentHasher {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what comes next.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all that was added.
    pub fn finish(self) -> ContentHash {
        ContentHash(self.0.finish())
    }
}

impl fmt::Debug for ContentHasher {
    /// The state holds up to a block of the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentHasher(redacted)")
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl FromStr for ContentHash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::id::parse_hex(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn content_in_pieces_has_the_hash_of_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
        ) {
            let mut hasher = ContentHasher::new();
            for piece in &pieces {
                hasher.update(piece);
            }
            prop_assert_eq!(hasher.finish(), ContentHash::of(&pieces.concat()));
        }
    }

    #[test]
    fn a_hasher_does_not_print_what_it_was_given() {
        let mut hasher = ContentHasher::new();
        hasher.update(b"private");
        assert_eq!(format!("{hasher:?}"), "ContentHasher(redacted)");
    }
}
