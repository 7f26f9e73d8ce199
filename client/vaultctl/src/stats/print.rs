//! Figures for people and for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};
use vault_client::{Counts, Durations, Levels, MethodStats, Stats};

use crate::{failure::Failure, output};

/// The percentiles that are shown.
const PERCENTILES: [u8; 3] = [50, 90, 99];

/// What came together since the daemon started.
pub(super) fn totals(stats: &Stats) -> Result<(), Failure> {
    let counts = &stats.counts;
    let mut facts = vec![
        ("since", output::time(stats.started_ms)),
        (
            "traffic",
            format!(
                "{} in, {} out",
                output::size(counts.received_bytes),
                output::size(counts.sent_bytes)
            ),
        ),
        (
            "accepted",
            output::count(counts.connections_accepted, "connection"),
        ),
        (
            "refused",
            output::count(counts.connections_refused, "connection"),
        ),
        ("syncs", counts.syncs.to_string()),
    ];
    facts.extend(levels(&stats.levels));
    output::facts(&facts)?;
    methods(counts, ["CALLS", "FAILED"], |calls| calls.to_string())
}

/// What came in `time`, by the second.
pub(super) fn rates(stats: &Stats, counts: &Counts, time: Duration) -> Result<(), Failure> {
    let bytes = |bytes: u64| {
        let rate = per_second(bytes, time).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number, not negative; what is above u64 is shown as its largest"
        )]
        let rate = rate as u64;
        format!("{}/s", output::size(rate))
    };
    let rate = |count: u64| format!("{:.1}/s", per_second(count, time));
    let mut facts = vec![
        ("at", output::time(stats.taken_ms)),
        (
            "traffic",
            format!(
                "{} in, {} out",
                bytes(counts.received_bytes),
                bytes(counts.sent_bytes)
            ),
        ),
        ("accepted", rate(counts.connections_accepted)),
        ("refused", rate(counts.connections_refused)),
        ("syncs", rate(counts.syncs)),
    ];
    facts.extend(levels(&stats.levels));
    output::facts(&facts)?;
    methods(counts, ["CALLS/S", "FAILED/S"], |calls| {
        format!("{:.1}", per_second(calls, time))
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with one digit after the point"
)]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(0.001)
}

/// What is so now.
fn levels(levels: &Levels) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("open", output::count(levels.connections, "connection")),
        (
            "under way",
            format!(
                "{}, {}, {}, {}",
                output::count(levels.unary_calls, "unary call"),
                output::count(levels.streams, "stream"),
                output::count(levels.transactions, "transaction"),
                output::count(levels.statements, "statement")
            ),
        ),
        ("stores", format!("{} open", levels.open_stores)),
    ];
    if let Some(files) = levels.open_files {
        facts.push(("files", format!("{files} open")));
    }
    let mut memory = Vec::new();
    if let Some(bytes) = levels.resident_bytes {
        memory.push(output::size(bytes));
    }
    if let Some(bytes) = levels.peak_resident_bytes {
        memory.push(format!("{} at most", output::size(bytes)));
    }
    memory.push(format!("SQLite {}", output::size(levels.sqlite_bytes)));
    facts.push(("memory", memory.join(", ")));
    facts
}

/// Methods with their calls and how long these took, and why calls failed.
fn methods(
    counts: &Counts,
    [calls, failed]: [&str; 2],
    shown: impl Fn(u64) -> String,
) -> Result<(), Failure> {
    if counts.methods.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let rows = counts.methods.iter().map(|(name, method)| {
        let mut row = vec![
            output::printable(name),
            shown(method.calls()),
            shown(method.failures()),
        ];
        let times = PERCENTILES.map(|percent| method.durations.percentile(percent));
        row.extend(times.map(|time| time.map_or_else(|| "-".to_owned(), took)));
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    output::table(&["METHOD", calls, failed, "P50", "P90", "P99"], &rows)?;
    let failures = counts.methods.iter().flat_map(|(name, method)| {
        let reasons = method.outcomes.iter().filter(|(reason, _)| *reason != "OK");
        reasons.map(|(reason, calls)| {
            let (name, reason) = (output::printable(name), output::printable(reason));
            vec![name, reason, shown(*calls)]
        })
    });
    let failures: Vec<Vec<String>> = failures.collect();
    if failures.is_empty() {
        return Ok(());
    }
    output::line("")?;
    output::table(&["METHOD", "REASON", failed], &failures)
}

/// A time with two or three digits that count.
fn took(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// All of it; `time` is how long it took to come together, where that was not since the start.
pub(super) fn json(stats: &Stats, counts: &Counts, time: Option<Duration>) -> Value {
    let levels = &stats.levels;
    json!({
        "started": output::time(stats.started_ms),
        "taken": output::time(stats.taken_ms),
        "seconds": time.map(|time| time.as_secs_f64()),
        "methods": counts.methods.iter().map(method).collect::<Map<_, _>>(),
        "received_bytes": counts.received_bytes,
        "sent_bytes": counts.sent_bytes,
        "connections_accepted": counts.connections_accepted,
        "connections_refused": counts.connections_refused,
        "syncs": counts.syncs,
        "connections": levels.connections,
        "unary_calls": levels.unary_calls,
        "streams": levels.streams,
        "transactions": levels.transactions,
        "statements": levels.statements,
        "open_stores": levels.open_stores,
        "open_files": levels.open_files,
        "resident_bytes": levels.resident_bytes,
        "peak_resident_bytes": levels.peak_resident_bytes,
        "sqlite_bytes": levels.sqlite_bytes,
    })
}

fn method((name, method): (&String, &MethodStats)) -> (String, Value) {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let at = |durations: &Durations, percent| durations.percentile(percent).map(micros);
    let [p50, p90, p99] = PERCENTILES.map(|percent| at(&method.durations, percent));
    let figures = json!({
        "outcomes": method.outcomes,
        "p50_us": p50,
        "p90_us": p90,
        "p99_us": p99,
        "total_us": micros(method.durations.total()),
    });
    (name.clone(), figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_to_read() {
        for (micros, expected) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_049, "1.0 ms"),
            (9_999, "9.9 ms"),
            (10_000, "10 ms"),
            (999_999, "999 ms"),
            (1_250_000, "1.2 s"),
            (75_000_000, "75.0 s"),
        ] {
            assert_eq!(took(Duration::from_micros(micros)), expected);
        }
    }
}
