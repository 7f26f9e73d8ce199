//! Sealing records anew under the store's current key, while others read and write.
//!
//! A record keeps its revision and its metadata: for clients nothing happens. The new file is
//! written and synced beside the old one without keeping anybody waiting; writers wait only while
//! a group of such files is renamed into place. Interrupted anywhere, each object is sealed under
//! the old key or the new, and its header says which: that is all a rotation has to remember.

use std::{collections::BTreeSet, io, ops::ControlFlow, sync::Arc};

use vault_crypto::{KeyId, ObjectName};

use super::{
    Inner,
    index::{Location, Slot},
    medium::{Encoded, plain_id},
    metadata::Head,
};
use crate::{
    durable::{self, StagedHere},
    error::{StoreError, StoreResult},
    fs::EntryKind,
    id::Revision,
    kind::{Amount, Report},
    vault::lock,
};

/// How many objects, and bytes of bodies, are renamed into place at once: few enough that a writer
/// does not wait long, many enough that the sync of the folder is shared.
const GROUP: usize = 32;
const GROUP_BYTES: u64 = 4 << 20;

/// A record sealed anew, not yet in its place.
struct Renewed<'a> {
    name: ObjectName,
    revision: Revision,
    staged: StagedHere<'a>,
    key_id: Option<KeyId>,
    stored_bytes: u64,
}

fn amount_of(slot: &Slot) -> Amount {
    Amount {
        objects: 1,
        bytes: slot.head.body_bytes(),
    }
}

impl Inner {
    /// Records that are not sealed under the current key.
    fn outdated_slots(&self) -> StoreResult<Vec<(ObjectName, Slot)>> {
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        let index = self.open_index()?;
        let outdated = index
            .iter()
            .filter(|(_, slot)| slot.key_id.is_some_and(|key_id| key_id != current));
        Ok(outdated.map(|(name, slot)| (*name, slot.clone())).collect())
    }

    pub(super) fn outdated_amount(&self) -> StoreResult<Amount> {
        let mut amount = Amount::default();
        for (_, slot) in self.outdated_slots()? {
            amount += amount_of(&slot);
        }
        Ok(amount)
    }

    pub(super) fn reencrypt_all(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        {
            // Who sealed with an older key holds this lock until that is in the index.
            let mut unsettled = lock(&self.commit);
            self.check_open()?;
            self.settle(&mut unsettled)?;
            self.rewrite_awaiting()?;
            self.rewrite_own_files()
                .inspect_err(|_| unsettled.awaiting = true)?;
        }
        let outdated = self.outdated_slots()?;
        let mut rest = outdated.into_iter().peekable();
        while rest.peek().is_some() {
            let mut group = Vec::new();
            let mut amount = Amount::default();
            while group.len() < GROUP && amount.bytes < GROUP_BYTES {
                let Some((name, slot)) = rest.next() else {
                    break;
                };
                amount += amount_of(&slot);
                group.extend(self.renew(&name)?);
            }
            self.put_in_place(group)?;
            if report(amount).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        // Journals hold nothing any more but what was superseded.
        self.checkpoint()?;
        let fs = self.context.root.fs();
        let _unsettled = lock(&self.commit);
        // Whatever was removed must not come back once the key that opens it is gone.
        durable::sync_dir(fs, &self.folders.journal)?;
        durable::sync_dir(fs, &self.folders.objects)?;
        Ok(ControlFlow::Continue(()))
    }

    /// Seals one record anew into a file that nobody looks for yet. `None` where there is nothing to
    /// do, or nothing that can be done: a damaged object keeps its key.
    fn renew(&self, name: &ObjectName) -> StoreResult<Option<Renewed<'_>>> {
        // Once more where the record moved between the look-up and the read.
        let first = self.renew_once(name);
        let again = match first {
            Err(StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. }) => {
                let _nothing_moves = lock(&self.commit);
                self.check_open()?;
                let again = self.renew_once(name);
                if let Err(error) = &again {
                    self.note_damage(name, error);
                }
                again
            }
            other => return other,
        };
        match again {
            Err(StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. }) => Ok(None),
            other => other,
        }
    }

    fn renew_once(&self, name: &ObjectName) -> StoreResult<Option<Renewed<'_>>> {
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        let slot = self.open_index()?.get(name).cloned();
        let Some(slot) = slot.filter(|slot| slot.key_id.is_some_and(|id| id != current)) else {
            return Ok(None);
        };
        let body = self.read_body(name, &slot)?;
        let head = &slot.head;
        let Encoded { record, key_id } =
            self.medium
                .encode(name, head.revision, &head.metadata, &body)?;
        let fs = self.context.root.fs();
        Ok(Some(Renewed {
            name: *name,
            revision: head.revision,
            staged: durable::stage(fs, &self.folders.objects, &[&record])?,
            key_id,
            stored_bytes: record.len() as u64,
        }))
    }

    /// Renames what was sealed anew into place, unless something newer stands there, and makes
    /// that durable.
    fn put_in_place(&self, group: Vec<Renewed<'_>>) -> StoreResult<()> {
        if group.is_empty() {
            return Ok(());
        }
        let mut unsettled = lock(&self.commit);
        self.check_open()?;
        self.settle(&mut unsettled)?;
        for one in group {
            let newest = self.index().get(&one.name).map(|slot| slot.head.revision);
            if newest == Some(one.revision) {
                self.rename_object(&mut unsettled, one.staged, &one.name)?;
                let (name, revision) = (one.name, one.revision);
                self.index_mut()
                    .renew(&name, revision, one.key_id, one.stored_bytes);
            }
        }
        self.sync_objects(&mut unsettled)
    }

    pub(super) fn verify_all(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        let slots: Vec<(ObjectName, Slot)> = {
            let index = self.open_index()?;
            let sealed = index.iter().filter(|(_, slot)| slot.key_id.is_some());
            sealed.map(|(name, slot)| (*name, slot.clone())).collect()
        };
        for (name, slot) in slots {
            if self.read_body(&name, &slot).is_err() {
                self.verify_again(&name)?;
            }
            if report(amount_of(&slot)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A record that could not be read may have moved; while nothing moves, the answer counts.
    fn verify_again(&self, name: &ObjectName) -> StoreResult<()> {
        let _nothing_moves = lock(&self.commit);
        self.check_open()?;
        let Some(slot) = self.index().get(name).cloned() else {
            return Ok(());
        };
        match self.read_body(name, &slot) {
            Ok(_) => Ok(()),
            Err(error @ (StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. })) => {
                self.note_damage(name, &error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn older_keys(&self) -> StoreResult<BTreeSet<KeyId>> {
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        let fs = self.context.root.fs();
        self.retry_unreadable();
        let mut used = BTreeSet::new();
        {
            let index = self.open_index()?;
            used.extend(index.iter().filter_map(|(_, slot)| slot.key_id));
            for error in index.damaged.values() {
                match error {
                    // It may be whole: nobody knows its key before it can be read.
                    StoreError::Io { .. } => return Err(error.clone()),
                    _ => used.extend(ring.ids()),
                }
            }
        }
        match fs.read_dir(&self.folders.damaged) {
            Ok(files) if files.is_empty() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => used.extend(ring.ids()),
            Err(error) => return Err(StoreError::io("list", &self.folders.damaged, &error)),
        }
        used.extend(self.keys_of_own_files()?);
        if self.medium.is_plain() {
            used.extend(self.keys_of_sealed_files()?);
        }
        used.remove(&current);
        Ok(used)
    }

    /// Among the ordinary files of a plain store, sealed ones are read, too.
    fn keys_of_sealed_files(&self) -> StoreResult<Vec<KeyId>> {
        let fs = self.context.root.fs();
        let mut keys = Vec::new();
        for (file, kind) in durable::list(fs, &self.folders.plain)? {
            if kind != EntryKind::File || plain_id(&file).is_none() {
                continue;
            }
            keys.extend(self.context.key_of_file(&self.folders.plain.join(&file))?);
        }
        Ok(keys)
    }
}

impl super::index::Index {
    /// Notes that the record of `revision` was sealed anew into a file of its own.
    pub(super) fn renew(
        &mut self,
        name: &ObjectName,
        revision: Revision,
        key_id: Option<KeyId>,
        stored_bytes: u64,
    ) {
        if !self.relocate(name, revision, Location::Object) {
            return;
        }
        let Some(slot) = self.get_mut(name) else {
            return;
        };
        slot.key_id = key_id;
        if slot.head.stored_bytes != stored_bytes {
            slot.head = Arc::new(Head {
                id: slot.head.id.clone(),
                revision,
                metadata: slot.head.metadata.clone(),
                stored_bytes,
                awaiting_migration: false,
            });
        }
    }
}
