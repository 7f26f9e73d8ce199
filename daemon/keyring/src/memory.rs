//! Memory only: for a vault that is gone with the process.

use std::collections::HashMap;

use vault_crypto::{SecretBytes, SecretName, VaultId};

use crate::{
    account::{Account, EntryName},
    backend::{Backend, BackendKind, Interaction, Probe},
    error::KeyringError,
};

/// Keeps entries in a map. Never locked: there is no second place to get them from.
#[derive(Debug, Default)]
pub struct MemoryBackend {
    entries: HashMap<Account, SecretBytes>,
}

impl MemoryBackend {
    /// An empty keyring.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Backend for MemoryBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Memory
    }

    fn get(&mut self, account: &Account, _: Interaction) -> Result<SecretBytes, KeyringError> {
        let found = self.entries.get(account).ok_or(KeyringError::NoEntry)?;
        Ok(SecretBytes::new(found.expose().to_vec()))
    }

    fn set(
        &mut self,
        account: &Account,
        secret: &[u8],
        _: Interaction,
    ) -> Result<(), KeyringError> {
        self.entries
            .insert(account.clone(), SecretBytes::new(secret.to_vec()));
        Ok(())
    }

    fn delete(&mut self, account: &Account, _: Interaction) -> Result<(), KeyringError> {
        self.entries
            .remove(account)
            .map(drop)
            .ok_or(KeyringError::NoEntry)
    }

    fn list(&mut self, vault: VaultId, _: Interaction) -> Result<Vec<SecretName>, KeyringError> {
        let own = self.entries.keys().filter(|account| account.vault == vault);
        let secrets = own.filter_map(|account| match &account.name {
            EntryName::Secret(name) => Some(name.clone()),
            _ => None,
        });
        Ok(secrets.collect())
    }

    fn probe(&mut self) -> Result<Probe, KeyringError> {
        Ok(Probe::Works)
    }

    fn unlock(&mut self, _: Option<&SecretBytes>) -> Result<(), KeyringError> {
        Ok(())
    }

    /// Does nothing: forgetting the entries would lose the vault, not lock it.
    fn lock(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(vault: u8) -> Account {
        Account {
            vault: VaultId::from_bytes([vault; 16]),
            name: EntryName::StorageKey,
        }
    }

    #[test]
    fn entries_of_two_vaults_stay_apart() {
        let mut memory = MemoryBackend::new();
        let no = Interaction::Forbidden;
        memory.set(&account(1), b"one", no).expect("set");
        memory.set(&account(2), b"two", no).expect("set");
        memory.delete(&account(1), no).expect("deleted");
        assert_eq!(
            memory.get(&account(1), no).err(),
            Some(KeyringError::NoEntry)
        );
        assert_eq!(memory.delete(&account(1), no), Err(KeyringError::NoEntry));
        memory.lock();
        assert_eq!(memory.get(&account(2), no).expect("kept").expose(), b"two");
    }

    #[test]
    fn a_listing_names_the_secrets_of_one_vault() {
        let mut memory = MemoryBackend::new();
        let no = Interaction::Forbidden;
        let name = |text| SecretName::parse(text).expect("a name");
        for (vault, entry) in [
            (1, EntryName::StorageKey),
            (1, EntryName::Secret(name("connection:one"))),
            (2, EntryName::Secret(name("connection:two"))),
        ] {
            let account = Account {
                name: entry,
                ..account(vault)
            };
            memory.set(&account, b"value", no).expect("set");
        }
        let listed = memory.list(account(1).vault, no);
        assert_eq!(listed, Ok(vec![name("connection:one")]));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let mut memory = MemoryBackend::new();
        let no = Interaction::Forbidden;
        memory.set(&account(1), b"hunter2", no).expect("set");
        let shown = format!("{memory:?}");
        assert!(shown.contains("redacted"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("104"),
            "{shown}"
        );
    }
}
