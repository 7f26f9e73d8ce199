//! Secrets in the keyring in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use vault_crypto::{SecretBytes, SecretName, VaultId};
use vault_store::{
    KeySourceError,
    secrets::{SecretEntries, SecretKeyring, SecretPlace},
    vault::VaultOptions,
};

use super::{
    fixture::Fixture,
    keyring::{Keyring, hold},
    simulated::Operation,
};

/// The values that a keyring holds, of one vault.
pub(crate) type Secrets = BTreeMap<SecretName, Vec<u8>>;

impl Keyring {
    /// The same keyring with other secrets in it.
    pub(crate) fn with_secrets(&self, secrets: Secrets) -> Self {
        let mut keyring = self.clone();
        keyring.secrets = Arc::new(Mutex::new(secrets));
        keyring
    }

    pub(crate) fn held_secrets(&self) -> Secrets {
        hold(&self.secrets).clone()
    }

    /// Changes an entry from outside.
    pub(crate) fn present_secret(&self, name: &SecretName, value: Option<&[u8]>) {
        let mut secrets = hold(&self.secrets);
        match value {
            Some(value) => secrets.insert(name.clone(), value.to_vec()),
            None => secrets.remove(name),
        };
    }

    fn change_secrets(&self, change: impl FnOnce(&mut Secrets)) -> Result<(), KeySourceError> {
        self.make(|| {
            let mut secrets = hold(&self.secrets);
            change(&mut secrets);
            if let Some(log) = &self.log {
                log.note(Operation::Secrets {
                    secrets: secrets.clone(),
                });
            }
        })
    }
}

impl SecretEntries for Keyring {
    fn load(&self, _: VaultId, name: &SecretName) -> Result<Option<SecretBytes>, KeySourceError> {
        self.look()?;
        let held = hold(&self.secrets);
        Ok(held.get(name).map(|value| SecretBytes::new(value.clone())))
    }

    fn save(&self, _: VaultId, name: &SecretName, value: &[u8]) -> Result<(), KeySourceError> {
        self.change_secrets(|secrets| {
            secrets.insert(name.clone(), value.to_vec());
        })
    }

    fn remove(&self, _: VaultId, name: &SecretName) -> Result<(), KeySourceError> {
        self.change_secrets(|secrets| {
            secrets.remove(name);
        })
    }

    fn list(&self, _: VaultId) -> Result<Vec<SecretName>, KeySourceError> {
        self.look()?;
        Ok(hold(&self.secrets).keys().cloned().collect())
    }
}

impl Fixture {
    /// What a vault is opened with whose secrets go to `place`.
    pub(crate) fn options_with(&self, place: SecretPlace) -> VaultOptions {
        VaultOptions {
            secrets: SecretKeyring::new(Arc::new(self.keyring.clone()), place),
            ..self.options()
        }
    }
}
