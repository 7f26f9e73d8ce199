//! How many connections there are, and which of them has to go for another.
//!
//! A connection waits while it owes us something: its TLS handshake, the head of a request, the rest
//! of a body. Whoever keeps us waiting costs nothing but a slot, and can take all of them. So once they
//! are taken, the one that has been silent longest makes room for whoever comes: somebody who signs in
//! sends all there is at once, and is never the one.
//!
//! Whoever takes nothing of an answer keeps us waiting, too, and with us whatever the answer holds, such
//! as a watch. That has an end of its own besides: see [`Slot::untaken`].

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

/// Every connection.
#[derive(Debug)]
pub struct Slots {
    limit: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Counts everything that was heard; what is smaller was heard earlier.
    heard: u64,
    next_id: u64,
    open: HashMap<u64, Open>,
    /// Connections that keep us waiting, by when they were last heard of.
    waiting: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct Open {
    /// Its place in `waiting`, while it is there.
    heard: Option<u64>,
    /// Requests that have begun.
    begun: u64,
    /// Those of them that have not ended.
    requests: HashMap<u64, Turn>,
    /// When it came, or its last request ended.
    since: Instant,
    /// Whether any request ever began.
    used: bool,
    evicted: Arc<Notify>,
}

/// Whose turn it is with a request.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    /// It has been read to its end.
    complete: bool,
    /// Since when there is something of its answer that was not taken.
    untaken: Option<Instant>,
}

/// A connection's place. Given up when it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    id: u64,
    evicted: Arc<Notify>,
}

impl Slots {
    /// For so many connections.
    pub fn new(limit: usize) -> Self {
        let table = Mutex::default();
        Self { limit, table }
    }

    /// A place for one more; the one that has kept us waiting longest goes for it. None where nobody
    /// does.
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut table = self.table();
        if table.open.len() >= self.limit && !table.evict_one() {
            return None;
        }
        let id = table.next_id;
        table.next_id += 1;
        let evicted = Arc::new(Notify::new());
        let open = Open {
            heard: None,
            begun: 0,
            requests: HashMap::new(),
            since: Instant::now(),
            used: false,
            evicted: Arc::clone(&evicted),
        };
        table.open.insert(id, open);
        table.heard_of(id);
        let slots = Arc::clone(self);
        Some(Slot { slots, id, evicted })
    }

    /// Makes the one that has kept us waiting longest go, where there is one.
    pub fn evict_one(&self) {
        self.table().evict_one();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Whatever panicked, counts stay counts.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn evict_one(&mut self) -> bool {
        let Some((_, id)) = self.waiting.pop_first() else {
            return false;
        };
        // Its place is free at once. Its task ends by the notice.
        if let Some(open) = self.open.remove(&id) {
            open.evicted.notify_one();
        }
        true
    }

    /// Puts it at the end of those that wait, or takes it out of them while it is our turn.
    fn heard_of(&mut self, id: u64) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        if let Some(before) = open.heard.take() {
            self.waiting.remove(&before);
        }
        let mut turns = open.requests.values();
        if !turns.any(|turn| turn.complete && turn.untaken.is_none()) {
            self.heard += 1;
            open.heard = Some(self.heard);
            self.waiting.insert(self.heard, id);
        }
    }
}

impl Slot {
    /// A request has begun. It ends when what this returns is dropped.
    pub fn begin(self: &Arc<Self>) -> Request {
        let mut id = 0;
        self.change(|open| {
            open.begun += 1;
            open.used = true;
            id = open.begun;
            open.requests.insert(id, Turn::default());
        });
        let slot = Arc::clone(self);
        Request { slot, id }
    }

    /// Since when there is something of an answer that the peer does not take; the longest.
    pub fn untaken(&self) -> Option<Instant> {
        let table = self.slots.table();
        let turns = table.open.get(&self.id)?.requests.values();
        turns.filter_map(|turn| turn.untaken).min()
    }

    /// Resolves when the connection has to go.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Since when there is no request, and whether there ever was one. None while there is one.
    pub fn idle(&self) -> Option<(Instant, bool)> {
        let table = self.slots.table();
        let open = table.open.get(&self.id)?;
        open.requests.is_empty().then_some((open.since, open.used))
    }

    fn change(&self, change: impl FnOnce(&mut Open)) {
        let mut table = self.slots.table();
        if let Some(open) = table.open.get_mut(&self.id) {
            change(open);
        }
        table.heard_of(self.id);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.slots.table();
        let heard = table.open.remove(&self.id).and_then(|open| open.heard);
        if let Some(heard) = heard {
            table.waiting.remove(&heard);
        }
    }
}

/// A request, from its head to the end of its answer.
#[derive(Debug)]
pub struct Request {
    slot: Arc<Slot>,
    id: u64,
}

impl Request {
    /// A piece of its body came.
    pub fn heard(&self) {
        self.slot.change(|_| {});
    }

    /// It is complete: from now on it is our turn.
    pub fn complete(&self) {
        self.turn(|turn| turn.complete = true);
    }

    /// There is something of its answer: it is the peer's turn to take it.
    pub fn offer(&self) {
        self.turn(|turn| _ = turn.untaken.get_or_insert_with(Instant::now));
    }

    /// All there was has been taken.
    pub fn taken(&self) {
        self.turn(|turn| turn.untaken = None);
    }

    fn turn(&self, change: impl FnOnce(&mut Turn)) {
        let of_this = |open: &mut Open| open.requests.get_mut(&self.id).map(change);
        self.slot.change(|open| _ = of_this(open));
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.slot.change(|open| {
            open.requests.remove(&self.id);
            open.since = Instant::now();
        });
    }
}

/// Lets the process have as many descriptors as it may; the connections that leaves room for, at most
/// `wanted`.
#[cfg(unix)]
pub fn raise_file_limit(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Descriptors for what is no connection of the web: the daemon's socket, the listener, the log.
    const OTHER_FILES: u64 = 64;

    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        maximum: before.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
    // None: as many as anybody wants.
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return wanted;
    };
    let room = files.saturating_sub(OTHER_FILES).max(1);
    usize::try_from(room).map_or(wanted, |room| room.min(wanted))
}

/// There is no such limit.
#[cfg(not(unix))]
pub fn raise_file_limit(wanted: usize) -> usize {
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_evicted(slot: &Slot) -> bool {
        !slot.slots.table().open.contains_key(&slot.id)
    }

    fn take(slots: &Arc<Slots>) -> Arc<Slot> {
        Arc::new(slots.take().expect("a slot"))
    }

    #[tokio::test]
    async fn whoever_has_been_silent_longest_makes_room() {
        let slots = Arc::new(Slots::new(3));
        let (first, second, third) = (take(&slots), take(&slots), take(&slots));
        let of_first = first.begin();
        of_first.heard();
        let fourth = take(&slots);
        assert!(is_evicted(&second));
        second.evicted().await;
        assert!(
            ![&first, &third, &fourth]
                .iter()
                .any(|slot| is_evicted(slot))
        );
    }

    #[tokio::test]
    async fn nobody_goes_while_it_is_our_turn() {
        let slots = Arc::new(Slots::new(2));
        let (first, second) = (take(&slots), take(&slots));
        let (one, two) = (first.begin(), second.begin());
        one.complete();
        one.complete();
        two.complete();
        assert!(slots.take().is_none(), "all are being served");
        drop(one);
        let third = take(&slots);
        assert!(is_evicted(&first));
        assert!(!is_evicted(&second));
        drop((second, two, third));
        assert_eq!(slots.table().open.len(), 0);
        assert_eq!(slots.table().waiting.len(), 0);
    }

    #[tokio::test]
    async fn whoever_does_not_take_an_answer_keeps_us_waiting() {
        let slots = Arc::new(Slots::new(2));
        let (first, second) = (take(&slots), take(&slots));
        let (one, two) = (first.begin(), second.begin());
        one.complete();
        two.complete();
        assert!(slots.take().is_none());
        one.offer();
        assert!(first.untaken().is_some());
        one.taken();
        assert!(first.untaken().is_none());
        assert!(slots.take().is_none(), "it was taken");
        two.offer();
        let _third = take(&slots);
        assert!(is_evicted(&second) && !is_evicted(&first));
    }

    #[tokio::test]
    async fn a_connection_is_idle_between_requests() {
        let slots = Arc::new(Slots::new(1));
        let slot = take(&slots);
        assert_eq!(slot.idle().map(|idle| idle.1), Some(false));
        let (one, two) = (slot.begin(), slot.begin());
        drop(one);
        assert_eq!(slot.idle(), None);
        drop(two);
        assert_eq!(slot.idle().map(|idle| idle.1), Some(true));
    }
}
