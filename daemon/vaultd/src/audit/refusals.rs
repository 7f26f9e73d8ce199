//! Refusals of strangers: however many they cause, they do not push out what others did.

use vault_store::audit::{Event, Outcome};

/// How many are recorded one by one in a minute.
const EACH: u32 = 60;

/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;

/// What was refused in the minute under way.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    minute: i64,
    recorded: u32,
    /// Those that were counted only.
    counted: u64,
}

impl Refusals {
    /// What is to be recorded now that this was refused: itself, or nothing; and first, how many were
    /// only counted in the minute before.
    pub(super) fn admit(&mut self, event: Event) -> Vec<Event> {
        let mut events = Vec::new();
        let minute = event.at_ms.div_euclid(MINUTE);
        if minute != self.minute {
            if self.counted > 0 {
                events.push(Event {
                    at_ms: event.at_ms,
                    action: "refusals".to_owned(),
                    outcome: Outcome::Refused,
                    principal: "nobody".to_owned(),
                    detail: format!("{} more in one minute", self.counted),
                    ..Event::default()
                });
            }
            *self = Self {
                minute,
                ..Self::default()
            };
        }
        if self.recorded < EACH {
            self.recorded += 1;
            events.push(event);
        } else {
            self.counted += 1;
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(at_ms: i64) -> Event {
        Event {
            at_ms,
            ..Event::default()
        }
    }

    #[test]
    fn what_is_refused_again_and_again_is_counted() {
        let mut refusals = Refusals::default();
        let recorded: usize = (0..1000)
            .map(|_| refusals.admit(refused(MINUTE + 1)).len())
            .sum();
        assert_eq!(recorded, EACH as usize);
        let later = refusals.admit(refused(3 * MINUTE));
        assert_eq!(later.len(), 2);
        assert_eq!(later[0].detail, "940 more in one minute");
        assert_eq!(refusals.admit(refused(3 * MINUTE)).len(), 1);
    }
}
