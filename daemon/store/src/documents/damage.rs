//! Objects that cannot be read: noted, never overwritten unasked, moved aside on request.

use std::{io, sync::Arc};

use vault_crypto::ObjectName;

use super::{
    Inner,
    commit::{Prepared, tombstone},
    index::Location,
    journal,
    medium::Encoded,
    metadata::Head,
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
    vault::lock,
};

/// How far revisions skip where an object cannot be read, since nobody knows which revision it
/// had: no acknowledged revision may be given away again.
const DAMAGE_STEP: u64 = 1 << 20;

impl Inner {
    /// A scan knows a damaged object by its file name only; whoever asks by id reads the id.
    pub(super) fn name_damage(&self, id: &DocumentId, error: &StoreError) -> StoreError {
        let object = self.medium.describe(id.as_str());
        match error {
            StoreError::Damaged { detail, .. } => {
                let detail = detail.clone();
                StoreError::Damaged { object, detail }
            }
            StoreError::PlaintextRefused { detail, .. } => {
                let detail = detail.clone();
                StoreError::PlaintextRefused { object, detail }
            }
            other => other.clone(),
        }
    }

    /// Why the object of this name cannot be read. A failure of the disk may have passed: the
    /// object is tried again.
    pub(super) fn damage(&self, name: &ObjectName) -> Option<StoreError> {
        let known = self.index().damaged.get(name).cloned()?;
        if matches!(known, StoreError::Io { .. }) {
            self.load_object(name);
            return self.index().damaged.get(name).cloned();
        }
        Some(known)
    }

    /// Notes that an object turned out to be damaged when it was read. The caller keeps writers
    /// out.
    pub(super) fn note_damage(&self, name: &ObjectName, error: &StoreError) {
        let damage = matches!(
            error,
            StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. }
        );
        if damage {
            let mut index = self.index_mut();
            index.remove(name);
            index.damaged.insert(*name, error.clone());
        }
    }

    /// Skips the revisions that unreadable objects may have.
    pub(super) fn skip_damaged_revisions(&self) {
        let fs = self.context.root.fs();
        let aside = fs.read_dir(&self.folders.damaged).unwrap_or_default();
        let aside = aside.iter().filter_map(|(name, _)| {
            let (_, revision) = name.rsplit_once('-')?;
            u64::from_str_radix(revision, 16).ok()
        });
        let mut index = self.index_mut();
        // Names are not authenticated: believed within reason only.
        let limit = index.last.0.saturating_add(2 * DAMAGE_STEP);
        let aside = aside
            .filter(|revision| *revision <= limit)
            .max()
            .unwrap_or_default();
        index.last = index.last.max(Revision(aside));
        if !index.damaged.is_empty() {
            index.last = Revision(index.last.0.saturating_add(DAMAGE_STEP));
        }
    }

    /// Moves a damaged object into the store's folder for such and leaves a tombstone in its
    /// place. `None` where it is not damaged.
    pub(super) fn bury_damaged(&self, id: &DocumentId) -> StoreResult<Option<Revision>> {
        let name = self.medium.object_name(id);
        if self.damage(&name).is_none() {
            return Ok(None);
        }
        let mut unsettled = lock(&self.commit);
        self.check_open()?;
        self.settle(&mut unsettled)?;
        if !self.index().damaged.contains_key(&name) {
            return Ok(None);
        }
        let last = self.index().last;
        self.move_aside(&name, last)?;

        let revision = last.next();
        let metadata = tombstone(id, None, self.context.clock.now_ms());
        let Encoded { record, key_id } = self.medium.encode(&name, revision, &metadata, &[])?;
        let head = Arc::new(Head {
            id: id.clone(),
            revision,
            metadata,
            stored_bytes: record.len() as u64,
            awaiting_migration: false,
        });
        let prepared = vec![Prepared {
            name,
            head,
            record,
            key_id,
        }];
        self.index_mut().last = revision;
        let locations = self.make_durable(&prepared, &mut unsettled)?;
        self.publish(prepared, locations);
        Ok(Some(revision))
    }

    fn move_aside(&self, name: &ObjectName, last: Revision) -> StoreResult<()> {
        let fs = self.context.root.fs();
        durable::ensure_dir(fs, &self.folders.damaged)?;
        durable::sync_dir(fs, &self.folders.base)?;
        // The revision in the name lets the next start go on from there, should it come before
        // the tombstone.
        let target = self.folders.damaged.join(format!("{name}-{:016x}", last.0));
        let journals = lock(&self.journals).clone();
        for (number, entries) in journals {
            for entry in entries.iter().filter(|entry| entry.name == *name) {
                let place = Location::Journal {
                    journal: number,
                    offset: entry.offset,
                    len: entry.len,
                };
                let record = self.read_record(name, place)?;
                let path = journal::path(&self.folders.damaged, number);
                let copy = path.with_extension(format!("{name}-{:016x}", last.0));
                durable::stage(fs, &self.folders.damaged, &[&record])?.rename(&copy)?;
            }
        }
        let source = self.folders.objects.join(name.to_string());
        match fs.rename(&source, &target) {
            // The damage is in a journal, or somebody removed the object.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("move aside", &source, &error)),
            Ok(()) => {}
        }
        durable::sync_dir(fs, &self.folders.damaged)?;
        durable::sync_dir(fs, &self.folders.objects)
    }
}
