//! How long calls took, in buckets whose bounds are fixed: small, and the same for every method.

use super::Counter;

/// The upper bound of each bucket but the last, in microseconds: three a decade, from what a cached
/// read takes to what no unary call may take by default.
pub const BOUNDS_US: [u64; 20] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000,
    500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 60_000_000,
];

/// Durations of calls.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BOUNDS_US.len() + 1],
    total_us: Counter,
}

impl Histogram {
    /// One more that took this long.
    pub(super) fn add(&self, micros: u64) {
        let bucket = BOUNDS_US.partition_point(|bound| *bound < micros);
        self.buckets[bucket].add(1);
        self.total_us.add(micros);
    }

    /// How many are in each bucket, in the order of [`BOUNDS_US`]; the last is for longer ones.
    pub fn buckets(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().map(Counter::total)
    }

    /// All durations together, in microseconds.
    pub fn total_us(&self) -> u64 {
        self.total_us.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_last_of_its_own_bucket() {
        let histogram = Histogram::default();
        for micros in [0, 10, 11, 60_000_000, 60_000_001, u64::from(u32::MAX)] {
            histogram.add(micros);
        }
        let mut expected = vec![0; BOUNDS_US.len() + 1];
        expected[0] = 2;
        expected[1] = 1;
        expected[BOUNDS_US.len() - 1] = 1;
        expected[BOUNDS_US.len()] = 2;
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), expected);
        assert_eq!(histogram.total_us(), 120_000_022 + u64::from(u32::MAX));
    }

    #[test]
    fn bounds_ascend() {
        assert!(BOUNDS_US.is_sorted_by(|one, next| one < next));
    }
}
