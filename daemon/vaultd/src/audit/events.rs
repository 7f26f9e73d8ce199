//! The newest events, in memory and bounded.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use crate::principal::{Principal, PrincipalKind};

/// How many there are of what was let in, and of refusals: whoever is refused again and again does
/// not push out what somebody else did.
const EACH: usize = 500;

/// Longest text of an event that a caller chose, in characters.
const TEXT: usize = 128;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The method, or a word such as "sign-in".
    pub action: String,
    /// Whether it was let in.
    pub admitted: bool,
    /// As what the caller counted.
    pub kind: Option<PrincipalKind>,
    /// The label of its passkey or token, or its process.
    pub who: String,
    /// Its address; empty on the socket.
    pub from: String,
    /// The store, or what was granted.
    pub detail: String,
}

#[derive(Debug, Default)]
struct Kept {
    /// Each with its number: two events of one millisecond keep their order.
    admitted: VecDeque<(u64, Event)>,
    refused: VecDeque<(u64, Event)>,
    count: u64,
}

/// The newest events.
#[derive(Debug, Default)]
pub struct Events(Mutex<Kept>);

fn bounded(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

impl Events {
    /// Adds one, in place of the oldest of its sort where there are many.
    pub fn add(
        &self,
        at_ms: i64,
        action: &str,
        caller: Option<&Principal>,
        admitted: bool,
        detail: &str,
    ) {
        let event = Event {
            at_ms,
            action: bounded(action),
            admitted,
            kind: caller.map(Principal::kind),
            who: bounded(&caller.map(Principal::label).unwrap_or_default()),
            from: caller.map(Principal::address).unwrap_or_default(),
            detail: bounded(detail),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.count += 1;
        let number = kept.count;
        let events = if admitted {
            &mut kept.admitted
        } else {
            &mut kept.refused
        };
        if events.len() >= EACH {
            events.pop_front();
        }
        events.push_back((number, event));
    }

    /// At most `limit`, the newest first.
    pub fn newest(&self, limit: usize) -> Vec<Event> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = kept.admitted.iter().chain(&kept.refused).collect();
        all.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let newest = all.into_iter().take(limit);
        newest.map(|(_, event)| event.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Peer;

    #[test]
    fn the_newest_come_first_and_refusals_push_out_refusals_alone() {
        let events = Events::default();
        let owner = Principal::Owner(Peer {
            uid: Some(1000),
            pid: Some(7),
            process: None,
        });
        events.add(1, "granted", Some(&owner), true, "x");
        for number in 0..3 * EACH {
            events.add(2, &format!("refused {number}"), None, false, "");
        }
        let all = events.newest(usize::MAX);
        assert_eq!(all.len(), EACH + 1);
        assert_eq!(all[0].action, format!("refused {}", 3 * EACH - 1));
        let last = all.last().expect("the first one");
        assert_eq!(
            (last.action.as_str(), last.who.as_str()),
            ("granted", "process 7")
        );
        assert_eq!(events.newest(2), all[..2]);
    }

    #[test]
    fn what_a_caller_chose_is_kept_in_part() {
        let events = Events::default();
        events.add(1, &"m".repeat(9999), None, false, &"ü".repeat(9999));
        let kept = &events.newest(1)[0];
        assert_eq!(
            (kept.action.len(), kept.detail.chars().count()),
            (TEXT, TEXT)
        );
    }
}
