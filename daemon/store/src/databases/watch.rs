//! Looks after a statement while SQLite works on it: every thousand steps it asks whether to go on.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    call::{Call, Stop, StopReason},
    memory::Account,
};
use crate::vault::lock;

/// Steps of SQLite's virtual machine between two looks: some 50 microseconds.
const STEPS: i32 = 1000;

/// What one connection works on now.
#[derive(Default)]
pub(super) struct Watch(Mutex<Option<Watched>>);

struct Watched {
    stop: Arc<Stop>,
    until: Instant,
    memory: Account,
}

/// Held while a statement works.
pub(super) struct Working<'a>(&'a Watch);

impl Watch {
    /// Makes a connection ask.
    pub(super) fn install(connection: &mut Connection) -> rusqlite::Result<Arc<Self>> {
        let watch = Arc::new(Self::default());
        let asked = Arc::clone(&watch);
        connection.progress_handler(STEPS, Some(move || asked.must_stop()))?;
        Ok(watch)
    }

    /// From now on, until the answer is dropped, the connection works for `call`.
    pub(super) fn begin(&self, call: &Call, connection: &Connection) -> Working<'_> {
        *lock(&self.0) = Some(Watched {
            stop: Arc::clone(&call.stop),
            until: Instant::now() + call.work,
            memory: Account::open(),
        });
        call.stop.working(Some(connection.get_interrupt_handle()));
        Working(self)
    }

    fn must_stop(&self) -> bool {
        let watched = lock(&self.0);
        let Some(watched) = &*watched else {
            return false;
        };
        if Instant::now() >= watched.until {
            watched.stop.stop_quietly(StopReason::OverTime);
        } else if watched.memory.must_stop() {
            watched.stop.stop_quietly(StopReason::OverMemory);
        }
        watched.stop.reason().is_some()
    }
}

impl Working<'_> {
    /// Time that was not spent working.
    pub(super) fn idle(&self, time: Duration) {
        if let Some(watched) = &mut *lock(&self.0.0) {
            watched.until += time;
            watched.memory.skip();
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if let Some(watched) = lock(&self.0.0).take() {
            watched.stop.working(None);
        }
    }
}
