//! Reading documents back.

use std::{io, sync::Arc};

use vault_crypto::ObjectName;
use zeroize::Zeroizing;

use super::{
    Document, DocumentStore, Inner, Listed,
    index::{Location, Slot},
    journal,
    metadata::Head,
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::DocumentId,
};

impl DocumentStore {
    /// A document with its body.
    pub fn get(&self, id: &DocumentId) -> StoreResult<Document> {
        self.0.check_open()?;
        if self.0.medium.is_plain() {
            return self.0.get_plain(id);
        }
        let name = self.0.medium.object_name(id);
        loop {
            let slot = self.0.find(&name, id)?;
            match self.0.read_body(&name, &slot) {
                Ok(body) => {
                    return Ok(Document {
                        head: slot.head,
                        body,
                    });
                }
                // The record may have moved or been replaced between the look-up and the read.
                Err(error) => {
                    self.0.check_open()?;
                    let now = self.0.find(&name, id)?;
                    let same =
                        now.head.revision == slot.head.revision && now.location == slot.location;
                    if same {
                        return Err(error);
                    }
                }
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

    /// Objects that cannot be read.
    pub fn damaged(&self) -> Vec<Listed> {
        let index = self.0.index();
        let damaged = index.damaged.iter();
        damaged
            .map(|(name, error)| Listed::Damaged(name.to_string(), error.clone()))
            .collect()
    }
}

impl Inner {
    /// Where the live document of this name lies.
    pub(super) fn find(&self, name: &ObjectName, id: &DocumentId) -> StoreResult<Slot> {
        let index = self.index();
        if let Some(error) = index.damaged.get(name) {
            return Err(self.name_damage(id, error));
        }
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

    /// A scan knows a damaged object by its file name only; whoever asks by id reads the id.
    pub(super) fn name_damage(&self, id: &DocumentId, error: &StoreError) -> StoreError {
        let object = self.medium.describe(id.as_str());
        match error {
            StoreError::Damaged { detail, .. } => StoreError::Damaged {
                object,
                detail: detail.clone(),
            },
            StoreError::PlaintextRefused { detail, .. } => StoreError::PlaintextRefused {
                object,
                detail: detail.clone(),
            },
            other => other.clone(),
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
        let record = self.read_record(name, slot.location)?;
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
                    .map_err(|error| StoreError::io("read", &path, error))
            }
            Location::Object | Location::Adopted => {
                let path = self.folders.objects.join(name.to_string());
                durable::read(fs, &path, u64::MAX)?.ok_or_else(|| {
                    StoreError::io("open", &path, io::Error::from(io::ErrorKind::NotFound))
                })
            }
        }
    }
}
