//! A file system that stops at a chosen call until it is let go on, so that tests need not wait
//! for two threads to meet by chance.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use vault_store::fs::{EntryKind, FileSystem, NewFile, OpenFile};

use super::simulated::SimulatedFileSystem;

/// How long a test waits for what must happen, before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

type Predicate = Box<dyn Fn(&str, &Path) -> bool + Send + Sync>;

/// Stops at the first call, once armed, that the predicate names.
pub(crate) struct Gate {
    inner: SimulatedFileSystem,
    stops: Predicate,
    armed: Arc<AtomicBool>,
    reached: Sender<()>,
    released: Mutex<Receiver<()>>,
    opened: Sender<PathBuf>,
}

/// The test's side. Dropped, it lets the call go on.
pub(crate) struct Keeper {
    armed: Arc<AtomicBool>,
    /// Says that a call has stopped.
    pub(crate) reached: Receiver<()>,
    /// Every file that was opened.
    pub(crate) opened: Receiver<PathBuf>,
    _release: Sender<()>,
}

impl Keeper {
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }
}

impl Gate {
    pub(crate) fn new(
        inner: SimulatedFileSystem,
        stops: impl Fn(&str, &Path) -> bool + Send + Sync + 'static,
    ) -> (Self, Keeper) {
        let armed = Arc::new(AtomicBool::new(false));
        let (reached, is_reached) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let (opened, is_opened) = mpsc::channel();
        let keeper = Keeper {
            armed: Arc::clone(&armed),
            reached: is_reached,
            opened: is_opened,
            _release: release,
        };
        let released = Mutex::new(released);
        (
            Self {
                inner,
                stops: Box::new(stops),
                armed,
                reached,
                released,
                opened,
            },
            keeper,
        )
    }

    fn pass(&self, call: &str, path: &Path) {
        if (self.stops)(call, path) && self.armed.swap(false, Ordering::AcqRel) {
            let _ = self.reached.send(());
            // Ends when the keeper is dropped.
            let _ = self
                .released
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
        }
    }
}

impl FileSystem for Gate {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        self.inner.create_new(path)
    }

    fn append(&self, path: &Path, len: u64) -> io::Result<Box<dyn NewFile>> {
        self.inner.append(path, len)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.inner.file_len(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        self.pass("open", path);
        let opened = self.inner.open(path);
        // Told afterwards: the file that was opened is the one that was there before.
        let _ = self.opened.send(path.to_owned());
        opened
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        self.pass("list", path);
        self.inner.read_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.pass("sync", path);
        self.inner.sync_dir(path)
    }
}
