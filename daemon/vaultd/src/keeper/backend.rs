//! Which backend keeps the key, and the keyring made of it.

use std::sync::Arc;

use vault_crypto::SecretBytes;
use vault_keyring::{
    Backend, BackendKind, Keyring, KeyringError, memory::MemoryBackend, os::OsBackend,
    passphrase::PassphraseBackend,
};
use vault_store::{OpenError, vault::Evidence};

use super::Keeper;
use crate::{key_source::key_source_error, key_state::Closed};

impl Keeper {
    /// The backend in force: the vault's own, which the configuration must not contradict, or the
    /// configured one, or the operating system's.
    pub(super) fn backend(&self) -> Result<BackendKind, Closed> {
        let evidence = Evidence::gather(&self.root).map_err(|error| {
            Closed::from_open_error(&OpenError::Store(error), BackendKind::Os, true)
        })?;
        let Some(header) = evidence.header() else {
            return Ok(self.settings.backend.unwrap_or(BackendKind::Os));
        };
        let Ok(own) = header.backend.parse::<BackendKind>() else {
            return Err(Closed::unknown_backend(&header.backend));
        };
        match self.settings.backend {
            Some(configured) if configured != own => {
                Err(Closed::other_backend(&header.backend, configured))
            }
            _ => Ok(own),
        }
    }

    /// The keyring in use, made on first need.
    pub(super) fn keyring(&self, slot: &mut Option<Arc<Keyring>>) -> Result<Arc<Keyring>, Closed> {
        let backend = match slot {
            // A vault that `init` is about to create has no header that could name its backend.
            Some(keyring) if self.uninitialized() => keyring.kind(),
            _ => self.backend()?,
        };
        match slot {
            Some(keyring) if keyring.kind() == backend => Ok(Arc::clone(keyring)),
            _ => {
                let keyring = self.new_keyring(backend);
                if backend == BackendKind::Passphrase
                    && let Some(passphrase) = self.passphrase_from_file()?
                {
                    self.unlock_keyring(&keyring, Some(&passphrase))?;
                }
                *slot = Some(Arc::clone(&keyring));
                Ok(keyring)
            }
        }
    }

    pub(super) fn uninitialized(&self) -> bool {
        Evidence::gather(&self.root).is_ok_and(|evidence| evidence.is_none())
    }

    pub(super) fn new_keyring(&self, backend: BackendKind) -> Arc<Keyring> {
        let backend: Box<dyn Backend> = match backend {
            BackendKind::Os => Box::new(OsBackend::new()),
            BackendKind::Passphrase => Box::new(PassphraseBackend::new(
                self.settings.data_root.clone(),
                None,
            )),
            BackendKind::Memory => Box::new(MemoryBackend::new()),
        };
        Arc::new(Keyring::new(backend, self.settings.keyring_deadline))
    }

    pub(super) fn passphrase_from_file(&self) -> Result<Option<SecretBytes>, Closed> {
        let Some(path) = &self.settings.passphrase_file else {
            return Ok(None);
        };
        let mut bytes = std::fs::read(path).map_err(|error| {
            Closed::unavailable(
                format!(
                    "the passphrase file {} cannot be read: {error}",
                    path.display()
                ),
                "make it readable for this user, then run `vaultctl unlock`",
            )
        })?;
        // Editors and `echo` end a file with a newline that is no part of the passphrase.
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        Ok(Some(SecretBytes::new(bytes)))
    }

    pub(super) fn unlock_keyring(
        &self,
        keyring: &Keyring,
        passphrase: Option<&SecretBytes>,
    ) -> Result<(), Closed> {
        keyring
            .unlock(passphrase)
            .map_err(|error| self.closed_by(keyring, error))
    }

    /// What a keyring's failure means for this vault.
    fn closed_by(&self, keyring: &Keyring, error: KeyringError) -> Closed {
        let initialized = !self.uninitialized();
        Closed::from_key_source(&key_source_error(error), keyring.kind(), initialized)
    }

    /// Finds out whether the keyring works at all, so that one that does not shows at once.
    pub(super) fn probe(&self, slot: &mut Option<Arc<Keyring>>) -> Result<(), Closed> {
        let keyring = self.keyring(slot)?;
        // A locked keyring is there; whether the key is in it shows when it is unlocked.
        keyring
            .probe()
            .map(drop)
            .map_err(|error| self.closed_by(&keyring, error))
    }
}
