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

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
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
