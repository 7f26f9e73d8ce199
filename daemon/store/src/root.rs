//! The data root: where everything of one vault lies, and the lock that keeps others out.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::{EntryKind, FileSystem, private_dir},
    id::{StoreId, StoreName},
    unchanging::Unchanging,
};

/// The file whose lock says that a daemon serves this root.
const LOCK_FILE: &str = "vault.lock";

/// The folder of the audit log.
const AUDIT: &str = "audit";

/// Whether a file of this name in a data root belongs to the daemon that serves it, and not to the
/// vault: its lock, and where there is no other place for them, its socket and the lock of that.
pub(crate) fn is_of_daemon(name: &str) -> bool {
    name == LOCK_FILE || name.starts_with("vaultd.sock")
}

/// The paths of one vault, and the file system they are reached through.
#[derive(Clone)]
pub struct DataRoot {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
}

impl DataRoot {
    /// Names a root; creates nothing.
    pub fn new(fs: Arc<dyn FileSystem>, path: PathBuf) -> Self {
        Self { fs, path }
    }

    /// The file system.
    pub fn fs(&self) -> &dyn FileSystem {
        &*self.fs
    }

    /// The file system, for what outlives the call it is begun in.
    pub(crate) fn shared_fs(&self) -> Arc<dyn FileSystem> {
        Arc::clone(&self.fs)
    }

    /// The same root for whoever only looks.
    pub(crate) fn unchanging(&self) -> Self {
        let fs = Unchanging(self.shared_fs());
        Self::new(Arc::new(fs), self.path.clone())
    }

    /// The root folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sealed catalogue, key table copies and header lie directly in the root.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn stores(&self) -> PathBuf {
        self.path.join("stores")
    }

    /// The folder of one store.
    pub fn store(&self, id: StoreId) -> PathBuf {
        self.stores().join(id.to_string())
    }

    /// The folder of the audit log.
    pub(crate) fn audit(&self) -> PathBuf {
        self.path.join(AUDIT)
    }

    pub(crate) fn plain_base(&self) -> PathBuf {
        self.path.join("plain")
    }

    /// The folder in which the ordinary files of a plain store lie.
    pub fn plain(&self, name: &StoreName) -> PathBuf {
        self.plain_base().join(name.as_str())
    }

    /// Whether the root holds anything that an earlier key sealed, header and key table aside.
    pub(crate) fn holds_sealed_files(&self) -> StoreResult<bool> {
        if self.exists(crate::catalogue::FILE)? || self.exists(AUDIT)? {
            return Ok(true);
        }
        let stores = self.stores();
        match self.fs.read_dir(&stores) {
            Ok(entries) => Ok(entries
                .iter()
                .any(|(_, kind)| *kind == EntryKind::Directory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("list", &stores, &error)),
        }
    }

    /// Whether the root holds a file of this name.
    pub(crate) fn exists(&self, name: &str) -> StoreResult<bool> {
        match self.fs.read_dir(&self.path) {
            Ok(entries) => Ok(entries.iter().any(|(entry, _)| entry == name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("list", &self.path, &error)),
        }
    }

    /// Creates the folders every vault has, durably.
    pub(crate) fn create_folders(&self) -> StoreResult<()> {
        durable::ensure_dir(self.fs(), &self.stores())?;
        durable::ensure_dir(self.fs(), &self.plain_base())?;
        durable::sync_dir(self.fs(), &self.path)
    }
}

impl std::fmt::Debug for DataRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DataRoot").field(&self.path).finish()
    }
}

/// Held for as long as a daemon serves a data root. The operating system drops it with the process.
#[derive(Debug)]
pub struct RootLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RootLockError {
    /// Another daemon serves this root.
    #[error("another vaultd already serves {0}")]
    Held(PathBuf),
    /// The root or its lock file cannot be used.
    #[error("cannot use the data root {path}: {error}")]
    Unusable {
        /// The root.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

impl RootLock {
    /// Creates `root` with mode 0700 if need be and locks it.
    ///
    /// Refuses a root that is a link or that others can write to. Goes to the operating system
    /// itself, since a lock is no part of the durable file protocol.
    pub fn acquire(root: &Path) -> Result<Self, RootLockError> {
        let unusable = |error| RootLockError::Unusable {
            path: root.to_owned(),
            error,
        };
        create_private(root).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(root.join(LOCK_FILE)).map_err(unusable)?;
        Self::take(file, root)
    }

    /// Locks a root that is only read, so that no daemon serves it meanwhile. Creates nothing: where no
    /// daemon ever locked it there is nothing to lock, and `None`.
    pub fn of_source(root: &Path) -> Result<Option<Self>, RootLockError> {
        match File::open(root.join(LOCK_FILE)) {
            Ok(file) => Self::take(file, root).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RootLockError::Unusable {
                path: root.to_owned(),
                error,
            }),
        }
    }

    fn take(file: File, root: &Path) -> Result<Self, RootLockError> {
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(RootLockError::Held(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(RootLockError::Unusable {
                path: root.to_owned(),
                error,
            }),
        }
    }
}

/// Creates a folder and its parents, the folder itself for the owner alone; one that is there must
/// be a folder of ours that nobody else can write to.
fn create_private(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent == Path::new("") => Some(Path::new(".")),
        parent => parent,
    };
    if let Some(parent) = parent {
        std::fs::create_dir_all(parent)?;
    }
    match private_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
        // The root's own name must survive a power cut as surely as what is written in it.
        Ok(()) =>
        {
            #[cfg(unix)]
            if let Some(parent) = parent {
                File::open(parent)?.sync_all()?;
            }
        }
    }
    // Not through a link: whoever can change the link chooses the root.
    let metadata = std::fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            "it is not a folder",
        ));
    }
    #[cfg(unix)]
    check_private(&metadata)?;
    Ok(())
}

#[cfg(unix)]
fn check_private(metadata: &std::fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    let denied = |what| Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return denied("it belongs to another user");
    }
    if metadata.mode() & 0o022 != 0 {
        return denied("others can write to it: run `chmod go-w` on it");
    }
    Ok(())
}
