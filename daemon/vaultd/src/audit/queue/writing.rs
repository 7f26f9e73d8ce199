//! The thread that writes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use vault_store::{
    Clock as _, StoreError, StoreResult, SystemClock,
    audit::{AuditLog, Entry, Head, Lost},
};

use super::{CLOSING, Failing, Phase, Queue, Shared, Waiting};

/// Records in one write.
const BATCH: usize = 512;
/// How long a record that nobody waits for waits for company: then one sync is made for all of them.
const COMPANY: Duration = Duration::from_millis(250);

/// What goes into one write.
struct Batch {
    log: Arc<AuditLog>,
    records: Vec<Waiting>,
    /// Records that were lost before these.
    lost: Option<Lost>,
}

impl Queue {
    pub(super) fn write_all(&self) {
        while let Some(batch) = self.next_batch() {
            let lost = batch.lost.iter().map(|lost| {
                Entry::Lost(Lost {
                    at_ms: SystemClock.now_ms(),
                    ..lost.clone()
                })
            });
            let events = batch.records.iter();
            let events = events.map(|record| Entry::Event(Box::new(record.event.clone())));
            let entries: Vec<Entry> = lost.chain(events).collect();
            let written = batch.log.append(&entries);
            self.settle(batch, written);
        }
    }

    /// What is to be written next; `None` at the end.
    fn next_batch(&self) -> Option<Batch> {
        let mut shared = self.lock();
        loop {
            if shared.phase == Phase::Stopped {
                return None;
            }
            let Some(log) = shared.log.clone().filter(|_| !shared.waiting.is_empty()) else {
                shared = self.wait(shared);
                continue;
            };
            let rest = shared.company_for();
            if !rest.is_zero() {
                shared = self.wait_for(shared, rest);
                continue;
            }
            let count = shared.waiting.len().min(BATCH);
            let records: Vec<_> = shared.waiting.drain(..count).collect();
            let awaited = records.iter().filter(|record| record.answer.is_some());
            shared.awaited -= awaited.count();
            shared.waits_since = (!shared.waiting.is_empty()).then(Instant::now);
            shared.writing = true;
            let lost = shared.lost.take();
            return Some(Batch { log, records, lost });
        }
    }

    /// Tells those who wait, and keeps count.
    fn settle(&self, batch: Batch, written: StoreResult<Head>) {
        let mut shared = self.lock();
        shared.writing = false;
        let answer = match written {
            Ok(head) => {
                if shared.failing.take().is_some() {
                    tracing::info!("the audit log can be written again");
                }
                shared.unanchored += batch.records.len() as u64;
                shared.unanchored_since.get_or_insert_with(Instant::now);
                self.written.send_replace(head.sequence);
                Ok(())
            }
            // Locked meanwhile: they are written when the vault opens again.
            Err(StoreError::Closed) => {
                if shared
                    .log
                    .as_ref()
                    .is_some_and(|log| Arc::ptr_eq(log, &batch.log))
                {
                    shared.log = None;
                }
                shared.lost = merged(batch.lost, shared.lost.take());
                put_back(&mut shared, batch.records);
                drop(shared);
                self.changed.notify_all();
                return;
            }
            Err(error) => {
                let why = error.to_string();
                if shared.failing.is_none() {
                    tracing::error!(why, "the audit log cannot be written");
                    shared.failing = Some(Failing {
                        since_ms: SystemClock.now_ms(),
                        why: why.clone(),
                    });
                }
                shared.lost = merged(batch.lost, shared.lost.take());
                for record in &batch.records {
                    shared.lose(&record.event, &why);
                }
                Err(why)
            }
        };
        drop(shared);
        self.changed.notify_all();
        for record in batch.records {
            if let Some(waits) = record.answer {
                // Whoever went away needs none.
                let _ = waits.send(answer.clone());
            }
        }
    }
}

impl Shared {
    /// How long what waits may wait for more.
    fn company_for(&self) -> Duration {
        let hurry = self.awaited > 0 || self.flushing > 0 || self.waiting.len() >= BATCH;
        match self.waits_since {
            Some(since) if !hurry => COMPANY.saturating_sub(since.elapsed()),
            _ => Duration::ZERO,
        }
    }
}

/// Puts records back in front of the others, in memory. Whoever waits for one hears that it is not
/// durable.
fn put_back(shared: &mut Shared, records: Vec<Waiting>) {
    for record in records.into_iter().rev() {
        if let Some(waits) = record.answer {
            let _ = waits.send(Err(CLOSING.to_owned()));
        }
        shared.waiting.push_front(Waiting {
            event: record.event,
            answer: None,
        });
    }
    shared.waits_since.get_or_insert_with(Instant::now);
}

fn merged(one: Option<Lost>, other: Option<Lost>) -> Option<Lost> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Lost {
            count: one.count + other.count,
            from_ms: one.from_ms.min(other.from_ms),
            to_ms: one.to_ms.max(other.to_ms),
            ..one
        }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_counted_together() {
        let lost = |count, from_ms, to_ms| {
            Some(Lost {
                at_ms: 0,
                count,
                from_ms,
                to_ms,
                reason: "full".to_owned(),
            })
        };
        assert_eq!(merged(lost(2, 5, 9), lost(3, 1, 6)), lost(5, 1, 9));
        assert_eq!(merged(None, lost(3, 1, 6)), lost(3, 1, 6));
        assert_eq!(merged(None, None), None);
    }
}
