//! The data root of an earlier version, moved in once, on somebody's word.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tonic::Status;
use vault_crypto::{SecretBytes, VaultId};
use vault_keyring::{BackendKind, Interaction, Keyring, PassphraseBackend};
use vault_proto::v1::{Reason, move_in_progress::Step};
use vault_store::{
    Clock as _, DataRoot, StoreError, SystemClock, Vault,
    archive::{self, ArchiveError, Conflicts, Merged, Progress},
    legacy::{self, Copied, LegacyError, LegacyRoot, Marker, Moved},
    root::{RootLock, RootLockError},
    vault::{Evidence, VaultOptions},
};

use super::Keeper;
use crate::{
    error::{refusal, store_error},
    key_source::KeyringSource,
    key_state::Closed,
};

type Answer<T> = Result<T, Box<Status>>;

/// Told how far a step has come, in bytes; answers whether to go on.
pub type Report<'a> = dyn FnMut(Step, u64, u64) -> ControlFlow<()> + 'a;

/// What was moved in.
pub struct MovedIn {
    /// Where it lies still.
    pub source: String,
    /// Its vault.
    pub vault: VaultId,
    /// What was copied.
    pub copied: Copied,
    /// Of one that became part of another vault.
    pub merged: Option<Merged>,
}

/// How it is to be done.
pub struct MoveIn {
    /// What becomes of objects that both vaults have.
    pub conflicts: Conflicts,
    /// Opens a legacy root whose key lies under a passphrase.
    pub passphrase: Option<SecretBytes>,
}

/// Ends when it is dropped.
pub(super) struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Keeper {
    /// Moves the legacy root in: whole where there is no vault yet, else into the present one.
    ///
    /// The legacy root is only read. Whatever fails, the data root is as it was, or can be moved into
    /// again.
    pub fn move_in(&self, how: &MoveIn, report: &mut Report<'_>) -> Answer<MovedIn> {
        let _alone = self.turn_to_move_in().ok_or_else(|| {
            let text = "a legacy root is being moved in already: wait for that to end";
            Box::new(refusal(Reason::InUse, text, &[("by", "another call")]))
        })?;
        let _busy = self.busy();
        let (legacy, vault) = self.movable()?;
        let path = legacy.root.path();
        let _untouched =
            RootLock::of_source(path).map_err(|error| Box::new(lock_refusal(&error)))?;
        let moved = Moved {
            vault,
            source: path.to_string_lossy().into_owned(),
            at: SystemClock.now_ms(),
            whole: false,
        };
        // Held to its end: nobody makes a vault meanwhile where one is about to be.
        let attempt = self.lock_attempt();
        if self.uninitialized() && !self.is_ephemeral() {
            let whole = Moved {
                whole: true,
                ..moved
            };
            let copied = self.take_whole(&legacy, &whole, report)?;
            drop(attempt);
            self.come_to_life(how.passphrase.as_ref());
            return Ok(outcome(whole, copied, None));
        }
        drop(attempt);
        let present = self.vault()?;
        let merged = self.take_in(&legacy, &present, how, report);
        if merged.is_err() {
            // Nothing of it is of use any more. What stays is found by the doctor.
            let _ = legacy::clear(&self.root);
        }
        let (copied, merged) = merged?;
        let noted = Marker::add(&self.root, moved.clone()).and_then(|()| legacy::clear(&self.root));
        noted.map_err(|error| Box::new(store_error(&error)))?;
        tracing::info!(
            source = moved.source,
            objects = merged.objects,
            "legacy root merged"
        );
        Ok(outcome(moved, copied, Some(merged)))
    }

    /// Whoever has it is alone with the copy of a legacy root; `None` while somebody else is.
    pub(super) fn turn_to_move_in(&self) -> Option<Turn<'_>> {
        let (order, otherwise) = (Ordering::AcqRel, Ordering::Acquire);
        let taken = self
            .moving_in
            .compare_exchange(false, true, order, otherwise);
        taken.is_ok().then_some(Turn(&self.moving_in))
    }

    /// The legacy root, if there is one that was not moved in yet.
    fn movable(&self) -> Answer<(LegacyRoot, VaultId)> {
        let legacy = self.locations().legacy(&self.root);
        let Some(legacy) = legacy.filter(|legacy| legacy.exists) else {
            let text = "there is no legacy root: name one by `legacy_dir` in config.toml";
            return Err(Box::new(refusal(Reason::NotFound, text, &[])));
        };
        let Some(vault) = legacy.vault() else {
            let text =
                "nothing in the legacy root names the vault in it; `vaultctl doctor` tells more";
            return Err(Box::new(refusal(Reason::NotFound, text, &[])));
        };
        let marker = Marker::read(&self.root).map_err(|error| Box::new(store_error(&error)))?;
        if marker.has(vault) {
            let text = "the legacy root was moved in already: what is in it now is not looked at";
            return Err(Box::new(refusal(Reason::AlreadyExists, text, &[])));
        }
        Ok((legacy, vault))
    }

    /// Copies a legacy root into the data root, which has room for it so many times.
    fn copy(&self, legacy: &LegacyRoot, times: u64, report: &mut Report<'_>) -> Answer<Copied> {
        let mut told = |done, total| report(Step::Copying, done, total);
        let copied = legacy::copy(&legacy.root, &self.root, times, &mut told);
        copied.map_err(|error| {
            let _ = legacy::clear(&self.root);
            Box::new(copy_refusal(&error))
        })
    }

    /// Lets the legacy root become this one.
    fn take_whole(
        &self,
        legacy: &LegacyRoot,
        moved: &Moved,
        report: &mut Report<'_>,
    ) -> Answer<Copied> {
        let copied = self.copy(legacy, 1, report)?;
        let placed = legacy::place(&self.root, moved);
        placed.map_err(|error| {
            if matches!(error, StoreError::ObjectExists(_))
                && let Err(error) = legacy::clear(&self.root)
            {
                tracing::warn!(%error, "the copy of the legacy root stays");
            }
            Box::new(store_error(&error))
        })?;
        Ok(copied)
    }

    /// Opens what has just moved in, as far as its key is at hand: what is missing, status says.
    fn come_to_life(&self, passphrase: Option<&SecretBytes>) {
        let opened = match passphrase {
            Some(_) => self.unlock(passphrase),
            None => self.existing_vault().map(drop),
        };
        if let Err(status) = opened {
            let explanation = status.message();
            tracing::warn!(explanation, "what was moved in is not open yet");
        }
    }

    /// Seals the objects of a legacy root into the present vault.
    fn take_in(
        &self,
        legacy: &LegacyRoot,
        present: &Vault,
        how: &MoveIn,
        report: &mut Report<'_>,
    ) -> Answer<(Copied, Merged)> {
        let copied = self.copy(legacy, 2, report)?;
        let staged = legacy::staged(&self.root);
        let old = self.open_staged(&staged, how.passphrase.as_ref())?;
        let mut told = |now: Progress<'_>| {
            let step = if now.bytes_done < now.bytes_total {
                Step::Sealing
            } else {
                Step::Verifying
            };
            report(step, now.bytes_done, now.bytes_total)
        };
        let merged = archive::merge(&old, present, how.conflicts, &mut told);
        old.close_and_wait();
        let merged = merged.map_err(|error| Box::new(self.merge_refusal(&error)))?;
        Ok((copied, merged))
    }

    /// Opens the copy of a legacy root by its own key.
    fn open_staged(&self, staged: &DataRoot, passphrase: Option<&SecretBytes>) -> Answer<Vault> {
        let of_legacy = |closed: Closed| {
            let explanation = format!("the legacy root: {}", closed.explanation);
            Box::new(
                Closed {
                    explanation,
                    ..closed
                }
                .refuse(),
            )
        };
        let keyring = self.keyring_of_staged(staged, passphrase)?;
        let source = KeyringSource::new(&keyring, Interaction::Allowed);
        let options = VaultOptions {
            background: false,
            ..self.options(&keyring)
        };
        Vault::open(staged.clone(), &source, options)
            .map_err(|error| of_legacy(Closed::from_open_error(&error, keyring.kind(), true)))
    }

    /// The keyring that holds the key of a legacy root.
    fn keyring_of_staged(
        &self,
        staged: &DataRoot,
        passphrase: Option<&SecretBytes>,
    ) -> Answer<Arc<Keyring>> {
        let evidence = Evidence::gather(staged).map_err(|error| Box::new(store_error(&error)))?;
        let named = evidence.header().map(|header| header.backend.parse());
        let kind = match named {
            Some(Ok(kind)) => kind,
            Some(Err(_)) | None if PassphraseBackend::has_key_file(staged.path()) => {
                BackendKind::Passphrase
            }
            Some(Err(_)) | None => BackendKind::Os,
        };
        if kind != BackendKind::Passphrase {
            return Ok(self.new_keyring(kind));
        }
        let backend = PassphraseBackend::new(staged.path().to_owned(), None);
        let deadline = self.settings.keyring_deadline;
        let keyring = Arc::new(Keyring::new(Box::new(backend), deadline));
        let from_file = match passphrase {
            Some(_) => None,
            None => self
                .passphrase_from_file()
                .map_err(|closed| Box::new(closed.refuse()))?,
        };
        let Some(passphrase) = passphrase.or(from_file.as_ref()) else {
            let text = "the key of the legacy root lies under a passphrase: send it along";
            return Err(Box::new(refusal(Reason::UnfitSecret, text, &[])));
        };
        let unlocked = keyring.unlock(Some(passphrase));
        unlocked.map_err(|error| {
            let error = crate::key_source::key_source_error(error);
            Box::new(crate::key_error::key_source(&error))
        })?;
        Ok(keyring)
    }

    fn merge_refusal(&self, error: &ArchiveError) -> Status {
        let text = error.to_string();
        match error {
            ArchiveError::Differing { count, .. } => {
                let text = format!(
                    "{text}; `vaultctl doctor --fix --conflicts keep` leaves them as they are here, \
                     `--conflicts replace` takes those of the legacy root"
                );
                let count = count.to_string();
                refusal(Reason::RevisionConflict, text, &[("count", &count)])
            }
            ArchiveError::Conflict { store, .. } => {
                refusal(Reason::AlreadyExists, text, &[("store", store)])
            }
            ArchiveError::Stopped => refusal(Reason::Cancelled, text, &[]),
            ArchiveError::Store(error) => self.refusal_of(error),
            _ => refusal(Reason::StorageFailed, text, &[("operation", "move in")]),
        }
    }
}

fn outcome(moved: Moved, copied: Copied, merged: Option<Merged>) -> MovedIn {
    MovedIn {
        source: moved.source,
        vault: moved.vault,
        copied,
        merged,
    }
}

fn lock_refusal(error: &RootLockError) -> Status {
    let text = error.to_string();
    match error {
        RootLockError::Held(_) => {
            let text = format!("{text}: stop that one first");
            refusal(Reason::InUse, text, &[("by", "another vaultd")])
        }
        RootLockError::Unusable { .. } => {
            refusal(Reason::StorageFailed, text, &[("operation", "lock")])
        }
    }
}

fn copy_refusal(error: &LegacyError) -> Status {
    let text = error.to_string();
    match error {
        LegacyError::Changed(_) => refusal(Reason::InUse, text, &[("by", "another program")]),
        LegacyError::NotTheSame(_) => {
            refusal(Reason::StorageFailed, text, &[("operation", "copy")])
        }
        LegacyError::Stopped => refusal(Reason::Cancelled, text, &[]),
        LegacyError::Store(error) => store_error(error),
    }
}
