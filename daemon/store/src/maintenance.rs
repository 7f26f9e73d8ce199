//! The upkeep of databases and of stores of blobs: which operation is due when, what was done last, and one round of what
//! is due.
//!
//! Time is handed in, in milliseconds since 1970 as a [`crate::Clock`] tells it, so that the whole
//! schedule can be run through in a test.

mod last_runs;
mod round;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    time::Duration,
};

pub use round::{Workplace, round};

use self::last_runs::LastRuns;
use crate::{
    catalogue::{Kind, StoreRecord},
    databases::SqlError,
    error::StoreError,
    id::{StoreId, StoreName},
    root::DataRoot,
};

/// How long an operation that failed is left alone, in milliseconds.
const RETRY_AFTER: i64 = 60 * 60 * 1000;
/// The same where the disk had no room: somebody has to make some first.
const RETRY_WITHOUT_SPACE: i64 = 6 * RETRY_AFTER;

/// What is done to a store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// `PRAGMA optimize`: figures for the query planner.
    Optimize,
    /// `wal_checkpoint(TRUNCATE)`: the log written back and emptied.
    Checkpoint,
    /// `VACUUM`: the file without its free pages.
    Vacuum,
    /// The blobs that nothing has named for long enough are removed.
    Collect,
}

impl Operation {
    /// All of them, the quick ones first.
    pub const ALL: [Self; 4] = [
        Self::Optimize,
        Self::Checkpoint,
        Self::Vacuum,
        Self::Collect,
    ];

    /// Those that are done to a store of this kind.
    pub const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Database => &[Self::Optimize, Self::Checkpoint, Self::Vacuum],
            Kind::Blobs => &[Self::Collect],
            Kind::Documents | Kind::Files | Kind::Secrets => &[],
        }
    }

    /// Its name in the configuration and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Optimize => "optimize",
            Self::Checkpoint => "checkpoint",
            Self::Vacuum => "vacuum",
            Self::Collect => "collect",
        }
    }
}

/// How often each operation is done; `None` where it is turned off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Of [`Operation::Optimize`].
    pub optimize: Option<Duration>,
    /// Of [`Operation::Checkpoint`].
    pub checkpoint: Option<Duration>,
    /// Of [`Operation::Vacuum`].
    pub vacuum: Option<Duration>,
    /// Of [`Operation::Collect`].
    pub collect: Option<Duration>,
}

impl Default for Schedule {
    fn default() -> Self {
        let hours = |count: u64| Some(Duration::from_secs(count * 60 * 60));
        Self {
            optimize: hours(6),
            checkpoint: hours(7 * 24),
            vacuum: hours(30 * 24),
            collect: hours(24),
        }
    }
}

impl Schedule {
    /// The interval in milliseconds.
    fn every(&self, operation: Operation) -> Option<i64> {
        let interval = match operation {
            Operation::Optimize => self.optimize,
            Operation::Checkpoint => self.checkpoint,
            Operation::Vacuum => self.vacuum,
            Operation::Collect => self.collect,
        };
        interval.map(|interval| i64::try_from(interval.as_millis()).unwrap_or(i64::MAX))
    }
}

/// What came of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upkept {
    /// Bytes of the file and its log before.
    pub before: u64,
    /// And after.
    pub after: u64,
}

/// One operation on one store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Task {
    /// What is done.
    pub operation: Operation,
    /// The store's name.
    pub database: StoreName,
    /// Its lasting identifier, under which the run is remembered.
    pub store: StoreId,
}

/// A task whose time has come.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Due {
    /// The task.
    pub task: Task,
    /// Overdue by more than another interval: it no longer waits for a moment in which nobody works
    /// with the database.
    pub pressing: bool,
}

/// What is known of a task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskStatus {
    /// The task.
    pub task: Task,
    /// When it was last done.
    pub last: Option<i64>,
    /// When it is due; `None` where it is turned off.
    pub next: Option<i64>,
    /// Why the last attempt came to nothing.
    pub failure: Option<String>,
}

/// An attempt that came to nothing. Not kept over a restart, which may have removed the cause.
struct Failure {
    reason: String,
    at: i64,
    pause: i64,
}

/// The schedule of one vault's databases, with what was done last.
///
/// Last runs lie in `maintenance.json`; what cannot be written there is kept in memory and written
/// at the next opportunity.
pub struct Maintenance {
    root: DataRoot,
    schedule: Schedule,
    runs: LastRuns,
    failures: BTreeMap<(StoreId, Operation), Failure>,
    /// Whether the disk does not hold `runs`.
    unsaved: bool,
    /// Whether that was said already.
    warned: bool,
}

impl Maintenance {
    /// Reads what was done last. A file that cannot be understood is moved aside and taken for
    /// absent.
    pub fn load(root: DataRoot, schedule: Schedule, now: i64) -> Self {
        Self {
            runs: LastRuns::load(&root, now),
            root,
            schedule,
            failures: BTreeMap::new(),
            unsaved: false,
            warned: false,
        }
    }

    /// From now on, by another schedule: what was done last still counts.
    pub fn reschedule(&mut self, schedule: Schedule) {
        self.schedule = schedule;
    }

    /// The tasks whose time has come, the quick ones first. `records` are all stores of the vault:
    /// what is remembered of others is forgotten.
    pub fn due(&mut self, now: i64, records: &[StoreRecord]) -> Vec<Due> {
        self.reconcile(now, records);
        let mut due = Vec::new();
        for task in tasks(records) {
            let Some(time) = self.next(&task).filter(|next| *next <= now) else {
                continue;
            };
            let interval = self.schedule.every(task.operation).unwrap_or(i64::MAX);
            let pressing = now.saturating_sub(time) > interval;
            due.push(Due { task, pressing });
        }
        due.sort();
        due
    }

    /// When the next task is due that is not due yet.
    pub fn next_after(&self, now: i64, records: &[StoreRecord]) -> Option<i64> {
        let times = tasks(records).filter_map(|task| self.next(&task));
        times.filter(|time| *time > now).min()
    }

    /// A task was done. Of a database that is not among those last reconciled nothing is
    /// remembered.
    pub fn ran(&mut self, task: &Task, now: i64) {
        self.failures.remove(&(task.store, task.operation));
        if self.runs.ran(task.store, task.operation, now) {
            self.unsaved = true;
            self.save();
        }
    }

    /// A task came to nothing, for a reason that lasts. One that only made room for a client's work
    /// is not reported here: it stays due.
    pub fn failed(&mut self, task: &Task, now: i64, error: &StoreError) {
        let failure = Failure {
            reason: error.to_string(),
            at: now,
            pause: if is_no_space(error) {
                RETRY_WITHOUT_SPACE
            } else {
                RETRY_AFTER
            },
        };
        self.failures.insert((task.store, task.operation), failure);
    }

    /// What is known of every task.
    pub fn status(&mut self, now: i64, records: &[StoreRecord]) -> Vec<TaskStatus> {
        self.reconcile(now, records);
        let status = tasks(records).map(|task| {
            let failure = self.failures.get(&(task.store, task.operation));
            TaskStatus {
                last: self.runs.last(task.store, task.operation),
                next: self.next(&task),
                failure: failure.map(|failure| failure.reason.clone()),
                task,
            }
        });
        status.collect()
    }

    /// When a task is due.
    fn next(&self, task: &Task) -> Option<i64> {
        let interval = self.schedule.every(task.operation)?;
        let since = self.runs.since(task.store, task.operation)?;
        let failure = self.failures.get(&(task.store, task.operation));
        let retry = failure.map_or(i64::MIN, |failure| failure.at.saturating_add(failure.pause));
        Some(since.saturating_add(interval).max(retry))
    }

    /// Brings what is remembered in line with the databases there are and with the clock.
    ///
    /// A database seen for the first time counts from now, so that nothing old fires at once. A time
    /// in the future is that of a clock set back since: it counts as now, and what depends on it
    /// waits for one interval, not for the clock to come back to where it was.
    pub fn reconcile(&mut self, now: i64, records: &[StoreRecord]) {
        let registered = records.iter().filter(|record| is_registered(record));
        let registered: BTreeSet<StoreId> = registered.map(|record| record.id).collect();
        self.unsaved |= self.runs.reconcile(now, &registered);
        self.failures.retain(|(store, _), failure| {
            failure.at = failure.at.min(now);
            registered.contains(store)
        });
        self.save();
    }

    fn save(&mut self) {
        if !self.unsaved {
            return;
        }
        match self.runs.save(&self.root) {
            Ok(()) => (self.unsaved, self.warned) = (false, false),
            // Said once, not at every round.
            Err(error) => {
                if !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!(%error, "what upkeep was done is kept in memory only");
                }
            }
        }
    }
}

/// Whether upkeep looks after a store by itself.
pub fn is_registered(record: &StoreRecord) -> bool {
    !Operation::of(record.kind).is_empty() && !record.database.without_maintenance
}

fn tasks(records: &[StoreRecord]) -> impl Iterator<Item = Task> {
    let registered = records.iter().filter(|record| is_registered(record));
    registered.flat_map(|record| {
        let operations = Operation::of(record.kind).iter();
        operations.map(|operation| Task {
            operation: *operation,
            database: record.name.clone(),
            store: record.id,
        })
    })
}

/// Whether an operation ended for the sake of others, and is worth another try as soon as they are
/// done.
pub fn is_yielded(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Collecting
            | StoreError::Sql(SqlError::Busy | SqlError::Cancelled | SqlError::TransactionEnded)
    )
}

fn is_no_space(error: &StoreError) -> bool {
    match error {
        StoreError::NoSpace { .. } => true,
        StoreError::Io { kind, .. } => {
            matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        }
        _ => false,
    }
}
