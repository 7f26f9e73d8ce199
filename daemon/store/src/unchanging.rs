//! A file system seen by somebody who only looks.

use std::{io, path::Path, sync::Arc};

use crate::fs::{EntryKind, FileSystem, Inspected, NewFile, OpenFile};

/// Reads as the file system below it does, and changes nothing of it.
///
/// What would be removed, since nobody needs it any more, stays: that is no failure to whoever looks.
/// Everything else that writes is refused.
pub(crate) struct Unchanging(pub(crate) Arc<dyn FileSystem>);

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl FileSystem for Unchanging {
    fn create_new(&self, _: &Path) -> io::Result<Box<dyn NewFile>> {
        refused()
    }

    fn append(&self, _: &Path, _: u64) -> io::Result<Box<dyn NewFile>> {
        refused()
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.0.file_len(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        self.0.open(path)
    }

    fn read_cached(&self, path: &Path, len: usize) -> io::Result<Vec<u8>> {
        self.0.read_cached(path, len)
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        self.0.read_dir(path)
    }

    fn inspect(&self, path: &Path) -> io::Result<Inspected> {
        self.0.inspect(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn free_space(&self, directory: &Path) -> io::Result<u64> {
        self.0.free_space(directory)
    }
}
