//! One file of a database, and the readers of it.
//!
//! When the database's key changes, or its content is replaced as a whole, a new file takes the
//! place of this one. Readers that are at work finish on the old file, which goes with the last of
//! them.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use vault_crypto::DatabaseKey;

use super::{
    SqlError,
    call::{Call, Stop, StopReason},
    connection::{self, Bounded, Purpose},
    fault::Place,
    head::{self, Head},
};
use crate::{
    error::{StoreError, StoreResult},
    kind::StoreContext,
    root::DataRoot,
    vault::lock,
};

/// Readers of one database at work at once.
pub const READERS: usize = 4;

/// How often who waits looks whether it is still to wait.
const LOOK: Duration = Duration::from_millis(20);

/// A file in force, or one that was and still has readers.
pub(super) struct Generation {
    pub(super) head: Head,
    key: DatabaseKey,
    path: PathBuf,
    root: DataRoot,
    limit: u64,
    readers: Mutex<Readers>,
    returned: Condvar,
    /// Another file has taken its place: this one is removed with its last reader.
    retired: AtomicBool,
    /// Made by this process, which has read all of it back.
    read_back: bool,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Bounded>,
    /// Those at work: what stops each.
    active: Vec<Arc<Stop>>,
    closed: bool,
}

/// A reader at work. Goes back when dropped.
pub(super) struct Reading {
    generation: Arc<Generation>,
    stop: Arc<Stop>,
    bounded: Option<Bounded>,
}

impl Generation {
    /// The file that `head` names.
    pub(super) fn new(context: &StoreContext, head: Head, read_back: bool) -> StoreResult<Self> {
        let key = head.key(context)?;
        Ok(Self {
            path: head::folder(context).join(&head.file),
            key,
            head,
            root: context.root.clone(),
            limit: context.body_limit,
            readers: Mutex::default(),
            returned: Condvar::new(),
            retired: AtomicBool::new(false),
            read_back,
        })
    }

    /// Whether this process made the file and has read all of it back since.
    pub(super) fn is_read_back(&self) -> bool {
        self.read_back
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A new connection to this file.
    pub(super) fn connect(&self, purpose: Purpose, place: Place<'_>) -> StoreResult<Bounded> {
        if !self.path.is_file() {
            return Err(StoreError::damaged(place.object(), "its file is gone"));
        }
        let opened = connection::open(&self.path, &self.key, purpose, self.limit);
        let bounded = opened.map_err(|error| {
            if connection::is_damage(&error) {
                // The head has proven the key.
                StoreError::damaged(place.object(), "its first page is not what was written")
            } else {
                place.failure(&error)
            }
        })?;
        let beginning = place.own(connection::beginning(&bounded.connection))?;
        if beginning != self.head.beginning {
            let detail = "its file is empty or of another database";
            return Err(StoreError::damaged(place.object(), detail));
        }
        Ok(bounded)
    }

    /// A reader, when one is free. `Busy` where none is within the time the caller has.
    pub(super) fn reader(self: &Arc<Self>, call: &Call, place: Place<'_>) -> StoreResult<Reading> {
        let until = call.wait_until();
        let mut readers = lock(&self.readers);
        loop {
            if readers.closed {
                return Err(StoreError::Closed);
            }
            if let Some(reason) = call.stop.reason() {
                return Err(reason.error());
            }
            if readers.active.len() < READERS {
                break;
            }
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(SqlError::Busy.into());
            }
            let waited = self.returned.wait_timeout(readers, rest.min(LOOK));
            readers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        readers.active.push(Arc::clone(&call.stop));
        let idle = readers.idle.pop();
        drop(readers);
        let mut reading = Reading {
            generation: Arc::clone(self),
            stop: Arc::clone(&call.stop),
            bounded: idle,
        };
        if reading.bounded.is_none() {
            reading.bounded = Some(self.connect(Purpose::Read, place)?);
        }
        Ok(reading)
    }

    /// Readers open now.
    pub(super) fn open_readers(&self) -> usize {
        let readers = lock(&self.readers);
        readers.idle.len() + readers.active.len()
    }

    /// Another file takes the place of this one.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        let idle = std::mem::take(&mut lock(&self.readers).idle);
        drop(idle);
    }

    /// Whether the database was closed.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.readers).closed
    }

    /// Stops every reader and closes those that are idle.
    pub(super) fn close(&self) {
        let mut readers = lock(&self.readers);
        readers.closed = true;
        for stop in &readers.active {
            stop.stop(StopReason::Closed);
        }
        let idle = std::mem::take(&mut readers.idle);
        drop(readers);
        drop(idle);
        self.returned.notify_all();
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        // Before their file goes.
        lock(&self.readers).idle.clear();
        if *self.retired.get_mut() {
            remove_files(&self.root, &self.path);
        }
    }
}

/// Removes a database file and those that SQLite keeps beside it. Best effort: what remains is
/// removed when the database is opened next.
pub(super) fn remove_files(root: &DataRoot, path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = root.fs().remove_file(Path::new(&name));
    }
}

impl Reading {
    pub(super) fn bounded(&self) -> &Bounded {
        self.bounded.as_ref().expect("taken only by drop")
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut readers = lock(&self.generation.readers);
        if let Some(at) = readers
            .active
            .iter()
            .position(|stop| Arc::ptr_eq(stop, &self.stop))
        {
            readers.active.swap_remove(at);
        }
        let kept = !readers.closed && !self.generation.retired.load(Ordering::Acquire);
        let done = self.bounded.take();
        let done = match done {
            Some(bounded) if kept && bounded.connection.is_autocommit() => {
                readers.idle.push(bounded);
                None
            }
            done => done,
        };
        drop(readers);
        drop(done);
        self.generation.returned.notify_one();
    }
}
