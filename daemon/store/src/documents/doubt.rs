//! What a failed sync left in doubt, and how doubt is settled before anything else is acknowledged.
//!
//! After an `fsync` that failed, nobody knows what reached the disk, and a second `fsync` that
//! succeeds proves nothing. So whatever was in doubt is done anew, in new files.

use vault_crypto::ObjectName;

use super::{Inner, index::Location, journal};
use crate::{
    durable::{self, StagedHere},
    error::StoreResult,
};

/// Larger than any record.
pub(super) const RECORD_LIMIT: u64 = vault_crypto::envelope::BODY_LIMIT + (1 << 20);

/// What is not durable yet, or in doubt. Whoever holds its lock is the only one to move anything.
#[derive(Default)]
pub(crate) struct Unsettled {
    /// Renamed into `objects`, whose folder was not synced since.
    unsynced: Vec<ObjectName>,
    /// Renamed into `objects` before a rename or a sync failed: to be written anew.
    objects: Vec<ObjectName>,
    /// Journals that were not acknowledged and may be there: to be removed.
    journals: Vec<u64>,
    /// Whether the record of files awaiting migration is to be written anew.
    pub(super) awaiting: bool,
    /// Whether the folder of a plain store's files failed to sync.
    pub(super) plain: bool,
}

impl Unsettled {
    /// Whether the file of this name may be another than the index says.
    pub(super) fn doubts(&self, name: &ObjectName) -> bool {
        self.objects.contains(name)
    }

    pub(super) fn doubt_journal(&mut self, number: u64) {
        self.journals.push(number);
    }

    fn doubt_objects(&mut self) {
        self.objects.append(&mut self.unsynced);
    }
}

impl Inner {
    /// Gives an object its file. Durable only after [`Inner::sync_objects`].
    pub(super) fn rename_object(
        &self,
        unsettled: &mut Unsettled,
        staged: StagedHere<'_>,
        name: &ObjectName,
    ) -> StoreResult<()> {
        // Noted beforehand: a rename that reports a failure may have taken place.
        unsettled.unsynced.push(*name);
        staged
            .rename(&self.folders.objects.join(name.to_string()))
            .inspect_err(|_| unsettled.doubt_objects())
    }

    /// Makes every rename into `objects` durable.
    pub(super) fn sync_objects(&self, unsettled: &mut Unsettled) -> StoreResult<()> {
        if unsettled.unsynced.is_empty() {
            return Ok(());
        }
        durable::sync_dir(self.context.root.fs(), &self.folders.objects)
            .inspect_err(|_| unsettled.doubt_objects())?;
        unsettled.unsynced.clear();
        Ok(())
    }

    /// Does anew, durably, whatever is in doubt. Nothing may be acknowledged before.
    pub(super) fn settle(&self, unsettled: &mut Unsettled) -> StoreResult<()> {
        self.settle_journals(unsettled)?;
        self.settle_objects(unsettled)?;
        if unsettled.awaiting {
            self.write_awaiting()?;
            unsettled.awaiting = false;
        }
        Ok(())
    }

    /// Replaces each journal in doubt by one without records: should its removal be lost, no
    /// record comes back.
    fn settle_journals(&self, unsettled: &mut Unsettled) -> StoreResult<()> {
        let fs = self.context.root.fs();
        for number in &unsettled.journals {
            journal::write(fs, &self.folders.journal, *number, &[])?;
            durable::remove_if_there(fs, &journal::path(&self.folders.journal, *number))?;
        }
        unsettled.journals.clear();
        Ok(())
    }

    fn settle_objects(&self, unsettled: &mut Unsettled) -> StoreResult<()> {
        if unsettled.objects.is_empty() {
            return Ok(());
        }
        let fs = self.context.root.fs();
        let names = unsettled.objects.clone();
        for name in &names {
            let target = self.folders.objects.join(name.to_string());
            if let Some(record) = durable::read(fs, &target, RECORD_LIMIT)? {
                let staged = durable::stage(fs, &self.folders.objects, &[&record])?;
                self.rename_object(unsettled, staged, name)?;
            }
        }
        self.sync_objects(unsettled)?;
        unsettled.objects.clear();
        for name in &names {
            self.reload(name);
            let slot = self.index().get(name).cloned();
            if let Some(slot) = slot.filter(|slot| slot.location == Location::Object) {
                self.drop_adopted(&slot.head.id);
            }
        }
        Ok(())
    }
}
