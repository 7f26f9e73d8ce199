//! Times and their medians.

use std::time::Duration;

/// The median; of nothing, zero.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Operations a second.
pub(crate) fn rate(operations: usize, time: Duration) -> f64 {
    let operations = u32::try_from(operations).unwrap_or(u32::MAX);
    f64::from(operations) / time.as_secs_f64()
}

/// The medians of one thing's blocks.
#[derive(Default)]
pub(crate) struct Blocks(Vec<f64>);

impl Blocks {
    /// Takes in the times of one block.
    pub(crate) fn block(&mut self, mut times: Vec<f64>) {
        self.0.push(median(&mut times));
    }

    pub(crate) fn single(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn median(&self) -> f64 {
        median(&mut self.0.clone())
    }
}

/// Times `$count` runs of `$operation`, in microseconds.
macro_rules! times {
    ($count:expr, $operation:expr) => {{
        let mut times = Vec::with_capacity($count);
        for _ in 0..$count {
            let begun = std::time::Instant::now();
            $operation;
            times.push($crate::measure::micros(begun.elapsed()));
        }
        times
    }};
}
pub(crate) use times;
