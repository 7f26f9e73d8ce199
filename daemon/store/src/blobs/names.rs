//! Giving blobs their names and taking them away, durably.
//!
//! Whether a name is durable is a question of its folder's last sync. A blob that somebody sees may
//! have been named a moment ago by a put that has not synced yet, or by a daemon that was killed
//! before it did; and when a sync fails, a later one that succeeds proves nothing about the names
//! before it. Whoever is told that a blob is there relies on it, so names are confirmed first.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, MutexGuard},
};

use vault_crypto::ObjectName;

use super::folders::{Folders, Found, SHARDS, shard_of};
use crate::{
    durable::{self, StagedHere},
    error::{StoreError, StoreResult},
    fs::FileSystem,
    vault::lock,
};

/// Asked amid long work whether to go on.
pub(super) type GoOn<'a> = &'a dyn Fn() -> StoreResult<()>;

/// What is known of the names in each folder.
#[derive(Default)]
pub(super) struct Names([Mutex<Shard>; SHARDS]);

/// Locked while a name is given, taken away or confirmed.
#[derive(Default)]
pub(super) struct Shard {
    /// Every name given or taken away so far is durable, unless it is in doubt.
    synced: bool,
    /// A sync failed.
    failed: bool,
    /// Names that were given or taken away, and synced, since one failed.
    proven: BTreeSet<ObjectName>,
}

impl Names {
    pub(super) fn lock(&self, name: &ObjectName) -> MutexGuard<'_, Shard> {
        self.lock_shard(shard_of(name))
    }

    pub(super) fn lock_shard(&self, number: usize) -> MutexGuard<'_, Shard> {
        lock(&self.0[number])
    }

    /// Makes sure that what is in every folder is durable; names in doubt are given anew.
    pub(super) fn confirm_all(
        &self,
        fs: &dyn FileSystem,
        folders: &Folders,
        go_on: GoOn<'_>,
    ) -> StoreResult<()> {
        for (shard, folder) in self.0.iter().zip(&folders.shards) {
            let mut shard = lock(shard);
            if shard.failed {
                for found in Folders::list(fs, folder)? {
                    if let Found::Blob(name) = found {
                        shard.confirm(fs, folders, &name, go_on)?;
                    }
                }
            }
            shard.sync(fs, folder)?;
        }
        Ok(())
    }
}

impl Shard {
    /// Gives a synced file the name of a blob: `rename` does, to the path it is told.
    pub(super) fn give(
        &mut self,
        fs: &dyn FileSystem,
        folders: &Folders,
        name: &ObjectName,
        rename: impl FnOnce(&Path) -> StoreResult<()>,
    ) -> StoreResult<()> {
        self.synced = false;
        rename(&folders.object(name))?;
        self.prove(fs, folders, name)
    }

    /// Gives several files of one folder their names, with one sync for all: `rename` gives the next
    /// one its name and says which.
    pub(super) fn give_all(
        &mut self,
        fs: &dyn FileSystem,
        folders: &Folders,
        mut rename: impl FnMut() -> StoreResult<Option<ObjectName>>,
    ) -> StoreResult<()> {
        let mut given = Vec::new();
        self.synced = false;
        while let Some(name) = rename()? {
            given.push(name);
        }
        for name in given {
            self.prove(fs, folders, &name)?;
        }
        Ok(())
    }

    /// Removes a blob, or moves it to where snapshots still find it.
    pub(super) fn take_away(
        &mut self,
        fs: &dyn FileSystem,
        folders: &Folders,
        name: &ObjectName,
        keep: bool,
    ) -> StoreResult<()> {
        let path = folders.object(name);
        self.synced = false;
        if keep {
            let kept = folders.removed(name);
            fs.rename(&path, &kept)
                .map_err(|error| StoreError::io("rename", &kept, &error))?;
            durable::sync_dir(fs, &folders.removed)?;
        } else {
            fs.remove_file(&path)
                .map_err(|error| StoreError::io("remove", &path, &error))?;
        }
        self.prove(fs, folders, name)
    }

    /// Makes sure that a blob that is there is there durably.
    pub(super) fn confirm(
        &mut self,
        fs: &dyn FileSystem,
        folders: &Folders,
        name: &ObjectName,
        go_on: GoOn<'_>,
    ) -> StoreResult<()> {
        if self.failed && !self.proven.contains(name) {
            let path = folders.object(name);
            let copy = copy(fs, &path, &folders.uploads, go_on)?;
            return self.give(fs, folders, name, |target| copy.rename(target));
        }
        self.sync(fs, &folders.shards[shard_of(name)])
    }

    fn prove(
        &mut self,
        fs: &dyn FileSystem,
        folders: &Folders,
        name: &ObjectName,
    ) -> StoreResult<()> {
        self.sync(fs, &folders.shards[shard_of(name)])?;
        if self.failed {
            self.proven.insert(*name);
        }
        Ok(())
    }

    fn sync(&mut self, fs: &dyn FileSystem, folder: &Path) -> StoreResult<()> {
        if self.synced {
            return Ok(());
        }
        let synced = durable::sync_dir(fs, folder);
        self.synced = synced.is_ok();
        if synced.is_err() {
            self.failed = true;
            self.proven.clear();
        }
        synced
    }
}

/// Copies a file as it is.
fn copy<'a>(
    fs: &'a dyn FileSystem,
    path: &Path,
    folder: &Path,
    go_on: GoOn<'_>,
) -> StoreResult<StagedHere<'a>> {
    const PIECE: usize = 256 << 10;
    let failed = |error| StoreError::io("read", path, &error);
    let file = fs.open(path).map_err(failed)?;
    let len = file.len().map_err(failed)?;
    let mut staging = durable::begin(fs, folder)?;
    let mut piece = vec![0; PIECE];
    for offset in (0..len).step_by(PIECE) {
        go_on()?;
        let left = usize::try_from(len - offset).unwrap_or(PIECE);
        piece.truncate(left);
        file.read_exact_at(&mut piece, offset).map_err(failed)?;
        staging.write(&piece)?;
    }
    staging.sync()
}
