//! The figures as text of OpenMetrics 1.0
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>).

use std::fmt::{Display, Write as _};

use vault_proto::v1::{GetStatsResponse, get_stats_response::Method};

/// All of it, with the mark of its end. Names and labels are words of the program's own, which need
/// no escaping.
pub(super) fn text(stats: &GetStatsResponse) -> String {
    let mut text = Text::default();
    text.calls(stats);
    text.durations(stats);
    text.traffic(stats);
    text.now(stats);
    text.process(stats);
    text.0.push_str("# EOF\n");
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    /// What stands before the figures of one name.
    fn family(&mut self, name: &str, kind: &str, unit: Option<&str>, help: &str) {
        self.line(format_args!("# TYPE {name} {kind}"));
        if let Some(unit) = unit {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {help}"));
    }

    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a string takes all");
    }

    fn counter(&mut self, name: &str, unit: Option<&str>, help: &str, value: u64) {
        self.family(name, "counter", unit, help);
        self.line(format_args!("{name}_total {value}"));
    }

    fn gauge(&mut self, name: &str, unit: Option<&str>, help: &str, value: impl Display) {
        self.family(name, "gauge", unit, help);
        self.line(format_args!("{name} {value}"));
    }

    fn calls(&mut self, stats: &GetStatsResponse) {
        let help = "Calls that ended, by how they did.";
        self.family("vaultd_calls", "counter", None, help);
        for Method {
            method, outcomes, ..
        } in &stats.methods
        {
            for outcome in outcomes {
                let (reason, calls) = (&outcome.reason, outcome.calls);
                self.line(format_args!(
                    r#"vaultd_calls_total{{method="{method}",reason="{reason}"}} {calls}"#
                ));
            }
        }
    }

    fn durations(&mut self, stats: &GetStatsResponse) {
        const NAME: &str = "vaultd_call_duration_seconds";
        let help = "How long calls took; those that stream, to the end of their answer.";
        self.family(NAME, "histogram", Some("seconds"), help);
        let bounds = stats.bounds_us.iter().map(|bound| seconds(*bound));
        let bounds: Vec<String> = bounds.chain(["+Inf".to_owned()]).collect();
        for Method {
            method,
            durations,
            total_us,
            ..
        } in &stats.methods
        {
            let mut count = 0;
            for (bound, calls) in bounds.iter().zip(durations) {
                count += calls;
                self.line(format_args!(
                    r#"{NAME}_bucket{{method="{method}",le="{bound}"}} {count}"#
                ));
            }
            self.line(format_args!(r#"{NAME}_count{{method="{method}"}} {count}"#));
            let total = seconds(*total_us);
            self.line(format_args!(r#"{NAME}_sum{{method="{method}"}} {total}"#));
        }
    }

    fn traffic(&mut self, stats: &GetStatsResponse) {
        for (name, unit, help, value) in [
            (
                "vaultd_received_bytes",
                Some("bytes"),
                "Bytes that came over the socket.",
                stats.received_bytes,
            ),
            (
                "vaultd_sent_bytes",
                Some("bytes"),
                "Bytes that were sent over the socket.",
                stats.sent_bytes,
            ),
            (
                "vaultd_connections_accepted",
                None,
                "Connections that were let in.",
                stats.connections_accepted,
            ),
            (
                "vaultd_connections_refused",
                None,
                "Connections of other users, or above the limit.",
                stats.connections_refused,
            ),
            (
                "vaultd_syncs",
                None,
                "Files and folders made durable; not what SQLite syncs by itself.",
                stats.syncs,
            ),
        ] {
            self.counter(name, unit, help, value);
        }
    }

    fn now(&mut self, stats: &GetStatsResponse) {
        for (name, help, value) in [
            (
                "vaultd_connections",
                "Connections that are open.",
                stats.connections,
            ),
            (
                "vaultd_unary_calls",
                "Calls with one message each way that have no answer yet.",
                stats.unary_calls,
            ),
            (
                "vaultd_streams",
                "Calls whose stream has not ended.",
                stats.streams,
            ),
            (
                "vaultd_transactions",
                "Transactions that clients lead.",
                stats.transactions,
            ),
            (
                "vaultd_statements",
                "Other statements, at work or waiting.",
                stats.statements,
            ),
            (
                "vaultd_open_stores",
                "Stores that are open.",
                stats.open_stores,
            ),
        ] {
            self.gauge(name, None, help, value);
        }
        let help = "Memory that SQLite uses.";
        self.gauge(
            "vaultd_sqlite_bytes",
            Some("bytes"),
            help,
            stats.sqlite_bytes,
        );
    }

    /// By the names that every exporter has for these.
    fn process(&mut self, stats: &GetStatsResponse) {
        let started = stats.started.as_ref().map_or(0, |time| time.seconds);
        let help = "When the daemon started, in seconds since 1970.";
        let name = "process_start_time_seconds";
        self.gauge(name, Some("seconds"), help, started);
        if let Some(files) = stats.open_files {
            self.gauge("process_open_fds", None, "Files that are open.", files);
        }
        for (name, help, bytes) in [
            (
                "process_resident_memory_bytes",
                "Memory in use.",
                stats.resident_bytes,
            ),
            (
                "process_peak_resident_memory_bytes",
                "The most memory that was in use.",
                stats.peak_resident_bytes,
            ),
        ] {
            if let Some(bytes) = bytes {
                self.gauge(name, Some("bytes"), help, bytes);
            }
        }
    }
}

/// Microseconds as seconds, exactly, in the form that the specification calls canonical: at least one
/// digit on each side of the point, and an exponent for what is small.
fn seconds(micros: u64) -> String {
    if micros > 0 && micros < 100 {
        // 1e-05, 1.5e-05
        let tens = micros / 10;
        return match (tens, micros % 10) {
            (0, ones) => format!("{ones}e-06"),
            (tens, 0) => format!("{tens}e-05"),
            (tens, ones) => format!("{tens}.{ones}e-05"),
        };
    }
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    let part = format!("{part:06}");
    let part = part.trim_end_matches('0');
    format!("{whole}.{}", if part.is_empty() { "0" } else { part })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_and_canonical() {
        for (micros, expected) in [
            (0, "0.0"),
            (1, "1e-06"),
            (10, "1e-05"),
            (25, "2.5e-05"),
            (100, "0.0001"),
            (500, "0.0005"),
            (1_000_000, "1.0"),
            (60_000_000, "60.0"),
            (1_500_001, "1.500001"),
        ] {
            assert_eq!(seconds(micros), expected);
            let parsed: f64 = seconds(micros).parse().expect("a number");
            let exact = f64::from(u32::try_from(micros).expect("small")) / 1e6;
            assert!((parsed - exact).abs() < 1e-12, "{micros}");
        }
    }

    #[test]
    fn buckets_add_up_to_the_count() {
        let method = Method {
            method: "vault.v1.Documents/Get".into(),
            durations: vec![2, 0, 3],
            total_us: 1_500,
            ..Method::default()
        };
        let stats = GetStatsResponse {
            methods: vec![method],
            bounds_us: vec![10, 1_000],
            ..GetStatsResponse::default()
        };
        let mut expected = String::from(
            "# TYPE vaultd_call_duration_seconds histogram\n\
             # UNIT vaultd_call_duration_seconds seconds\n\
             # HELP vaultd_call_duration_seconds How long calls took; those that stream, to the \
             end of their answer.\n",
        );
        for (part, value) in [
            (
                "_bucket{method=\"vault.v1.Documents/Get\",le=\"1e-05\"}",
                "2",
            ),
            (
                "_bucket{method=\"vault.v1.Documents/Get\",le=\"0.001\"}",
                "2",
            ),
            (
                "_bucket{method=\"vault.v1.Documents/Get\",le=\"+Inf\"}",
                "5",
            ),
            ("_count{method=\"vault.v1.Documents/Get\"}", "5"),
            ("_sum{method=\"vault.v1.Documents/Get\"}", "0.0015"),
        ] {
            for text in ["vaultd_call_duration_seconds", part, " ", value, "\n"] {
                expected.push_str(text);
            }
        }
        let all = text(&stats);
        assert!(all.contains(&expected), "{all}");
        assert!(all.ends_with("# EOF\n"));
    }
}
