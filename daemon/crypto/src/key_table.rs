//! The wrapped key table: every data key of a vault, sealed by the storage key.
//!
//! ```text
//!  0  4  magic 89 56 4B 54 ("\x89VKT")
//!  4  1  format version, 1
//!  5  1  suite, 1
//!  6  2  zero
//!  8 16  vault id
//! 24  8  generation
//! 32  8  fingerprint of the storage key that wraps it
//! 40 24  nonce
//! 64     sealed entries, with their tag
//! ```
//!
//! An entry is the key id (8), the length of its purpose (2), the purpose, and the key (32). The
//! wrapping key is HKDF-SHA-256 of the storage key salted with the nonce, so the storage key
//! itself never keys a cipher; the header is the associated data. The vault id and fingerprint
//! stand in the clear, so that a lost public header can be rebuilt and a wrong key is told from a
//! damaged table.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::{
    id::{KeyId, VaultId},
    primitives::{self, NONCE_LEN, RandomError, TAG_LEN},
    secret::{DataKey, Fingerprint, StorageKey},
};

mod purpose;
mod renewal;

pub use purpose::KeyPurpose;
pub use renewal::SeveralRetired;

const MAGIC: [u8; 4] = *b"\x89VKT";
const FORMAT: u8 = 1;
const SUITE: u8 = 1;
const HEADER_LEN: usize = 64;
const WRAP_INFO: &[u8] = b"vaultd key table v1 wrapping key";

/// Why a key table was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTableError {
    /// The storage key is another than the one that wrapped this table.
    #[error("wrapped by the storage key with fingerprint {expected}, not {found}")]
    WrongKey {
        /// Fingerprint the table records.
        expected: Fingerprint,
        /// Fingerprint of the key handed in.
        found: Fingerprint,
    },
    /// Bytes missing, changed or of an unknown form.
    #[error("the key table is damaged")]
    Damaged,
    /// A table of a later version of vaultd.
    #[error("the key table has format {0}, which this version does not know")]
    UnknownFormat(u8),
}

/// One data key with its purpose.
#[derive(Debug)]
struct Entry {
    purpose: KeyPurpose,
    key: DataKey,
}

/// The data keys of one vault, in the clear, in memory.
#[derive(Debug)]
pub struct KeyTable {
    vault: VaultId,
    generation: u64,
    entries: BTreeMap<KeyId, Entry>,
}

impl KeyTable {
    /// An empty table at generation 0.
    pub fn new(vault: VaultId) -> Self {
        Self {
            vault,
            generation: 0,
            entries: BTreeMap::new(),
        }
    }

    /// The vault the keys belong to.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// How often the table was changed: the larger of two copies is the newer.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Adds a new random key for `purpose` and counts the change.
    pub fn add(&mut self, purpose: KeyPurpose) -> Result<KeyId, RandomError> {
        let id = KeyId::generate()?;
        let key = DataKey::generate()?;
        self.entries.insert(id, Entry { purpose, key });
        self.generation += 1;
        Ok(id)
    }

    /// Destroys a key, if it is there, and counts the change.
    pub fn remove(&mut self, id: KeyId) -> bool {
        let removed = self.entries.remove(&id).is_some();
        self.generation += u64::from(removed);
        removed
    }

    /// The key of this id.
    pub fn get(&self, id: KeyId) -> Option<&DataKey> {
        self.entries.get(&id).map(|entry| &entry.key)
    }

    /// The key for `purpose`, with its id; the first by id where there are several.
    pub fn find(&self, purpose: &KeyPurpose) -> Option<(KeyId, &DataKey)> {
        let found = self
            .entries
            .iter()
            .find(|(_, entry)| entry.purpose == *purpose);
        found.map(|(id, entry)| (*id, &entry.key))
    }

    /// Seals the table under `storage_key`.
    pub fn wrap(&self, storage_key: &StorageKey) -> Result<Vec<u8>, RandomError> {
        let mut nonce = [0; NONCE_LEN];
        primitives::fill_random(&mut nonce)?;

        let mut header = [0; HEADER_LEN];
        header[..4].copy_from_slice(&MAGIC);
        header[4] = FORMAT;
        header[5] = SUITE;
        header[8..24].copy_from_slice(self.vault.as_bytes());
        header[24..32].copy_from_slice(&self.generation.to_le_bytes());
        header[32..40].copy_from_slice(storage_key.fingerprint(self.vault).as_bytes());
        header[40..64].copy_from_slice(&nonce);

        let mut entries = self.encode();
        let [key] = primitives::hkdf_sha256(storage_key.expose(), &nonce, [WRAP_INFO]);
        let tag = primitives::seal_in_place(&key, &nonce, &header, &mut entries)
            .expect("a key table is far below the cipher's limit of 256 GiB");
        let mut wrapped = header.to_vec();
        wrapped.extend_from_slice(&entries);
        wrapped.extend_from_slice(&tag);
        Ok(wrapped)
    }

    /// Opens a wrapped table.
    pub fn unwrap(storage_key: &StorageKey, wrapped: &[u8]) -> Result<Self, KeyTableError> {
        let info = TableInfo::parse(wrapped)?;
        let found = storage_key.fingerprint(info.vault);
        if !primitives::equal(found.as_bytes(), info.fingerprint.as_bytes()) {
            return Err(KeyTableError::WrongKey {
                expected: info.fingerprint,
                found,
            });
        }
        let (header, sealed) = wrapped.split_at(HEADER_LEN);
        let (sealed, tag) = sealed
            .split_last_chunk::<TAG_LEN>()
            .ok_or(KeyTableError::Damaged)?;
        let nonce = header[40..]
            .first_chunk()
            .expect("the header ends with a 24-byte nonce");
        let [key] = primitives::hkdf_sha256(storage_key.expose(), nonce, [WRAP_INFO]);
        let mut entries = Zeroizing::new(sealed.to_vec());
        primitives::open_in_place(&key, nonce, header, &mut entries, tag)
            .ok_or(KeyTableError::Damaged)?;
        Ok(Self {
            vault: info.vault,
            generation: info.generation,
            entries: decode(&entries).ok_or(KeyTableError::Damaged)?,
        })
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let per_entry =
            |entry: &Entry| KeyId::LEN + 2 + entry.purpose.as_str().len() + DataKey::LEN;
        // Sized beforehand: a growing buffer would leave unzeroed copies of keys behind.
        let len = self.entries.values().map(per_entry).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(len));
        for (id, entry) in &self.entries {
            let purpose = entry.purpose.as_str().as_bytes();
            bytes.extend_from_slice(id.as_bytes());
            let purpose_len =
                u16::try_from(purpose.len()).expect("purposes are short names of ours");
            bytes.extend_from_slice(&purpose_len.to_le_bytes());
            bytes.extend_from_slice(purpose);
            bytes.extend_from_slice(entry.key.expose());
        }
        debug_assert_eq!(bytes.len(), len);
        bytes
    }
}

fn decode(mut bytes: &[u8]) -> Option<BTreeMap<KeyId, Entry>> {
    let mut entries = BTreeMap::new();
    while !bytes.is_empty() {
        let (id, rest) = bytes.split_first_chunk::<{ KeyId::LEN }>()?;
        let (purpose_len, rest) = rest.split_first_chunk::<2>()?;
        let purpose_len = usize::from(u16::from_le_bytes(*purpose_len));
        let (purpose, rest) = rest.split_at_checked(purpose_len)?;
        let (key, rest) = rest.split_at_checked(DataKey::LEN)?;
        let purpose = KeyPurpose::read(std::str::from_utf8(purpose).ok()?);
        let key = DataKey::from_bytes(key)?;
        entries.insert(KeyId::from_bytes(*id), Entry { purpose, key });
        bytes = rest;
    }
    Some(entries)
}

/// What a wrapped table says of itself in the clear. Not authenticated until it is unwrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableInfo {
    /// The vault.
    pub vault: VaultId,
    /// How often the table was changed.
    pub generation: u64,
    /// Fingerprint of the storage key that wraps it.
    pub fingerprint: Fingerprint,
}

impl TableInfo {
    /// Reads the clear part of a wrapped table.
    pub fn parse(wrapped: &[u8]) -> Result<Self, KeyTableError> {
        fn field<const N: usize>(header: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
            *header[at..]
                .first_chunk()
                .expect("every field lies inside the header")
        }

        let header = wrapped
            .first_chunk::<HEADER_LEN>()
            .ok_or(KeyTableError::Damaged)?;
        if header[..4] != MAGIC {
            return Err(KeyTableError::Damaged);
        }
        // Before the reserved bytes, which a later format may use.
        if header[4] != FORMAT || header[5] != SUITE {
            return Err(KeyTableError::UnknownFormat(header[4]));
        }
        if header[6..8] != [0, 0] {
            return Err(KeyTableError::Damaged);
        }
        Ok(Self {
            vault: VaultId::from_bytes(field(header, 8)),
            generation: u64::from_le_bytes(field(header, 24)),
            fingerprint: Fingerprint::from_bytes(field(header, 32)),
        })
    }
}

#[cfg(test)]
mod tests;
