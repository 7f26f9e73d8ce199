//! The names in the folders last written to, so that a folder of thousands of files is not read anew
//! for each that is added.
//!
//! Only what is refused for its case is decided by them. They count as long as the folder has not
//! been changed: a name that others put there in the very moment that it was read may be missed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{FileName, name::folded};
use crate::{
    error::{StoreError, StoreResult},
    fs::FileSystem,
};

/// Folders that are remembered: as many as lead to one file, and those of another one.
const REMEMBERED: usize = 2 * FileName::PARTS;

#[derive(Default)]
pub(super) struct Names(HashMap<PathBuf, Folder>);

struct Folder {
    modified_ms: Option<i64>,
    /// By what they have in common.
    names: HashMap<String, Vec<String>>,
}

impl Names {
    /// A name in a folder that is another one than `part` and the same for some system, where
    /// `part` itself is not there.
    pub(super) fn other(
        &mut self,
        fs: &dyn FileSystem,
        folder: &Path,
        part: &str,
    ) -> StoreResult<Option<String>> {
        let modified_ms = modified(fs, folder);
        let current = self
            .0
            .get(folder)
            .is_some_and(|known| known.modified_ms.is_some() && known.modified_ms == modified_ms);
        if !current {
            if self.0.len() >= REMEMBERED {
                self.0.clear();
            }
            let read = Folder::read(fs, folder, modified_ms)?;
            self.0.insert(folder.to_owned(), read);
        }
        let known = self.0.get(folder);
        let alike = known.and_then(|known| known.names.get(&folded(part)));
        Ok(alike
            .filter(|alike| alike.iter().all(|name| name != part))
            .and_then(|alike| alike.first().cloned()))
    }

    /// Notes that `part` was added to a folder by ourselves.
    pub(super) fn added(&mut self, fs: &dyn FileSystem, folder: &Path, part: &str) {
        if let Some(known) = self.0.get_mut(folder) {
            known.add(part.to_owned());
            known.modified_ms = modified(fs, folder);
        }
    }

    /// Forgets a folder that is no more as it was.
    pub(super) fn forget(&mut self, folder: &Path) {
        self.0.remove(folder);
    }
}

impl Folder {
    fn read(fs: &dyn FileSystem, folder: &Path, modified_ms: Option<i64>) -> StoreResult<Self> {
        let entries = fs.read_dir(folder);
        let entries = entries.map_err(|error| StoreError::io("list", folder, &error))?;
        let mut read = Self {
            modified_ms,
            names: HashMap::with_capacity(entries.len()),
        };
        for (name, _) in entries {
            read.add(name);
        }
        Ok(read)
    }

    fn add(&mut self, name: String) {
        let alike = self.names.entry(folded(&name)).or_default();
        if !alike.contains(&name) {
            alike.push(name);
        }
    }
}

fn modified(fs: &dyn FileSystem, folder: &Path) -> Option<i64> {
    fs.inspect(folder).ok()?.modified_ms
}
