//! A call, as it is recorded.

use vault_store::{
    Clock as _, SystemClock,
    audit::{Event, Outcome},
};

use super::outcome::Ended;
use crate::principal::Principal;

/// Longest text that a caller chose, in characters.
const LONGEST: usize = 256;

/// A call: who, and what.
#[derive(Clone, Debug)]
pub struct Call(Box<Event>);

impl Call {
    pub(super) fn new(action: &str, caller: Option<&Principal>, number: u64) -> Self {
        let mut event = Event {
            action: short(action),
            call: number,
            ..Event::default()
        };
        if let Some(caller) = caller {
            caller.kind().as_str().clone_into(&mut event.principal);
            event.address = caller.address();
            event.label = caller
                .judged()
                .map_or_else(String::new, |judged| short(&judged.admitted.label));
            let peer = caller.peer();
            (event.uid, event.pid) = (peer.uid, peer.pid);
            if let Some(process) = &peer.process {
                let info = process.info();
                event.comm.clone_from(&info.comm);
                event.unit.clone_from(&info.unit);
                event.exe.clone_from(&info.exe);
            }
        }
        Self(Box::new(event))
    }

    /// The same, about this store and object.
    #[must_use]
    pub fn on(mut self, store: &str, object: &str) -> Self {
        (self.0.store, self.0.object) = (short(store), short(object));
        self
    }

    /// The same, with what was granted.
    #[must_use]
    pub fn with(mut self, detail: &str) -> Self {
        self.0.detail = short(detail);
        self
    }

    /// The method, or the word.
    pub fn action(&self) -> &str {
        &self.0.action
    }

    /// What it is about, in a word: its store, or what was granted.
    pub(super) fn about(&self) -> &str {
        if self.0.store.is_empty() {
            &self.0.detail
        } else {
            &self.0.store
        }
    }

    /// The record of how it came out, made now.
    pub(super) fn event(&self, ended: &Ended) -> Event {
        let (outcome, reason) = match ended {
            Ended::Begun => (Outcome::Begun, ""),
            Ended::Done => (Outcome::Done, ""),
            Ended::Refused(reason) => (Outcome::Refused, reason.as_str()),
            Ended::Failed(reason) => (Outcome::Failed, reason.as_str()),
            Ended::Cancelled => (Outcome::Cancelled, ""),
        };
        Event {
            at_ms: SystemClock.now_ms(),
            outcome,
            reason: reason.to_owned(),
            ..(*self.0).clone()
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
