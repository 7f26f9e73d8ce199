//! A credential that systemd hands to the service: for servers, where the key is sealed to the
//! machine (`LoadCredentialEncrypted=`) and no person is there to type a passphrase.
//!
//! The credential `vaultd.storage-key` holds the key as base64. The daemon reads it anew at each use
//! and cannot write it: what changes the key hands out a new credential, which is presented at the
//! next start.

use std::{
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
};

use data_encoding::BASE64;
use vault_crypto::SecretBytes;
use zeroize::Zeroizing;

use crate::{
    account::{Account, EntryName},
    backend::{Backend, BackendKind, Interaction, Probe},
    error::KeyringError,
};

/// The name of the credential, as in the unit file and in `systemd-creds encrypt --name=`.
pub const CREDENTIAL: &str = "vaultd.storage-key";

/// Where systemd puts the credentials of a service (systemd.exec(5)).
const FOLDER_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// A key in base64 has 44 characters.
const MAX_LEN: u64 = 4 << 10;

/// Reads the storage key from a credential of this service.
#[derive(Debug)]
pub struct SystemdCredsBackend {
    folder: Option<PathBuf>,
}

impl SystemdCredsBackend {
    /// The credentials that systemd gave this process.
    pub fn from_environment() -> Self {
        let folder = std::env::var_os(FOLDER_VARIABLE);
        Self::new(folder.map(PathBuf::from).filter(|path| path.is_absolute()))
    }

    /// The credentials in `folder`; none where it is `None`.
    pub const fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The content of the credential that holds `key`.
    pub fn credential(key: &[u8]) -> SecretBytes {
        // Sized beforehand, so that no growing leaves a copy behind.
        let mut text = vec![0; BASE64.encode_len(key.len()) + 1];
        let end = text.len() - 1;
        BASE64.encode_mut(key, &mut text[..end]);
        text[end] = b'\n';
        SecretBytes::new(text)
    }

    fn read(&self) -> Result<SecretBytes, KeyringError> {
        let folder = self.folder.as_ref().ok_or_else(|| {
            KeyringError::Unreachable(format!(
                "no credentials: start vaultd by a systemd unit with \
                 `LoadCredentialEncrypted={CREDENTIAL}:...`"
            ))
        })?;
        let path = folder.join(CREDENTIAL);
        // Sized beforehand, so that no growing leaves a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(128));
        let read = File::open(&path).and_then(|file| file.take(MAX_LEN).read_to_end(&mut text));
        read.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => KeyringError::NoEntry,
            io::ErrorKind::PermissionDenied => KeyringError::Denied(error.to_string()),
            _ => KeyringError::Failed(format!("cannot read {}: {error}", path.display())),
        })?;
        let key = BASE64
            .decode(text.trim_ascii())
            .map_err(|_| KeyringError::Damaged("the credential is not base64".to_owned()))?;
        Ok(SecretBytes::new(key))
    }
}

fn read_only() -> KeyringError {
    KeyringError::Unsupported("a credential is written by systemd-creds, not by vaultd".to_owned())
}

impl Backend for SystemdCredsBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::SystemdCreds
    }

    fn get(&mut self, account: &Account, _: Interaction) -> Result<SecretBytes, KeyringError> {
        match account.name {
            EntryName::StorageKey => self.read(),
            _ => Err(read_only()),
        }
    }

    fn set(&mut self, _: &Account, _: &[u8], _: Interaction) -> Result<(), KeyringError> {
        Err(read_only())
    }

    fn delete(&mut self, _: &Account, _: Interaction) -> Result<(), KeyringError> {
        Err(read_only())
    }

    fn probe(&mut self) -> Result<Probe, KeyringError> {
        match self.read() {
            Ok(_) | Err(KeyringError::NoEntry) => Ok(Probe::Works),
            Err(error) => Err(error),
        }
    }

    /// There is nothing to unlock: the credential is there or it is not.
    fn unlock(&mut self, _: Option<&SecretBytes>) -> Result<(), KeyringError> {
        Ok(())
    }

    fn lock(&mut self) {}
}

#[cfg(test)]
mod tests {
    use vault_crypto::VaultId;

    use super::*;

    fn get(
        backend: &mut SystemdCredsBackend,
        name: EntryName,
    ) -> Result<SecretBytes, KeyringError> {
        let vault = VaultId::from_bytes([1; 16]);
        backend.get(&Account { vault, name }, Interaction::Forbidden)
    }

    #[test]
    fn a_credential_is_read_anew_at_each_use() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut backend = SystemdCredsBackend::new(Some(folder.path().to_owned()));
        let missing = get(&mut backend, EntryName::StorageKey);
        assert_eq!(missing.err(), Some(KeyringError::NoEntry));
        for byte in [1, 2] {
            let credential = SystemdCredsBackend::credential(&[byte; 32]);
            let path = folder.path().join(CREDENTIAL);
            std::fs::write(path, credential.expose()).expect("written");
            let key = get(&mut backend, EntryName::StorageKey).expect("there");
            assert_eq!(key.expose(), [byte; 32]);
        }
        std::fs::write(folder.path().join(CREDENTIAL), "!").expect("written");
        let damaged = get(&mut backend, EntryName::StorageKey);
        assert!(matches!(damaged.err(), Some(KeyringError::Damaged(_))));
    }

    #[test]
    fn without_systemd_it_says_how_to_start() {
        let mut backend = SystemdCredsBackend::new(None);
        let error = backend.probe().expect_err("no credentials");
        assert!(
            error.to_string().contains("LoadCredentialEncrypted"),
            "{error}"
        );
    }

    #[test]
    fn nothing_can_be_written() {
        let mut backend = SystemdCredsBackend::new(None);
        let vault = VaultId::from_bytes([1; 16]);
        let name = EntryName::StorageKey;
        let account = Account { vault, name };
        let no = Interaction::Forbidden;
        assert!(matches!(
            backend.set(&account, b"x", no),
            Err(KeyringError::Unsupported(_))
        ));
        assert!(matches!(
            backend.delete(&account, no),
            Err(KeyringError::Unsupported(_))
        ));
        let next = get(&mut backend, EntryName::StorageKeyNext);
        assert!(matches!(next.err(), Some(KeyringError::Unsupported(_))));
    }
}
