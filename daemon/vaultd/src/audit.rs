//! The record of what was let in, granted and refused: sealed in the vault's audit log, in the
//! process's log, and the newest of it in memory. Never in it: a token, a cookie, a code, a value, a
//! body.
//!
//! A call that must be recorded and changes something is recorded twice: durably before it runs, and
//! then how it came out. One that only reads is recorded before its answer leaves. Everything else is
//! handed to the [queue] and written within a moment, together with what else there is.
//!
//! While the vault is not open nothing can be sealed. What happens then is kept in memory, up to a
//! bound beyond which it is counted, and written with its own time when the vault opens. A daemon that
//! ends before has it in its process's log alone.

mod anchor;
mod call;
mod events;
mod outcome;
mod pending;
mod queue;
mod refusals;
mod settings;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tonic::Status;
use vault_proto::v1::Reason;
use vault_store::{
    Clock as _, SystemClock,
    audit::{AuditLog, Event as LogEvent, Outcome},
};

pub use self::{
    anchor::{KeyringAuditAnchor, carry},
    call::Call,
    events::{Event, Events},
    outcome::Ended,
    pending::Pending,
    queue::QueueStatus,
    settings::{AuditSettings, Calls, Policy},
};
use self::{queue::Queue, refusals::Refusals};
use crate::{
    error::refusal,
    principal::{Principal, PrincipalKind},
};

/// Records.
pub struct Auditor {
    settings: AuditSettings,
    events: Events,
    queue: Arc<Queue>,
    refusals: Mutex<Refusals>,
    /// The number of the next call: no two calls have one, those of another daemon included.
    next_call: AtomicU64,
}

impl Auditor {
    /// Records by these settings. Until it is given a log, in memory.
    pub fn new(settings: AuditSettings) -> Self {
        let now = u64::try_from(SystemClock.now_ms()).unwrap_or(0);
        Self {
            settings,
            events: Events::default(),
            queue: Queue::start(settings),
            refusals: Mutex::default(),
            next_call: AtomicU64::new(now.saturating_mul(1000)),
        }
    }

    /// The newest events, the newest first.
    pub fn newest(&self, limit: usize) -> Vec<Event> {
        self.events.newest(limit)
    }

    /// What is recorded, and what happens where it cannot be.
    pub fn settings(&self) -> &AuditSettings {
        &self.settings
    }

    /// How the records fare.
    pub fn status(&self) -> QueueStatus {
        self.queue.status()
    }

    /// What is wrong with the log, for people.
    pub fn problem(&self) -> Option<String> {
        let status = self.status();
        if let Some(failing) = status.failing {
            let lost = status.lost;
            return Some(format!("not written, {lost} records lost: {}", failing.why));
        }
        let mismatch = self.log()?.status().mismatch?;
        Some(format!("not the one that was anchored: {mismatch}"))
    }

    /// The log, while the vault is open.
    pub fn log(&self) -> Option<Arc<AuditLog>> {
        self.queue.log()
    }

    /// Changes when records were written.
    pub fn written(&self) -> tokio::sync::watch::Receiver<u64> {
        self.queue.written()
    }

    /// Waits until what was recorded before can be read. Blocks, for a bounded time.
    pub fn flush(&self) {
        self.queue.flush();
    }

    /// The vault is open: what waited is written to its log. Blocks.
    pub fn open(&self, log: &Arc<AuditLog>) {
        self.queue.open(log);
        self.by_itself("vault opened", "");
    }

    /// The vault is open, and its log is not to be had: records stay in memory.
    pub fn unopened(&self, why: &str) {
        self.queue.fail(why);
    }

    /// The vault is about to be closed: what waits is written, and the keyring told. Blocks, for a
    /// bounded time.
    pub fn close(&self, why: &str) {
        if self.log().is_some() {
            self.by_itself("vault closed", why);
        }
        self.queue.close();
    }

    /// The vault is closed.
    pub fn closed(&self) {
        self.queue.closed();
    }

    /// Something that vaultd does by itself.
    pub fn by_itself(&self, action: &str, detail: &str) {
        tracing::info!(target: "audit", method = action, detail, "{action}");
        self.queue.push(LogEvent {
            at_ms: SystemClock.now_ms(),
            action: action.to_owned(),
            outcome: Outcome::Done,
            principal: "daemon".to_owned(),
            detail: detail.to_owned(),
            ..LogEvent::default()
        });
    }

    /// A call of somebody, which the methods below record.
    pub fn call(&self, action: &str, caller: Option<&Principal>) -> Call {
        let number = self.next_call.fetch_add(1, Ordering::Relaxed);
        Call::new(action, caller, number)
    }

    /// Something was refused. Nobody waits for that to be written, and whoever is nobody is counted
    /// where it is refused again and again.
    pub fn refused(&self, call: &Call, caller: Option<&Principal>, status: Option<&Status>) {
        self.tell(call, caller, false);
        let ended = status.map_or(Ended::Refused(String::new()), Ended::refused);
        let event = call.event(&ended);
        let stranger = caller.is_none_or(|caller| caller.kind() == PrincipalKind::Nobody);
        if stranger {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            for event in refusals.admit(event) {
                self.queue.push(event);
            }
        } else {
            self.queue.push(event);
        }
    }

    /// A call was let in that must be recorded before it runs: durable when this returns.
    pub async fn begin(&self, call: &Call, caller: &Principal) -> Result<(), Box<Status>> {
        self.tell(call, Some(caller), true);
        self.durably(call, &Ended::Begun).await
    }

    /// A call was let in that is recorded once it is known how it comes out.
    pub fn admitted(&self, call: &Call, caller: &Principal) {
        self.tell(call, Some(caller), true);
    }

    /// A call came out like this: durable when this returns.
    pub async fn end(&self, call: &Call, ended: &Ended) -> Result<(), Box<Status>> {
        self.durably(call, ended).await
    }

    /// The same, and nobody waits.
    pub fn end_later(&self, call: &Call, ended: &Ended) {
        self.queue.push(call.event(ended));
    }

    /// Whether a call may run whose record nobody waits for: where records fail that are required, it
    /// is recorded first.
    pub async fn ready(&self, call: &Call) -> Result<(), Box<Status>> {
        let required = self.settings.policy == Policy::Required;
        if required && self.queue.status().failing.is_some() {
            return self.durably(call, &Ended::Begun).await;
        }
        Ok(())
    }

    async fn durably(&self, call: &Call, ended: &Ended) -> Result<(), Box<Status>> {
        match self.queue.push_and_wait(call.event(ended)).await {
            Err(why) if self.settings.policy == Policy::Required => {
                let status = unrecorded(&why);
                // Once there is room, it is told that it was not done.
                self.queue.push(call.event(&Ended::refused(&status)));
                Err(Box::new(status))
            }
            _ => Ok(()),
        }
    }

    /// Tells the process's log and the newest events.
    fn tell(&self, call: &Call, caller: Option<&Principal>, admitted: bool) {
        let (peer_pid, principal, from) = describe(caller);
        let method = call.action();
        let outcome = if admitted { "let in" } else { "refused" };
        tracing::info!(
            target: "audit", method, peer_pid, principal, from, admitted, "{method}: {outcome}"
        );
        let now = SystemClock.now_ms();
        self.events.add(now, method, caller, admitted, call.about());
    }
}

/// What a call gets that must be recorded and cannot be.
fn unrecorded(why: &str) -> Status {
    let text = format!(
        "this call must be recorded, and the audit log cannot be written: {why}. Make room on the \
         disk, or set `audit = \"best-effort\"`"
    );
    refusal(Reason::AuditUnavailable, text, &[])
}

/// Who called, for the process's log: process, kind, and the address over HTTP.
fn describe(caller: Option<&Principal>) -> (Option<i32>, Option<&'static str>, Option<String>) {
    let from = caller.map(Principal::address);
    (
        caller.and_then(|caller| caller.peer().pid),
        caller.map(|caller| caller.kind().as_str()),
        from.filter(|from| !from.is_empty()),
    )
}

impl Drop for Auditor {
    fn drop(&mut self) {
        self.queue.stop();
    }
}
