//! What waits in memory for its second half: ceremonies, and logins of programs.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most that wait, so that whoever begins many does not fill memory.
const MOST: usize = 1024;
/// Most that one address began, so that nobody drives out the others.
const MOST_OF_ONE: usize = 32;

/// Some of a kind, each until its time is over. Those that came first stand first.
pub(crate) struct Waiting<T>(Mutex<VecDeque<Entry<T>>>);

struct Entry<T> {
    from: String,
    begun_ms: i64,
    expires_ms: i64,
    value: T,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Waiting<T> {
    /// Adds one that was begun at this address. Where there are too many, the oldest goes of whoever has
    /// most.
    pub(crate) fn add(&self, value: T, from: &str, now_ms: i64, expires_ms: i64) {
        let mut entries = self.current(now_ms);
        let of_one = |entry: &Entry<T>| entry.from == from;
        if entries.iter().filter(|entry| of_one(entry)).count() >= MOST_OF_ONE {
            if let Some(at) = entries.iter().position(of_one) {
                entries.remove(at);
            }
        } else if entries.len() >= MOST {
            drive_out(&mut entries);
        }
        entries.push_back(Entry {
            from: from.to_owned(),
            begun_ms: now_ms,
            expires_ms,
            value,
        });
    }

    /// Takes one out: nobody gets it a second time.
    pub(crate) fn take(&self, now_ms: i64, which: impl Fn(&T) -> bool) -> Option<T> {
        let mut entries = self.current(now_ms);
        let at = entries.iter().position(|entry| which(&entry.value))?;
        entries.remove(at).map(|entry| entry.value)
    }

    /// Does something to one that stays.
    pub(crate) fn with<R>(
        &self,
        now_ms: i64,
        which: impl Fn(&T) -> bool,
        then: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        let mut entries = self.current(now_ms);
        let entry = entries.iter_mut().find(|entry| which(&entry.value))?;
        Some(then(&mut entry.value))
    }

    /// Those whose time has come and is not over: a clock that was set back makes none last longer. Each
    /// of the methods leaves them whole wherever it could panic.
    fn current(&self, now_ms: i64) -> MutexGuard<'_, VecDeque<Entry<T>>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| (entry.begun_ms..entry.expires_ms).contains(&now_ms));
        entries
    }
}

/// Removes the oldest of an address that has most.
fn drive_out<T>(entries: &mut VecDeque<Entry<T>>) {
    let mut held: HashMap<&str, usize> = HashMap::new();
    for entry in entries.iter() {
        *held.entry(&entry.from).or_default() += 1;
    }
    let most = held.values().max().copied();
    let at = entries
        .iter()
        .position(|entry| held.get(&*entry.from).copied() == most);
    if let Some(at) = at {
        entries.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_in_its_time() {
        let waiting = Waiting::default();
        waiting.add(1, "here", 0, 10);
        waiting.add(2, "here", 0, 10);
        assert_eq!(waiting.take(9, |number| *number == 1), Some(1));
        assert_eq!(waiting.take(9, |number| *number == 1), None);
        assert_eq!(waiting.with(9, |_| true, |number| *number), Some(2));
        assert_eq!(waiting.take(10, |_| true), None);
        waiting.add(3, "here", 20, 30);
        assert_eq!(waiting.take(19, |_| true), None, "the clock was set back");
    }

    #[test]
    fn one_address_drives_out_only_its_own() {
        let waiting = Waiting::default();
        waiting.add(0, "there", 0, 10);
        for number in 1..=MOST_OF_ONE + 1 {
            waiting.add(number, "here", 0, 10);
        }
        assert_eq!(waiting.take(0, |number| *number == 1), None);
        assert_eq!(waiting.take(0, |number| *number == 2), Some(2));
        assert_eq!(waiting.take(0, |number| *number == 0), Some(0));
    }

    #[test]
    fn whoever_has_most_makes_room() {
        let waiting = Waiting::default();
        waiting.add(0, "there", 0, 10);
        for number in 1..=MOST {
            waiting.add(number, &(number / MOST_OF_ONE).to_string(), 0, 10);
        }
        assert_eq!(waiting.take(0, |number| *number == 0), Some(0));
        assert_eq!(waiting.take(0, |number| *number == MOST_OF_ONE), None);
    }

    #[test]
    fn many_addresses_drive_out_the_oldest() {
        let waiting = Waiting::default();
        for number in 0..=MOST {
            waiting.add(number, &number.to_string(), 0, 10);
        }
        assert_eq!(waiting.take(0, |number| *number == 0), None);
        assert_eq!(waiting.take(0, |number| *number == 1), Some(1));
        assert_eq!(waiting.take(0, |number| *number == MOST), Some(MOST));
    }
}
