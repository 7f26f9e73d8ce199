//! The one writer of a database: who has it, who waits for it, who makes way.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    SqlError,
    call::{Call, Stop, StopReason},
    connection::Bounded,
};
use crate::{
    error::{StoreError, StoreResult},
    vault::lock,
};

/// How often who waits looks whether it is still to wait.
const LOOK: Duration = Duration::from_millis(20);

/// How long a client's transaction is waited for before it is ended for a change of the key.
const GRACE: Duration = Duration::from_secs(5);

/// The writer's place.
#[derive(Default)]
pub(super) struct Writer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What stops the one who has it; nobody has it where there is none.
    holder: Option<Holder>,
    /// Clients that wait.
    waiting: usize,
    /// Whoever changes the key waits: no client begins before.
    exclusive: usize,
    connection: Option<Bounded>,
    closed: bool,
}

struct Holder {
    stop: Arc<Stop>,
    /// Makes way for clients at once.
    upkeep: bool,
}

/// The writer, had by one. Given back when dropped.
pub(super) struct Turn<'a> {
    writer: &'a Writer,
    /// None until it is first needed, and after a failure that spoiled it.
    pub(super) connection: Option<Bounded>,
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Takes a client's turn. `Busy` where it does not come within the time that the caller has.
    pub(super) fn take(&self, call: &Call) -> StoreResult<Turn<'_>> {
        let mut state = self.lock();
        if let Some(Holder { stop, upkeep: true }) = &state.holder {
            stop.stop(StopReason::Cancelled);
        }
        state.waiting += 1;
        let mut state = self.wait(state, call, |state| {
            state.holder.is_none() && state.exclusive == 0
        });
        if let Ok(state) = &mut state {
            state.waiting -= 1;
        } else {
            self.lock().waiting -= 1;
        }
        Ok(self.hold(state?, call, false))
    }

    /// Takes a turn that gives way to any client; none while somebody has it or wants it.
    pub(super) fn take_for_upkeep(&self, call: &Call) -> StoreResult<Turn<'_>> {
        let state = self.lock();
        if state.closed {
            return Err(StoreError::Closed);
        }
        if state.holder.is_some() || state.waiting > 0 || state.exclusive > 0 {
            return Err(SqlError::Busy.into());
        }
        Ok(self.hold(state, call, true))
    }

    /// Takes the writer before all clients that wait. A transaction that does not end by itself is
    /// ended.
    pub(super) fn take_exclusive(&self) -> StoreResult<Turn<'_>> {
        let call = Call::within(GRACE);
        let mut state = self.lock();
        state.exclusive += 1;
        if let Some(Holder { stop, upkeep: true }) = &state.holder {
            stop.stop(StopReason::Cancelled);
        }
        let waited = match self.wait(state, &call, |state| state.holder.is_none()) {
            Err(StoreError::Sql(SqlError::Busy)) => {
                let state = self.lock();
                if let Some(holder) = &state.holder {
                    holder.stop.stop(StopReason::Rotation);
                }
                // It ends as soon as SQLite, or the client's thread, has heard of it.
                let call = Call::within(Duration::from_secs(3600));
                self.wait(state, &call, |state| state.holder.is_none())
            }
            waited => waited,
        };
        match waited {
            Ok(mut state) => {
                state.exclusive -= 1;
                Ok(self.hold(state, &call, false))
            }
            Err(error) => {
                self.lock().exclusive -= 1;
                Err(error)
            }
        }
    }

    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        call: &Call,
        free: impl Fn(&State) -> bool,
    ) -> StoreResult<MutexGuard<'a, State>> {
        let until = call.wait_until();
        loop {
            if state.closed {
                return Err(StoreError::Closed);
            }
            if let Some(reason) = call.stop.reason() {
                return Err(reason.error());
            }
            if free(&state) {
                return Ok(state);
            }
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(SqlError::Busy.into());
            }
            let waited = self.changed.wait_timeout(state, rest.min(LOOK));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn hold<'a>(&'a self, mut state: MutexGuard<'a, State>, call: &Call, upkeep: bool) -> Turn<'a> {
        state.holder = Some(Holder {
            stop: Arc::clone(&call.stop),
            upkeep,
        });
        Turn {
            writer: self,
            connection: state.connection.take(),
        }
    }

    /// Whether its connection is open, idle or at work.
    pub(super) fn is_open(&self) -> bool {
        let state = self.lock();
        state.connection.is_some() || state.holder.is_some()
    }

    /// Refuses everybody from now on, and stops who has it.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        if let Some(holder) = &state.holder {
            holder.stop.stop(StopReason::Closed);
        }
        let connection = state.connection.take();
        drop(state);
        drop(connection);
        self.changed.notify_all();
    }
}

impl Turn<'_> {
    /// Closes the connection: the next use opens another one.
    pub(super) fn close_connection(&mut self) {
        self.connection = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.writer.lock();
        state.holder = None;
        let connection = self.connection.take();
        let spent = match connection {
            Some(bounded) if !state.closed && bounded.connection.is_autocommit() => {
                state.connection = Some(bounded);
                None
            }
            spent => spent,
        };
        drop(state);
        drop(spent);
        self.writer.changed.notify_all();
    }
}
