//! Where the values of secrets go: beside the storage key where its keyring holds other entries,
//! else sealed in the vault.

use std::sync::Arc;

use vault_keyring::{BackendKind, Interaction, Keyring};
use vault_store::{
    StoreResult, Vault,
    secrets::{SecretKeyring, SecretPlace},
};

use super::Keeper;
use crate::secret_entries::KeyringEntries;

/// Where the secrets of a vault go whose storage key is in a backend of this kind.
fn place(backend: BackendKind) -> SecretPlace {
    if backend.holds_secrets() {
        SecretPlace::Keyring
    } else {
        SecretPlace::Vault
    }
}

impl Keeper {
    /// The keyring for the secrets of a vault whose storage key is in `keyring`.
    ///
    /// Where that one holds none, the operating system's: values that are on their way into the
    /// vault may be there still. It is not asked before one is looked for.
    pub(super) fn secret_keyring(&self, keyring: &Arc<Keyring>) -> SecretKeyring {
        let entries = self.secret_entries(keyring, Interaction::Forbidden);
        SecretKeyring::new(Arc::new(entries), place(keyring.kind()))
    }

    pub(super) fn secret_entries(
        &self,
        keyring: &Arc<Keyring>,
        interaction: Interaction,
    ) -> KeyringEntries {
        let keyring = match place(keyring.kind()) {
            SecretPlace::Keyring => Arc::clone(keyring),
            SecretPlace::Vault => self.new_keyring(BackendKind::Os),
        };
        KeyringEntries::new(keyring, interaction)
    }
}

/// Brings the values of secrets to where they go with the storage key in `to`, which was in
/// `from` before. Nothing is asked where neither holds any.
pub(super) fn move_secrets(
    vault: &Vault,
    from: &Arc<Keyring>,
    to: &Arc<Keyring>,
    interaction: Interaction,
) -> StoreResult<()> {
    let (before, after) = (place(from.kind()), place(to.kind()));
    if before == after {
        return Ok(());
    }
    let keyring = if after == SecretPlace::Keyring {
        to
    } else {
        from
    };
    let entries = KeyringEntries::new(Arc::clone(keyring), interaction);
    vault.move_secrets(after, &entries)
}
