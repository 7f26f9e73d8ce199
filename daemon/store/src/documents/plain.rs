//! Plain stores: every document is an ordinary file that people may read and edit.
//!
//! A write is one journal, which is applied before it is acknowledged: the document's own file and
//! its head file (revision, times, labels, hash) cannot be replaced in one step, a journal can.

use std::collections::HashMap;

use vault_crypto::ObjectName;

use super::{
    Document, Inner,
    index::{Location, Slot},
    medium::{Medium, plain_id, plain_record, split_plain},
    metadata::JSON,
    write::{Change, Content, Precondition, Write},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::EntryKind,
    id::{DocumentId, Revision},
    vault::lock,
};

impl Inner {
    /// Applies every journal and removes it.
    pub(super) fn apply_plain(&self) -> StoreResult<()> {
        let fs = self.context.root.fs();
        let mut unsettled = lock(&self.commit);
        if self.check_open().is_err() {
            // The journals are durable; the next start applies them.
            return Ok(());
        }
        self.settle(&mut unsettled)?;
        for (number, entries) in self.pending_journals() {
            for entry in &entries {
                let Some(slot) = self.current_in(number, entry) else {
                    continue;
                };
                let record = self.read_record(&entry.name, slot.location)?;
                let (revision, json, head_len) = split_plain(&record).ok_or_else(|| {
                    StoreError::damaged(self.medium.describe(slot.head.id.as_str()), "malformed")
                })?;
                let file = self.medium.plain_path(&slot.head.id);
                if slot.head.is_deleted() {
                    if unsettled.plain {
                        // So that after a failed sync there is something to remove anew.
                        durable::stage(fs, &self.folders.plain, &[])?.rename(&file)?;
                    }
                    durable::remove_if_there(fs, &file)?;
                } else {
                    durable::stage(fs, &self.folders.plain, &[&record[head_len..]])?
                        .rename(&file)?;
                }
                let head = plain_record(revision, json, &[]);
                let head = durable::stage(fs, &self.folders.objects, &[&head])?;
                self.rename_object(&mut unsettled, head, &entry.name)?;
            }
            durable::sync_dir(fs, &self.folders.plain).inspect_err(|_| unsettled.plain = true)?;
            unsettled.plain = false;
            self.sync_objects(&mut unsettled)?;
            for entry in &entries {
                if let Some(slot) = self.current_in(number, entry) {
                    let revision = slot.head.revision;
                    self.index_mut()
                        .relocate(&entry.name, revision, Location::Object);
                }
            }
            self.remove_journal(number)?;
            // A journal that came back would be applied over what people wrote since.
            durable::sync_dir(fs, &self.folders.journal)?;
        }
        Ok(())
    }

    /// A document as its file is now. An edit from outside becomes a revision of its own.
    pub(super) fn get_plain(&self, id: &DocumentId) -> StoreResult<Document> {
        let name = self.medium.object_name(id);
        if self.medium.check(id, JSON).is_err() {
            return Err(self.no_such(id));
        }
        loop {
            let place = self.place(&name);
            let found = self.find(&name, id);
            if let Some((_, Location::Journal { .. })) = place {
                // The journal counts, whatever the file says: it is about to be replaced.
                let slot = found?;
                match self.read_body(&name, &slot) {
                    Ok(body) => {
                        let head = slot.head;
                        return Ok(Document { head, body });
                    }
                    Err(error) if self.place(&name) == place => return Err(error),
                    // Applied in the meantime.
                    Err(_) => continue,
                }
            }
            let body = self.medium.read_plain(id)?;
            if self.place(&name) != place {
                continue;
            }
            match (found, body) {
                (Ok(slot), Some(body)) if Medium::plain_matches(&slot.head, &body) => {
                    let head = slot.head;
                    return Ok(Document { head, body });
                }
                (Err(error), None) => return Err(error),
                (found, body) => {
                    let body = body.map(|body| body.to_vec());
                    self.take_in(id, found.ok().as_ref(), body)?;
                }
            }
        }
    }

    /// Takes in an edit from outside before a write, so that no write replaces it unseen. What
    /// stands in the way stops the write itself, or nothing.
    pub(super) fn take_in_edit_of(&self, id: &DocumentId) {
        if self.medium.is_plain() {
            let _ = self.get_plain(id);
        }
    }

    /// What the index says of a name, tombstones included.
    fn place(&self, name: &ObjectName) -> Option<(Revision, Location)> {
        let index = self.index();
        index
            .get(name)
            .map(|slot| (slot.head.revision, slot.location))
    }

    /// Makes an edit from outside (or a removal, without a body) a revision of its own.
    fn take_in(
        &self,
        id: &DocumentId,
        known: Option<&Slot>,
        body: Option<Vec<u8>>,
    ) -> StoreResult<()> {
        let precondition = known.map_or(Precondition::Absent, |slot| {
            Precondition::Revision(slot.head.revision)
        });
        let change = match body {
            None => Change::Delete,
            Some(body) => Change::Put(Content {
                labels: known
                    .map(|slot| slot.head.labels().clone())
                    .unwrap_or_default(),
                ..Content::json(body)
            }),
        };
        match self.commit(vec![Write {
            id: id.clone(),
            change,
            precondition,
        }]) {
            // A write through the daemon came between: it counts, and the caller looks again.
            Ok(_)
            | Err(StoreError::RevisionConflict { .. } | StoreError::NoSuchDocument { .. }) => {
                self.apply_plain()
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in files that were added, removed or changed in length from outside. A change that
    /// keeps the length is noticed when the document is read.
    pub(super) fn take_in_edits(&self) -> StoreResult<()> {
        let fs = self.context.root.fs();
        if !self.pending_journals().is_empty() {
            // Until a journal is applied, the files are older than what is known.
            self.apply_plain()?;
        }
        let mut missing: HashMap<DocumentId, Slot> = self
            .index()
            .iter()
            .filter(|(_, slot)| !slot.head.is_deleted() && slot.location == Location::Object)
            .map(|(_, slot)| (slot.head.id.clone(), slot.clone()))
            .collect();
        for (file, kind) in durable::list(fs, &self.folders.plain)? {
            let Some(id) = plain_id(&file).filter(|_| kind == EntryKind::File) else {
                continue;
            };
            let known = missing.remove(&id);
            let place = self.place(&self.medium.object_name(&id));
            let path = self.folders.plain.join(&file);
            // Gone again, or not readable: reading the document says so.
            let Ok(len) = fs.open(&path).and_then(|file| file.len()) else {
                continue;
            };
            let same_length = |slot: &Slot| slot.head.body_bytes() == len;
            if len > self.context.body_limit || known.as_ref().is_some_and(same_length) {
                continue;
            }
            let body = match self.medium.read_plain(&id) {
                Ok(Some(body)) => body,
                Ok(None) => continue,
                // One file that cannot be read does not hide the others.
                Err(error) => {
                    tracing::warn!(%error, "a file of a plain store cannot be read");
                    continue;
                }
            };
            let matches = |slot: &Slot| Medium::plain_matches(&slot.head, &body);
            if !known.as_ref().is_some_and(matches) && self.is_settled(&id, place, known.as_ref()) {
                self.take_in(&id, known.as_ref(), Some(body.to_vec()))?;
            }
        }
        for (id, slot) in missing {
            let place = Some((slot.head.revision, slot.location));
            let gone = matches!(self.medium.read_plain(&id), Ok(None));
            if gone && self.is_settled(&id, place, Some(&slot)) {
                self.take_in(&id, Some(&slot), None)?;
            }
        }
        Ok(())
    }

    /// Whether nothing was written through the daemon since the index was asked, nor waits to be
    /// applied: what the files say is then an edit from outside.
    fn is_settled(
        &self,
        id: &DocumentId,
        place: Option<(Revision, Location)>,
        known: Option<&Slot>,
    ) -> bool {
        let name = self.medium.object_name(id);
        let live = self.find(&name, id).ok().map(|slot| slot.head.revision);
        let in_journal = matches!(place, Some((_, Location::Journal { .. })));
        !in_journal && self.place(&name) == place && live == known.map(|slot| slot.head.revision)
    }
}
