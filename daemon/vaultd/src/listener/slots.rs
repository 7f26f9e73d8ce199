//! How many connections are open, and how many may be.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Counts connections, up to a limit that is handed in each time, since it may change meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Slots(Arc<Counted>);

/// One connection's. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    taken: AtomicUsize,
    changed: Notify,
}

impl Slots {
    /// How many connections are open.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Resolves once for any number of changes since it resolved last.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// A slot, unless there are `limit` already.
    pub(super) fn take(&self, limit: usize) -> Option<Slot> {
        let one_more = |taken: usize| (taken < limit).then_some(taken + 1);
        let counted = &self.0;
        let taken = counted
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok()?;
        counted.changed.notify_one();
        Some(Slot(Arc::clone(counted)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_may_change_while_slots_are_taken() {
        let slots = Slots::default();
        let one = slots.take(1).expect("free");
        assert!(slots.take(1).is_none());
        let two = slots.take(2).expect("the limit was raised");
        assert_eq!(slots.taken(), 2);
        drop(one);
        assert!(
            slots.take(1).is_none(),
            "lowered, it waits for others to end"
        );
        drop(two);
        assert_eq!(slots.taken(), 0);
        assert!(slots.take(1).is_some());
    }
}
