//! The salt of a derived storage key, beside the data: `derivation.json`.
//!
//! A second copy lies in the keyring; each repairs the other. With the salt and the master key the
//! storage key is computed anew on another device.

use serde::{Deserialize, Serialize};
use vault_crypto::{Fingerprint, Salt};

use crate::{
    durable,
    error::{StoreError, StoreResult},
    root::DataRoot,
    rotation::text,
};

/// The salt of the key in force.
pub const FILE: &str = "derivation.json";
/// The salt of a key that a rotation has staged.
pub const NEXT_FILE: &str = "derivation.next.json";

const FORMAT: u32 = 1;
/// A sidecar is a few hundred bytes.
const LIMIT: u64 = 64 << 10;

/// A salt, and the check value of the key that is derived with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sidecar {
    format: u32,
    /// The salt.
    #[serde(with = "text")]
    pub salt: Salt,
    /// Which key it makes.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
}

impl Sidecar {
    /// The sidecar of a key.
    pub fn new(salt: Salt, fingerprint: Fingerprint) -> Self {
        Self {
            format: FORMAT,
            salt,
            fingerprint,
        }
    }

    /// Reads a sidecar; `None` where there is none.
    pub fn read(root: &DataRoot, file: &str) -> StoreResult<Option<Self>> {
        let Some(bytes) = durable::read(root.fs(), &root.file(file), LIMIT)? else {
            return Ok(None);
        };
        let sidecar: Self =
            serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(file, error))?;
        if sidecar.format == FORMAT {
            Ok(Some(sidecar))
        } else {
            let detail = format!("format {} is not known to this version", sidecar.format);
            Err(StoreError::damaged(file, detail))
        }
    }

    /// Durably writes it.
    pub(crate) fn write(&self, root: &DataRoot, file: &str) -> StoreResult<()> {
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|error| StoreError::damaged(file, error))?;
        bytes.push(b'\n');
        durable::replace(root.fs(), root.path(), file, &[&bytes])
    }

    /// Durably removes one.
    pub(crate) fn remove(root: &DataRoot, file: &str) -> StoreResult<()> {
        durable::remove_if_there(root.fs(), &root.file(file))?;
        durable::sync_dir(root.fs(), root.path())
    }
}
