//! A store of blobs as of one moment.
//!
//! Content never changes under its ref, so a snapshot is a list of names. What is removed while one
//! is held is moved aside and stays readable until the last snapshot is dropped; a crash loses it,
//! and the snapshot with it.

use std::{
    io::{self, Read},
    ops::Deref,
    path::PathBuf,
    sync::{Arc, MutexGuard},
};

use serde::{Deserialize, Serialize};
use vault_crypto::ObjectName;
use zeroize::Zeroizing;

use super::{
    BlobRef, Inner,
    file::BlobFile,
    folders::{Folders, Found},
    listing::Length,
    reader::Reading,
    upload::check_content_type,
};
use crate::{
    catalogue::Protection,
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{Amount, Entry, Snapshot, no_object},
    vault::lock,
};

/// What is said of a blob, besides its content, where it leaves the vault.
#[derive(Serialize, Deserialize)]
pub(super) struct Metadata {
    #[serde(rename = "type")]
    pub(super) content_type: String,
    /// Milliseconds since 1970.
    pub(super) created: i64,
}

impl Metadata {
    /// From outside, of a blob that is to be imported under `id`.
    pub(super) fn parse(protection: Protection, id: &str, json: &[u8]) -> StoreResult<Self> {
        let unfit = |what: String| StoreError::InvalidArgument(what);
        BlobRef::parse(id)?;
        if protection == Protection::Plain {
            return Err(unfit("a store of blobs is always encrypted".to_owned()));
        }
        let metadata: Self =
            serde_json::from_slice(json).map_err(|error| unfit(format!("metadata: {error}")))?;
        check_content_type(&metadata.content_type)?;
        Ok(metadata)
    }
}

/// As long as it is there, what is removed is only moved aside.
pub(super) struct Held<S: Deref<Target = Inner>>(S);

impl<S: Deref<Target = Inner>> Held<S> {
    pub(super) fn new(store: S) -> Self {
        *lock(&store.snapshots) += 1;
        Self(store)
    }
}

impl<S: Deref<Target = Inner>> Drop for Held<S> {
    fn drop(&mut self) {
        let mut held = lock(&self.0.snapshots);
        *held -= 1;
        self.0.sweep_removed(&held);
    }
}

/// See [`Snapshot`].
pub(super) struct BlobSnapshot {
    store: Arc<Inner>,
    _held: Held<Arc<Inner>>,
    /// By ascending name, with the size of the content.
    blobs: Vec<(ObjectName, u64)>,
    bytes: u64,
}

impl BlobSnapshot {
    pub(super) fn take(store: &Arc<Inner>) -> StoreResult<Self> {
        let mut snapshot = Self {
            store: Arc::clone(store),
            _held: Held::new(Arc::clone(store)),
            blobs: Vec::new(),
            bytes: 0,
        };
        for (number, folder) in store.folders.shards.iter().enumerate() {
            store.check_open()?;
            // Whoever removes something, before or afterwards, knows of this snapshot then.
            let _shard = store.names.lock_shard(number);
            for found in Folders::list(store.context.root.fs(), folder)? {
                snapshot.add(folder, found)?;
            }
        }
        snapshot.blobs.sort_unstable();
        Ok(snapshot)
    }

    fn add(&mut self, folder: &std::path::Path, found: Found) -> StoreResult<()> {
        let damaged = |file: &str| {
            let object = format!("file {file} in store `{}`", self.store.context.record.name);
            StoreError::damaged(object, "it is no blob")
        };
        let name = match found {
            Found::Blob(name) => name,
            Found::Foreign(file) => return Err(damaged(&file)),
        };
        let file = name.to_string();
        let Length::Of(size) = self.store.length_of(&folder.join(&file))? else {
            return Err(damaged(&file));
        };
        self.blobs.push((name, size));
        self.bytes += size;
        Ok(())
    }

    fn open(&self, index: usize) -> StoreResult<Option<Reading>> {
        self.store.check_open()?;
        let Some((name, size)) = self.blobs.get(index) else {
            return Ok(None);
        };
        let object = format!("file {name} in store `{}`", self.store.context.record.name);
        let paths = [
            self.store.folders.object(name),
            self.store.folders.removed(name),
        ];
        let (file, path) = self.first(paths, &object)?;
        let info = file.info();
        if self.store.name_of(&info.reference) != *name || info.size != *size {
            return Err(StoreError::damaged(object, "it is that of another blob"));
        }
        Ok(Some(Reading::new(file, path, object)))
    }

    /// Removed meanwhile, a blob is found where those are kept.
    fn first(&self, paths: [PathBuf; 2], object: &str) -> StoreResult<(BlobFile, PathBuf)> {
        for path in paths {
            if let Some(file) = BlobFile::open(&self.store.context, &path, object)? {
                return Ok((file, path));
            }
        }
        Err(StoreError::damaged(object, "the file is gone"))
    }
}

impl Inner {
    /// Removes what was removed while snapshots were held, if none is any more. Best effort.
    pub(super) fn sweep_removed(&self, snapshots: &MutexGuard<'_, usize>) {
        let fs = self.context.root.fs();
        if **snapshots == 0 {
            for (file, _) in fs.read_dir(&self.folders.removed).unwrap_or_default() {
                let _ = fs.remove_file(&self.folders.removed.join(file));
            }
        }
    }

    pub(super) fn remove(&self, reference: &BlobRef) -> StoreResult<()> {
        let _writing = self.writing();
        self.check_open()?;
        let name = self.name_of(reference);
        let mut shard = self.names.lock(&name);
        if !self.is_there(&name)? {
            return Err(StoreError::NoSuchBlob(*reference));
        }
        let snapshots = lock(&self.snapshots);
        let keep = *snapshots > 0;
        shard.take_away(self.context.root.fs(), &self.folders, &name, keep)
    }
}

impl Snapshot for BlobSnapshot {
    fn revision(&self) -> Revision {
        Revision(self.blobs.len() as u64)
    }

    fn amount(&self) -> Amount {
        Amount {
            objects: self.blobs.len() as u64,
            bytes: self.bytes,
        }
    }

    fn entry(&self, index: usize) -> StoreResult<Option<Entry>> {
        let Some(reading) = self.open(index)? else {
            return Ok(None);
        };
        let info = reading.info().clone();
        let metadata = Metadata {
            content_type: info.content_type.clone(),
            created: info.created_ms,
        };
        Ok(Some(Entry {
            id: info.reference.to_string(),
            revision: Revision(index as u64 + 1),
            content_type: info.content_type,
            size: info.size,
            sha256: *info.reference.hash(),
            metadata: serde_json::to_vec(&metadata)
                .map_err(|error| StoreError::damaged(info.reference, error))?,
        }))
    }

    fn body(&self, index: usize) -> StoreResult<Box<dyn Read + '_>> {
        let reading = self.open(index)?.ok_or_else(|| no_object(index))?;
        Ok(Box::new(Body {
            store: &self.store,
            reading,
            piece: Zeroizing::default(),
            given: 0,
        }))
    }
}

/// The content of one blob, as a stream.
struct Body<'a> {
    store: &'a Inner,
    reading: Reading,
    piece: Zeroizing<Vec<u8>>,
    /// How much of the piece was given out.
    given: usize,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.piece.len() {
            self.given = 0;
            let read = self.store.check_open();
            read.and_then(|()| self.reading.next(&mut self.piece))
                .map_err(io::Error::other)?;
        }
        let rest = &self.piece[self.given..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.given += len;
        Ok(len)
    }
}
