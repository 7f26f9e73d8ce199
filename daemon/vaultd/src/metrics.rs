//! What the daemon counts about itself: in memory, with relaxed atomics, without a lock and, but for
//! calls that stream, without an allocation. No figure names a store, an object or a caller.

mod body;
mod call;
mod histogram;
mod layer;
mod method;
mod traffic;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub use self::{
    call::{Call, Outcome},
    histogram::{BOUNDS_US, Histogram},
    layer::MetricsLayer,
    method::Method,
    traffic::{OpenConnection, Traffic},
};
use crate::permission::{Shape, TABLE};

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    /// Where a method stands, by the path of its requests.
    places: HashMap<&'static str, usize>,
    /// Those of the permission table, in its order, and one for whatever is not in it.
    methods: Vec<Method>,
    traffic: Arc<Traffic>,
    unary_calls: Gauge,
    streams: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let places = TABLE.iter().enumerate();
        let mut methods: Vec<Method> = TABLE
            .iter()
            .map(|rule| Method::new(rule.method, rule.shape == Shape::Stream))
            .collect();
        // Callers choose these paths: no figure of its own for each.
        methods.push(Method::new("/unknown", false));
        Self {
            places: places.map(|(place, rule)| (rule.method, place)).collect(),
            methods,
            traffic: Arc::default(),
            unary_calls: Gauge::default(),
            streams: Gauge::default(),
        }
    }
}

impl Metrics {
    /// A call begins whose request has this path.
    pub fn begin(self: &Arc<Self>, path: &str) -> Call {
        let unknown = self.methods.len() - 1;
        let place = self.places.get(path).copied().unwrap_or(unknown);
        Call::begin(Arc::clone(self), place)
    }

    /// Every method, called or not.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// What is counted of connections.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Calls with one message each way that have no answer yet.
    pub fn unary_calls(&self) -> u64 {
        self.unary_calls.now()
    }

    /// Calls whose stream has not ended.
    pub fn streams(&self) -> u64 {
        self.streams.now()
    }

    fn in_progress(&self, method: &Method) -> &Gauge {
        if method.streams() {
            &self.streams
        } else {
            &self.unary_calls
        }
    }
}

/// A count that goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        // Each count stands for itself: nothing is read by one that another wrote.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What has come together.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are of something.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One more.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less of those that rose.
    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are now.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use vault_proto::v1::Reason;

    use super::*;

    const GET: &str = "/vault.v1.Documents/Get";
    const WATCH: &str = "/vault.v1.Documents/Watch";

    fn outcomes(metrics: &Metrics, path: &str) -> Vec<(&'static str, u64)> {
        let mut methods = metrics.methods().iter();
        let method = methods.find(|method| path.ends_with(method.name()));
        method.expect("it is counted").outcomes().collect()
    }

    #[test]
    fn calls_are_counted_by_method_and_outcome() {
        let metrics = Arc::new(Metrics::default());
        metrics.begin(GET).end(Outcome::Ok);
        metrics.begin(GET).end(Outcome::Ok);
        metrics.begin(GET).end(Outcome::Failed(Reason::NotFound));
        metrics.begin(GET).end(Outcome::Failed(Reason::Unspecified));
        drop(metrics.begin(GET));
        let expected = [("OK", 2), ("OTHER", 1), ("NOT_FOUND", 1), ("CANCELLED", 1)];
        assert_eq!(outcomes(&metrics, GET), expected);
        assert_eq!(outcomes(&metrics, WATCH), []);
    }

    #[test]
    fn paths_that_are_not_served_have_one_place_together() {
        let metrics = Arc::new(Metrics::default());
        for number in 0..1000 {
            metrics
                .begin(&format!("/made.up/{number}"))
                .end(Outcome::Ok);
        }
        assert_eq!(metrics.methods().len(), TABLE.len() + 1);
        assert_eq!(outcomes(&metrics, "/unknown"), [("OK", 1000)]);
    }

    #[test]
    fn what_is_under_way_is_counted_until_it_ends() {
        let metrics = Arc::new(Metrics::default());
        let (get, watch) = (metrics.begin(GET), metrics.begin(WATCH));
        assert_eq!((metrics.unary_calls(), metrics.streams()), (1, 1));
        get.end(Outcome::Ok);
        drop(watch);
        assert_eq!((metrics.unary_calls(), metrics.streams()), (0, 0));
        assert_eq!(outcomes(&metrics, WATCH), [("CANCELLED", 1)]);
    }

    #[test]
    fn counting_a_call_allocates_nothing() {
        let metrics = Arc::new(Metrics::default());
        let counted = allocation_counter::measure(|| {
            for _ in 0..1000 {
                metrics.begin(GET).end(Outcome::Ok);
                metrics.begin(WATCH).end(Outcome::Failed(Reason::Locked));
                metrics.begin("/made.up/Call").end(Outcome::Ok);
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}
