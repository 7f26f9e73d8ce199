//! Names of sealed files: keyed hashes, so that a directory does not tell what it holds.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;

use crate::{id::ParseIdError, primitives, secret::DataKey};

/// The key of object names. It outlives re-encryption, so that names stay where they are.
pub struct NameKey(DataKey);

impl NameKey {
    /// Uses `key` for names and nothing else.
    pub fn new(key: DataKey) -> Self {
        Self(key)
    }

    /// The name of object `id` in `store`: BLAKE3 keyed, over both with their lengths.
    pub fn object_name(&self, store: &[u8], id: &[u8]) -> ObjectName {
        ObjectName(primitives::keyed_hash(
            self.0.expose(),
            &[b"vaultd object name v1", store, id],
        ))
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey(redacted)")
    }
}

/// The keyed hash of an object's id: the name of its file, 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName([u8; 32]);

impl ObjectName {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// A name read from a journal.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for associated data.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectName({self})")
    }
}

impl FromStr for ObjectName {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::id::parse_hex(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_key_store_and_id() {
        let key = |byte| NameKey::new(DataKey::from_bytes(&[byte; 32]).expect("32 bytes"));
        let name = key(1).object_name(b"store", b"id");
        assert_eq!(name, key(1).object_name(b"store", b"id"));
        assert_ne!(name, key(2).object_name(b"store", b"id"));
        assert_ne!(name, key(1).object_name(b"stor", b"eid"));
        assert_ne!(name, key(1).object_name(b"storei", b"d"));
        assert_eq!(name.to_string().parse(), Ok(name));
    }
}
