//! What is done with the storage key besides rotating it: exported, brought back, derived, moved,
//! destroyed.

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use tonic::Status;
use vault_crypto::{
    Fingerprint, Identities, MasterKey, PassphraseError, Recipients, SecretBytes, StorageKey,
    VaultId, key_export,
    passphrase::{WeakPassphrase, check_passphrase},
};
use vault_keyring::{BackendKind, Interaction, Keyring, PassphraseBackend, SystemdCredsBackend};
use vault_proto::v1::Reason;
use vault_store::{
    StoreError, Vault,
    rotation::{Depth, RotationError, RotationOutcome},
    vault::{Evidence, MoveError, RecoveryError, recover, rederive},
};

use super::{Keeper, State, rotation::Next, secrets::move_secrets};
use crate::{
    error::{refusal, store_error},
    key_error,
    key_source::KeyringSource,
};

type Answer<T> = Result<T, Box<Status>>;

/// A storage key as a file.
pub struct KeyFile {
    /// The age file.
    pub file: Vec<u8>,
    /// The vault it belongs to.
    pub vault: VaultId,
    /// Its check value.
    pub fingerprint: Fingerprint,
}

/// How a derivation came out.
pub struct Derived {
    /// Check value of the key in force.
    pub fingerprint: Fingerprint,
    /// The key was absent before.
    pub recovered: bool,
    /// For a keyring that cannot be written: what to present at the next start.
    pub credential: Option<SecretBytes>,
}

/// How a move came out.
pub struct Moved {
    /// The backend that holds the key.
    pub backend: String,
    /// For one that cannot be written: what to present at the next start.
    pub credential: Option<SecretBytes>,
    /// Why the old backend still holds a copy.
    pub left_behind: Option<String>,
}

enum ExportError {
    Sealing(PassphraseError),
    Store(StoreError),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Refuses a passphrase that is too easy to guess.
pub fn strong(passphrase: &SecretBytes) -> Answer<()> {
    check_passphrase(passphrase).map_err(|error: WeakPassphrase| {
        Box::new(refusal(Reason::UnfitSecret, error.to_string(), &[]))
    })
}

impl Keeper {
    /// The storage key as an age file.
    pub fn export_key(&self, recipients: &Recipients<'_>) -> Answer<KeyFile> {
        if let Recipients::Passphrase { passphrase, .. } = recipients {
            strong(passphrase)?;
        }
        let _busy = self.busy();
        let vault = self.vault()?;
        let id = vault.id();
        let exported = vault.export_key(|key| {
            let file = key_export::seal(id, key, recipients).map_err(ExportError::Sealing)?;
            Ok((file, key.fingerprint(id)))
        });
        match exported {
            Ok((file, fingerprint)) => Ok(KeyFile {
                file,
                vault: id,
                fingerprint,
            }),
            Err(ExportError::Sealing(error)) => Err(Box::new(key_error::sealed_file(&error))),
            Err(ExportError::Store(error)) => Err(Box::new(self.refusal_of(&error))),
        }
    }

    /// Opens a key file and puts its key into the keyring, if it opens this vault.
    pub fn import_key(
        &self,
        file: &[u8],
        identities: &Identities<'_>,
        keyring_passphrase: Option<&SecretBytes>,
    ) -> Answer<(VaultId, Fingerprint)> {
        let mut slot = self.lock_attempt();
        if let Some(rest) = self.attempts.rest(Instant::now()) {
            return Err(Box::new(too_many(rest)));
        }
        let exported = key_export::open(file, identities).map_err(|error| {
            self.attempts.failed(Instant::now());
            Box::new(key_error::sealed_file(&error))
        })?;
        // A vault that is open has its key: nothing of its keyring changes.
        if let State::Open(vault) = &*self.read() {
            let (id, fingerprint) = (vault.id(), exported.key.fingerprint(vault.id()));
            let refused = if exported.vault.is_some_and(|vault| vault != id) {
                let (expected, found) = (id, exported.vault.unwrap_or(id));
                Some(RecoveryError::OtherVault { expected, found })
            } else if fingerprint == vault.fingerprint() {
                None
            } else {
                let (expected, found) = (vault.fingerprint(), fingerprint);
                Some(RecoveryError::WrongKey { expected, found })
            };
            return match refused {
                None => Ok((id, fingerprint)),
                Some(error) => {
                    self.attempts.failed(Instant::now());
                    Err(Box::new(key_error::recovery(&error)))
                }
            };
        }
        let passphrase = match (keyring_passphrase, identities) {
            (Some(passphrase), _) => Some(passphrase),
            (None, Identities::Passphrase(passphrase)) => Some(*passphrase),
            (None, Identities::Keys(_)) => None,
        };
        let keyring = self.receiving_keyring(passphrase)?;
        let source = KeyringSource::new(&keyring, Interaction::Allowed);
        let recovered = recover(&self.root, &source, exported.vault, &exported.key);
        let id = recovered.map_err(|error| {
            let fits = !matches!(
                error,
                RecoveryError::WrongKey { .. } | RecoveryError::OtherVault { .. }
            );
            if !fits {
                self.attempts.failed(Instant::now());
            }
            Box::new(key_error::recovery(&error))
        })?;
        self.attempts.succeeded();
        let fingerprint = exported.key.fingerprint(id);
        self.open_by(&mut slot, keyring)?;
        Ok((id, fingerprint))
    }

    /// Rotates to a key derived from `master`, or where the key is absent, computes it anew.
    pub fn derive_key(
        &self,
        master: MasterKey,
        keyring_passphrase: Option<&SecretBytes>,
    ) -> Answer<Derived> {
        let _busy = self.busy();
        if let Ok(vault) = self.vault() {
            let mut slot = self.lock_attempt();
            let keyring = self
                .keyring(&mut slot)
                .map_err(|closed| Box::new(closed.refuse()))?;
            let source = KeyringSource::new(&keyring, Interaction::Allowed);
            let refuse = |error: &RotationError| Box::new(self.rotation_refusal(error));
            let next = Next::Derived(master).key()?;
            let handed_out = vault
                .begin_rotation(&source, Depth::Rewrap, next)
                .map_err(|error| refuse(&error))?;
            let ended = vault
                .advance_rotation(&source, &mut |_| ControlFlow::Continue(()))
                .map_err(|error| refuse(&error))?;
            match ended {
                RotationOutcome::Done { .. } | RotationOutcome::AwaitsCredential => {}
                RotationOutcome::Paused
                | RotationOutcome::TurnedRound
                | RotationOutcome::RolledBack { .. } => {
                    let text = "the rotation to the derived key was stopped; `vaultctl key status` \
                                shows what became of it";
                    return Err(Box::new(refusal(Reason::RotationRunning, text, &[])));
                }
            }
            return Ok(Derived {
                fingerprint: vault.fingerprint(),
                recovered: false,
                credential: handed_out.map(|key| SystemdCredsBackend::credential(key.expose())),
            });
        }
        let mut slot = self.lock_attempt();
        let keyring = self.receiving_keyring(keyring_passphrase)?;
        let source = KeyringSource::new(&keyring, Interaction::Allowed);
        let recovered = rederive(&self.root, &source, &master)
            .and_then(|key| recover(&self.root, &source, None, &key).map(|id| (key, id)));
        let (key, id): (StorageKey, VaultId) =
            recovered.map_err(|error| Box::new(key_error::recovery(&error)))?;
        self.open_by(&mut slot, keyring)?;
        Ok(Derived {
            fingerprint: key.fingerprint(id),
            recovered: true,
            credential: None,
        })
    }

    /// Moves the storage key to another backend; with `passphrase` on a vault that has one, changes
    /// it.
    pub fn move_key(&self, to: BackendKind, passphrase: Option<&SecretBytes>) -> Answer<Moved> {
        let _busy = self.busy();
        let vault = self.vault()?;
        let mut slot = self.lock_attempt();
        let from = self
            .keyring(&mut slot)
            .map_err(|closed| Box::new(closed.refuse()))?;
        if to == BackendKind::Memory || from.kind() == BackendKind::Memory {
            let text = "an ephemeral vault's key stays in memory";
            return Err(Box::new(refusal(Reason::InvalidArgument, text, &[])));
        }
        let stays = |left_behind| Moved {
            backend: to.to_string(),
            credential: None,
            left_behind,
        };
        if let Some(moving) = vault.header().moving
            && to == from.kind()
        {
            if moving.to == to.as_str()
                && let Ok(kind) = moving.from.parse()
            {
                let old = self.new_keyring(kind);
                self.move_anchor(&vault, &old, &from);
                return Ok(stays(leave(&vault, &old, &from)));
            }
            let cancelled = vault.cancel_move();
            cancelled.map_err(|error| Box::new(key_error::moving(&error)))?;
            return Ok(stays(None));
        }
        let target = self.target_keyring(to, passphrase)?;
        let source = KeyringSource::new(&target, Interaction::Allowed);
        let refuse = |error: &MoveError| match error {
            MoveError::Store(error) => Box::new(self.refusal_of(error)),
            error => Box::new(key_error::moving(error)),
        };
        if to == from.kind() && to == BackendKind::Passphrase {
            vault.keep_anew(&source).map_err(|error| refuse(&error))?;
            *slot = Some(target);
            return Ok(stays(None));
        }
        let handed_out = vault.begin_move(&source).map_err(|error| refuse(&error))?;
        if let Some(key) = handed_out {
            return Ok(Moved {
                backend: from.kind().to_string(),
                credential: Some(SystemdCredsBackend::credential(key.expose())),
                left_behind: None,
            });
        }
        *slot = Some(Arc::clone(&target));
        self.move_anchor(&vault, &from, &target);
        Ok(stays(leave(&vault, &from, &target)))
    }

    /// The keyring that a key is brought back into: the configured one, or the vault's own.
    fn receiving_keyring(&self, passphrase: Option<&SecretBytes>) -> Answer<Arc<Keyring>> {
        let evidence =
            Evidence::gather(&self.root).map_err(|error| Box::new(store_error(&error)))?;
        let own = evidence
            .header()
            .and_then(|header| header.backend.parse().ok());
        let kind = self.settings.backend.or(own).unwrap_or(BackendKind::Os);
        self.target_keyring(kind, passphrase)
    }

    /// A keyring that takes a key: a passphrase one seals with the passphrase given.
    fn target_keyring(
        &self,
        kind: BackendKind,
        passphrase: Option<&SecretBytes>,
    ) -> Answer<Arc<Keyring>> {
        if kind != BackendKind::Passphrase {
            return Ok(self.new_keyring(kind));
        }
        let from_file = match passphrase {
            Some(_) => None,
            None => self
                .passphrase_from_file()
                .map_err(|closed| Box::new(closed.refuse()))?,
        };
        let passphrase = passphrase.or(from_file.as_ref()).ok_or_else(|| {
            let text = "a passphrase is needed for the `passphrase` backend";
            Box::new(refusal(Reason::UnfitSecret, text, &[]))
        })?;
        strong(passphrase)?;
        let folder = self.settings.data_root.clone();
        let backend = PassphraseBackend::with_new_passphrase(folder, passphrase);
        let deadline = self.settings.keyring_deadline;
        Ok(Arc::new(Keyring::new(Box::new(backend), deadline)))
    }

    /// Opens the vault by a keyring that was just given its key.
    fn open_by(&self, slot: &mut Option<Arc<Keyring>>, keyring: Arc<Keyring>) -> Answer<()> {
        if matches!(&*self.read(), State::Open(_)) {
            return Ok(());
        }
        let opened = self.open_with(&keyring, Interaction::Allowed);
        *slot = Some(keyring);
        let opened = self.settle(opened);
        self.go_on(&opened, slot.as_ref());
        opened.map(drop).map_err(|closed| Box::new(closed.refuse()))
    }
}

/// Brings the rest along of a vault whose storage key has moved from `from` to `to`: the values
/// of its secrets, and removes the old copy of the key. Returns why something is left behind.
fn leave(vault: &Vault, from: &Arc<Keyring>, to: &Arc<Keyring>) -> Option<String> {
    let secrets = move_secrets(vault, from, to, Interaction::Allowed);
    if let Err(error) = secrets {
        return Some(format!("the values of secrets have not all moved: {error}"));
    }
    let old = KeyringSource::new(from, Interaction::Allowed);
    vault.finish_move(&old).err().map(|error| error.to_string())
}

fn too_many(rest: Duration) -> Status {
    let seconds = rest.as_secs_f64().ceil().to_string();
    let unit = if seconds == "1" { "second" } else { "seconds" };
    let text = format!("too many failures: try again in {seconds} {unit}");
    refusal(
        Reason::RateLimited,
        text,
        &[("retry_after_seconds", &seconds)],
    )
}
