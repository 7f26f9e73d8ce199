//! Plain stores: every document is an ordinary file that people may read and edit.
//!
//! A write is one journal, which is applied before it is acknowledged: the document's own file and
//! its head file (revision, times, labels, hash) cannot be replaced in one step, a journal can.

use super::{
    Document, Inner,
    index::{Location, Slot},
    medium::{Medium, plain_id, plain_record, split_plain},
    write::{Change, Content, Precondition, Write},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::DocumentId,
    vault::lock,
};

impl Inner {
    /// Applies every journal and removes it.
    pub(super) fn apply_plain(&self) -> StoreResult<()> {
        let fs = self.context.root.fs();
        let mut suspects = lock(&self.commit);
        let journals = lock(&self.journals).clone();
        for (number, entries) in journals {
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
                    durable::remove_if_there(fs, &file)?;
                } else {
                    durable::stage(fs, &self.folders.plain, &[&record[head_len..]])?
                        .rename(&file)?;
                }
                let head = plain_record(revision, json, &[]);
                durable::stage(fs, &self.folders.objects, &[&head])?
                    .rename(&self.folders.objects.join(entry.name.to_string()))?;
            }
            durable::sync_dir(fs, &self.folders.plain)?;
            durable::sync_dir(fs, &self.folders.objects)?;
            for entry in &entries {
                if let Some(slot) = self.current_in(number, entry) {
                    let revision = slot.head.revision;
                    self.index_mut()
                        .relocate(&entry.name, revision, Location::Object);
                }
            }
            self.remove_journal(number)?;
        }
        suspects.0.clear();
        Ok(())
    }

    /// A document as its file is now. An edit from outside becomes a revision of its own.
    pub(super) fn get_plain(&self, id: &DocumentId) -> StoreResult<Document> {
        let name = self.medium.object_name(id);
        loop {
            let found = self.find(&name, id);
            if let Ok(slot) = &found
                && slot.location != Location::Object
            {
                let body = self.read_body(&name, slot)?;
                return Ok(Document {
                    head: slot.head.clone(),
                    body,
                });
            }
            let body = self.medium.read_plain(id)?;
            if !self.still(id, found.as_ref().ok()) {
                continue;
            }
            match (found, body) {
                (Ok(slot), Some(body)) if Medium::plain_matches(&slot.head, &body) => {
                    return Ok(Document {
                        head: slot.head,
                        body,
                    });
                }
                (Err(error), None) => return Err(error),
                (found, body) => {
                    let body = body.map(|body| body.to_vec());
                    self.take_in(id, found.ok().as_ref(), body)?;
                }
            }
        }
    }

    /// Whether the index still says what it said.
    fn still(&self, id: &DocumentId, slot: Option<&Slot>) -> bool {
        let now = self.find(&self.medium.object_name(id), id).ok();
        now.map(|now| (now.head.revision, now.location))
            == slot.map(|slot| (slot.head.revision, slot.location))
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
        let mut missing: std::collections::HashMap<DocumentId, Slot> = self
            .index()
            .iter()
            .filter(|(_, slot)| !slot.head.is_deleted() && slot.location == Location::Object)
            .map(|(_, slot)| (slot.head.id.clone(), slot.clone()))
            .collect();
        for file in durable::list_files(fs, &self.folders.plain)? {
            let Some(id) = plain_id(&file) else { continue };
            let known = missing.remove(&id);
            let path = self.folders.plain.join(&file);
            // Gone again, or not readable: reading the document says so.
            let Ok(len) = fs.open(&path).and_then(|file| file.len()) else {
                continue;
            };
            if known
                .as_ref()
                .is_some_and(|slot| slot.head.body_bytes() == len)
                || len > self.context.body_limit
                || !self.still(&id, known.as_ref())
            {
                continue;
            }
            if let Some(body) = self.medium.read_plain(&id)?
                && !known
                    .as_ref()
                    .is_some_and(|slot| Medium::plain_matches(&slot.head, &body))
            {
                self.take_in(&id, known.as_ref(), Some(body.to_vec()))?;
            }
        }
        for (id, slot) in missing {
            if self.still(&id, Some(&slot)) && self.medium.read_plain(&id)?.is_none() {
                self.take_in(&id, Some(&slot), None)?;
            }
        }
        Ok(())
    }
}
