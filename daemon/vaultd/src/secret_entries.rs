//! The entries of a keyring that hold secrets, as the vault sees them.

use std::sync::Arc;

use vault_crypto::{SecretBytes, SecretName, VaultId};
use vault_keyring::{Account, EntryName, Interaction, Keyring, KeyringError};
use vault_store::{KeySourceError, secrets::SecretEntries};

use crate::key_source::key_source_error;

/// Reads and writes the values of secrets through a keyring.
pub struct KeyringEntries {
    keyring: Arc<Keyring>,
    interaction: Interaction,
}

impl KeyringEntries {
    /// Entries that may show a dialog or not.
    pub fn new(keyring: Arc<Keyring>, interaction: Interaction) -> Self {
        Self {
            keyring,
            interaction,
        }
    }
}

fn account(vault: VaultId, name: &SecretName) -> Account {
    Account {
        vault,
        name: EntryName::Secret(name.clone()),
    }
}

impl SecretEntries for KeyringEntries {
    fn load(
        &self,
        vault: VaultId,
        name: &SecretName,
    ) -> Result<Option<SecretBytes>, KeySourceError> {
        match self.keyring.get(&account(vault, name), self.interaction) {
            Ok(value) => Ok(Some(value)),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(key_source_error(error)),
        }
    }

    fn save(&self, vault: VaultId, name: &SecretName, value: &[u8]) -> Result<(), KeySourceError> {
        let account = account(vault, name);
        let saved = self.keyring.set(&account, value, self.interaction);
        saved.map_err(key_source_error)
    }

    fn remove(&self, vault: VaultId, name: &SecretName) -> Result<(), KeySourceError> {
        match self.keyring.delete(&account(vault, name), self.interaction) {
            Ok(()) | Err(KeyringError::NoEntry) => Ok(()),
            Err(error) => Err(key_source_error(error)),
        }
    }

    fn list(&self, vault: VaultId) -> Result<Vec<SecretName>, KeySourceError> {
        let listed = self.keyring.list(vault, self.interaction);
        listed.map_err(key_source_error)
    }
}
