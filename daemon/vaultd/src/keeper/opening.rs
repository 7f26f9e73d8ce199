//! A vault comes to be, or is opened by what its keyring holds.

use std::sync::Arc;

use vault_keyring::{BackendKind, Interaction, Keyring};
use vault_proto::v1::KeyState;
use vault_store::{Vault, vault::VaultOptions};

use super::Keeper;
use crate::{key_source::KeyringSource, key_state::Closed};

impl Keeper {
    /// What a vault is opened with whose storage key is in `keyring`.
    pub(super) fn options(&self, keyring: &Arc<Keyring>) -> VaultOptions {
        VaultOptions {
            limits: self.settings.size_limits,
            secrets: self.secret_keyring(keyring),
            ..VaultOptions::default()
        }
    }

    /// Opens the vault by its own keyring, and completes a move of its key.
    pub(super) fn open(
        &self,
        slot: &mut Option<Arc<Keyring>>,
        interaction: Interaction,
    ) -> Result<Vault, Closed> {
        if let Some(vault) = self.open_by_credential(slot) {
            return Ok(vault);
        }
        let keyring = self.keyring(slot)?;
        let vault = self.open_with(&keyring, interaction)?;
        Ok(self.complete_move(vault, slot))
    }

    /// Opens the vault by the key that `keyring` holds.
    pub(super) fn open_with(
        &self,
        keyring: &Arc<Keyring>,
        interaction: Interaction,
    ) -> Result<Vault, Closed> {
        let source = KeyringSource::new(keyring, interaction);
        Vault::open(self.root.clone(), &source, self.options(keyring))
            .map_err(|error| Closed::from_open_error(&error, keyring.kind(), true))
    }

    /// Creates the vault where there is none.
    pub(super) fn create(
        &self,
        slot: &mut Option<Arc<Keyring>>,
        interaction: Interaction,
    ) -> Result<Vault, Closed> {
        let keyring = self.keyring(slot)?;
        let source = KeyringSource::new(&keyring, interaction);
        Vault::create(self.root.clone(), &source, self.options(&keyring)).map_err(|error| {
            let closed = Closed::from_open_error(&error, keyring.kind(), false);
            let first_run = keyring.kind() == BackendKind::Passphrase
                && closed.state == KeyState::KeyringLocked;
            if first_run {
                return Closed {
                    state: KeyState::Uninitialized,
                    remedies: vec!["run `vaultctl init` and choose a passphrase".to_owned()],
                    ..closed
                };
            }
            closed
        })
    }
}
