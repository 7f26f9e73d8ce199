//! A file system that fails at a chosen call.

use std::{
    collections::HashSet,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use vault_store::fs::{EntryKind, FileSystem, NewFile, OpenFile};

use super::simulated::SimulatedFileSystem;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The call fails with `EIO`, having done nothing.
    Io,
    /// The call reports `EIO`, having done what was asked.
    IoAfterwards,
    /// The disk is full: writes, creations and syncs fail from this call on.
    Full,
    /// Everything that changes the disk fails from this call on.
    Broken,
    /// A write takes half of what it is given.
    Short,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [
        Self::Io,
        Self::IoAfterwards,
        Self::Full,
        Self::Broken,
        Self::Short,
    ];
}

/// What became of a planned fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Struck {
    /// So many calls were not made.
    Never,
    /// The call went wrong.
    There,
    /// That call cannot go wrong like this.
    Elsewhere,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Create,
    Write,
    Sync,
    Change,
}

#[derive(Default)]
struct Plan {
    calls: usize,
    fault: Option<(usize, Fault)>,
    struck: bool,
    /// Every sync of a file fails.
    no_syncs: bool,
    /// Files whose sync failed.
    unsynced: HashSet<PathBuf>,
    retried: Vec<PathBuf>,
}

/// Fails as planned. Cloned, it is the same one.
#[derive(Clone)]
pub(crate) struct FaultyFileSystem {
    inner: Arc<dyn FileSystem>,
    simulated: Option<SimulatedFileSystem>,
    plan: Arc<Mutex<Plan>>,
    /// Bytes that it says can still be written.
    free: Arc<AtomicU64>,
}

impl FaultyFileSystem {
    pub(crate) fn new(inner: Arc<dyn FileSystem>, simulated: Option<SimulatedFileSystem>) -> Self {
        Self {
            inner,
            simulated,
            plan: Arc::default(),
            free: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, the call of this number goes wrong.
    pub(crate) fn strike(&self, call: usize, fault: Fault) {
        *self.plan() = Plan {
            fault: Some((call, fault)),
            ..Plan::default()
        };
    }

    /// Whether every sync of a file fails from now on.
    pub(crate) fn fail_syncs(&self, fail: bool) {
        self.plan().no_syncs = fail;
    }

    /// From now on, so many bytes can still be written, as far as it says.
    pub(crate) fn set_free_space(&self, bytes: u64) {
        self.free.store(bytes, Ordering::Relaxed);
    }

    /// Repairs the disk; says what became of the plan.
    pub(crate) fn heal(&self) -> Struck {
        let mut plan = self.plan();
        let (at, _) = plan.fault.take().expect("a fault was planned");
        match plan.struck {
            _ if plan.calls <= at => Struck::Never,
            true => Struck::There,
            false => Struck::Elsewhere,
        }
    }

    /// Files that were synced again after a sync of theirs had failed.
    pub(crate) fn retried_syncs(&self) -> Vec<PathBuf> {
        self.plan().retried.clone()
    }

    fn fails(&self, call: Call) -> Option<Fault> {
        let mut plan = self.plan();
        let number = plan.calls;
        plan.calls += 1;
        let (at, fault) = plan.fault?;
        let strikes = match fault {
            Fault::Io | Fault::IoAfterwards => number == at,
            Fault::Short => number == at && call == Call::Write,
            Fault::Full => number >= at && matches!(call, Call::Create | Call::Write | Call::Sync),
            Fault::Broken => number >= at && call != Call::Read,
        };
        plan.struck |= strikes && number == at;
        strikes.then_some(fault)
    }

    fn call<T>(&self, call: Call, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.fails(call) {
            None | Some(Fault::Short) => run(),
            Some(Fault::IoAfterwards) => {
                // A sync that failed did not do what was asked.
                if call != Call::Sync {
                    run()?;
                }
                Err(input_output_error())
            }
            Some(Fault::Full) => Err(ErrorKind::StorageFull.into()),
            Some(Fault::Io | Fault::Broken) => Err(input_output_error()),
        }
    }
}

fn input_output_error() -> io::Error {
    io::Error::other("simulated EIO")
}

impl FileSystem for FaultyFileSystem {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let file = self.call(Call::Create, || self.inner.create_new(path))?;
        // It is another one than the one that lay there before.
        self.plan().unsynced.remove(path);
        Ok(Box::new(FaultyFile {
            fs: self.clone(),
            path: path.to_owned(),
            file,
        }))
    }

    fn append(&self, path: &Path, len: u64) -> io::Result<Box<dyn NewFile>> {
        let file = self.call(Call::Change, || self.inner.append(path, len))?;
        Ok(Box::new(FaultyFile {
            fs: self.clone(),
            path: path.to_owned(),
            file,
        }))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.call(Call::Read, || self.inner.file_len(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let file = self.call(Call::Read, || self.inner.open(path))?;
        Ok(Box::new(FaultyRead {
            fs: self.clone(),
            file,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Call::Change, || self.inner.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Change, || self.inner.remove_file(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Create, || self.inner.create_dir(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Change, || self.inner.remove_dir(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        self.call(Call::Read, || self.inner.read_dir(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Sync, || self.inner.sync_dir(path))
            .inspect_err(|_| {
                if let Some(simulated) = &self.simulated {
                    simulated.failed_sync(path);
                }
            })
    }

    fn free_space(&self, _directory: &Path) -> io::Result<u64> {
        Ok(self.free.load(Ordering::Relaxed))
    }
}

struct FaultyFile {
    fs: FaultyFileSystem,
    path: PathBuf,
    file: Box<dyn NewFile>,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.fs.fails(Call::Write) {
            None => self.file.write(bytes),
            Some(Fault::Short) => self.file.write(&bytes[..bytes.len().div_ceil(2)]),
            Some(Fault::Full) => {
                // Full disks take what fits.
                self.file.write_all(&bytes[..bytes.len() / 2])?;
                Err(ErrorKind::StorageFull.into())
            }
            Some(_) => Err(input_output_error()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewFile for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        if self.fs.plan().unsynced.contains(&self.path) {
            self.fs.plan().retried.push(self.path.clone());
        }
        let Self { fs, path, file } = self;
        let fails = fs.plan().no_syncs;
        let sync = || {
            if fails {
                return Err(input_output_error());
            }
            file.sync()
        };
        let synced = fs.call(Call::Sync, sync);
        synced.inspect_err(|_| {
            fs.plan().unsynced.insert(path.clone());
        })
    }

    fn again(&self) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(Self {
            fs: self.fs.clone(),
            path: self.path.clone(),
            file: self.file.again()?,
        }))
    }
}

struct FaultyRead {
    fs: FaultyFileSystem,
    file: Box<dyn OpenFile>,
}

impl OpenFile for FaultyRead {
    fn len(&self) -> io::Result<u64> {
        self.fs.call(Call::Read, || self.file.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.fs
            .call(Call::Read, || self.file.read_exact_at(buffer, offset))
    }
}
