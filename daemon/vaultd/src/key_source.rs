//! The keyring as the vault sees it.

use vault_crypto::{SecretBytes, VaultId};
use vault_keyring::{Account, BackendKind, EntryName, Interaction, Keyring, KeyringError};
use vault_store::{KeyEntry, KeySource, KeySourceError};

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

fn account(vault: VaultId, entry: KeyEntry) -> Account {
    let name = match entry {
        KeyEntry::StorageKey => EntryName::StorageKey,
        KeyEntry::NextStorageKey => EntryName::StorageKeyNext,
        KeyEntry::Salt => EntryName::Salt,
        KeyEntry::NextSalt => EntryName::SaltNext,
        KeyEntry::Anchor => EntryName::Anchor,
        KeyEntry::AuditAnchor => EntryName::AuditAnchor,
    };
    Account { vault, name }
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
        KeyringError::Unsupported(detail) => KeySourceError::Unsupported(detail),
        KeyringError::NoEntry | KeyringError::Failed(_) => KeySourceError::Unreachable(text),
    }
}

impl KeySource for KeyringSource<'_> {
    fn backend(&self) -> &str {
        self.keyring.kind().as_str()
    }

    fn is_writable(&self) -> bool {
        self.keyring.kind() != BackendKind::SystemdCreds
    }

    fn load(&self, vault: VaultId, entry: KeyEntry) -> Result<Option<SecretBytes>, KeySourceError> {
        match self.keyring.get(&account(vault, entry), self.interaction) {
            Ok(secret) => Ok(Some(secret)),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(key_source_error(error)),
        }
    }

    fn save(&self, vault: VaultId, entry: KeyEntry, secret: &[u8]) -> Result<(), KeySourceError> {
        self.keyring
            .set(&account(vault, entry), secret, self.interaction)
            .map_err(key_source_error)
    }

    fn remove(&self, vault: VaultId, entry: KeyEntry) -> Result<(), KeySourceError> {
        match self
            .keyring
            .delete(&account(vault, entry), self.interaction)
        {
            Ok(()) | Err(KeyringError::NoEntry) => Ok(()),
            Err(error) => Err(key_source_error(error)),
        }
    }
}
