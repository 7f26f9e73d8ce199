//! The upkeep of the databases of an open vault, by the clock and on request.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
    time::Duration,
};

use vault_store::{
    Clock, StoreError, StoreName, StoreResult, Vault,
    catalogue::StoreRecord,
    databases::Call,
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
    settings: config::Maintenance,
    /// Read when it is first needed.
    maintenance: OnceLock<Mutex<Maintenance>>,
}

impl Upkeep {
    pub(super) fn new(settings: config::Maintenance) -> Self {
        Self {
            settings,
            maintenance: OnceLock::new(),
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
        let excluded = databases(&records).filter(|record| !is_registered(record));
        let excluded = excluded.map(|record| record.name.clone()).collect();
        let tasks = self.locked(clock).status(clock.now_ms(), &records);
        UpkeepStatus { tasks, excluded }
    }

    /// The tasks of a database, or of all that upkeep looks after; of one operation, or of all.
    pub fn upkeep_tasks(
        vault: &Vault,
        database: Option<&StoreName>,
        operation: Option<Operation>,
    ) -> StoreResult<Vec<Task>> {
        let records = vault.stores();
        let chosen: Vec<&StoreRecord> = match database {
            // Asked for by name, one that is left out otherwise is not.
            Some(name) => {
                vault.database(name)?;
                databases(&records)
                    .filter(|record| record.name == *name)
                    .collect()
            }
            None => records
                .iter()
                .filter(|record| is_registered(record))
                .collect(),
        };
        let operations = Operation::ALL.into_iter();
        let operations = operations.filter(|each| operation.is_none_or(|one| one == *each));
        let tasks = chosen.into_iter().flat_map(|record| {
            operations.clone().map(|operation| Task {
                operation,
                database: record.name.clone(),
                store: record.id,
            })
        });
        Ok(tasks.collect())
    }

    /// Does a task now, in its turn among the database's writers.
    pub fn upkeep_now(
        &self,
        vault: &Vault,
        task: &Task,
        call: &Call,
        clock: &dyn Clock,
    ) -> StoreResult<Upkept> {
        let done = vault
            .database(&task.database)
            .and_then(|database| database.upkeep_for(call, task.operation));
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
            let schedule = self.upkeep.settings.schedule;
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
        let quiet = self.upkeep.settings.quiet;
        let lock = self.settings.idle_lock.unwrap_or(Duration::MAX);
        quiet.min(lock / 2)
    }
}

fn databases(records: &[StoreRecord]) -> impl Iterator<Item = &StoreRecord> {
    records
        .iter()
        .filter(|record| record.kind == vault_store::catalogue::Kind::Database)
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
        self.vault.database(&task.database)?.upkeep(task.operation)
    }

    fn go_on(&self) -> bool {
        let keeper = self.keeper;
        let open = matches!(&*keeper.read(), State::Open(vault) if Arc::ptr_eq(vault, self.vault));
        let ending = keeper.stopping.load(Ordering::Acquire);
        // In the last quarter of its time a vault is about to lock itself, and what is begun then
        // would be in vain.
        let locking = keeper.activity.rest().is_some_and(|rest| {
            let after = keeper.settings.idle_lock.unwrap_or_default();
            rest < after / 4
        });
        open && !ending && !locking && !keeper.is_rotating()
    }
}

#[cfg(test)]
mod tests;
