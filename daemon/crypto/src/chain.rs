//! The chain of an audit log: the hash of each record covers all records before it.
//!
//! SHA-256 (FIPS 180-4) over the hash before, the record's number and its plaintext. It needs no key:
//! records are sealed, each bound to its place, so nobody without the data key can write one; the
//! chain says that those that can be opened are the ones that were written after each other. Over the
//! plaintext, it outlives a rotation, which seals the same records under another key. It begins with
//! random bytes: the newest hash is kept outside of the vault, and confirms no guess at a record.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;

use crate::{
    RandomError,
    id::{ParseIdError, parse_hex},
    primitives::{self, Sha256Stream},
};

/// Keeps these hashes apart from all others.
const DOMAIN: &[u8] = b"vaultd audit chain v1";

/// What stands for a record and all before it: 32 bytes, shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash([u8; Self::LEN]);

impl ChainHash {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// What the first record of a new chain follows.
    pub fn begin() -> Result<Self, RandomError> {
        let mut bytes = [0; Self::LEN];
        primitives::fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// A hash that was read.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The hash of the record of this number, which follows the one that this is of.
    #[must_use]
    pub fn followed_by(&self, number: u64, record: &[u8]) -> Self {
        let mut hash = Sha256Stream::default();
        // All but the last part have a fixed length: no two inputs are written alike.
        for part in [DOMAIN, &self.0, &number.to_le_bytes(), record] {
            hash.update(part);
        }
        Self(hash.finish())
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainHash({self})")
    }
}

impl FromStr for ChainHash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hex(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of the domain, 32 bytes of 7, the number and `a record`.
    const KNOWN: &str = "bbe7c49f370045916470b9868e9d4d9d6939976cb45b7cf197ba78f031041872";

    #[test]
    fn a_hash_depends_on_the_chain_before_the_number_and_the_record() {
        let start = ChainHash::from_bytes([7; 32]);
        let hash = start.followed_by(3, b"a record");
        assert_eq!(hash.to_string(), KNOWN);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for other in [
            ChainHash::from_bytes([8; 32]).followed_by(3, b"a record"),
            start.followed_by(4, b"a record"),
            start.followed_by(3, b"A record"),
            start.followed_by(3, b"a record "),
        ] {
            assert_ne!(other, hash);
        }
    }

    #[test]
    fn no_two_chains_begin_alike() {
        let [one, two] = [ChainHash::begin(), ChainHash::begin()].map(|hash| hash.expect("random"));
        assert_ne!(one, two);
    }
}
