//! The record of what was let in, granted and refused: in the log, and the newest of it in memory.
//! Never in it: a token, a cookie, a code, a value, a body.

mod events;

use vault_crypto::SecretName;
use vault_store::{Clock as _, SystemClock};

pub use self::events::{Event, Events};
use crate::principal::Principal;

/// Told of calls that are recorded, of every refusal, and of what is granted and revoked.
pub trait Audit: Send + Sync + 'static {
    /// A call was let in or refused, or something came of it: `action` is the method, or a word such
    /// as "sign-in". `detail` is a store, or what was granted; never content.
    fn record(&self, action: &str, caller: Option<&Principal>, admitted: bool, detail: &str);

    /// The value of a secret was asked for: by its name, and never by its value. Where nothing else
    /// is said, the call that was let in is all that is recorded of it.
    fn record_secret(&self, _name: &SecretName, _caller: Option<&Principal>, _given: bool) {}
}

/// Writes to the log, until the audit store takes its place, and keeps the newest in memory.
#[derive(Debug, Default)]
pub struct Journal {
    events: Events,
}

impl Journal {
    /// The newest events, the newest first.
    pub fn newest(&self, limit: usize) -> Vec<Event> {
        self.events.newest(limit)
    }
}

impl Audit for Journal {
    fn record(&self, action: &str, caller: Option<&Principal>, admitted: bool, detail: &str) {
        let (pid, principal, from) = describe(caller);
        tracing::info!(target: "audit", method = action, pid, principal, from, admitted);
        self.events
            .add(SystemClock.now_ms(), action, caller, admitted, detail);
    }

    fn record_secret(&self, name: &SecretName, caller: Option<&Principal>, given: bool) {
        let (pid, principal, from) = describe(caller);
        let method = "/vault.v1.Secrets/Get";
        tracing::info!(target: "audit", method, secret = %name, pid, principal, from, given);
    }
}

/// Who called, for the log: process, kind, and the address over HTTP.
fn describe(caller: Option<&Principal>) -> (Option<i32>, Option<&'static str>, Option<String>) {
    let from = caller.map(Principal::address);
    (
        caller.and_then(|caller| caller.peer().pid),
        caller.map(|caller| caller.kind().as_str()),
        from.filter(|from| !from.is_empty()),
    )
}
