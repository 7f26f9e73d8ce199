//! Putting files in their place, and removing them.
//!
//! One writer at a time, for as long as a rename and the syncs of the folders take: what was looked
//! at stays so until it is built on. Contents are written and synced before, beside each other.
//!
//! After a failure the disk may have done what was asked, or not, and a later sync proves nothing
//! of it: what is in doubt is done anew before anything is acknowledged that rests on it.
//!
//! A folder that is there already may have been made a moment before the daemon was killed, or by
//! somebody else: it counts as durable once its parent was synced since the store was opened. Where
//! that sync fails, the next one is trusted, since a folder in which others have files cannot be
//! made anew. Nor is it noticed that others remove a folder and make it again.

use std::{
    collections::{BTreeSet, HashSet},
    io::ErrorKind,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{FileInfo, FileName, Inner, names::Names, tree::Tree};
use crate::{
    durable::{self, Staged},
    error::{StoreError, StoreResult},
    fs::{EntryKind, FileSystem, Inspected},
    vault::lock,
};

/// Why two names do not go together.
const CASE: &str = "which differs only by case and is the same for some systems";
const FOLDER: &str = "which is a folder";
const NO_FOLDER: &str = "which is no folder";
const LINK: &str = "which is a link or a device and is never followed";

/// What writers know.
#[derive(Default)]
pub(super) struct Writing {
    names: Names,
    /// Files whose write or removal failed: the disk may have the old or the new.
    files: HashSet<FileName>,
    /// The same of folders.
    folders: HashSet<PathBuf>,
    /// Folders that are durable, as are those they are in.
    durable: BTreeSet<PathBuf>,
}

/// The way to a file.
struct Way {
    /// The folder it is in.
    folder: PathBuf,
    /// Folders on the way that are not there, the outermost first.
    missing: Vec<PathBuf>,
    target: PathBuf,
    /// What is there.
    there: Option<Inspected>,
}

impl Way {
    /// The innermost folder on the way that is there.
    fn beginning(&self) -> &Path {
        let missing = self.missing.first().and_then(|folder| folder.parent());
        missing.unwrap_or(&self.folder)
    }
}

impl Writing {
    /// Finds the way to a file that is to be written. Refused where something is in the way.
    fn way(&mut self, tree: &Tree, name: &FileName) -> StoreResult<Way> {
        let taken = |by: &str, why| StoreError::NameTaken {
            name: name.to_string(),
            by: by.to_owned(),
            why,
        };
        let mut missing = Self::missing_base(tree)?;
        let (mut folder, mut target, mut there) = (PathBuf::new(), tree.base.clone(), None);
        let mut so_far = String::new();
        for (number, part) in name.parts().enumerate() {
            if let Some(Inspected { kind, .. }) = there {
                match kind {
                    EntryKind::Directory => {}
                    EntryKind::File => return Err(taken(&so_far, NO_FOLDER)),
                    EntryKind::Other => return Err(taken(&so_far, LINK)),
                }
            } else if number > 0 {
                missing.push(target.clone());
            }
            let above = if number == 0 {
                String::new()
            } else {
                so_far + "/"
            };
            if missing.is_empty()
                && let Some(other) = self.names.other(tree.root.fs(), &target, part)?
            {
                return Err(taken(&format!("{above}{other}"), CASE));
            }
            so_far = above + part;
            folder.clone_from(&target);
            target.push(part);
            there = if missing.is_empty() {
                tree.look(&target)?
            } else {
                None
            };
            let is_folder = there.is_some_and(|there| there.kind == EntryKind::Directory);
            if is_folder && self.folders.contains(&target) {
                self.remove_doubtful(tree.root.fs(), &target)?;
                there = None;
            }
        }
        if there.is_some_and(|there| there.kind == EntryKind::Directory) {
            return Err(taken(&so_far, FOLDER));
        }
        Ok(Way {
            folder,
            missing,
            target,
            there,
        })
    }

    /// The folders of the store itself that others have removed.
    fn missing_base(tree: &Tree) -> StoreResult<Vec<PathBuf>> {
        if tree.is_there()? {
            return Ok(Vec::new());
        }
        let mut folders = tree.base_folders();
        let mut there = 0;
        while let Some(folder) = folders.get(there)
            && tree.look(folder)?.is_some()
        {
            there += 1;
        }
        Ok(folders.split_off(there))
    }

    /// Durably makes folders, the outermost first. Where that fails, none is left of those made.
    fn make(&mut self, fs: &dyn FileSystem, folders: &[PathBuf]) -> StoreResult<()> {
        for (number, folder) in folders.iter().enumerate() {
            let made = durable::ensure_dir(fs, folder).and_then(|()| sync_parent(fs, folder));
            if let Err(error) = made {
                self.unmake(fs, &folders[..=number]);
                return Err(error);
            }
            self.folders.remove(folder);
            self.names_changed(folder);
            self.durable.insert(folder.clone());
        }
        Ok(())
    }

    /// Makes sure that a folder is durable that is there, and those it is in.
    fn confirm(&mut self, tree: &Tree, folder: &Path) -> StoreResult<()> {
        if self.durable.contains(folder) {
            return Ok(());
        }
        let outermost = tree.root.plain_base();
        let within = |folder: &&Path| folder.starts_with(&outermost);
        let mut folders: Vec<&Path> = folder.ancestors().take_while(within).collect();
        while let Some(folder) = folders.pop() {
            if !self.durable.contains(folder) {
                sync_parent(tree.root.fs(), folder)?;
                self.durable.insert(folder.to_owned());
            }
        }
        Ok(())
    }

    /// Removes folders in which nothing came to lie after all.
    fn unmake(&mut self, fs: &dyn FileSystem, folders: &[PathBuf]) {
        for folder in folders.iter().rev() {
            self.names_changed(folder);
            if remove_dir(fs, folder).is_err() {
                self.folders.insert(folder.clone());
            }
        }
    }

    /// Removes a folder in doubt, so that it is made anew. In it are, of ours, only others in doubt.
    fn remove_doubtful(&mut self, fs: &dyn FileSystem, folder: &Path) -> StoreResult<()> {
        let inside = self.folders.iter().filter(|one| one.starts_with(folder));
        let mut inside: Vec<_> = inside.cloned().collect();
        // The innermost first.
        inside.sort_unstable_by(|one, other| other.cmp(one));
        for one in inside {
            remove_dir(fs, &one)?;
            self.folders.remove(&one);
            self.durable.remove(&one);
        }
        Ok(())
    }

    /// A folder was made or removed.
    fn names_changed(&mut self, folder: &Path) {
        let inside = self
            .durable
            .range::<Path, _>((Bound::Included(folder), Bound::Unbounded));
        let inside = inside.take_while(|one| one.starts_with(folder)).cloned();
        for one in inside.collect::<Vec<_>>() {
            self.durable.remove(&one);
        }
        self.names.forget(folder);
        if let Some(parent) = folder.parent() {
            self.names.forget(parent);
        }
    }

    /// Removes the folders that are empty now, up to the store's own. Best effort: nobody sees them.
    fn tidy(&mut self, tree: &Tree, folder: &Path) {
        let mut folder = folder;
        while folder != tree.base && tree.root.fs().remove_dir(folder).is_ok() {
            self.names_changed(folder);
            let Some(parent) = folder.parent() else {
                return;
            };
            folder = parent;
        }
    }
}

fn sync_parent(fs: &dyn FileSystem, folder: &Path) -> StoreResult<()> {
    folder
        .parent()
        .map_or(Ok(()), |parent| durable::sync_dir(fs, parent))
}

fn remove_dir(fs: &dyn FileSystem, folder: &Path) -> StoreResult<()> {
    match fs.remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("remove folder", folder, &error))
        }
        _ => Ok(()),
    }
}

impl Inner {
    /// Whether a file may be written now, as far as can be told before.
    pub(super) fn may_write(&self, name: &FileName, create: bool) -> StoreResult<()> {
        let mut writing = lock(&self.writing);
        self.check_open()?;
        let way = writing.way(&self.tree, name)?;
        may_create(name, create, &way)
    }

    /// Durably gives a synced file its name.
    pub(super) fn commit(
        &self,
        name: &FileName,
        file: Staged<Arc<dyn FileSystem>>,
        create: bool,
    ) -> StoreResult<()> {
        let fs = self.context.root.fs();
        let mut writing = lock(&self.writing);
        self.check_open()?;
        let way = writing.way(&self.tree, name)?;
        may_create(name, create, &way)?;
        writing.confirm(&self.tree, way.beginning())?;
        writing.make(fs, &way.missing)?;
        self.keep_for_snapshots(name);
        writing.files.insert(name.clone());
        file.rename(&way.target)
            .inspect_err(|_| writing.tidy(&self.tree, &way.folder))?;
        durable::sync_dir(fs, &way.folder)?;
        writing.files.remove(name);
        writing.folders.remove(&way.target);
        if let Some(part) = name.parts().last() {
            writing.names.added(fs, &way.folder, part);
        }
        Ok(())
    }

    /// Durably puts `sealed` in the place of a sealed file, where that is still what was `read`.
    pub(super) fn replace_sealed(
        &self,
        name: &FileName,
        read: &[u8],
        sealed: &[u8],
    ) -> StoreResult<bool> {
        let fs = self.context.root.fs();
        let mut writing = lock(&self.writing);
        self.check_open()?;
        let Some((path, _)) = self.tree.find(name)? else {
            return Ok(false);
        };
        let now = self.read_sealed(name, &path)?;
        if now.is_none_or(|(_, bytes)| bytes != read) {
            return Ok(false);
        }
        self.keep_for_snapshots(name);
        writing.files.insert(name.clone());
        durable::stage(fs, &self.own_folder(), &[sealed])?.rename(&path)?;
        sync_parent(fs, &path)?;
        writing.files.remove(name);
        Ok(true)
    }

    /// See [`super::FileStore::remove`].
    pub(super) fn remove(&self, name: &FileName) -> StoreResult<()> {
        let fs = self.context.root.fs();
        let mut writing = lock(&self.writing);
        self.check_open()?;
        let path = self.tree.path(name);
        if self.tree.find(name)?.is_some() {
            self.keep_for_snapshots(name);
            writing.files.insert(name.clone());
            durable::remove_if_there(fs, &path)?;
        } else {
            let folder = path.parent().unwrap_or(&self.tree.base);
            if !writing.files.contains(name) || self.tree.look(folder)?.is_none() {
                writing.files.remove(name);
                return Err(self.no_such(name));
            }
            // A removal that failed has removed it, for all that is seen. A folder that nobody sees
            // is made in its place, so that there is something to remove anew.
            let place = std::slice::from_ref(&path);
            writing.make(fs, place)?;
            writing.unmake(fs, place);
        }
        sync_parent(fs, &path)?;
        writing.files.remove(name);
        if let Some(folder) = path.parent() {
            writing.names.forget(folder);
            writing.tidy(&self.tree, folder);
        }
        Ok(())
    }

    /// Whether the disk may have another file of this name than the one that is seen.
    pub(super) fn is_in_doubt(&self, name: &FileName) -> bool {
        lock(&self.writing).files.contains(name)
    }

    /// Where files are written until they are whole: not where people browse.
    pub(super) fn own_folder(&self) -> PathBuf {
        self.context.root.store(self.context.record.id)
    }

    /// What is known of a file that is whole and has no name yet.
    pub(super) fn described(&self, name: &FileName, size: u64, file: &Path) -> FileInfo {
        let inspected = self.context.root.fs().inspect(file).ok();
        let modified_ms = inspected.and_then(|found| found.modified_ms);
        FileInfo {
            name: name.clone(),
            size,
            modified_ms: modified_ms.unwrap_or_else(|| self.context.clock.now_ms()),
            sealed: false,
        }
    }
}

fn may_create(name: &FileName, create: bool, way: &Way) -> StoreResult<()> {
    if create && way.there.is_some() {
        return Err(StoreError::ObjectExists(name.to_string()));
    }
    Ok(())
}
