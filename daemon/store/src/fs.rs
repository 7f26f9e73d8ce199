//! The one file-system trait, so that tests can enumerate crashes and inject faults.
//!
//! Only what the durable file protocol needs: there is no overwriting in place and no following of
//! links, and only an unfinished file that nobody reads is ever cut short.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};

/// A file being written for the first time.
pub trait NewFile: Write + Send {
    /// Makes content and length durable (`fsync`).
    ///
    /// After an error the state of the file is unknown: it is thrown away, never synced again.
    fn sync(&mut self) -> io::Result<()>;

    /// The same file once more, to sync what was written so far while more is written; `Unsupported`
    /// where that cannot be had. A sync that fails there counts as one of the file.
    fn again(&self) -> io::Result<Box<dyn NewFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A file being read.
pub trait OpenFile: Send {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it is empty.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` from `offset`; `UnexpectedEof` where the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// What a directory entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, socket or device: never read, never followed.
    Other,
}

impl EntryKind {
    fn of(found: fs::FileType) -> Self {
        if found.is_file() {
            Self::File
        } else if found.is_dir() {
            Self::Directory
        } else {
            Self::Other
        }
    }
}

/// What is known of a directory entry without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inspected {
    /// What it is.
    pub kind: EntryKind,
    /// Length of a file in bytes.
    pub len: u64,
    /// When it was last written, in milliseconds since 1970; `None` where nobody can tell.
    pub modified_ms: Option<i64>,
}

/// Everything the stores ask of an operating system's files.
pub trait FileSystem: Send + Sync + 'static {
    /// Creates a file that must not exist, mode 0600.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;
    /// Opens an unfinished regular file to write on, after cutting it to `len` bytes.
    fn append(&self, path: &Path, len: u64) -> io::Result<Box<dyn NewFile>>;
    /// Length of a regular file in bytes, without opening it.
    fn file_len(&self, path: &Path) -> io::Result<u64>;
    /// Opens a regular file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;
    /// Reads a regular file of exactly `len` bytes, if that can be done without waiting for the
    /// disk; `WouldBlock` where it cannot, or where nobody can tell.
    fn read_cached(&self, _path: &Path, _len: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::WouldBlock.into())
    }
    /// Atomically gives `from` the name `to`, replacing what was there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Creates a directory, mode 0700; `AlreadyExists` where there is one.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// The entries of a directory, in no order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>>;
    /// What lies at `path`. A link there is looked at itself, not followed.
    fn inspect(&self, path: &Path) -> io::Result<Inspected> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let entries = self.read_dir(folder)?;
        let found = entries.into_iter().find(|(entry, _)| **entry == *name);
        let (_, kind) = found.ok_or(io::ErrorKind::NotFound)?;
        let len = match kind {
            EntryKind::File => self.open(path)?.len()?,
            EntryKind::Directory | EntryKind::Other => 0,
        };
        Ok(Inspected {
            kind,
            len,
            modified_ms: None,
        })
    }
    /// Makes the names in a directory durable (`fsync` of the directory).
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Bytes that can still be written to the disk on which a directory lies; `Unsupported` where
    /// nobody can tell.
    fn free_space(&self, _directory: &Path) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFileSystem;

/// Of this process, whatever vault they were for.
static DISK_SYNCS: AtomicU64 = AtomicU64::new(0);

/// How often a file or a folder was made durable through [`DiskFileSystem`] since the process began.
pub fn disk_syncs() -> u64 {
    DISK_SYNCS.load(Ordering::Relaxed)
}

fn sync_counted(file: &File) -> io::Result<()> {
    DISK_SYNCS.fetch_add(1, Ordering::Relaxed);
    file.sync_all()
}

/// Creates a folder for this user alone.
#[cfg(unix)]
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Creates a folder, which inherits who may use it.
#[cfg(not(unix))]
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

impl NewFile for File {
    fn sync(&mut self) -> io::Result<()> {
        sync_counted(self)
    }

    fn again(&self) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(self.try_clone()?))
    }
}

impl OpenFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(self, buffer, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[read..];
            offset += read as u64;
        }
        Ok(())
    }
}

impl FileSystem for DiskFileSystem {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(options.open(path)?))
    }

    fn append(&self, path: &Path, len: u64) -> io::Result<Box<dyn NewFile>> {
        let file = open_regular(path, OpenOptions::new().append(true))?;
        file.set_len(len)?;
        Ok(Box::new(file))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        let found = fs::symlink_metadata(path)?;
        if found.is_file() {
            Ok(found.len())
        } else {
            Err(not_regular())
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        Ok(Box::new(open_regular(path, OpenOptions::new().read(true))?))
    }

    /// Neither looks a name up on the disk (`RESOLVE_CACHED`, Linux 5.12) nor waits for a page
    /// (`RWF_NOWAIT`). Older kernels, sandboxes and some file systems refuse either.
    #[cfg(target_os = "linux")]
    fn read_cached(&self, path: &Path, len: usize) -> io::Result<Vec<u8>> {
        use rustix::{
            fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
            io::{ReadWriteFlags, preadv2},
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?;
        // One byte more, so that a file that has grown is noticed.
        let mut bytes = vec![0; len + 1];
        let mut buffers = [io::IoSliceMut::new(&mut bytes)];
        let read = preadv2(&file, &mut buffers, 0, ReadWriteFlags::NOWAIT)?;
        if read != len {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        private_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let kind = EntryKind::of(entry.file_type()?);
            // Names of ours are ASCII; a lossy name cannot match one and is only reported.
            entries.push((entry.file_name().to_string_lossy().into_owned(), kind));
        }
        Ok(entries)
    }

    fn inspect(&self, path: &Path) -> io::Result<Inspected> {
        let metadata = fs::symlink_metadata(path)?;
        let modified = metadata.modified().ok();
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Inspected {
            kind: EntryKind::of(metadata.file_type()),
            len: metadata.len(),
            modified_ms: since.and_then(|since| i64::try_from(since.as_millis()).ok()),
        })
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        sync_counted(&File::open(path)?)
    }

    #[cfg(not(unix))]
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        // NTFS journals its metadata and offers no sync of a directory.
        Ok(())
    }

    #[cfg(unix)]
    fn free_space(&self, directory: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(directory)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

/// Opens a file that is there already. A planted link is refused, and a planted pipe does not block
/// the open.
fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
            .bits()
            .cast_signed(),
    );
    let file = options.open(path).map_err(|error| {
        let link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        if link { not_regular() } else { error }
    })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_cached_read_gives_the_whole_file_or_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"12345").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        let read = |path: &Path, len| DiskFileSystem.read_cached(path, len);
        match read(&file, 5) {
            Ok(bytes) => assert_eq!(bytes, b"12345"),
            // Not on every kernel, nor on every file system.
            Err(error) => eprintln!("no cached reads here: {error}"),
        }
        assert!(read(&file, 4).is_err(), "the file has grown");
        assert!(read(&file, 6).is_err(), "the file is cut short");
        assert!(read(&link, 5).is_err(), "links are not followed");
        assert!(read(folder.path(), 5).is_err(), "a folder is no file");
    }
}
