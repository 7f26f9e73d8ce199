//! What is counted of one method.

use vault_proto::v1::Reason;

use super::{Counter, Histogram, Outcome};

/// What is counted of one method.
#[derive(Debug)]
pub struct Method {
    name: &'static str,
    streams: bool,
    done: Counter,
    /// By the number of the reason; 0 is for failures without one.
    failed: Box<[Counter]>,
    durations: Histogram,
}

/// Every reason there is, by its number, which are dense.
fn reasons() -> impl Iterator<Item = Reason> {
    (0..).map_while(|number| Reason::try_from(number).ok())
}

impl Method {
    pub(super) fn new(path: &'static str, streams: bool) -> Self {
        Self {
            name: path.trim_start_matches('/'),
            streams,
            done: Counter::default(),
            failed: reasons().map(|_| Counter::default()).collect(),
            durations: Histogram::default(),
        }
    }

    /// Such as `vault.v1.Documents/Get`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it streams either way.
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// How many calls ended how, of the outcomes that there were.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let failed = reasons().zip(&self.failed).map(|(reason, count)| {
            let name = match reason {
                Reason::Unspecified => "OTHER",
                reason => reason.wire_name(),
            };
            (name, count.total())
        });
        let all = std::iter::once(("OK", self.done.total())).chain(failed);
        all.filter(|(_, calls)| *calls > 0)
    }

    /// How long its calls took.
    pub fn durations(&self) -> &Histogram {
        &self.durations
    }

    pub(super) fn count(&self, outcome: Outcome, micros: u64) {
        match outcome {
            Outcome::Ok => self.done.add(1),
            Outcome::Failed(reason) => {
                let number = usize::try_from(i32::from(reason)).unwrap_or_default();
                if let Some(count) = self.failed.get(number) {
                    count.add(1);
                }
            }
        }
        self.durations.add(micros);
    }
}
