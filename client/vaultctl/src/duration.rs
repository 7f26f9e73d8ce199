//! Durations as they are typed.

use std::time::Duration;

/// Reads `30m`, `12h` or `7d`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: write it like 30m, 12h or 7d");
    // Days are of 24 hours here; the parser leaves them to a calendar.
    if let Some(days) = text.strip_suffix('d') {
        let days: u32 = days.parse().map_err(|_| wrong())?;
        return Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    }
    let parsed = text.parse::<jiff::SignedDuration>().map_err(|_| wrong())?;
    Duration::try_from(parsed).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 60 * 60));
        assert_eq!(parse("12h"), hours(12));
        assert_eq!(parse("7d"), hours(7 * 24));
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("0s"), hours(0));
        for bad in ["", "d", "-1h", "soon", "7", "1.5d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
