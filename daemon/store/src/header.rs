//! The public header, `vault.json`: what a vault says of itself without a key.

use serde::{Deserialize, Serialize};
use vault_crypto::{Fingerprint, VaultId};

use crate::{
    durable,
    error::{StoreError, StoreResult},
    root::DataRoot,
};

/// File name in the data root.
pub const FILE: &str = "vault.json";

/// The format of data roots that this build reads and writes.
const FORMAT: u32 = 1;

/// A header is a few hundred bytes.
const LIMIT: u64 = 64 << 10;

/// The public header. Nothing in it is secret and nothing in it is trusted: the key table, which is
/// authenticated, says the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The vault.
    pub vault: VaultId,
    /// Keyring backend that holds the storage key.
    pub backend: String,
    /// Check value of the storage key.
    pub fingerprint: Fingerprint,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    vault_id: String,
    keyring_backend: String,
    key_fingerprint: String,
}

impl Header {
    /// Reads the header; `None` where there is none, an error where it cannot be understood.
    pub fn read(root: &DataRoot) -> StoreResult<Option<Self>> {
        let Some(bytes) = durable::read(root.fs(), &root.file(FILE), LIMIT)? else {
            return Ok(None);
        };
        let file: File =
            serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(FILE, error))?;
        if file.format != FORMAT {
            let detail = format!("format {} is not known to this version", file.format);
            return Err(StoreError::damaged(FILE, detail));
        }
        let parsed = file.vault_id.parse().and_then(|vault| {
            Ok(Self {
                vault,
                backend: file.keyring_backend,
                fingerprint: file.key_fingerprint.parse()?,
            })
        });
        parsed
            .map(Some)
            .map_err(|error| StoreError::damaged(FILE, error))
    }

    /// Durably writes the header.
    pub fn write(&self, root: &DataRoot) -> StoreResult<()> {
        let file = File {
            format: FORMAT,
            vault_id: self.vault.to_string(),
            keyring_backend: self.backend.clone(),
            key_fingerprint: self.fingerprint.to_string(),
        };
        let mut bytes =
            serde_json::to_vec_pretty(&file).map_err(|error| StoreError::damaged(FILE, error))?;
        bytes.push(b'\n');
        durable::replace(root.fs(), root.path(), FILE, &[&bytes])
    }
}
