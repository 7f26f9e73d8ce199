//! How much memory SQLite has, in all connections of the process together, and whose statement is
//! to blame when it is too much.
//!
//! Only a call to SQLite that Rust cannot check tells how much, so whoever may make such a call
//! hands it in. Nobody can tell whose it is: what SQLite's memory grew by while a statement worked
//! counts as that statement's, and where several worked at once, as that of each. So a hog has all
//! that it took on its account, and others only what it took while they worked, too.

use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock},
};

use crate::vault::lock;

/// How much more memory SQLite may have than when a statement began, in bytes.
const LIMIT: u64 = 256 << 20;

static GAUGE: OnceLock<fn() -> u64> = OnceLock::new();

/// Of all statements at work in the process.
static LEDGER: Mutex<Ledger> = Mutex::new(Ledger::new());

/// Tells how to find out how many bytes SQLite has taken. Until then it counts as none, and
/// statements are bounded by SQLite's own limit on its heap alone. The first gauge stays.
pub fn measure_by(gauge: fn() -> u64) {
    let _ = GAUGE.set(gauge);
}

fn used() -> u64 {
    GAUGE.get().map_or(0, |gauge| gauge())
}

/// What one statement at work is held to have taken. Dropped, the statement has ended.
pub(super) struct Account(u64);

impl Account {
    pub(super) fn open() -> Self {
        Self(lock(&LEDGER).begin(used()))
    }

    /// Whether this statement, of all at work, is the one to stop.
    pub(super) fn must_stop(&self) -> bool {
        lock(&LEDGER).look(self.0, used())
    }

    /// Whatever was taken since the last look was not taken by this statement: it did not work.
    pub(super) fn skip(&self) {
        lock(&LEDGER).skip(self.0, used());
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        lock(&LEDGER).running.remove(&self.0);
    }
}

/// By the order in which they began.
struct Ledger {
    next: u64,
    running: BTreeMap<u64, Share>,
}

struct Share {
    start: u64,
    seen: u64,
    grown: u64,
    blamed: bool,
}

impl Ledger {
    const fn new() -> Self {
        Self {
            next: 0,
            running: BTreeMap::new(),
        }
    }

    fn begin(&mut self, used: u64) -> u64 {
        self.next += 1;
        let share = Share {
            start: used,
            seen: used,
            grown: 0,
            blamed: false,
        };
        self.running.insert(self.next, share);
        self.next
    }

    fn skip(&mut self, id: u64, used: u64) {
        if let Some(share) = self.running.get_mut(&id) {
            share.seen = used;
        }
    }

    fn look(&mut self, id: u64, used: u64) -> bool {
        let Some(share) = self.running.get_mut(&id) else {
            return false;
        };
        share.grown = (share.grown + used).saturating_sub(share.seen);
        share.seen = used;
        let over = used.saturating_sub(share.start) > LIMIT;
        // Once one is to blame, the others wait for what its end gives back.
        if over && self.running.values().all(|share| !share.blamed) {
            self.blame();
        }
        self.running.get(&id).is_some_and(|share| share.blamed)
    }

    /// The one with the most on its account. Whoever worked all the while beside a hog has as much
    /// as the hog: of those the last to begin is the likelier, since the others did without harm
    /// before. Never one with little.
    fn blame(&mut self) {
        let most = self.running.values().map(|share| share.grown).max();
        let enough = (most.unwrap_or(0) / 4 * 3).max(LIMIT / 4);
        let mut last_first = self.running.values_mut().rev();
        if let Some(share) = last_first.find(|share| share.grown >= enough) {
            share.blamed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: u64 = LIMIT / 8;

    #[test]
    fn the_hog_is_stopped_and_nobody_beside_it() {
        let mut ledger = Ledger::new();
        let older = ledger.begin(100);
        let waiting = ledger.begin(100);
        let hog = ledger.begin(100);
        let mut used = 100;
        for _ in 0..8 {
            used += PART;
            assert!(!ledger.look(older, used) && !ledger.look(hog, used));
        }
        let younger = ledger.begin(used);
        used += PART;
        ledger.skip(waiting, used);
        assert!(!ledger.look(younger, used), "it has taken little");
        assert!(!ledger.look(older, used) && !ledger.look(waiting, used));
        assert!(ledger.look(hog, used));
        ledger.running.remove(&hog);
        for id in [older, waiting, younger] {
            assert!(!ledger.look(id, 100), "all of it was given back");
        }
    }

    #[test]
    fn what_is_given_back_is_off_the_account_and_small_accounts_are_never_to_blame() {
        let mut ledger = Ledger::new();
        let one = ledger.begin(0);
        for _ in 0..20 {
            assert!(!ledger.look(one, LIMIT - 1) && !ledger.look(one, 0));
        }
        ledger.skip(one, LIMIT);
        assert!(!ledger.look(one, LIMIT + PART), "an eighth of the limit");
        assert!(ledger.look(one, LIMIT + 2 * PART), "a quarter");
    }
}
