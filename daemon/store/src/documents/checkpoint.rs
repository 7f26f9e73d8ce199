//! Moving the records of journals into files of their own, in the background.
//!
//! Nobody waits for it: the journals are durable. It gives way between any two records, so a
//! writer waits for one rename at most.

use std::sync::{Arc, atomic::Ordering};

use vault_crypto::ObjectName;

use super::{
    Inner,
    index::{Location, Slot},
    journal::{self, Entry},
};
use crate::{durable, error::StoreResult, id::Revision, vault::lock};

impl Inner {
    /// Starts a checkpoint unless one runs or none is due.
    pub(super) fn checkpoint_in_background(self: &Arc<Self>) {
        if !self.context.background || !self.checkpoint_is_due() {
            return;
        }
        if self.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::clone(self);
        let work = move || {
            loop {
                let done = inner.checkpoint();
                inner.checkpointing.store(false, Ordering::Release);
                if let Err(error) = done {
                    // Nothing is lost: the journals stay, and the next write tries again.
                    tracing::warn!(store = %inner.context.record.id, %error, "checkpoint put off");
                    return;
                }
                // A journal written since the last look found the flag set and started nothing.
                if inner.pending_journals().is_empty()
                    || inner.checkpointing.swap(true, Ordering::AcqRel)
                {
                    return;
                }
            }
        };
        let spawned = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(work);
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the checkpoint");
            self.checkpointing.store(false, Ordering::Release);
        }
    }

    fn checkpoint_is_due(&self) -> bool {
        let journals = !lock(&self.journals).is_empty();
        journals || self.too_many_tombstones()
    }

    fn too_many_tombstones(&self) -> bool {
        self.index().tombstone_count() > self.context.tombstones.saturating_mul(2)
    }

    /// Journals whose records can all be moved, oldest first.
    pub(super) fn pending_journals(&self) -> Vec<(u64, Vec<Entry>)> {
        let journals = lock(&self.journals).clone();
        let Ok(index) = self.open_index() else {
            return Vec::new();
        };
        let whole = |entries: &Vec<Entry>| {
            !entries
                .iter()
                .any(|entry| index.damaged.contains_key(&entry.name))
        };
        journals
            .into_iter()
            .filter(|(_, entries)| whole(entries))
            .collect()
    }

    pub(super) fn checkpoint(&self) -> StoreResult<()> {
        if self.medium.is_plain() {
            self.apply_plain()?;
        } else {
            for (number, entries) in self.pending_journals() {
                self.apply_journal(number, &entries)?;
            }
        }
        if self.too_many_tombstones() {
            self.forget_tombstones(self.context.tombstones)?;
        }
        Ok(())
    }

    fn apply_journal(&self, number: u64, entries: &[Entry]) -> StoreResult<()> {
        for entry in entries {
            self.move_record(number, entry)?;
        }
        let mut unsettled = lock(&self.commit);
        if self.check_open().is_err() {
            return Ok(());
        }
        // A journal is known a moment before the index points into it: then its turn comes later.
        if entries
            .iter()
            .any(|entry| self.current_in(number, entry).is_some())
        {
            return Ok(());
        }
        // What superseded a record here must be durable, too.
        self.settle(&mut unsettled)?;
        self.sync_objects(&mut unsettled)?;
        self.remove_journal(number)
    }

    /// The caller holds the commit lock and has made every record durable elsewhere.
    pub(super) fn remove_journal(&self, number: u64) -> StoreResult<()> {
        // Not synced: should it come back, each of its records is known at this or a newer
        // revision.
        let path = journal::path(&self.folders.journal, number);
        durable::remove_if_there(self.context.root.fs(), &path)?;
        lock(&self.journals).remove(&number);
        Ok(())
    }

    /// Whether the index still points into this journal for this entry.
    pub(super) fn current_in(&self, number: u64, entry: &Entry) -> Option<Slot> {
        let place = Location::Journal {
            journal: number,
            offset: entry.offset,
            len: entry.len,
        };
        self.index()
            .get(&entry.name)
            .filter(|slot| slot.location == place)
            .cloned()
    }

    /// Moves one record into its own file, unless a newer one took its place.
    fn move_record(&self, number: u64, entry: &Entry) -> StoreResult<()> {
        let Some(slot) = self.current_in(number, entry) else {
            return Ok(());
        };
        let record = match self.read_record(&entry.name, slot.location) {
            Ok(record) => record,
            // Another checkpoint moved it in the meantime.
            Err(_) if self.current_in(number, entry).is_none() => return Ok(()),
            Err(error) => return Err(error),
        };
        let staged = durable::stage(self.context.root.fs(), &self.folders.objects, &[&record])?;
        let mut unsettled = lock(&self.commit);
        if self.current_in(number, entry).is_none() {
            return Ok(());
        }
        self.rename_object(&mut unsettled, staged, &entry.name)?;
        self.index_mut()
            .relocate(&entry.name, slot.head.revision, Location::Object);
        Ok(())
    }

    /// Forgets all but the newest `keep` tombstones.
    ///
    /// The floor is durable first. From then on, a tombstone or a journal up to it that comes back
    /// after a crash is known to be done with.
    fn forget_tombstones(&self, keep: u64) -> StoreResult<()> {
        let mut unsettled = lock(&self.commit);
        if self.check_open().is_err() {
            return Ok(());
        }
        self.settle(&mut unsettled)?;
        let mut tombstones: Vec<(Revision, ObjectName)> = self
            .index()
            .iter()
            .filter(|(_, slot)| slot.head.is_deleted() && slot.location == Location::Object)
            .map(|(name, slot)| (slot.head.revision, *name))
            .collect();
        tombstones.sort_unstable();
        let surplus = tombstones
            .len()
            .saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        let Some((floor, _)) = surplus.checked_sub(1).map(|last| tombstones[last]) else {
            return Ok(());
        };
        // An older record of a forgotten document would bring it back.
        if lock(&self.journals).range(..=floor.0).next().is_some() {
            return Ok(());
        }
        self.rewrite_awaiting()?;
        self.write_floor(floor)
            .inspect_err(|_| unsettled.awaiting = true)?;
        self.index_mut().floor = floor;
        for (_, name) in &tombstones[..surplus] {
            let path = self.folders.objects.join(name.to_string());
            durable::remove_if_there(self.context.root.fs(), &path)?;
            self.index_mut().remove(name);
        }
        Ok(())
    }
}
