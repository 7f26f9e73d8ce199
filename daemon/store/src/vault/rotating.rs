//! Rotating the storage key, online and across crashes.
//!
//! The order is always: stage the next key durably in the keyring, wrap the key table with it, seal
//! objects anew, verify, promote, and only then destroy the old keys. At no instant is there data
//! on disk whose only key is in memory. Every step may be done again: whoever finds a rotation half
//! done, at the next start or after a failure, calls [`Vault::advance_rotation`].

use std::{ops::ControlFlow, sync::atomic::Ordering};

use vault_crypto::{Fingerprint, KeyPurpose, KeyTable, StorageKey};

use super::{
    Keys, SaltState, State, Vault, derivation, lock,
    opening::PREVIOUS_FILE,
    staging::{copy, unless_unsupported},
};
use crate::{
    durable,
    error::StoreResult,
    header::Header,
    id::StoreName,
    key_source::{
        KeyEntry, KeySource, KeySourceError, load_key, remove_and_verify, save_and_verify,
    },
    keys,
    rotation::{
        Depth, RotationError, RotationOutcome, RotationProgress, RotationRecord, RotationState,
        SaltChange,
    },
    sidecar::{self, Sidecar},
};

type Rotated<T> = Result<T, RotationError>;

/// What a rotation that is being worked on is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stop {
    /// Go on.
    No = 0,
    /// Stay where it is.
    Pause = 1,
    /// Make room for going back.
    TurnRound = 2,
}

impl Vault {
    /// Brings a rotation to its end, from wherever it stands. `report` is told of progress, and
    /// stops it between two objects by answering so.
    pub fn advance_rotation(
        &self,
        source: &dyn KeySource,
        report: &mut dyn FnMut(&RotationProgress) -> ControlFlow<()>,
    ) -> Rotated<RotationOutcome> {
        let _turn = lock(&self.rotating);
        self.change_record(|record| record.paused = false)?;
        loop {
            if let Some(stopped) = self.stop_asked_for()? {
                return Ok(stopped);
            }
            let record = self.rotation().ok_or(RotationError::None)?;
            match (record.state, record.back) {
                (RotationState::Staged, false) => {
                    if let Some(ended) = self.wrap_by_next(source, &record)? {
                        return Ok(ended);
                    }
                }
                (RotationState::Staged, true) => self.wrap_by_old(source, &record)?,
                (RotationState::Rewriting, _) => {
                    let mut report = |progress: &RotationProgress| {
                        if self.stop() != Stop::No {
                            return ControlFlow::Break(());
                        }
                        let flow = report(progress);
                        if flow.is_break() {
                            self.stop.store(Stop::Pause as u8, Ordering::Release);
                        }
                        flow
                    };
                    if self.rewrite(&mut report)?.is_break() {
                        continue;
                    }
                    self.change_record(|record| record.state = RotationState::Verified)?;
                }
                (RotationState::Verified, false) => self.promote(source, &record)?,
                (RotationState::Promoted, false) => {
                    let kept = self.finish(source)?;
                    return Ok(RotationOutcome::Done { kept });
                }
                (RotationState::Verified | RotationState::Promoted, true) => {
                    let kept = self.finish(source)?;
                    return Ok(RotationOutcome::RolledBack { kept });
                }
            }
        }
    }

    fn stop(&self) -> Stop {
        match self.stop.load(Ordering::Acquire) {
            1 => Stop::Pause,
            2 => Stop::TurnRound,
            _ => Stop::No,
        }
    }

    /// Durably notes a pause that was asked for. What comes too late to be of use, when all that is
    /// left is to destroy old keys, is not heeded.
    fn stop_asked_for(&self) -> Rotated<Option<RotationOutcome>> {
        let promoted = self
            .rotation()
            .is_some_and(|record| record.state == RotationState::Promoted);
        match self.stop() {
            Stop::TurnRound if !promoted => Ok(Some(RotationOutcome::TurnedRound)),
            Stop::Pause if !promoted => {
                self.change_record(|record| record.paused = true)?;
                tracing::info!("rotation paused");
                Ok(Some(RotationOutcome::Paused))
            }
            _ => Ok(None),
        }
    }

    /// Stops a rotation between two objects; at once where none is being worked on. It stays stopped
    /// until [`Vault::unpause_rotation`].
    pub fn pause_rotation(&self) -> Rotated<()> {
        if self.rotation().is_none() {
            return Err(RotationError::None);
        }
        self.stop.store(Stop::Pause as u8, Ordering::Release);
        if let Ok(_turn) = self.rotating.try_lock() {
            self.change_record(|record| record.paused = true)?;
        }
        Ok(())
    }

    /// Takes a pause back, before a rotation is gone on with.
    pub fn unpause_rotation(&self) {
        self.stop.store(Stop::No as u8, Ordering::Release);
    }

    /// Turns a rotation round, unless its key was promoted already. It is brought to its end, as
    /// any, by [`Vault::advance_rotation`].
    pub fn roll_back_rotation(&self, source: &dyn KeySource) -> Rotated<()> {
        self.may_roll_back(source)?;
        self.stop.store(Stop::TurnRound as u8, Ordering::Release);
        let _turn = lock(&self.rotating);
        self.unpause_rotation();
        if self.may_roll_back(source)?.back {
            return Ok(());
        }
        tracing::info!("rotation is rolled back");
        self.change_record(|record| {
            record.back = true;
            record.paused = false;
            record.state = RotationState::Staged;
        })
    }

    /// The rotation under way, unless its key was promoted.
    fn may_roll_back(&self, source: &dyn KeySource) -> Rotated<RotationRecord> {
        let record = self.rotation().ok_or(RotationError::None)?;
        let before = load_key(source, self.id, KeyEntry::StorageKey)?;
        let before = before.map(|key| key.fingerprint(self.id));
        if record.back || record.state < RotationState::Promoted && before == Some(record.from) {
            Ok(record)
        } else {
            Err(RotationError::TooLate)
        }
    }

    /// The key table, with new data keys where they are asked for, under the next storage key. An
    /// outcome where that key is not at hand.
    fn wrap_by_next(
        &self,
        source: &dyn KeySource,
        record: &RotationRecord,
    ) -> Rotated<Option<RotationOutcome>> {
        if self.wrapping()? != record.to {
            let entry = if record.handed_out {
                KeyEntry::StorageKey
            } else {
                KeyEntry::NextStorageKey
            };
            let next = load_key(source, self.id, entry)?;
            let next = match next.filter(|key| key.fingerprint(self.id) == record.to) {
                Some(next) => next,
                None if record.handed_out => return Ok(Some(RotationOutcome::AwaitsCredential)),
                None if record.salt == SaltChange::New => {
                    // Never staged, and not to be derived again without its master: there is no way
                    // but back.
                    self.change_record(|record| record.back = true)?;
                    return Ok(None);
                }
                None => self.stage_anew(source, record)?,
            };
            let mut state = self.state()?;
            self.settle(&mut state)?;
            let mut table = state.keys()?.table.duplicate();
            if record.depth == Depth::Reencrypt {
                renew(&mut table)?;
            }
            table.touch();
            self.install(&mut state, table, next)?;
        }
        self.change_record(wrapped)?;
        Ok(None)
    }

    /// The key table under the storage key that it had, with its data keys in their old places.
    fn wrap_by_old(&self, source: &dyn KeySource, record: &RotationRecord) -> Rotated<()> {
        let wrapping = self.wrapping()?;
        if wrapping == record.from {
            // Not nothing to do: a write that failed may have left the disk with the next key, which
            // is about to be destroyed.
            self.write_anew()?;
        } else {
            let old = load_key(source, self.id, KeyEntry::StorageKey)?;
            let old = old.filter(|key| key.fingerprint(self.id) == record.from);
            let old = old.ok_or(RotationError::TooLate)?;
            let mut state = self.state()?;
            self.settle(&mut state)?;
            let mut table = state.keys()?.table.duplicate();
            // Of a rewrap, what is retired was kept for damaged objects.
            let swaps = record.depth == Depth::Reencrypt;
            if swaps && let Err(error) = table.swap_retired() {
                // The data keys stay new, then; which storage key wraps them is another matter.
                tracing::warn!(%error, "data keys are not rolled back");
            }
            table.touch();
            self.install(&mut state, table, old)?;
        }
        self.change_record(wrapped)
    }

    /// Check value of the key that wraps the key table in memory.
    fn wrapping(&self) -> StoreResult<Fingerprint> {
        let id = self.id;
        Ok(self.state()?.keys()?.storage.fingerprint(id))
    }

    /// Makes sure that the key table on disk is the one in memory, under the same key.
    pub(super) fn write_anew(&self) -> StoreResult<()> {
        let mut state = self.state()?;
        self.settle(&mut state)?;
        let keys = state.keys()?;
        let (mut table, storage) = (keys.table.duplicate(), copy(&keys.storage));
        table.touch();
        self.install(&mut state, table, storage)
    }

    /// Durably writes `table` under `storage`, reads it back, and only then works with it.
    pub(super) fn install(
        &self,
        state: &mut State,
        table: KeyTable,
        storage: StorageKey,
    ) -> StoreResult<()> {
        let written = keys::write(&self.root, &table, &storage)
            .and_then(|()| keys::verify(&self.root, &table, &storage));
        if let Err(error) = written {
            // The disk may hold either: what is written next is newer than both.
            let keys = state.keys()?;
            while keys.table.generation() <= table.generation() {
                keys.table.touch();
            }
            return Err(error);
        }
        let header = Header {
            fingerprint: storage.fingerprint(self.id),
            ..state.header.clone()
        };
        let keys = Keys { storage, table };
        for (id, open) in &state.open {
            let purpose = KeyPurpose::store(&id.to_string());
            open.keys.replace(keys.ring(&purpose));
        }
        if let Some(audit) = &state.audit {
            audit.keys().replace(keys.ring(&KeyPurpose::audit()));
        }
        state.keys = Some(keys);
        // Whatever becomes of its file: that one says nothing that the key table does not say.
        state.header.fingerprint = header.fingerprint;
        self.write_header(state, header)
    }

    /// Makes the next key the storage key.
    fn promote(&self, source: &dyn KeySource, record: &RotationRecord) -> Rotated<()> {
        self.keep_storage_key(source)?;
        let derived = match record.salt {
            SaltChange::None => self.header().derived,
            SaltChange::New => {
                self.promote_salt(source, record.to)?;
                true
            }
            SaltChange::Drop => {
                Sidecar::remove(&self.root, sidecar::FILE)?;
                remove_and_verify(source, self.id, KeyEntry::Salt)?;
                false
            }
        };
        let mut state = self.state()?;
        let header = Header {
            derived,
            ..state.header.clone()
        };
        self.write_header(&mut state, header)?;
        drop(state);
        tracing::info!(fingerprint = %record.to, "rotation promoted");
        self.change_record(|record| record.state = RotationState::Promoted)
    }

    /// Makes sure that the keyring holds the key that wraps the key table as the storage key. What it
    /// holds in its place and is no key at all is replaced.
    fn keep_storage_key(&self, source: &dyn KeySource) -> Rotated<()> {
        let key = copy(&self.state()?.keys()?.storage);
        let known = match load_key(source, self.id, KeyEntry::StorageKey) {
            Err(KeySourceError::Damaged(_)) => None,
            known => known?,
        };
        if known.is_none_or(|known| known.expose() != key.expose()) {
            save_and_verify(source, self.id, KeyEntry::StorageKey, key.expose())?;
        }
        Ok(())
    }

    fn promote_salt(&self, source: &dyn KeySource, to: Fingerprint) -> Rotated<()> {
        let next = derivation::read(&self.root, sidecar::NEXT_FILE)?;
        // Without one it was promoted already, or is lost, which the next start finds.
        if let Some(next) = next.filter(|next| next.fingerprint == to) {
            next.write(&self.root, sidecar::FILE)?;
            let saved = source.save(self.id, KeyEntry::Salt, next.salt.as_bytes());
            unless_unsupported(saved)?;
        }
        Ok(())
    }

    /// Destroys the keys that are not needed any more, and forgets the rotation.
    fn finish(&self, source: &dyn KeySource) -> Rotated<Vec<StoreName>> {
        // Before anything is destroyed, whatever the record of the rotation says.
        self.keep_storage_key(source)?;
        let kept = self.destroy_old_keys()?;
        self.forget_rotation(source)?;
        let salt = derivation::check(&self.root, source, &mut self.header())?;
        if let SaltState::Problem(problem) = &salt {
            tracing::warn!(problem, "the salt of the derived key");
        }
        self.state()?.salt = salt;
        tracing::info!(kept = kept.len(), "rotation done");
        Ok(kept)
    }

    pub(super) fn forget_rotation(&self, source: &dyn KeySource) -> Rotated<()> {
        remove_and_verify(source, self.id, KeyEntry::NextStorageKey)?;
        remove_and_verify(source, self.id, KeyEntry::NextSalt)?;
        durable::remove_if_there(self.root.fs(), &self.root.file(PREVIOUS_FILE))?;
        Sidecar::remove(&self.root, sidecar::NEXT_FILE)?;
        RotationRecord::remove(&self.root)?;
        self.state()?.rotation = None;
        Ok(())
    }

    pub(super) fn note(&self, state: &mut State, record: RotationRecord) -> StoreResult<()> {
        record.write(&self.root)?;
        state.rotation = Some(record);
        Ok(())
    }

    /// Durably changes the record, if that changes anything.
    fn change_record(&self, change: impl FnOnce(&mut RotationRecord)) -> Rotated<()> {
        let mut state = self.state()?;
        let known = state.rotation.clone().ok_or(RotationError::None)?;
        let mut record = known.clone();
        change(&mut record);
        if record != known {
            self.note(&mut state, record)?;
        }
        Ok(())
    }
}

/// With the key table under the key that is to be, a rewrap is done but for the keyring.
fn wrapped(record: &mut RotationRecord) {
    record.state = match record.depth {
        Depth::Rewrap => RotationState::Verified,
        Depth::Reencrypt => RotationState::Rewriting,
    };
}

/// New data keys beside the old ones, but for those that were renewed already. Names stay where
/// they are, and so does their key.
fn renew(table: &mut KeyTable) -> StoreResult<()> {
    for (_, purpose) in table.purposes() {
        if !purpose.is_retired() && purpose != KeyPurpose::names() {
            table.renew(&purpose)?;
        }
    }
    Ok(())
}
