//! The durable file protocol: exclusive temporary file with a random name, write, `fsync`, rename,
//! `fsync` of the directory.
//!
//! Interrupted anywhere, the target holds the old content or the new, whole.

use std::{
    io,
    ops::Deref,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;

use crate::{
    error::{StoreError, StoreResult},
    fs::{EntryKind, FileSystem, NewFile},
};

/// Temporary files begin with this; left by a crash, they are swept at the next start.
const TEMPORARY_PREFIX: &str = ".tmp-";

/// A file that is written and synced but has no name that anyone looks for yet.
///
/// Dropped without [`Staged::rename`], it is removed.
pub struct Staged<H: Deref<Target: FileSystem>> {
    fs: H,
    path: PathBuf,
    renamed: bool,
}

/// One that ends with the call it is made in.
pub type StagedHere<'a> = Staged<&'a dyn FileSystem>;

/// Writes `parts` to a new temporary file in `folder` and syncs it.
pub fn stage<'a>(
    fs: &'a dyn FileSystem,
    folder: &Path,
    parts: &[&[u8]],
) -> StoreResult<StagedHere<'a>> {
    written(fs, folder, parts)?.sync()
}

/// Writes `bytes` to a new file in `folder` that serves this process alone: it is not synced, and
/// whatever remains of it is swept like any temporary file. Removing it is the caller's.
pub fn scratch(fs: &dyn FileSystem, folder: &Path, bytes: &[u8]) -> StoreResult<PathBuf> {
    let mut staged = written(fs, folder, &[bytes])?.staged;
    // It stays under the name it has.
    staged.renamed = true;
    Ok(std::mem::take(&mut staged.path))
}

/// A new path for a temporary file.
pub fn temporary_path(folder: &Path) -> StoreResult<PathBuf> {
    let random = vault_crypto::random_bytes::<8>()?;
    Ok(folder.join(format!("{TEMPORARY_PREFIX}{}", HEXLOWER.encode(&random))))
}

fn written<'a>(
    fs: &'a dyn FileSystem,
    folder: &Path,
    parts: &[&[u8]],
) -> StoreResult<Staging<&'a dyn FileSystem>> {
    let mut staging = begin(fs, folder)?;
    parts.iter().try_for_each(|part| staging.write(part))?;
    Ok(staging)
}

/// A temporary file being written, piece by piece. Dropped, it is removed.
pub struct Staging<H: Deref<Target: FileSystem>> {
    staged: Staged<H>,
    file: Box<dyn NewFile>,
}

/// Begins a temporary file in `folder`. One that outlives the call it is begun in has a handle of
/// its own on the file system.
pub fn begin<H: Deref<Target: FileSystem>>(fs: H, folder: &Path) -> StoreResult<Staging<H>> {
    let path = temporary_path(folder)?;
    let file = fs
        .create_new(&path)
        .map_err(|error| StoreError::io("create", &path, &error))?;
    let staged = Staged {
        fs,
        path,
        renamed: false,
    };
    Ok(Staging { staged, file })
}

impl<H: Deref<Target: FileSystem>> Staging<H> {
    /// Adds what comes next.
    pub fn write(&mut self, piece: &[u8]) -> StoreResult<()> {
        self.file
            .write_all(piece)
            .map_err(|error| StoreError::io("write", &self.staged.path, &error))
    }

    /// Makes the content durable.
    pub fn sync(mut self) -> StoreResult<Staged<H>> {
        self.file
            .sync()
            .map_err(|error| StoreError::io("sync", &self.staged.path, &error))?;
        Ok(self.staged)
    }
}

impl<H: Deref<Target: FileSystem>> Staged<H> {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name. Durable only once the folder is synced.
    pub fn rename(mut self, target: &Path) -> StoreResult<()> {
        self.fs
            .rename(&self.path, target)
            .map_err(|error| StoreError::io("rename", target, &error))?;
        self.renamed = true;
        Ok(())
    }
}

impl<H: Deref<Target: FileSystem>> Drop for Staged<H> {
    fn drop(&mut self) {
        if !self.renamed {
            // Best effort: what remains is swept later and is never read.
            let _ = self.fs.remove_file(&self.path);
        }
    }
}

/// Makes the names in `folder` durable.
pub fn sync_dir(fs: &dyn FileSystem, folder: &Path) -> StoreResult<()> {
    fs.sync_dir(folder)
        .map_err(|error| StoreError::io("sync folder", folder, &error))
}

/// Durably replaces `folder/name` by `parts`.
///
/// After an error the file holds the old content or the new; the caller does not know which.
pub fn replace(fs: &dyn FileSystem, folder: &Path, name: &str, parts: &[&[u8]]) -> StoreResult<()> {
    stage(fs, folder, parts)?.rename(&folder.join(name))?;
    sync_dir(fs, folder)
}

/// Creates `folder` unless it is there. Durable only once its parent is synced.
pub fn ensure_dir(fs: &dyn FileSystem, folder: &Path) -> StoreResult<()> {
    match fs.create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StoreError::io("create folder", folder, &error))
        }
        _ => Ok(()),
    }
}

/// Removes a file; one that is not there is fine.
pub fn remove_if_there(fs: &dyn FileSystem, path: &Path) -> StoreResult<()> {
    match fs.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Reads a whole file of at most `limit` bytes; `None` where there is none.
pub fn read(fs: &dyn FileSystem, path: &Path, limit: u64) -> StoreResult<Option<Vec<u8>>> {
    let failed = |error| StoreError::io("read", path, &error);
    let file = match fs.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("open", path, &error)),
    };
    let len = file.len().map_err(failed)?;
    let fitting = usize::try_from(len).ok().filter(|_| len <= limit);
    let Some(len) = fitting else {
        return Err(StoreError::damaged(
            path.display(),
            "the file is larger than it can be",
        ));
    };
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    Ok(Some(bytes))
}

/// What lies in a folder that must be there, temporary files aside.
pub fn list(fs: &dyn FileSystem, folder: &Path) -> StoreResult<Vec<(String, EntryKind)>> {
    let mut entries = fs.read_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::damaged(folder.display(), "the folder is gone"),
        _ => StoreError::io("list", folder, &error),
    })?;
    entries.retain(|(name, _)| !name.starts_with(TEMPORARY_PREFIX));
    Ok(entries)
}

/// Removes what crashes left half-written in a folder, if it is there. Best effort: what remains
/// is never read. Only for folders in which nobody stages files at the moment.
pub fn sweep(fs: &dyn FileSystem, folder: &Path) {
    for (name, kind) in fs.read_dir(folder).unwrap_or_default() {
        if kind == EntryKind::File && name.starts_with(TEMPORARY_PREFIX) {
            let _ = fs.remove_file(&folder.join(&name));
        }
    }
}
