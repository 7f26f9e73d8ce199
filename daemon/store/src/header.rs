//! The public header, `vault.json`: what a vault says of itself without a key.

use serde::{Deserialize, Serialize};
use vault_crypto::{Fingerprint, VaultId};

use crate::{error::StoreResult, public_file, root::DataRoot, rotation::text};

/// File name in the data root.
pub const FILE: &str = "vault.json";

/// The public header. Nothing in it is secret and nothing in it is trusted: the key table, which is
/// authenticated, says the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The vault.
    #[serde(rename = "vault_id", with = "text")]
    pub vault: VaultId,
    /// Keyring backend that holds the storage key.
    #[serde(rename = "keyring_backend")]
    pub backend: String,
    /// Check value of the storage key.
    #[serde(rename = "key_fingerprint", with = "text")]
    pub fingerprint: Fingerprint,
    /// Whether the storage key was derived from a master key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub derived: bool,
    /// The newest export of the storage key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_export: Option<ExportRecord>,
    /// The backends between which the storage key is being moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
}

/// When a storage key left as a file, and which.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExportRecord {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Check value of the key.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
}

/// A storage key on its way. [`Header::backend`] tells whether it has arrived.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moving {
    /// The backend that held it.
    pub from: String,
    /// The one that is to hold it.
    pub to: String,
}

impl Header {
    /// A header without a history.
    pub fn new(vault: VaultId, backend: &str, fingerprint: Fingerprint) -> Self {
        Self {
            vault,
            backend: backend.to_owned(),
            fingerprint,
            derived: false,
            last_export: None,
            moving: None,
        }
    }

    /// Reads the header; `None` where there is none, an error where it cannot be understood.
    pub fn read(root: &DataRoot) -> StoreResult<Option<Self>> {
        public_file::read(root, FILE)
    }

    /// Durably writes the header.
    pub fn write(&self, root: &DataRoot) -> StoreResult<()> {
        public_file::write(root, FILE, self)
    }
}
