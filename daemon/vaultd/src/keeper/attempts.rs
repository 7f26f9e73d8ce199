//! A bound on guessing: after a failure to open a key file, the next attempt has to wait, twice as
//! long each time.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Failures in a row, and when the next attempt may be made.
#[derive(Default)]
pub(super) struct Attempts(Mutex<Option<Wait>>);

struct Wait {
    until: Instant,
    length: Duration,
}

impl Attempts {
    /// How long the next attempt has to wait still.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        let wait = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = wait.as_ref()?.until.saturating_duration_since(now);
        (!rest.is_zero()).then_some(rest)
    }

    pub(super) fn failed(&self, now: Instant) {
        let mut wait = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = wait
            .as_ref()
            .map_or(FIRST, |wait| (2 * wait.length).min(LONGEST));
        let until = now + length;
        *wait = Some(Wait { until, length });
    }

    pub(super) fn succeeded(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_minute() {
        let attempts = Attempts::default();
        let mut now = Instant::now();
        assert_eq!(attempts.rest(now), None);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            attempts.failed(now);
            let wait = Duration::from_secs(seconds);
            assert_eq!(attempts.rest(now), Some(wait));
            now += wait;
            assert_eq!(attempts.rest(now), None);
        }
        attempts.succeeded();
        attempts.failed(now);
        assert_eq!(attempts.rest(now), Some(FIRST));
    }
}
