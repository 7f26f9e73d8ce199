//! Which backend keeps the key, and the keyring made of it.

use std::sync::Arc;

use vault_crypto::SecretBytes;
use vault_keyring::{
    Backend, BackendKind, Interaction, Keyring, KeyringError, memory::MemoryBackend, os::OsBackend,
    passphrase::PassphraseBackend, systemd_creds::SystemdCredsBackend,
};
use vault_store::{OpenError, Vault, header::Header, legacy, vault::Evidence};

use super::{Keeper, secrets::move_secrets};
use crate::{
    audit, auth_anchor,
    key_source::{KeyringSource, key_source_error},
    key_state::Closed,
};

impl Keeper {
    /// The backend in force: the vault's own, which the configuration must not contradict, or the
    /// configured one, or the operating system's.
    pub(super) fn backend(&self) -> Result<BackendKind, Closed> {
        let failed =
            |error| Closed::from_open_error(&OpenError::Store(error), BackendKind::Os, true);
        // Nothing can be said of a root whose files are on their way: a crash may have come amid that.
        legacy::complete(&self.root).map_err(failed)?;
        let evidence = Evidence::gather(&self.root).map_err(failed)?;
        let Some(header) = evidence.header() else {
            // A header that is lost or damaged does not hide a key file.
            let key_file = PassphraseBackend::has_key_file(&self.settings.data_root);
            let likely = if key_file && !evidence.is_none() {
                BackendKind::Passphrase
            } else {
                BackendKind::Os
            };
            return Ok(self.settings.backend.unwrap_or(likely));
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

    /// Opens a vault whose key is on its way into a credential, if that is presented: from then on
    /// it is where the key is.
    pub(super) fn open_by_credential(&self, slot: &mut Option<Arc<Keyring>>) -> Option<Vault> {
        let moving = Header::read(&self.root).ok().flatten()?.moving?;
        if moving.to != BackendKind::SystemdCreds.as_str() {
            return None;
        }
        let keyring = self.new_keyring(BackendKind::SystemdCreds);
        match self.open_with(&keyring, Interaction::Forbidden) {
            Ok(vault) => {
                *slot = Some(keyring);
                Some(self.complete_move(vault, slot))
            }
            Err(closed) => {
                tracing::info!(explanation = closed.explanation, "not moved yet");
                None
            }
        }
    }

    /// Completes a move of the key that was found half done. What cannot be done now is left for
    /// the next start; the vault works all the same.
    pub(super) fn complete_move(&self, vault: Vault, slot: &mut Option<Arc<Keyring>>) -> Vault {
        let Some(moving) = vault.header().moving else {
            return vault;
        };
        let keyring = |name: &str| Some(self.new_keyring(name.parse().ok()?));
        let (Some(from), Some(to)) = (keyring(&moving.from), keyring(&moving.to)) else {
            return vault;
        };
        let [source, target] =
            [&from, &to].map(|keyring| KeyringSource::new(keyring, Interaction::Forbidden));
        let completed = vault.resume_move(&target).and_then(|()| {
            if vault.header().backend == moving.to {
                *slot = Some(Arc::clone(&to));
                auth_anchor::carry(&vault, &from, &to);
                audit::carry(vault.id(), &from, &to);
                move_secrets(&vault, &from, &to, Interaction::Forbidden)?;
            }
            vault.finish_move(&source)
        });
        if let Err(error) = completed {
            tracing::warn!(%error, from = moving.from, to = moving.to, "the key's move is half done");
        }
        vault
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
            BackendKind::SystemdCreds => Box::new(SystemdCredsBackend::from_environment()),
            BackendKind::Memory => Box::new(MemoryBackend::new()),
        };
        Arc::new(Keyring::new(backend, self.settings.keyring_deadline))
    }

    pub(super) fn passphrase_from_file(&self) -> Result<Option<SecretBytes>, Closed> {
        let Some(path) = self.passphrase_file() else {
            return Ok(None);
        };
        let mut bytes = std::fs::read(&path).map_err(|error| {
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
