//! The keyring as the vault sees it.

use vault_crypto::{StorageKey, VaultId};
use vault_keyring::{Account, EntryName, Interaction, Keyring, KeyringError};
use vault_store::{KeySource, KeySourceError};

/// Reads and writes storage keys through a keyring.
pub struct KeyringSource<'a> {
    keyring: &'a Keyring,
    interaction: Interaction,
}

impl<'a> KeyringSource<'a> {
    /// A source that may show a dialog or not.
    pub fn new(keyring: &'a Keyring, interaction: Interaction) -> Self {
        Self {
            keyring,
            interaction,
        }
    }
}

fn account(vault: VaultId) -> Account {
    Account {
        vault,
        name: EntryName::StorageKey,
    }
}

/// What a keyring's failure means to the vault; "no such entry" is no failure.
pub fn key_source_error(error: KeyringError) -> KeySourceError {
    let text = error.to_string();
    match error {
        KeyringError::Locked(detail) => KeySourceError::Locked(detail),
        KeyringError::Denied(detail) => KeySourceError::Denied(detail),
        KeyringError::TimedOut(_) => KeySourceError::TimedOut(text),
        KeyringError::WrongPassphrase => KeySourceError::WrongPassphrase,
        KeyringError::Damaged(detail) => KeySourceError::Damaged(detail),
        KeyringError::Unreachable(detail) => KeySourceError::Unreachable(detail),
        // Said by `load` as "none"; from anywhere else it is no answer to rely on.
        KeyringError::NoEntry | KeyringError::Unsupported(_) | KeyringError::Failed(_) => {
            KeySourceError::Unreachable(text)
        }
    }
}

impl KeySource for KeyringSource<'_> {
    fn backend(&self) -> &str {
        self.keyring.kind().as_str()
    }

    fn load(&self, vault: VaultId) -> Result<Option<StorageKey>, KeySourceError> {
        match self.keyring.get(&account(vault), self.interaction) {
            Ok(secret) => StorageKey::from_bytes(secret.expose())
                .map(Some)
                .ok_or_else(|| {
                    KeySourceError::Damaged("the entry does not hold a 32-byte key".to_owned())
                }),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(key_source_error(error)),
        }
    }

    fn save(&self, vault: VaultId, key: &StorageKey) -> Result<(), KeySourceError> {
        self.keyring
            .set(&account(vault), key.expose(), self.interaction)
            .map_err(key_source_error)
    }
}
