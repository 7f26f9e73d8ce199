//! What a data root shows of the vault in it without a key.

use vault_crypto::{Fingerprint, VaultId};

use super::Tombstone;
use crate::{error::StoreError, header::Header, keys::Copies, legacy, root::DataRoot};

/// What a data root holds of an earlier key.
#[derive(Debug)]
pub struct Evidence {
    pub(super) header: Result<Option<Header>, String>,
    pub(super) copies: Copies,
    pub(super) sealed_files: bool,
    placing: bool,
    tombstone: Option<Tombstone>,
}

impl Evidence {
    /// Looks at `root` without changing it.
    pub fn gather(root: &DataRoot) -> Result<Self, StoreError> {
        let header = match Header::read(root) {
            Ok(header) => Ok(header),
            Err(error @ StoreError::Damaged { .. }) => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        Ok(Self {
            header,
            copies: Copies::read(root)?,
            sealed_files: root.holds_sealed_files()?,
            placing: legacy::is_placing(root)?,
            tombstone: Tombstone::read(root)?,
        })
    }

    /// Whether there is no trace of an earlier key.
    pub fn is_none(&self) -> bool {
        matches!(self.header, Ok(None)) && !self.copies.any() && !self.sealed_files && !self.placing
    }

    /// Whether a legacy root is taking the place of this one: until it has, nothing here can be judged.
    pub fn is_placing(&self) -> bool {
        self.placing
    }

    /// The public header, where it can be read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref().ok()?.as_ref()
    }

    /// The vault, as the key table names it, or else the header.
    ///
    /// Where the copies of the table disagree, the header has the casting vote.
    pub fn vault(&self) -> Option<VaultId> {
        let named: Vec<VaultId> = self.copies.infos().map(|info| info.vault).collect();
        match named.as_slice() {
            [first, second] if first == second => Some(*first),
            _ => {
                let header = self.header().map(|header| header.vault);
                header.or(named.first().copied())
            }
        }
    }

    /// What is wrong with the public header; `None` where nothing is.
    pub fn header_problem(&self) -> Option<&str> {
        match &self.header {
            Ok(Some(_)) => None,
            Ok(None) => Some("it is gone"),
            Err(error) => Some(error),
        }
    }

    /// The copies of the key table that are gone or cannot be understood, by file name.
    pub fn unreadable_key_tables(&self) -> Vec<&'static str> {
        self.copies.unreadable().collect()
    }

    /// The check values of the storage keys that the copies of the key table name.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.copies.infos().map(|info| info.fingerprint).collect()
    }

    /// Left where the key was destroyed on purpose.
    pub fn tombstone(&self) -> Option<&Tombstone> {
        self.tombstone.as_ref()
    }
}
