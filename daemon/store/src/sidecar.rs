//! The salt of a derived storage key, beside the data: `derivation.json`.
//!
//! A second copy lies in the keyring; each repairs the other. With the salt and the master key the
//! storage key is computed anew on another device.

use serde::{Deserialize, Serialize};
use vault_crypto::{Fingerprint, Salt};

use crate::{error::StoreResult, public_file, root::DataRoot, rotation::text};

/// The salt of the key in force.
pub const FILE: &str = "derivation.json";
/// The salt of a key that a rotation has staged.
pub const NEXT_FILE: &str = "derivation.next.json";

/// A salt, and the check value of the key that is derived with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sidecar {
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
        Self { salt, fingerprint }
    }

    /// Reads a sidecar; `None` where there is none.
    pub fn read(root: &DataRoot, file: &str) -> StoreResult<Option<Self>> {
        public_file::read(root, file)
    }

    /// Durably writes it.
    pub(crate) fn write(&self, root: &DataRoot, file: &str) -> StoreResult<()> {
        public_file::write(root, file, self)
    }

    /// Durably removes one.
    pub(crate) fn remove(root: &DataRoot, file: &str) -> StoreResult<()> {
        public_file::remove(root, file)
    }
}
