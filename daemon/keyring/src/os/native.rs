//! macOS and Windows: the keyring crate's own entries.
//!
//! On macOS these are generic passwords in the login keychain: not synchronised, readable by this
//! program without a prompt once the person has logged in. Neither system tells beforehand whether
//! a call would show a dialog, so the interaction is not looked at.

#![expect(
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "the same signatures as on Linux, where there is a connection to keep"
)]

use keyring::Entry;
use vault_crypto::{SecretName, VaultId};

use super::error;
use crate::{
    account::{Account, SERVICE},
    backend::Interaction,
    error::KeyringError,
};

#[derive(Debug, Default)]
pub(super) struct Platform;

impl Platform {
    pub(super) fn get(&self, account: &Account, _: Interaction) -> Result<Vec<u8>, KeyringError> {
        entry(account)?.get_secret().map_err(error::from_keyring)
    }

    pub(super) fn set(
        &self,
        account: &Account,
        secret: &[u8],
        _: Interaction,
    ) -> Result<(), KeyringError> {
        entry(account)?
            .set_secret(secret)
            .map_err(error::from_keyring)
    }

    pub(super) fn delete(&self, account: &Account, _: Interaction) -> Result<(), KeyringError> {
        entry(account)?
            .delete_credential()
            .map_err(error::from_keyring)
    }

    /// Neither keychain is searched: what the list of secrets names is read and removed by name.
    pub(super) fn list(&self, _: VaultId, _: Interaction) -> Result<Vec<SecretName>, KeyringError> {
        let text = "this system's keychain does not list its entries";
        Err(KeyringError::Unsupported(text.to_owned()))
    }

    pub(super) fn unlock(&self) -> Result<(), KeyringError> {
        Ok(())
    }

    pub(super) fn disconnect(&self) {}
}

fn entry(account: &Account) -> Result<Entry, KeyringError> {
    Entry::new(SERVICE, &account.to_string()).map_err(error::from_keyring)
}
