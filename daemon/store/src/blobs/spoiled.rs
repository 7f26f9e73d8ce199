//! Unfinished files a sync of which has failed.
//!
//! What the failed sync was to write may be gone while reads still show it, and a later sync that
//! succeeds proves nothing of it. Such a file is removed; where not even that works, it is known
//! here, so that no upload goes on with it.
//!
//! Not covered: a daemon that is killed between the sync that failed and the removal, or after a
//! removal that failed as well, leaves a file that the next one takes for sound. The disk must fail
//! twice for that, or once just before the kill.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::{durable, error::StoreResult, fs::FileSystem, vault::lock};

/// The paths of those files. Cloned, it is the same list.
#[derive(Clone, Default)]
pub(super) struct Spoiled(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Spoiled {
    /// A sync of the file has failed.
    pub(super) fn add(&self, path: &Path) {
        lock(&self.0).insert(path.to_owned());
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        lock(&self.0).contains(path)
    }

    /// A new file lies there.
    pub(super) fn begun_anew(&self, path: &Path) {
        lock(&self.0).remove(path);
    }

    /// Removes an unfinished file; a spoiled one that stays is known from then on as before.
    pub(super) fn remove(&self, fs: &dyn FileSystem, path: &Path) -> StoreResult<()> {
        durable::remove_if_there(fs, path)?;
        self.begun_anew(path);
        Ok(())
    }
}
