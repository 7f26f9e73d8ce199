//! The upkeep of the databases and blobs of an open vault, by the clock and on request.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use vault_store::{
    Clock, StoreError, StoreName, StoreResult, Vault,
    catalogue::{Kind, StoreRecord},
    collection::Collection,
    databases::{Call, SqlError},
    kind::Store as _,
    maintenance::{
        self, Maintenance, Operation, Task, TaskStatus, Upkept, Workplace, is_registered,
        is_yielded,
    },
};

use super::{Keeper, State};
use crate::config;

/// How long until a vault that is not open is looked at again.
const CLOSED: Duration = Duration::from_secs(5 * 60);

/// What the keeper knows of upkeep.
pub(super) struct Upkeep {
    settings: RwLock<config::Maintenance>,
    /// Read when it is first needed.
    maintenance: OnceLock<Mutex<Maintenance>>,
}

impl Upkeep {
    pub(super) fn new(settings: config::Maintenance) -> Self {
        Self {
            settings: RwLock::new(settings),
            maintenance: OnceLock::new(),
        }
    }

    fn settings(&self) -> config::Maintenance {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, other settings.
    pub(super) fn replace(&self, settings: config::Maintenance) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = settings;
        if let Some(maintenance) = self.maintenance.get() {
            let mut maintenance = maintenance.lock().unwrap_or_else(PoisonError::into_inner);
            maintenance.reschedule(settings.schedule);
        }
    }
}

/// What upkeep does, and when.
pub struct UpkeepStatus {
    /// Its tasks.
    pub tasks: Vec<TaskStatus>,
    /// Databases that it leaves alone.
    pub excluded: Vec<StoreName>,
}

impl Keeper {
    /// Does what is due, while the vault is open. Answers how long to wait for the next time.
    ///
    /// Opens no vault, and is no use of one: a vault that nobody else uses still locks itself.
    pub fn maintain(&self, clock: &dyn Clock) -> Duration {
        let vault = match &*self.read() {
            State::Open(vault) => Arc::clone(vault),
            State::Closed(_) => return CLOSED,
        };
        let rounds = Rounds {
            keeper: self,
            vault: &vault,
        };
        if !rounds.go_on() {
            return CLOSED;
        }
        maintenance::round(self.maintenance(clock), clock, self.quiet(), &rounds)
    }

    /// What upkeep does in a vault, and when.
    pub fn upkeep_status(&self, vault: &Vault, clock: &dyn Clock) -> UpkeepStatus {
        let records = vault.stores();
        let databases = records
            .iter()
            .filter(|record| record.kind == Kind::Database);
        let excluded = databases.filter(|record| !is_registered(record));
        let excluded = excluded.map(|record| record.name.clone()).collect();
        let tasks = self.locked(clock).status(clock.now_ms(), &records);
        UpkeepStatus { tasks, excluded }
    }

    /// How long nothing must have named a blob that is removed.
    pub fn blob_grace(&self) -> Duration {
        self.upkeep.settings().blob_grace
    }

    /// The tasks of a store, or of all that upkeep looks after; of one operation, or of all.
    pub fn upkeep_tasks(
        vault: &Vault,
        store: Option<&StoreName>,
        operation: Option<Operation>,
    ) -> StoreResult<Vec<Task>> {
        let records = vault.stores();
        let chosen: Vec<&StoreRecord> = match store {
            // Asked for by name, one that is left out otherwise is not.
            Some(name) => {
                vault.open_store(name)?;
                let named = records.iter().find(|record| record.name == *name);
                let named = named.ok_or_else(|| StoreError::NoSuchStore(name.to_string()))?;
                if Operation::of(named.kind).is_empty() {
                    return Err(StoreError::InvalidArgument(format!(
                        "store `{name}` needs no upkeep: it is neither a database nor holds blobs"
                    )));
                }
                vec![named]
            }
            None => records
                .iter()
                .filter(|record| is_registered(record))
                .collect(),
        };
        let tasks = chosen.into_iter().flat_map(|record| {
            let operations = Operation::of(record.kind).iter();
            let wanted = operations.filter(|each| operation.is_none_or(|one| one == **each));
            wanted.map(|operation| Task {
                operation: *operation,
                database: record.name.clone(),
                store: record.id,
            })
        });
        Ok(tasks.collect())
    }

    /// Removes the blobs of a store that nothing has named for long enough, for as long as `go_on`
    /// says so.
    fn collect(
        &self,
        vault: &Vault,
        store: &StoreName,
        go_on: impl Fn() -> bool,
    ) -> StoreResult<Upkept> {
        let bytes = || -> StoreResult<u64> { Ok(vault.blobs(store)?.stats()?.body_bytes) };
        let before = bytes()?;
        let collection = Collection {
            store: Some(store.clone()),
            dry_run: false,
            grace: self.blob_grace(),
        };
        let mut stopped = false;
        vault.collect(&collection, &mut |_, _| {
            stopped = !go_on();
            if stopped {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if stopped {
            return Err(SqlError::Cancelled.into());
        }
        let after = bytes()?;
        Ok(Upkept { before, after })
    }

    /// Does a task now, in its turn among the store's writers.
    pub fn upkeep_now(
        &self,
        vault: &Vault,
        task: &Task,
        call: &Call,
        clock: &dyn Clock,
    ) -> StoreResult<Upkept> {
        let done = match task.operation {
            Operation::Collect => {
                self.collect(vault, &task.database, || call.stop.reason().is_none())
            }
            _ => vault
                .database(&task.database)
                .and_then(|database| database.upkeep_for(call, task.operation)),
        };
        let mut maintenance = self.locked(clock);
        let now = clock.now_ms();
        // It may be the first that is heard of the database.
        maintenance.reconcile(now, &vault.stores());
        match &done {
            Ok(_) => maintenance.ran(task, now),
            Err(StoreError::Closed | StoreError::NoSuchStore(_)) => {}
            Err(error) if is_yielded(error) => {}
            Err(error) => maintenance.failed(task, now, error),
        }
        done
    }

    fn maintenance(&self, clock: &dyn Clock) -> &Mutex<Maintenance> {
        self.upkeep.maintenance.get_or_init(|| {
            let schedule = self.upkeep.settings().schedule;
            Mutex::new(Maintenance::load(
                self.root.clone(),
                schedule,
                clock.now_ms(),
            ))
        })
    }

    fn locked(&self, clock: &dyn Clock) -> MutexGuard<'_, Maintenance> {
        let maintenance = self.maintenance(clock).lock();
        maintenance.unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long nobody has worked with a database when upkeep may. In a vault that locks itself
    /// there is little time left then: half of it.
    fn quiet(&self) -> Duration {
        let quiet = self.upkeep.settings().quiet;
        let lock = self.activity.limit().unwrap_or(Duration::MAX);
        quiet.min(lock / 2)
    }
}

/// The open vault, as upkeep sees it.
struct Rounds<'a> {
    keeper: &'a Keeper,
    vault: &'a Arc<Vault>,
}

impl Workplace for Rounds<'_> {
    fn records(&self) -> Vec<StoreRecord> {
        self.vault.stores()
    }

    fn quiet_for(&self, database: &StoreName) -> StoreResult<Duration> {
        // One that is not open is worked with by nobody.
        let database = self.vault.database_if_open(database);
        Ok(database.map_or(Duration::MAX, |database| database.idle()))
    }

    fn run(&self, task: &Task) -> StoreResult<Upkept> {
        match task.operation {
            Operation::Collect => self
                .keeper
                .collect(self.vault, &task.database, || self.go_on()),
            _ => self.vault.database(&task.database)?.upkeep(task.operation),
        }
    }

    fn go_on(&self) -> bool {
        let keeper = self.keeper;
        let open = matches!(&*keeper.read(), State::Open(vault) if Arc::ptr_eq(vault, self.vault));
        let ending = keeper.stopping.load(Ordering::Acquire);
        // In the last quarter of its time a vault is about to lock itself, and what is begun then
        // would be in vain.
        let locking = keeper.activity.rest().is_some_and(|rest| {
            let after = keeper.activity.limit().unwrap_or_default();
            rest < after / 4
        });
        open && !ending && !locking && !keeper.is_rotating()
    }
}

#[cfg(test)]
mod tests;
