//! Records on their way to the log. Those of several callers are written together and share a sync:
//! whatever comes while one is under way is of the next. What nobody waits for waits a moment for
//! company.

mod anchoring;
mod writing;

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};
use vault_store::{
    Clock as _, SystemClock,
    audit::{AuditLog, Event, Lost},
};

use super::AuditSettings;

/// Records that wait while the vault is not open.
const KEPT_CLOSED: usize = 1024;
/// Records that wait while it is.
const KEPT_OPEN: usize = 8192;
/// How long a vault that closes waits for its records, and then for the keyring; and how long whoever
/// reads the log waits for what comes before.
const PATIENCE: Duration = Duration::from_secs(2);

/// A record that waits, and who waits for it.
struct Waiting {
    event: Event,
    answer: Option<oneshot::Sender<Result<(), String>>>,
}

/// Records that cannot be kept at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// Why.
    pub why: String,
}

/// How the records fare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// None are kept at the moment.
    pub failing: Option<Failing>,
    /// How many are lost that the log does not tell of yet.
    pub lost: u64,
    /// How many wait.
    pub waiting: u64,
}

#[derive(Default)]
struct Shared {
    /// While the vault is open.
    log: Option<Arc<AuditLog>>,
    waiting: VecDeque<Waiting>,
    /// When the first of them came.
    waits_since: Option<Instant>,
    /// How many of them somebody waits for.
    awaited: usize,
    writing: bool,
    /// Those who wait until nothing waits any more.
    flushing: usize,
    lost: Option<Lost>,
    failing: Option<Failing>,
    /// Records that the keyring was not told of, and since when.
    unanchored: u64,
    unanchored_since: Option<Instant>,
    anchor_now: bool,
    /// How often the keyring was to be told, and how often it was.
    anchorings_begun: u64,
    anchorings: u64,
    phase: Phase,
}

/// How far a daemon, or its vault, is on its way to the end.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Running,
    /// The vault is being closed, and its log is not used any more.
    Closing,
    Stopped,
}

/// Why nothing can be recorded while a vault is locked, or its daemon ends.
const CLOSING: &str = "the vault is being closed";

/// Records on their way.
pub(super) struct Queue {
    settings: AuditSettings,
    shared: Mutex<Shared>,
    changed: Condvar,
    /// The newest record.
    written: watch::Sender<u64>,
}

impl Queue {
    /// Begins, with a thread that writes and one that tells the keyring. They end with
    /// [`Self::stop`].
    pub(super) fn start(settings: AuditSettings) -> Arc<Self> {
        let queue = Arc::new(Self {
            settings,
            shared: Mutex::default(),
            changed: Condvar::new(),
            written: watch::Sender::new(0),
        });
        for (name, work) in [
            ("audit", Self::write_all as fn(&Self)),
            ("audit-anchor", Self::anchor_all),
        ] {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name(name.to_owned());
            if let Err(error) = thread.spawn(move || work(&queue)) {
                tracing::error!(%error, "no thread for the audit log");
            }
        }
        queue
    }

    pub(super) fn stop(&self) {
        self.lock().phase = Phase::Stopped;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, shared: MutexGuard<'a, Shared>) -> MutexGuard<'a, Shared> {
        let waited = self.changed.wait(shared);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for<'a>(
        &self,
        shared: MutexGuard<'a, Shared>,
        time: Duration,
    ) -> MutexGuard<'a, Shared> {
        let waited = self.changed.wait_timeout(shared, time);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Adds a record that nobody waits for.
    pub(super) fn push(&self, event: Event) {
        self.lock().add(event, None);
        self.changed.notify_all();
    }

    /// Adds a record and waits until it is durable, or cannot be; in a vault that is not open, until it
    /// is in memory.
    pub(super) async fn push_and_wait(&self, event: Event) -> Result<(), String> {
        let answered = {
            let mut shared = self.lock();
            if shared.log.is_none() {
                shared.add(event, None);
                if shared.phase == Phase::Closing {
                    return Err(CLOSING.to_owned());
                }
                // In a vault that is open, its log is wanting.
                let why = shared.failing.as_ref().map(|failing| failing.why.clone());
                return why.map_or(Ok(()), Err);
            }
            let (answer, answered) = oneshot::channel();
            shared.add(event, Some(answer));
            answered
        };
        self.changed.notify_all();
        let stopped = |_| Err("the daemon is stopping".to_owned());
        answered.await.unwrap_or_else(stopped)
    }

    pub(super) fn status(&self) -> QueueStatus {
        let shared = self.lock();
        QueueStatus {
            failing: shared.failing.clone(),
            lost: shared.lost.as_ref().map_or(0, |lost| lost.count),
            waiting: shared.waiting.len() as u64,
        }
    }

    pub(super) fn log(&self) -> Option<Arc<AuditLog>> {
        self.lock().log.clone()
    }

    pub(super) fn written(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// There is no log, for this reason.
    pub(super) fn fail(&self, why: &str) {
        self.lock().failing = Some(Failing {
            since_ms: SystemClock.now_ms(),
            why: why.to_owned(),
        });
    }

    /// What waits goes to this log from now on.
    pub(super) fn open(&self, log: &Arc<AuditLog>) {
        self.written.send_replace(log.head().sequence);
        let mut shared = self.lock();
        shared.log = Some(Arc::clone(log));
        // The keyring's memory is compared with what was found, before it is written over.
        (shared.anchor_now, shared.failing) = (true, None);
        shared.end_of_closing();
        drop(shared);
        self.changed.notify_all();
    }

    /// Writes what waits and tells the keyring, as long as that takes no longer than a bounded time;
    /// then the log is not used any more, and until [`Self::closed`] nothing counts as recorded.
    pub(super) fn close(&self) {
        let mut shared = self.lock();
        if shared.log.is_some() {
            shared = self.flushed(shared);
            // One that is under way may have begun before the newest record.
            let enough = shared.anchorings_begun + 1;
            shared.anchor_now = true;
            self.changed.notify_all();
            shared = self.wait_until(shared, |shared| shared.anchorings >= enough);
            (shared.log, shared.anchor_now) = (None, false);
        }
        // Of another vault, or another try, there is nothing to say yet.
        shared.failing = None;
        if shared.phase == Phase::Running {
            shared.phase = Phase::Closing;
        }
        shared.give_up_waiting();
    }

    /// The vault is closed: what is recorded from now on is kept in memory until it is open again.
    pub(super) fn closed(&self) {
        self.lock().end_of_closing();
    }

    /// Waits until everything that waits now is written, or cannot be, for a bounded time.
    pub(super) fn flush(&self) {
        let shared = self.lock();
        if shared.log.is_some() {
            drop(self.flushed(shared));
        }
    }

    fn flushed<'a>(&'a self, mut shared: MutexGuard<'a, Shared>) -> MutexGuard<'a, Shared> {
        shared.flushing += 1;
        self.changed.notify_all();
        shared = self.wait_until(shared, |shared| {
            shared.waiting.is_empty() && !shared.writing
        });
        shared.flushing -= 1;
        shared
    }

    fn wait_until<'a>(
        &self,
        mut shared: MutexGuard<'a, Shared>,
        is_done: impl Fn(&Shared) -> bool,
    ) -> MutexGuard<'a, Shared> {
        let end = Instant::now() + PATIENCE;
        while !is_done(&shared) && shared.phase != Phase::Stopped {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            shared = self.wait_for(shared, rest);
        }
        shared
    }
}

impl Shared {
    /// Adds a record. Of too many that nobody waits for, the newest are counted.
    fn add(&mut self, event: Event, answer: Option<oneshot::Sender<Result<(), String>>>) {
        let (limit, why) = match self.log {
            Some(_) => (KEPT_OPEN, "more at once than could be written"),
            None => (
                KEPT_CLOSED,
                "more than are kept while the vault is not open",
            ),
        };
        if answer.is_none() && self.waiting.len() >= limit {
            self.lose(&event, why);
            return;
        }
        self.awaited += usize::from(answer.is_some());
        self.waits_since.get_or_insert_with(Instant::now);
        self.waiting.push_back(Waiting { event, answer });
    }

    fn end_of_closing(&mut self) {
        if self.phase == Phase::Closing {
            self.phase = Phase::Running;
        }
    }

    /// Tells those who wait for what was not written in time. It stays, to be written later.
    fn give_up_waiting(&mut self) {
        for waits in self.waiting.iter_mut().filter_map(|one| one.answer.take()) {
            // Whoever went away needs no answer.
            let _ = waits.send(Err(CLOSING.to_owned()));
        }
        self.awaited = 0;
    }

    /// Counts a record that is not kept.
    fn lose(&mut self, event: &Event, why: &str) {
        let lost = self.lost.get_or_insert_with(|| Lost {
            at_ms: 0,
            count: 0,
            from_ms: event.at_ms,
            to_ms: event.at_ms,
            reason: why.to_owned(),
        });
        lost.count += 1;
        lost.from_ms = lost.from_ms.min(event.at_ms);
        lost.to_ms = lost.to_ms.max(event.at_ms);
    }
}
