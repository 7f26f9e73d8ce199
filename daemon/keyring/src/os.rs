//! The keyring of the desktop or operating system: Secret Service on Linux, the login keychain on
//! macOS, Credential Manager on Windows.

mod error;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod native;

use data_encoding::BASE64;
use vault_crypto::{SecretBytes, SecretName, VaultId};
use zeroize::Zeroizing;

#[cfg(target_os = "linux")]
use self::linux::Platform;
#[cfg(not(target_os = "linux"))]
use self::native::Platform;
use crate::{
    account::{Account, EntryName},
    backend::{Backend, BackendKind, Interaction, Probe},
    error::KeyringError,
};

/// The keyring of the desktop or operating system. Connects on the first call and again after a
/// lost connection, so it may be made before the keyring runs.
#[derive(Debug, Default)]
pub struct OsBackend {
    platform: Platform,
}

impl OsBackend {
    /// Connects to nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Backend for OsBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Os
    }

    fn get(
        &mut self,
        account: &Account,
        interaction: Interaction,
    ) -> Result<SecretBytes, KeyringError> {
        let text = Zeroizing::new(self.platform.get(account, interaction)?);
        // The error would name a position in the secret, which helps nobody.
        let secret = BASE64
            .decode(&text)
            .map_err(|_| KeyringError::Damaged("it is not base64".to_owned()))?;
        Ok(SecretBytes::new(secret))
    }

    fn set(
        &mut self,
        account: &Account,
        secret: &[u8],
        interaction: Interaction,
    ) -> Result<(), KeyringError> {
        // KWallet takes valid UTF-8 only.
        let text = Zeroizing::new(BASE64.encode(secret));
        self.platform.set(account, text.as_bytes(), interaction)
    }

    fn delete(&mut self, account: &Account, interaction: Interaction) -> Result<(), KeyringError> {
        self.platform.delete(account, interaction)
    }

    fn list(
        &mut self,
        vault: VaultId,
        interaction: Interaction,
    ) -> Result<Vec<SecretName>, KeyringError> {
        self.platform.list(vault, interaction)
    }

    fn probe(&mut self) -> Result<Probe, KeyringError> {
        let random = |error| KeyringError::Failed(format!("no random bytes: {error}"));
        let account = Account {
            // A vault that does not exist, so that no entry in use is touched.
            vault: VaultId::generate().map_err(random)?,
            name: EntryName::Probe,
        };
        let written = vault_crypto::random_bytes::<32>().map_err(random)?;
        match self.set(&account, &written, Interaction::Forbidden) {
            Err(KeyringError::Locked(_)) => return Ok(Probe::Locked),
            other => other?,
        }
        let read = self.get(&account, Interaction::Forbidden);
        let deleted = self.delete(&account, Interaction::Forbidden);
        if read?.expose() != written {
            let text = "it returned another secret than was written";
            return Err(KeyringError::Failed(text.to_owned()));
        }
        deleted.map(|()| Probe::Works)
    }

    /// Asks the desktop to unlock its keyring, which may show a dialog.
    fn unlock(&mut self, passphrase: Option<&SecretBytes>) -> Result<(), KeyringError> {
        if passphrase.is_some() {
            let text = "the desktop's keyring asks for its own password";
            return Err(KeyringError::Unsupported(text.to_owned()));
        }
        self.platform.unlock()
    }

    /// Closes the connection. The desktop's keyring stays as it is: it serves others too.
    fn lock(&mut self) {
        self.platform.disconnect();
    }
}
