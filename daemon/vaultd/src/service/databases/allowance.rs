//! How long a call may take.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{Status, metadata::MetadataMap};
use vault_store::databases::{Call, Stop};

use crate::service::out_of_turn;

/// The longest that a statement may work.
pub(super) const LONGEST_STATEMENT: Duration = Duration::from_secs(3600);
/// The longest that a transaction may stay open.
pub(super) const LONGEST_TRANSACTION: Duration = Duration::from_secs(600);

/// What a call may take in all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// The time that was asked for, or the default.
    pub(super) time: Duration,
    /// When that is over, counted from the arrival of the call.
    pub(super) until: Instant,
}

impl Allowance {
    /// Of a request that names its milliseconds, 0 where it leaves them to the daemon.
    pub(super) fn new(
        timeout_ms: u32,
        default: Duration,
        longest: Duration,
    ) -> Result<Self, Status> {
        let time = match timeout_ms {
            0 => default.min(longest),
            asked => Duration::from_millis(asked.into()),
        };
        if time > longest {
            let text = format!("`timeout_ms` is at most {}", longest.as_millis());
            return Err(out_of_turn(&text));
        }
        let until = Instant::now() + time;
        Ok(Self { time, until })
    }

    /// Ends it at `at` where that comes first.
    pub(super) fn shorten(&mut self, at: Instant) {
        let rest = at.saturating_duration_since(Instant::now());
        self.time = self.time.min(rest);
        self.until = self.until.min(at);
    }

    /// For a call whose time is counted from its arrival.
    pub(super) fn in_all(&self) -> Call {
        let rest = self.until.saturating_duration_since(Instant::now());
        Call {
            stop: Stop::new(),
            wait: rest,
            work: rest,
        }
    }

    /// For a call that waits within its time, and then works for as long again.
    pub(super) fn wait_then_work(&self) -> Call {
        Call {
            work: self.time,
            ..self.in_all()
        }
    }
}

/// When the client gives the call up, by its `grpc-timeout`: at most 8 digits and a unit. The
/// transport heeds it only until an answer begins.
pub(super) fn given_up_at(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    let time = match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    };
    Instant::now().checked_add(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn zero_is_the_default_and_too_much_is_refused() {
        let allow = |asked| Allowance::new(asked, 5 * SECOND, 60 * SECOND);
        assert_eq!(allow(0).expect("fine").time, 5 * SECOND);
        assert_eq!(allow(60_000).expect("fine").time, 60 * SECOND);
        assert!(
            allow(60_001)
                .expect_err("too long")
                .message()
                .contains("60000")
        );
    }

    #[test]
    fn time_spent_waiting_is_gone_for_calls_counted_in_all() {
        let mut allowance = Allowance::new(10_000, SECOND, LONGEST_STATEMENT).expect("fine");
        allowance.until -= 4 * SECOND;
        let call = allowance.in_all();
        assert_eq!(call.wait, call.work);
        assert!(call.work <= 6 * SECOND && call.work > 5 * SECOND);
        let call = allowance.wait_then_work();
        assert_eq!(call.work, 10 * SECOND);
        assert!(call.wait <= 6 * SECOND);
        allowance.shorten(Instant::now());
        assert!(allowance.wait_then_work().work.is_zero());
    }

    #[test]
    fn the_transports_timeout_is_understood() {
        let after = |text: &str| {
            let now = Instant::now();
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().expect("ASCII"));
            given_up_at(&metadata).map(|at| (at - now).as_secs())
        };
        assert_eq!(after("90S"), Some(90));
        assert_eq!(after("2M"), Some(120));
        assert_eq!(after("99H"), Some(99 * 3600));
        assert_eq!(after("5500m"), Some(5));
        for bad in ["", "S", "5", "123456789S", "-1S", "1x"] {
            assert_eq!(after(bad), None, "{bad}");
        }
        assert_eq!(given_up_at(&MetadataMap::new()), None);
    }
}
