//! One caller's hold on the work done for it: how long it may take, and how it is stopped.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::InterruptHandle;

use super::{Budget, SqlError};
use crate::{error::StoreError, vault::lock};

/// Why work is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum StopReason {
    /// The caller does not want it any more.
    Cancelled = 1,
    /// It worked for longer than it may.
    OverTime = 2,
    /// It took more memory than it may.
    OverMemory = 3,
    /// The database's key changes.
    Rotation = 4,
    /// The database is closed.
    Closed = 5,
    /// It began too long ago, whoever was waited for since.
    OverDeadline = 6,
}

impl StopReason {
    /// What the caller hears.
    pub fn error(self) -> StoreError {
        match self {
            Self::Cancelled => SqlError::Cancelled.into(),
            Self::OverTime => SqlError::OverBudget(Budget::Time).into(),
            Self::OverMemory => SqlError::OverBudget(Budget::Memory).into(),
            Self::Rotation => SqlError::TransactionEnded.into(),
            Self::Closed => StoreError::Closed,
            Self::OverDeadline => SqlError::OverDeadline.into(),
        }
    }
}

/// Stops work from another thread. Shared by the one who works and those who may stop it.
#[derive(Default)]
pub struct Stop {
    reason: AtomicU8,
    interrupt: Mutex<Option<InterruptHandle>>,
    /// Told when stopped, for a caller that waits for something else than SQLite.
    told: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Stop {
    /// Not stopped yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Calls `tell` when the work is stopped, from the thread that stops it.
    pub fn on_stop(&self, tell: impl Fn() + Send + 'static) {
        *lock(&self.told) = Some(Box::new(tell));
        if self.reason().is_some() {
            self.tell();
        }
    }

    fn tell(&self) {
        if let Some(tell) = &*lock(&self.told) {
            tell();
        }
    }

    /// Stops the work. The first reason counts.
    pub fn stop(&self, reason: StopReason) {
        let first =
            self.reason
                .compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            if let Some(interrupt) = &*lock(&self.interrupt) {
                interrupt.interrupt();
            }
            self.tell();
        }
    }

    /// The same, from within the work: it finds out by itself, and nobody waits to be told.
    pub(super) fn stop_quietly(&self, reason: StopReason) {
        let _ = self
            .reason
            .compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why it was stopped.
    pub fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::Acquire) {
            1 => Some(StopReason::Cancelled),
            2 => Some(StopReason::OverTime),
            3 => Some(StopReason::OverMemory),
            4 => Some(StopReason::Rotation),
            5 => Some(StopReason::Closed),
            6 => Some(StopReason::OverDeadline),
            _ => None,
        }
    }

    /// The connection that works for this caller now.
    pub(super) fn working(&self, interrupt: Option<InterruptHandle>) {
        *lock(&self.interrupt) = interrupt;
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.reason()).finish()
    }
}

/// What a caller allows for one call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Stops it.
    pub stop: Arc<Stop>,
    /// How long it may wait for its turn.
    pub wait: Duration,
    /// How long its statements may work, all together.
    pub work: Duration,
}

impl Call {
    /// Waits and works for at most `time` each.
    pub fn within(time: Duration) -> Self {
        Self {
            stop: Stop::new(),
            wait: time,
            work: time,
        }
    }

    pub(super) fn wait_until(&self) -> Instant {
        Instant::now() + self.wait
    }
}
