//! When the vault was last used, for `idle_lock`.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Time since the last use of a vault that locks itself after a while.
pub(super) struct Activity {
    /// Milliseconds without use after which it locks itself; zero where it never does.
    limit: AtomicU64,
    begun: Instant,
    /// Milliseconds since `begun`.
    last: AtomicU64,
    /// Pieces of work under way that take their time.
    busy: AtomicUsize,
}

/// Held during work that must not be cut short because nothing else goes on.
pub struct Busy<'a>(&'a Activity);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.touch();
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Activity {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit: AtomicU64::new(milliseconds(limit)),
            begun: Instant::now(),
            last: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
        }
    }

    /// After how long without use the vault locks itself; `None` where it never does.
    pub(super) fn limit(&self) -> Option<Duration> {
        match self.limit.load(Ordering::Relaxed) {
            0 => None,
            limit => Some(Duration::from_millis(limit)),
        }
    }

    /// From now on, another limit. The time without use counts from now.
    pub(super) fn set_limit(&self, limit: Option<Duration>) {
        self.touch_at(Instant::now());
        self.limit.store(milliseconds(limit), Ordering::Relaxed);
    }

    /// Work begins that may take its time.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self)
    }

    /// The vault is used. Costs nothing where it does not lock itself.
    pub(super) fn touch(&self) {
        if self.limit.load(Ordering::Relaxed) != 0 {
            self.touch_at(Instant::now());
        }
    }

    fn touch_at(&self, now: Instant) {
        let since = now.saturating_duration_since(self.begun);
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.last.fetch_max(since, Ordering::Relaxed);
    }

    /// How long the vault may still stay open without being used: zero where it is time to lock
    /// it. `None` where it never locks itself.
    pub(super) fn rest(&self) -> Option<Duration> {
        self.rest_at(Instant::now())
    }

    fn rest_at(&self, now: Instant) -> Option<Duration> {
        let last = self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed));
        let idle = now.saturating_duration_since(last);
        let after = self.limit()?;
        if self.busy.load(Ordering::Acquire) > 0 {
            return Some(after);
        }
        Some(after.saturating_sub(idle))
    }
}

/// A limit is at least one, since zero stands for none.
fn milliseconds(limit: Option<Duration>) -> u64 {
    limit.map_or(0, |limit| {
        u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_puts_the_lock_off() {
        let second = Duration::from_secs(1);
        let activity = Activity::new(Some(15 * second));
        let begun = activity.begun;
        assert_eq!(activity.rest_at(begun + 5 * second), Some(10 * second));
        assert_eq!(activity.rest_at(begun + 15 * second), Some(Duration::ZERO));
        activity.touch_at(begun + 14 * second);
        assert_eq!(activity.rest_at(begun + 15 * second), Some(14 * second));
        {
            let _busy = activity.busy();
            assert_eq!(activity.rest_at(begun + 99 * second), Some(15 * second));
        }
        // Told out of turn, an earlier use does not count.
        activity.touch_at(begun + 2 * second);
        assert_eq!(activity.rest_at(begun + 29 * second), Some(Duration::ZERO));
    }

    #[test]
    fn without_the_setting_it_is_never_time() {
        let activity = Activity::new(None);
        activity.touch();
        assert_eq!(activity.rest(), None);
    }

    #[test]
    fn a_new_limit_counts_from_when_it_is_set() {
        let second = Duration::from_secs(1);
        let activity = Activity::new(None);
        activity.set_limit(Some(10 * second));
        let set = Instant::now();
        let rest = activity.rest_at(set + 4 * second).expect("a limit");
        assert!(rest > 5 * second && rest <= 6 * second, "{rest:?}");
        activity.set_limit(None);
        assert_eq!(activity.rest_at(set + 99 * second), None);
        activity.set_limit(Some(Duration::from_nanos(1)));
        assert_eq!(activity.limit(), Some(Duration::from_millis(1)));
    }
}
