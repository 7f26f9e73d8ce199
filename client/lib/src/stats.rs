//! Figures of the daemon: what it has counted since it started, and what is so now.

use std::{collections::BTreeMap, time::Duration};

use vault_proto::v1::{GetStatsRequest, GetStatsResponse, OpenMetricsRequest, get_stats_response};

use crate::{Client, Error, vault::millis};

/// How long calls took, in buckets with fixed bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// The longest of each bucket but the last.
    bounds: Vec<Duration>,
    /// Calls in each bucket.
    calls: Vec<u64>,
    total: Duration,
}

impl Durations {
    /// How many calls.
    pub fn count(&self) -> u64 {
        self.calls.iter().sum()
    }

    /// All of them together.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// What `percent` of the calls took at most, as near as the buckets tell: between the bounds of
    /// one, as if its calls were spread evenly; the last bound for what took longer. `None` without
    /// calls.
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let count = self.count();
        let rank = (u128::from(count) * u128::from(percent.min(100))).div_ceil(100);
        let rank = u64::try_from(rank).ok().filter(|_| count > 0)?.max(1);
        let (mut below, mut lower) = (0, Duration::ZERO);
        for (bound, calls) in self.bounds.iter().zip(&self.calls) {
            if rank <= below + calls {
                let width = bound.saturating_sub(lower).as_micros();
                let part = width * u128::from(rank - below) / u128::from(*calls);
                return Some(lower + Duration::from_micros(u64::try_from(part).ok()?));
            }
            below += calls;
            lower = *bound;
        }
        Some(lower)
    }

    fn since(&self, earlier: &Self) -> Self {
        let earlier_calls = earlier.calls.iter().chain(std::iter::repeat(&0));
        let calls = self.calls.iter().zip(earlier_calls);
        Self {
            bounds: self.bounds.clone(),
            calls: calls.map(|(now, then)| now.saturating_sub(*then)).collect(),
            total: self.total.saturating_sub(earlier.total),
        }
    }
}

/// What was counted of one method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodStats {
    /// Calls by how they ended: `OK`, a reason of the daemon's, or `OTHER`.
    pub outcomes: BTreeMap<String, u64>,
    /// How long they took; those that stream, to the end of their answer.
    pub durations: Durations,
}

impl MethodStats {
    /// All calls.
    pub fn calls(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Those that did not end as they should.
    pub fn failures(&self) -> u64 {
        let failed = self.outcomes.iter().filter(|(reason, _)| *reason != "OK");
        failed.map(|(_, calls)| calls).sum()
    }

    fn since(&self, earlier: &Self) -> Self {
        let outcomes = self.outcomes.iter().map(|(reason, calls)| {
            let then = earlier.outcomes.get(reason).unwrap_or(&0);
            (reason.clone(), calls.saturating_sub(*then))
        });
        Self {
            outcomes: outcomes.filter(|(_, calls)| *calls > 0).collect(),
            durations: self.durations.since(&earlier.durations),
        }
    }
}

/// What the daemon has counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By method, such as `vault.v1.Documents/Get`; those that were called.
    pub methods: BTreeMap<String, MethodStats>,
    /// Bytes that came over its socket.
    pub received_bytes: u64,
    /// Bytes that were sent over its socket.
    pub sent_bytes: u64,
    /// Connections that were let in.
    pub connections_accepted: u64,
    /// Connections that were turned away.
    pub connections_refused: u64,
    /// Files and folders made durable; not what SQLite syncs by itself.
    pub syncs: u64,
}

/// What is so now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Connections that are open.
    pub connections: u64,
    /// Calls with one message each way that have no answer yet: the one that asks, too.
    pub unary_calls: u64,
    /// Calls whose stream has not ended.
    pub streams: u64,
    /// Transactions that clients lead.
    pub transactions: u64,
    /// Other statements, at work or waiting for their turn.
    pub statements: u64,
    /// Stores that are open.
    pub open_stores: u64,
    /// Bytes of memory that SQLite uses.
    pub sqlite_bytes: u64,
    /// Files and sockets that are open; `None` where the system does not tell.
    pub open_files: Option<u64>,
    /// Bytes of memory in use; `None` where the system does not tell.
    pub resident_bytes: Option<u64>,
    /// The most that it ever was; `None` where the system does not tell.
    pub peak_resident_bytes: Option<u64>,
}

/// Figures of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// When it started, in milliseconds since 1970.
    pub started_ms: i64,
    /// When the figures were read, in milliseconds since 1970.
    pub taken_ms: i64,
    /// Since it started.
    pub counts: Counts,
    /// Now.
    pub levels: Levels,
}

impl Stats {
    /// What was counted since `earlier` was read, and in what time; since the daemon started, where
    /// that was another one.
    pub fn since(&self, earlier: &Self) -> (Counts, Duration) {
        let time = |from: i64| {
            let ms = u64::try_from(self.taken_ms.saturating_sub(from));
            Duration::from_millis(ms.unwrap_or_default())
        };
        if self.started_ms == earlier.started_ms {
            (self.counts.since(&earlier.counts), time(earlier.taken_ms))
        } else {
            (self.counts.clone(), time(self.started_ms))
        }
    }
}

impl Counts {
    fn since(&self, earlier: &Self) -> Self {
        let unknown = MethodStats::default();
        let methods = self.methods.iter().map(|(name, method)| {
            let then = earlier.methods.get(name).unwrap_or(&unknown);
            (name.clone(), method.since(then))
        });
        Self {
            methods: methods.filter(|(_, method)| method.calls() > 0).collect(),
            received_bytes: self.received_bytes.saturating_sub(earlier.received_bytes),
            sent_bytes: self.sent_bytes.saturating_sub(earlier.sent_bytes),
            connections_accepted: self
                .connections_accepted
                .saturating_sub(earlier.connections_accepted),
            connections_refused: self
                .connections_refused
                .saturating_sub(earlier.connections_refused),
            syncs: self.syncs.saturating_sub(earlier.syncs),
        }
    }
}

fn method(method: get_stats_response::Method, bounds_us: &[u64]) -> (String, MethodStats) {
    let outcomes = method.outcomes.into_iter();
    let bounds = bounds_us.iter().map(|bound| Duration::from_micros(*bound));
    let stats = MethodStats {
        outcomes: outcomes.map(|one| (one.reason, one.calls)).collect(),
        durations: Durations {
            bounds: bounds.collect(),
            calls: method.durations,
            total: Duration::from_micros(method.total_us),
        },
    };
    (method.method, stats)
}

impl From<GetStatsResponse> for Stats {
    fn from(stats: GetStatsResponse) -> Self {
        let methods = stats.methods.into_iter();
        let bounds = &stats.bounds_us;
        Self {
            started_ms: millis(stats.started),
            taken_ms: millis(stats.taken),
            counts: Counts {
                methods: methods.map(|one| method(one, bounds)).collect(),
                received_bytes: stats.received_bytes,
                sent_bytes: stats.sent_bytes,
                connections_accepted: stats.connections_accepted,
                connections_refused: stats.connections_refused,
                syncs: stats.syncs,
            },
            levels: Levels {
                connections: stats.connections,
                unary_calls: stats.unary_calls,
                streams: stats.streams,
                transactions: stats.transactions,
                statements: stats.statements,
                open_stores: stats.open_stores,
                sqlite_bytes: stats.sqlite_bytes,
                open_files: stats.open_files,
                resident_bytes: stats.resident_bytes,
                peak_resident_bytes: stats.peak_resident_bytes,
            },
        }
    }
}

impl Client {
    /// Figures of the daemon, whatever the state of its key.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let stats = self.services.stats().get(GetStatsRequest {}).await?;
        Ok(stats.into_inner().into())
    }

    /// The same as text of OpenMetrics 1.0.
    pub async fn open_metrics(&self) -> Result<String, Error> {
        let request = OpenMetricsRequest {};
        let answer = self.services.stats().open_metrics(request).await?;
        Ok(answer.into_inner().text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    fn durations(calls: &[u64]) -> Durations {
        Durations {
            bounds: vec![10 * MICROSECOND, 20 * MICROSECOND, 50 * MICROSECOND],
            calls: calls.to_vec(),
            total: Duration::ZERO,
        }
    }

    #[test]
    fn percentiles_lie_where_their_call_does() {
        let none = durations(&[0, 0, 0, 0]);
        assert_eq!(none.percentile(50), None);
        let hundred = durations(&[50, 40, 9, 1]);
        for (percent, micros) in [(0, 0), (50, 10), (70, 15), (90, 20), (99, 50), (100, 50)] {
            let found = hundred.percentile(percent).expect("there are calls");
            assert_eq!(found, micros * MICROSECOND, "{percent}");
        }
        let one = durations(&[0, 0, 1, 0]);
        assert_eq!(one.percentile(1), one.percentile(99));
    }

    fn stats(started_ms: i64, taken_ms: i64, calls: &[(&str, u64)]) -> Stats {
        let outcomes = calls
            .iter()
            .map(|(reason, calls)| ((*reason).to_owned(), *calls));
        let method = MethodStats {
            outcomes: outcomes.collect(),
            durations: durations(&[calls.iter().map(|(_, calls)| calls).sum(), 0, 0, 0]),
        };
        Stats {
            started_ms,
            taken_ms,
            counts: Counts {
                methods: BTreeMap::from([("m".to_owned(), method)]),
                syncs: 7,
                ..Counts::default()
            },
            levels: Levels::default(),
        }
    }

    #[test]
    fn what_came_since_is_the_difference() {
        let earlier = stats(1_000, 5_000, &[("OK", 3), ("LOCKED", 1)]);
        let later = stats(1_000, 7_500, &[("OK", 10), ("LOCKED", 1)]);
        let (counts, time) = later.since(&earlier);
        assert_eq!(time, Duration::from_millis(2_500));
        assert_eq!(counts.syncs, 0);
        let method = &counts.methods["m"];
        assert_eq!((method.calls(), method.failures()), (7, 0));
        assert_eq!(method.durations.count(), 7);
        let (counts, _) = earlier.since(&earlier);
        assert!(counts.methods.is_empty());
    }

    #[test]
    fn of_a_daemon_that_started_meanwhile_all_is_new() {
        let earlier = stats(1_000, 5_000, &[("OK", 3)]);
        let later = stats(6_000, 7_000, &[("OK", 1), ("LOCKED", 1)]);
        let (counts, time) = later.since(&earlier);
        assert_eq!(counts, later.counts);
        assert_eq!(time, Duration::from_secs(1));
        assert_eq!(counts.methods["m"].failures(), 1);
    }
}
