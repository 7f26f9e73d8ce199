//! Reading documents back.

use std::{io, sync::Arc};

use vault_crypto::ObjectName;
use zeroize::Zeroizing;

use super::{
    Document, DocumentStore, Inner,
    doubt::RECORD_LIMIT,
    index::{Location, Slot},
    journal,
    metadata::Head,
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::DocumentId,
    vault::lock,
};

impl DocumentStore {
    /// A document with its body, if it is at hand: neither the disk nor a lock is waited for, so
    /// that this may run where nothing may block. `None` decides nothing; [`Self::get`] does.
    ///
    /// Opening a body takes time in proportion to it: none above `limit` bytes is.
    pub fn get_cached(&self, id: &DocumentId, limit: u64) -> Option<Document> {
        if self.0.medium.is_plain() {
            return None;
        }
        let name = self.0.medium.object_name(id);
        let head = {
            let index = self.0.index.try_read().ok()?;
            let slot = index.get(&name)?;
            let at_hand = slot.location == Location::Object
                && !slot.head.is_deleted()
                && slot.head.body_bytes() <= limit
                && !index.damaged.contains_key(&name);
            at_hand.then(|| Arc::clone(&slot.head))?
        };
        let path = self.0.folders.objects.join(name.to_string());
        let len = usize::try_from(head.stored_bytes).ok()?;
        let record = self.0.context.root.fs().read_cached(&path, len).ok()?;
        let body = self.0.medium.open_body(&name, &head, &record).ok()?;
        Some(Document { head, body })
    }

    /// A document with its body.
    pub fn get(&self, id: &DocumentId) -> StoreResult<Document> {
        self.0.check_open()?;
        if self.0.medium.is_plain() {
            return self.0.get_plain(id);
        }
        let name = self.0.medium.object_name(id);
        let slot = self.0.find(&name, id)?;
        if let Ok(body) = self.0.read_body(&name, &slot) {
            return Ok(Document {
                head: slot.head,
                body,
            });
        }
        // The record may have moved or been replaced between the look-up and the read, or be in
        // place a moment before the index says so. While nothing moves, the answer counts.
        let unsettled = lock(&self.0.commit);
        self.0.check_open()?;
        if unsettled.doubts(&name) {
            self.0.reload(&name);
        }
        let slot = self.0.find(&name, id)?;
        match self.0.read_body(&name, &slot) {
            Ok(body) => Ok(Document {
                head: slot.head,
                body,
            }),
            Err(error) => {
                if slot.location != Location::Adopted {
                    self.0.note_damage(&name, &error);
                }
                Err(error)
            }
        }
    }

    /// A document without its body.
    pub fn head(&self, id: &DocumentId) -> StoreResult<Arc<Head>> {
        self.0.check_open()?;
        self.0
            .find(&self.0.medium.object_name(id), id)
            .map(|slot| slot.head)
    }
}

impl Inner {
    /// Where the live document of this name lies.
    pub(super) fn find(&self, name: &ObjectName, id: &DocumentId) -> StoreResult<Slot> {
        if let Some(error) = self.damage(name) {
            return Err(self.name_damage(id, &error));
        }
        let index = self.open_index()?;
        match index.get(name) {
            Some(slot) if !slot.head.is_deleted() => Ok(slot.clone()),
            known => {
                let unknown = known.is_none();
                drop(index);
                if unknown {
                    self.refuse_unrecorded(id)?;
                }
                Err(self.no_such(id))
            }
        }
    }

    /// Looks again at objects that the disk failed to read.
    pub(super) fn retry_unreadable(&self) {
        let names: Vec<ObjectName> = self.index().damaged.keys().copied().collect();
        for name in names {
            self.damage(&name);
        }
    }

    /// The body of the record in `slot`.
    pub(super) fn read_body(
        &self,
        name: &ObjectName,
        slot: &Slot,
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        if slot.location == Location::Adopted {
            return self.read_adopted(&slot.head);
        }
        let object = || self.medium.describe(slot.head.id.as_str());
        let gone = |error| match error {
            StoreError::Io {
                kind: io::ErrorKind::NotFound,
                ..
            } => StoreError::damaged(object(), "its file is gone"),
            StoreError::Io {
                kind: io::ErrorKind::UnexpectedEof,
                ..
            } => StoreError::damaged(object(), "its file is cut short"),
            // What the operating system's file system says of links and folders.
            StoreError::Io {
                kind: io::ErrorKind::InvalidInput,
                message,
                ..
            } => StoreError::damaged(object(), message),
            StoreError::Damaged { detail, .. } => StoreError::damaged(object(), detail),
            other => other,
        };
        let record = self.read_record(name, slot.location).map_err(gone)?;
        self.medium.open_body(name, &slot.head, &record)
    }

    /// The bytes of a record that is not adopted.
    pub(super) fn read_record(
        &self,
        name: &ObjectName,
        location: Location,
    ) -> StoreResult<Vec<u8>> {
        let fs = self.context.root.fs();
        match location {
            Location::Journal {
                journal,
                offset,
                len,
            } => {
                let path = journal::path(&self.folders.journal, journal);
                journal::read_record(fs, &path, offset, len)
                    .map_err(|error| StoreError::io("read", &path, &error))
            }
            Location::Object | Location::Adopted => {
                let path = self.folders.objects.join(name.to_string());
                durable::read(fs, &path, RECORD_LIMIT)?.ok_or_else(|| {
                    StoreError::io("open", &path, &io::Error::from(io::ErrorKind::NotFound))
                })
            }
        }
    }
}
