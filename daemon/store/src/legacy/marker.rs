//! What says that a legacy root was moved in, and is to be looked at no more.

use serde::{Deserialize, Serialize};
use vault_crypto::VaultId;

use crate::{error::StoreResult, public_file, root::DataRoot, rotation::text};

/// File name in the data root.
pub const MARKER: &str = "moved-in.json";

/// A legacy root that was moved in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// Its vault.
    #[serde(rename = "vault_id", with = "text")]
    pub vault: VaultId,
    /// Where it lies, for people.
    pub source: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// It became the data root as a whole.
    pub whole: bool,
}

/// Every legacy root that was moved in.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Marker {
    /// In the order they came.
    pub moved: Vec<Moved>,
}

impl Marker {
    /// Reads it; nothing was moved in where there is none.
    pub fn read(root: &DataRoot) -> StoreResult<Self> {
        Ok(public_file::read(root, MARKER)?.unwrap_or_default())
    }

    /// Whether this vault was moved in.
    pub fn has(&self, vault: VaultId) -> bool {
        self.moved.iter().any(|moved| moved.vault == vault)
    }

    /// Durably notes that a legacy root was moved in. Again, it changes nothing.
    pub fn add(root: &DataRoot, moved: Moved) -> StoreResult<()> {
        let mut marker = Self::read(root)?;
        if marker.has(moved.vault) {
            return Ok(());
        }
        marker.moved.push(moved);
        public_file::write(root, MARKER, &marker)
    }
}
