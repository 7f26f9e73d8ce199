//! Where the files of a store of blobs lie.
//!
//! ```text
//! stores/<id>/objects/<first digit>/<64 digits>   blobs, under their keyed names
//! stores/<id>/uploads/<64 digits>-<milliseconds>  unfinished uploads that can be taken up again
//! stores/<id>/uploads/.tmp-<random>               other unfinished files
//! stores/<id>/removed/<64 digits>                 removed blobs that a snapshot still reads
//! ```
//!
//! There are sixteen folders of blobs, all made with the store: enough that a listing of one of them
//! stays small, and none is ever made, and made durable, amid a put.

use std::path::{Path, PathBuf};

use vault_crypto::ObjectName;

use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::{EntryKind, FileSystem},
    id::StoreId,
    root::DataRoot,
};

/// First digits of a name.
const DIGITS: [&str; SHARDS] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f",
];

/// How many folders the blobs of a store lie in.
pub(super) const SHARDS: usize = 16;

/// The folders of one store.
pub(super) struct Folders {
    base: PathBuf,
    objects: PathBuf,
    pub(super) shards: [PathBuf; SHARDS],
    pub(super) uploads: PathBuf,
    pub(super) removed: PathBuf,
}

/// What lies in a folder of blobs.
pub(super) enum Found {
    /// A file under the name of a blob.
    Blob(ObjectName),
    /// Something that is no blob: its name.
    Foreign(String),
}

/// The folder that a blob lies in.
pub(super) fn shard_of(name: &ObjectName) -> usize {
    usize::from(name.as_bytes()[0] >> 4)
}

impl Folders {
    pub(super) fn new(root: &DataRoot, id: StoreId) -> Self {
        let base = root.store(id);
        let objects = base.join("objects");
        Self {
            shards: DIGITS.map(|digit| objects.join(digit)),
            objects,
            uploads: base.join("uploads"),
            removed: base.join("removed"),
            base,
        }
    }

    /// Creates all of them, durably.
    pub(super) fn create(&self, root: &DataRoot) -> StoreResult<()> {
        let fs = root.fs();
        durable::ensure_dir(fs, &self.base)?;
        for folder in [&self.objects, &self.uploads, &self.removed] {
            durable::ensure_dir(fs, folder)?;
        }
        for shard in &self.shards {
            durable::ensure_dir(fs, shard)?;
        }
        durable::sync_dir(fs, &self.objects)?;
        durable::sync_dir(fs, &self.base)?;
        durable::sync_dir(fs, &root.stores())
    }

    /// Where a blob lies.
    pub(super) fn object(&self, name: &ObjectName) -> PathBuf {
        self.shards[shard_of(name)].join(name.to_string())
    }

    /// Where a removed blob lies that a snapshot still reads.
    pub(super) fn removed(&self, name: &ObjectName) -> PathBuf {
        self.removed.join(name.to_string())
    }

    /// What lies in a folder of blobs, which must be there: a lost one is no empty one.
    pub(super) fn list(fs: &dyn FileSystem, folder: &Path) -> StoreResult<Vec<Found>> {
        let entries = durable::list(fs, folder)?;
        let found = entries.into_iter().map(|(name, _)| match name.parse() {
            Ok(object) => Found::Blob(object),
            Err(_) => Found::Foreign(name),
        });
        Ok(found.collect())
    }

    /// Makes sure that the folders are there.
    pub(super) fn check(&self, fs: &dyn FileSystem) -> StoreResult<()> {
        let names = [&self.base, &self.objects].map(|folder| durable::list(fs, folder));
        let [base, objects] = names;
        let (base, objects) = (base?, objects?);
        let missing = |entries: &[(String, EntryKind)], folder: &PathBuf| {
            let there = |(name, kind): &(String, EntryKind)| {
                *kind == EntryKind::Directory && folder.ends_with(name)
            };
            !entries.iter().any(there)
        };
        let inner = [&self.uploads, &self.removed];
        let inner = inner.into_iter().filter(|folder| missing(&base, folder));
        let shards = self
            .shards
            .iter()
            .filter(|folder| missing(&objects, folder));
        match inner.chain(shards).next() {
            None => Ok(()),
            Some(lost) => Err(StoreError::damaged(lost.display(), "the folder is gone")),
        }
    }

    /// Removes all of them. Best effort.
    pub(super) fn remove(&self, fs: &dyn FileSystem) {
        let inner = self.shards.iter().chain([&self.uploads, &self.removed]);
        for folder in inner.chain([&self.objects, &self.base]) {
            for (name, kind) in fs.read_dir(folder).unwrap_or_default() {
                if kind != EntryKind::Directory {
                    let _ = fs.remove_file(&folder.join(name));
                }
            }
            let _ = fs.remove_dir(folder);
        }
    }
}
