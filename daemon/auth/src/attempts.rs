//! What is counted by address: wrong codes, after which one waits, and logins that are begun.
//!
//! Answers of passkeys are not counted: no signature is found by guessing, and whoever shares an
//! address with the owner would keep him from signing in.
//!
//! An IPv6 address counts by its first 64 bits, which one customer has for himself. Nothing here is
//! the only lock: codes and passkeys bear far more tries than these waits let through.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{AuthError, AuthResult};

/// So many failures cost nothing: people mistype.
const FREE: u32 = 5;

/// The first wait, in milliseconds; it doubles with each further failure.
const FIRST_WAIT_MS: i64 = 1000;

/// The longest wait, in milliseconds.
const LONGEST_WAIT_MS: i64 = 60_000;

/// Failures are forgotten when none was added for so long, in milliseconds.
const MEMORY_MS: i64 = 15 * 60 * 1000;

/// Most addresses that are remembered, so that many of them do not fill memory.
const MOST: usize = 4096;

/// So many logins may be begun in [`PACE_MS`]: far more than people begin.
const LOGINS: u32 = 120;

/// See [`LOGINS`], in milliseconds.
const PACE_MS: i64 = 60_000;

/// What counts at the moment, bounded in number.
#[derive(Default)]
pub(crate) struct Attempts {
    failures: Mutex<HashMap<IpAddr, Failures>>,
    logins: Mutex<HashMap<IpAddr, Logins>>,
}

/// What is remembered of an address.
trait Remembered: Copy {
    /// Since when, in milliseconds since 1970.
    fn since_ms(self) -> i64;

    /// For how long.
    const MEMORY_MS: i64;

    /// Whether it counts still. Nothing from the future does: where the clock was set back, nobody
    /// waits for it to come by again.
    fn counts(self, now_ms: i64) -> bool {
        let until_ms = self.since_ms().saturating_add(Self::MEMORY_MS);
        (self.since_ms()..until_ms).contains(&now_ms)
    }
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last_ms: i64,
}

impl Remembered for Failures {
    const MEMORY_MS: i64 = MEMORY_MS;

    fn since_ms(self) -> i64 {
        self.last_ms
    }
}

#[derive(Clone, Copy)]
struct Logins {
    count: u32,
    first_ms: i64,
}

impl Remembered for Logins {
    const MEMORY_MS: i64 = PACE_MS;

    fn since_ms(self) -> i64 {
        self.first_ms
    }
}

impl Failures {
    /// When the next try may be made, for those that count.
    fn until_ms(self) -> i64 {
        let Some(beyond) = self.count.checked_sub(FREE) else {
            return self.last_ms;
        };
        // Six times doubled it is over the longest.
        let wait_ms = (FIRST_WAIT_MS << beyond.min(6)).min(LONGEST_WAIT_MS);
        self.last_ms.saturating_add(wait_ms)
    }
}

impl Attempts {
    /// Refuses an address that must wait before it tries another code.
    pub(crate) fn check(&self, address: IpAddr, now_ms: i64) -> AuthResult<()> {
        let failures = lock(&self.failures).get(&bucket(address)).copied();
        let failures = failures.filter(|failures| failures.counts(now_ms));
        wait(failures.map_or(now_ms, Failures::until_ms), now_ms)
    }

    /// Counts a login that is begun, or refuses it where too many were.
    pub(crate) fn begin_login(&self, address: IpAddr, now_ms: i64) -> AuthResult<()> {
        let mut known = lock(&self.logins);
        let logins = entry(&mut known, bucket(address), now_ms, || Logins {
            count: 0,
            first_ms: now_ms,
        });
        if logins.count >= LOGINS {
            return wait(logins.first_ms.saturating_add(PACE_MS), now_ms);
        }
        logins.count += 1;
        Ok(())
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: IpAddr, now_ms: i64) {
        let mut known = lock(&self.failures);
        let failures = entry(&mut known, bucket(address), now_ms, || Failures {
            count: 0,
            last_ms: now_ms,
        });
        failures.count = failures.count.saturating_add(1);
        failures.last_ms = now_ms;
    }

    /// Forgets the failures of an address: it signed in.
    pub(crate) fn succeeded(&self, address: IpAddr) {
        lock(&self.failures).remove(&bucket(address));
    }
}

fn lock<T>(known: &Mutex<T>) -> MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(until_ms: i64, now_ms: i64) -> AuthResult<()> {
    let wait_ms = until_ms.saturating_sub(now_ms);
    if wait_ms <= 0 {
        return Ok(());
    }
    let seconds = u32::try_from(wait_ms.saturating_add(999) / 1000).unwrap_or(u32::MAX);
    Err(AuthError::RateLimited(seconds))
}

/// What is remembered of an address, or else what it begins with.
fn entry<T: Remembered>(
    known: &mut HashMap<IpAddr, T>,
    address: IpAddr,
    now_ms: i64,
    begin: impl Fn() -> T,
) -> &mut T {
    if known.len() >= MOST && !known.contains_key(&address) {
        make_room(known, now_ms);
    }
    let entry = known.entry(address).or_insert_with(&begin);
    if !entry.counts(now_ms) {
        *entry = begin();
    }
    entry
}

/// Forgets those that do not count any more; where all do, the one that was seen least lately.
fn make_room<T: Remembered>(known: &mut HashMap<IpAddr, T>, now_ms: i64) {
    known.retain(|_, entry| entry.counts(now_ms));
    if known.len() >= MOST {
        let oldest = known.iter().min_by_key(|(_, entry)| entry.since_ms());
        if let Some(address) = oldest.map(|(address, _)| *address) {
            known.remove(&address);
        }
    }
}

/// What counts as one address.
pub(crate) fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn must_wait(attempts: &Attempts, text: &str, now_ms: i64) -> Option<u32> {
        match attempts.check(address(text), now_ms) {
            Ok(()) => None,
            Err(AuthError::RateLimited(seconds)) => Some(seconds),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn waits_double_up_to_a_minute_and_pass() {
        let attempts = Attempts::default();
        let mut waits = Vec::new();
        for _ in 0..14 {
            attempts.failed(address("192.0.2.1"), NOW);
            waits.push(must_wait(&attempts, "192.0.2.1", NOW).unwrap_or(0));
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(must_wait(&attempts, "192.0.2.1", NOW + 59_001), Some(1));
        assert_eq!(must_wait(&attempts, "192.0.2.1", NOW + 60_000), None);
        for _ in 0..100 {
            attempts.failed(address("192.0.2.1"), NOW);
            assert_eq!(must_wait(&attempts, "192.0.2.1", NOW), Some(60));
        }
    }

    #[test]
    fn success_and_time_forget() {
        let attempts = Attempts::default();
        let fail = |now_ms| (0..6).for_each(|_| attempts.failed(address("192.0.2.1"), now_ms));
        fail(NOW);
        attempts.succeeded(address("192.0.2.1"));
        assert_eq!(must_wait(&attempts, "192.0.2.1", NOW), None);
        fail(NOW);
        attempts.failed(address("192.0.2.1"), NOW + MEMORY_MS);
        assert_eq!(must_wait(&attempts, "192.0.2.1", NOW + MEMORY_MS), None);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let attempts = Attempts::default();
        (0..9).for_each(|_| attempts.failed(address("192.0.2.1"), NOW));
        let begin = |now_ms| attempts.begin_login(address("192.0.2.1"), now_ms).is_ok();
        (0..LOGINS).for_each(|_| assert!(begin(NOW)));
        assert!(!begin(NOW));
        let earlier = NOW - 24 * 60 * 60 * 1000;
        assert_eq!(must_wait(&attempts, "192.0.2.1", earlier), None);
        attempts.failed(address("192.0.2.1"), earlier);
        assert_eq!(must_wait(&attempts, "192.0.2.1", earlier), None);
        assert!(begin(earlier));
    }

    #[test]
    fn many_logins_may_be_begun_in_a_minute_and_no_more() {
        let attempts = Attempts::default();
        let begin = |text: &str, now_ms| attempts.begin_login(address(text), now_ms);
        (0..LOGINS).for_each(|_| begin("2001:db8::1", NOW).expect("begun"));
        let more = begin("2001:db8::2", NOW + 59_001);
        assert!(matches!(more, Err(AuthError::RateLimited(1))), "{more:?}");
        begin("192.0.2.1", NOW).expect("another address");
        begin("2001:db8::1", NOW + PACE_MS).expect("a minute later");
    }

    #[test]
    fn neighbours_count_together_in_ipv6_and_apart_in_ipv4() {
        let attempts = Attempts::default();
        for host in 0..6 {
            attempts.failed(address(&format!("2001:db8:1:2::{host}")), NOW);
            attempts.failed(address(&format!("192.0.2.{host}")), NOW);
        }
        assert_eq!(must_wait(&attempts, "2001:db8:1:2:ffff::", NOW), Some(2));
        assert_eq!(must_wait(&attempts, "2001:db8:1:3::", NOW), None);
        assert_eq!(must_wait(&attempts, "192.0.2.1", NOW), None);
        for _ in 0..5 {
            attempts.failed(address("192.0.2.1"), NOW);
        }
        assert_eq!(must_wait(&attempts, "::ffff:192.0.2.1", NOW), Some(2));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let attempts = Attempts::default();
        let most = u32::try_from(MOST).expect("small");
        for number in 0..most + 100 {
            let address = IpAddr::from(number.to_be_bytes());
            (0..5).for_each(|_| attempts.failed(address, NOW + i64::from(number)));
        }
        assert_eq!(lock(&attempts.failures).len(), MOST);
        let waits = |number: u32| {
            let address = IpAddr::from(number.to_be_bytes());
            attempts.check(address, NOW + i64::from(number)).is_err()
        };
        assert!(!waits(0) && !waits(99));
        assert!(waits(100) && waits(most + 99));
    }
}
