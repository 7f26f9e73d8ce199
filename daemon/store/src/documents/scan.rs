//! Rebuilding the index from the files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vault_crypto::ObjectName;

use super::{
    Inner,
    index::{Location, Slot},
    journal,
    medium::Opened,
    metadata::{Head, Metadata},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::OpenFile,
    id::{DocumentId, Revision},
    vault::lock,
};

/// Most heads fit in the first read.
const FIRST_READ: u64 = 2 << 10;

/// A damaged record's own word for its revision is not authenticated. Believed within reason, it
/// keeps revisions increasing; beyond, it is ignored.
const BELIEVABLE_STEP: u64 = 1 << 20;

/// File that remembers, sealed, how far tombstones were forgotten.
const FLOOR_FILE: &str = "floor";

#[derive(Serialize, Deserialize)]
struct Floor {
    floor: Revision,
}

impl Inner {
    /// Reads every head: objects, journals, adopted files, in this order; the newest revision of a
    /// name counts.
    pub(super) fn scan(&self) -> StoreResult<()> {
        let fs = self.context.root.fs();
        let floor = self.read_floor()?;
        {
            let mut index = self.index_mut();
            index.floor = floor;
            index.last = floor;
        }
        for file in durable::list_files(fs, &self.folders.objects)? {
            // A foreign name cannot be asked for; doctor reports it.
            let Ok(name) = file.parse::<ObjectName>() else {
                continue;
            };
            self.load_object(&name);
        }
        let mut numbers: Vec<u64> = durable::list_files(fs, &self.folders.journal)?
            .iter()
            .filter_map(|file| journal::parse_name(file))
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            self.scan_journal(number)?;
        }
        self.load_adopted()?;
        let last = {
            let mut index = self.index_mut();
            let claimed = index
                .damaged
                .keys()
                .filter_map(|name| self.claimed_revision(name));
            let limit = index.last.0.saturating_add(BELIEVABLE_STEP);
            let claimed = claimed
                .filter(|claimed| claimed.0 <= limit)
                .max()
                .unwrap_or_default();
            index.last = index.last.max(claimed);
            index.last
        };
        self.announce(last);
        Ok(())
    }

    /// Takes the head of an object file into the index, or notes that it is damaged.
    fn load_object(&self, name: &ObjectName) {
        match self.read_object_head(name) {
            Ok(opened) => {
                self.index_mut()
                    .insert(*name, slot(opened, Location::Object));
            }
            Err(error) => {
                tracing::error!(store = %self.context.record.id, object = %name, %error, "damaged object");
                self.index_mut().damaged.insert(*name, error);
            }
        }
    }

    /// Makes the index agree with what the disk shows of one object, after a write in doubt.
    pub(super) fn reload(&self, name: &ObjectName) {
        if let Ok(opened) = self.read_object_head(name) {
            self.index_mut()
                .insert(*name, slot(opened, Location::Object));
        }
    }

    fn read_object_head(&self, name: &ObjectName) -> StoreResult<Opened> {
        let path = self.folders.objects.join(name.to_string());
        let failed = |error| StoreError::io("read", &path, error);
        let file = self.context.root.fs().open(&path).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let opened = self.open_head(name, &*file, 0, len)?;
        // Of a plain document, the body lies elsewhere.
        if !self.medium.is_plain() && opened.len != len {
            return Err(StoreError::damaged(
                name,
                "the file is cut short or has grown",
            ));
        }
        Ok(opened)
    }

    /// Opens the head of the record at `offset`, of at most `len` bytes.
    fn open_head(
        &self,
        name: &ObjectName,
        file: &dyn OpenFile,
        offset: u64,
        len: u64,
    ) -> StoreResult<Opened> {
        let failed = |error| StoreError::io("read", &self.folders.base, error);
        let read = |count: u64| {
            let count = usize::try_from(count).expect("a head is bounded by its format");
            let mut bytes = vec![0; count];
            file.read_exact_at(&mut bytes, offset).map(|()| bytes)
        };
        let mut beginning = read(len.min(FIRST_READ)).map_err(failed)?;
        let head_len = self.medium.head_len(&beginning)?;
        if head_len > beginning.len() {
            beginning = read(len.min(head_len as u64)).map_err(failed)?;
        }
        self.medium
            .open_head(name, &beginning[..head_len.min(beginning.len())])
    }

    fn scan_journal(&self, number: u64) -> StoreResult<()> {
        let fs = self.context.root.fs();
        let path = journal::path(&self.folders.journal, number);
        // Not to be understood, it stays where it is: it may be all there is of a batch.
        let entries = journal::read(fs, &path)?;
        let file = fs
            .open(&path)
            .map_err(|error| StoreError::io("open", &path, error))?;
        for entry in &entries {
            match self.open_head(&entry.name, &*file, entry.offset, entry.len) {
                Ok(opened) if opened.len == entry.len => {
                    let location = Location::Journal {
                        journal: number,
                        offset: entry.offset,
                        len: entry.len,
                    };
                    self.index_mut().insert(entry.name, slot(opened, location));
                }
                Ok(_) => self.note_damaged_entry(
                    entry.name,
                    StoreError::damaged(entry.name, "it is cut short"),
                ),
                Err(error) => self.note_damaged_entry(entry.name, error),
            }
        }
        lock(&self.journals).insert(number, entries);
        Ok(())
    }

    /// Damage in a journal matters unless a newer record of the object was read, which nobody can
    /// know of a damaged one: it is reported, and the journal kept.
    fn note_damaged_entry(&self, name: ObjectName, error: StoreError) {
        tracing::error!(store = %self.context.record.id, object = %name, %error, "damaged journal record");
        self.index_mut().damaged.insert(name, error);
    }

    fn claimed_revision(&self, name: &ObjectName) -> Option<Revision> {
        let path = self.folders.objects.join(name.to_string());
        let file = self.context.root.fs().open(&path).ok()?;
        let mut bytes = [0; vault_crypto::envelope::HEADER_LEN];
        file.read_exact_at(&mut bytes, 0).ok()?;
        vault_crypto::Header::parse(&bytes)
            .ok()
            .map(|header| Revision(header.revision()))
    }

    fn floor_name(&self) -> ObjectName {
        self.context
            .names
            .object_name(self.context.record.id.as_bytes(), b"\0floor")
    }

    fn read_floor(&self) -> StoreResult<Revision> {
        let path = self.folders.base.join(FLOOR_FILE);
        let Some(bytes) = durable::read(self.context.root.fs(), &path, 4 << 10)? else {
            return Ok(Revision::ZERO);
        };
        let body = self.open_sealed(&self.floor_name(), &path, &bytes)?;
        let floor: Floor = serde_json::from_slice(&body)
            .map_err(|error| StoreError::damaged(path.display(), error))?;
        Ok(floor.floor)
    }

    /// Durably remembers that changes up to `floor` are forgotten one by one.
    pub(super) fn write_floor(&self, floor: Revision) -> StoreResult<()> {
        let body = serde_json::to_vec(&Floor { floor })
            .map_err(|error| StoreError::damaged(FLOOR_FILE, error))?;
        let sealed = self.seal(&self.floor_name(), &body)?;
        let fs = self.context.root.fs();
        durable::replace(fs, &self.folders.base, FLOOR_FILE, &[&sealed])
    }
}

fn slot(opened: Opened, location: Location) -> Slot {
    let Opened {
        revision,
        metadata,
        len,
    } = opened;
    let id = DocumentId::parse(&metadata.id).expect("the id was checked against the file's name");
    Slot {
        head: Arc::new(head(id, revision, metadata, len)),
        location,
    }
}

fn head(id: DocumentId, revision: Revision, metadata: Metadata, stored_bytes: u64) -> Head {
    Head {
        id,
        revision,
        metadata,
        stored_bytes,
        awaiting_migration: false,
    }
}
