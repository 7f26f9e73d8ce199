//! One round of upkeep: what is due is done, one thing at a time, where nobody is in the way.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{Maintenance, Task, Upkept, is_yielded};
use crate::{
    catalogue::StoreRecord,
    clock::Clock,
    error::{StoreError, StoreResult},
    id::StoreName,
    vault::lock,
};

/// How long at most until the next round: a vault may be unlocked and a clock set meanwhile.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How long at least.
const SHORTEST: Duration = Duration::from_secs(1);

/// The databases of an open vault, as upkeep sees them.
pub trait Workplace {
    /// Every store there is.
    fn records(&self) -> Vec<StoreRecord>;
    /// For how long nobody has worked with a database, and nobody does.
    fn quiet_for(&self, database: &StoreName) -> StoreResult<Duration>;
    /// Does a task. Ends with an error for which [`is_yielded`] holds when somebody wants to work.
    fn run(&self, task: &Task) -> StoreResult<Upkept>;
    /// Whether the next task may begin.
    fn go_on(&self) -> bool;
}

/// Does what is due. Answers how long to wait for the next round.
///
/// A task waits until nobody has worked with its database for `quiet`, unless it is pressing; a
/// client that comes meanwhile goes first either way. So a database that is written to without a
/// pause is never vacuumed against its writers, only by `maintenance run`.
pub fn round(
    maintenance: &Mutex<Maintenance>,
    clock: &dyn Clock,
    quiet: Duration,
    workplace: &dyn Workplace,
) -> Duration {
    let records = workplace.records();
    let due = lock(maintenance).due(clock.now_ms(), &records);
    let mut wait = LONGEST;
    for due in due {
        if !workplace.go_on() {
            break;
        }
        let task = due.task;
        if !due.pressing {
            // One that cannot be opened says why when the task is done.
            let so_far = workplace.quiet_for(&task.database).unwrap_or(quiet);
            if so_far < quiet {
                wait = wait.min(quiet.saturating_sub(so_far));
                continue;
            }
        }
        let begun = Instant::now();
        let ended = workplace.run(&task);
        let took_ms = begun.elapsed().as_millis();
        let (store, operation) = (task.store, task.operation.name());
        match ended {
            Ok(Upkept { before, after }) => {
                tracing::info!(%store, operation, took_ms, before, after, "upkeep");
                lock(maintenance).ran(&task, clock.now_ms());
            }
            Err(error) if is_yielded(&error) => wait = wait.min(quiet),
            // The vault was locked, or the database dropped.
            Err(StoreError::Closed | StoreError::NoSuchStore(_)) => {}
            Err(error) => {
                tracing::warn!(%store, operation, %error, "upkeep came to nothing");
                lock(maintenance).failed(&task, clock.now_ms(), &error);
            }
        }
    }
    let now = clock.now_ms();
    let next = lock(maintenance).next_after(now, &records);
    let next = next.and_then(|next| u64::try_from(next.saturating_sub(now)).ok());
    let next = next.map_or(LONGEST, Duration::from_millis);
    wait.min(next).max(SHORTEST)
}
