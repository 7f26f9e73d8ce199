//! Rebuilding the index from the files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vault_crypto::{KeyId, ObjectName};

use super::{
    Inner,
    awaiting::AWAITING_FILE,
    index::{Location, Slot},
    journal,
    medium::Opened,
    metadata::{Head, Metadata},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::{EntryKind, OpenFile},
    id::{DocumentId, Revision},
    vault::lock,
};

/// Most heads fit in the first read.
const FIRST_READ: u64 = 2 << 10;

/// Threads that read heads at once, at most.
const SCAN_THREADS: usize = 4;
/// Fewer objects than this are not worth a thread.
const OBJECTS_PER_THREAD: usize = 512;

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
        let mut objects = Vec::new();
        for (file, kind) in durable::list(fs, &self.folders.objects)? {
            // A foreign name cannot be asked for; doctor reports it.
            let Ok(name) = file.parse::<ObjectName>() else {
                continue;
            };
            if kind == EntryKind::File {
                objects.push(name);
            } else {
                // Neither followed nor taken for an absent object.
                let error = StoreError::damaged(name, "not a regular file");
                self.index_mut().damaged.insert(name, error);
            }
        }
        self.load_objects(&objects, floor);
        let mut numbers: Vec<u64> = durable::list(fs, &self.folders.journal)?
            .iter()
            .filter_map(|(file, _)| journal::parse_name(file))
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            if number <= floor.0 {
                // Its records were moved or superseded before the floor was written.
                durable::remove_if_there(fs, &journal::path(&self.folders.journal, number))?;
            } else {
                self.scan_journal(number)?;
            }
        }
        self.load_adopted()?;
        self.skip_damaged_revisions();
        let last = self.index().last;
        self.announce(last);
        Ok(())
    }

    /// Reads the heads of objects, of many on several threads: half of the time goes into system
    /// calls, the other half into opening what they read.
    fn load_objects(&self, names: &[ObjectName], floor: Revision) {
        let load = |names: &[ObjectName]| {
            for name in names {
                self.load_object(name);
                self.sweep_tombstone(name, floor);
            }
        };
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = available
            .min(SCAN_THREADS)
            .min(names.len() / OBJECTS_PER_THREAD);
        if threads < 2 {
            return load(names);
        }
        std::thread::scope(|scope| {
            for part in names.chunks(names.len().div_ceil(threads)) {
                scope.spawn(|| load(part));
            }
        });
    }

    /// Removes a tombstone that was forgotten, whose removal a crash undid.
    fn sweep_tombstone(&self, name: &ObjectName, floor: Revision) {
        let mut index = self.index_mut();
        let forgotten = index
            .get(name)
            .is_some_and(|slot| slot.head.is_deleted() && slot.head.revision <= floor);
        if forgotten {
            index.remove(name);
            let path = self.folders.objects.join(name.to_string());
            let _ = self.context.root.fs().remove_file(&path);
        }
    }

    /// Takes the head of an object file into the index, or notes that it is damaged.
    pub(super) fn load_object(&self, name: &ObjectName) {
        match self.read_object_head(name) {
            Ok(opened) => {
                let mut index = self.index_mut();
                index.damaged.remove(name);
                index.insert(*name, slot(opened, Location::Object));
            }
            Err(error) => {
                tracing::error!(
                    store = %self.context.record.id, object = %name, %error, "damaged object"
                );
                self.index_mut().damaged.insert(*name, error);
            }
        }
    }

    /// Makes the index agree with what the disk shows of one object, after a write in doubt.
    pub(super) fn reload(&self, name: &ObjectName) {
        let Ok(opened) = self.read_object_head(name) else {
            return;
        };
        let (revision, key_id, len) = (opened.revision, opened.key_id, opened.len);
        let mut index = self.index_mut();
        let newer = index.insert(*name, slot(opened, Location::Object));
        if !newer && !self.medium.is_plain() {
            // The same revision may have been sealed under another key: an object whose key nobody
            // remembers right would be left behind when that key is destroyed.
            index.renew(name, revision, key_id, len);
        }
    }

    fn read_object_head(&self, name: &ObjectName) -> StoreResult<Opened> {
        let path = self.folders.objects.join(name.to_string());
        let failed = |error| StoreError::io("read", &path, &error);
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
        let failed = |error| StoreError::io("read", &self.folders.base, &error);
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
            .map_err(|error| StoreError::io("open", &path, &error))?;
        for (entry, revision) in entries.iter().zip(number..) {
            let opened = self.open_head(&entry.name, &*file, entry.offset, entry.len);
            let opened = opened.and_then(|opened| {
                // Revisions count on within a journal: no record of another one is smuggled in.
                if opened.len == entry.len && opened.revision == Revision(revision) {
                    Ok(opened)
                } else {
                    Err(StoreError::damaged(
                        entry.name,
                        "not the record expected here",
                    ))
                }
            });
            match opened {
                Ok(opened) => self.take_entry(number, entry, opened),
                // What the disk failed to read may be whole: nobody is told that it is damaged.
                Err(error @ StoreError::Io { .. }) => return Err(error),
                Err(error) => self.note_damaged_entry(entry.name, Revision(revision), error),
            }
        }
        lock(&self.journals).insert(number, entries);
        Ok(())
    }

    fn take_entry(&self, number: u64, entry: &journal::Entry, opened: Opened) {
        let damaged = self.index().damaged.contains_key(&entry.name);
        if damaged && self.claimed_revision(&entry.name) > Some(opened.revision) {
            // The damaged object is the newer one: what it superseded must not pass for it.
            return;
        }
        let location = Location::Journal {
            journal: number,
            offset: entry.offset,
            len: entry.len,
        };
        let revision = opened.revision;
        let mut index = self.index_mut();
        let newer = index.insert(entry.name, slot(opened, location));
        if !newer && self.medium.is_plain() {
            // A head file of this revision does not say that the document's own file is in place.
            index.relocate(&entry.name, revision, location);
        }
    }

    /// Damage in a journal matters unless a newer record of the object was read.
    fn note_damaged_entry(&self, name: ObjectName, revision: Revision, error: StoreError) {
        let mut index = self.index_mut();
        // Of this very revision, too, where the object's own file is all there is of it.
        let own_file_suffices = !self.medium.is_plain();
        let superseded = |slot: &Slot| {
            slot.head.revision > revision || own_file_suffices && slot.head.revision == revision
        };
        if index.get(&name).is_some_and(superseded) {
            return;
        }
        tracing::error!(
            store = %self.context.record.id, object = %name, %error, "damaged journal record"
        );
        index.remove(&name);
        index.damaged.insert(name, error);
    }

    /// The revision a damaged object claims to have, not authenticated.
    fn claimed_revision(&self, name: &ObjectName) -> Option<Revision> {
        let path = self.folders.objects.join(name.to_string());
        let file = self.context.root.fs().open(&path).ok()?;
        let mut bytes = [0; vault_crypto::envelope::HEADER_LEN];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let header = vault_crypto::Header::parse(&bytes).ok()?;
        Some(Revision(header.revision()))
    }

    fn read_floor(&self) -> StoreResult<Revision> {
        let Some(body) = self.context.read_own(FLOOR_FILE, 4 << 10)? else {
            return Ok(Revision::ZERO);
        };
        let floor: Floor = serde_json::from_slice(&body)
            .map_err(|error| StoreError::damaged(FLOOR_FILE, error))?;
        Ok(floor.floor)
    }

    /// The keys that the store's own small files are sealed with.
    pub(super) fn keys_of_own_files(&self) -> StoreResult<Vec<KeyId>> {
        let mut keys = Vec::new();
        for file in [FLOOR_FILE, AWAITING_FILE] {
            keys.extend(self.context.key_of_own(file)?);
        }
        Ok(keys)
    }

    /// Seals the store's own small files anew. The caller keeps writers out.
    pub(super) fn rewrite_own_files(&self) -> StoreResult<()> {
        let floor = self.index().floor;
        if floor != Revision::ZERO {
            self.write_floor(floor)?;
        }
        self.write_awaiting()
    }

    /// Durably remembers that changes up to `floor` are forgotten one by one.
    pub(super) fn write_floor(&self, floor: Revision) -> StoreResult<()> {
        let body = serde_json::to_vec(&Floor { floor })
            .map_err(|error| StoreError::damaged(FLOOR_FILE, error))?;
        self.context.write_own(FLOOR_FILE, &body)
    }
}

fn slot(opened: Opened, location: Location) -> Slot {
    let Opened {
        revision,
        key_id,
        metadata,
        len,
    } = opened;
    let id = DocumentId::parse(&metadata.id).expect("the id was checked against the file's name");
    Slot {
        head: Arc::new(head(id, revision, metadata, len)),
        location,
        key_id,
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
