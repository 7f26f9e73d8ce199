//! The entries of a keyring that hold secrets, as this crate sees them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use vault_crypto::{SecretBytes, SecretName, VaultId};

use crate::key_source::KeySourceError;

/// Where the value of a secret lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretPlace {
    /// In an entry of the keyring.
    Keyring,
    /// Sealed in the vault.
    Vault,
}

/// A keyring that holds secrets, seen from the vault. Calls block, and end within a deadline.
pub trait SecretEntries: Send + Sync {
    /// The value of a secret; `None` only where the keyring said that there is no such entry.
    fn load(
        &self,
        vault: VaultId,
        name: &SecretName,
    ) -> Result<Option<SecretBytes>, KeySourceError>;

    /// Durably keeps a value, in place of an earlier one.
    fn save(&self, vault: VaultId, name: &SecretName, value: &[u8]) -> Result<(), KeySourceError>;

    /// Durably removes a value; one that is not there is fine.
    fn remove(&self, vault: VaultId, name: &SecretName) -> Result<(), KeySourceError>;

    /// The names of all that the keyring holds for a vault.
    fn list(&self, vault: VaultId) -> Result<Vec<SecretName>, KeySourceError>;
}

/// No keyring at all, for a vault whose secrets are sealed in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEntries;

fn none() -> KeySourceError {
    KeySourceError::Unsupported("it holds no secrets".to_owned())
}

impl SecretEntries for NoEntries {
    fn load(&self, _: VaultId, _: &SecretName) -> Result<Option<SecretBytes>, KeySourceError> {
        Err(none())
    }

    fn save(&self, _: VaultId, _: &SecretName, _: &[u8]) -> Result<(), KeySourceError> {
        Err(none())
    }

    fn remove(&self, _: VaultId, _: &SecretName) -> Result<(), KeySourceError> {
        Err(none())
    }

    fn list(&self, _: VaultId) -> Result<Vec<SecretName>, KeySourceError> {
        Err(none())
    }
}

/// The keyring for secrets of an open vault, and whether new ones go there. The keyring is there
/// even where they do not: while the storage key moves, some values have moved and some have not.
#[derive(Clone)]
pub struct SecretKeyring {
    entries: Arc<dyn SecretEntries>,
    in_use: Arc<AtomicBool>,
}

impl SecretKeyring {
    /// Secrets that are set go to `place`.
    pub fn new(entries: Arc<dyn SecretEntries>, place: SecretPlace) -> Self {
        Self {
            entries,
            in_use: Arc::new(AtomicBool::new(place == SecretPlace::Keyring)),
        }
    }

    pub(crate) fn entries(&self) -> &dyn SecretEntries {
        &*self.entries
    }

    pub(crate) fn place(&self) -> SecretPlace {
        if self.in_use.load(Ordering::Acquire) {
            SecretPlace::Keyring
        } else {
            SecretPlace::Vault
        }
    }

    pub(crate) fn go_to(&self, place: SecretPlace) {
        let keyring = place == SecretPlace::Keyring;
        self.in_use.store(keyring, Ordering::Release);
    }
}

impl Default for SecretKeyring {
    fn default() -> Self {
        Self::new(Arc::new(NoEntries), SecretPlace::Vault)
    }
}

/// Keeps a value and makes sure that the keyring gives it back: only then does it count.
pub(super) fn save_and_verify(
    entries: &dyn SecretEntries,
    vault: VaultId,
    name: &SecretName,
    value: &[u8],
) -> Result<(), KeySourceError> {
    entries.save(vault, name, value)?;
    let back = entries.load(vault, name)?;
    if back.is_some_and(|back| back.expose() == value) {
        Ok(())
    } else {
        Err(KeySourceError::Damaged(
            "it did not give back what was just written".to_owned(),
        ))
    }
}
