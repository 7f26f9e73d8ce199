//! Reads records, in order.

use std::ops::ControlFlow;

use super::{AuditLog, Head, Record, damaged, walk, writer::Segment};
use crate::{
    error::{StoreError, StoreResult},
    vault::lock,
};

/// How a reading came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The last record that there was, read or not.
    pub last: u64,
    /// How many could not be read: a verification says which.
    pub unreadable: u64,
}

impl AuditLog {
    /// Hands every record after number `after` to `visit`, until that ends it or the log does. Those
    /// that cannot be read are passed over and counted.
    pub fn read_after(
        &self,
        after: u64,
        visit: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> StoreResult<Reading> {
        let (segments, head) = self.outline();
        let mut reading = Reading {
            last: after,
            unreadable: 0,
        };
        for (index, segment) in segments.iter().enumerate() {
            let following = segments.get(index + 1).map(|next| next.first);
            if following.is_some_and(|first| first != 0 && first <= after + 1) {
                continue;
            }
            let Some(bytes) = self.read_if_there(segment.number)? else {
                continue;
            };
            let end = usize::try_from(segment.len).unwrap_or(usize::MAX);
            let bytes = &bytes[..end.min(bytes.len())];
            let flow = self.read_segment(segment.number, bytes, after, &mut reading, visit)?;
            if flow.is_break() {
                return Ok(reading);
            }
        }
        reading.last = reading.last.max(head.sequence);
        Ok(reading)
    }

    fn read_segment(
        &self,
        segment: u64,
        bytes: &[u8],
        after: u64,
        reading: &mut Reading,
        visit: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> StoreResult<ControlFlow<()>> {
        let mut from = 0;
        while let Some(span) = walk::next(bytes, from) {
            if span.sequence <= after {
                from = span.end;
                continue;
            }
            let opened = match self.place.open(segment, span.of(bytes)) {
                Err(StoreError::Damaged { .. }) => {
                    reading.unreadable += 1;
                    from = span.start + 1;
                    continue;
                }
                opened => opened?,
            };
            from = span.end;
            reading.last = opened.sequence;
            let Some(entry) = opened.entry() else {
                reading.unreadable += 1;
                continue;
            };
            let record = Record {
                sequence: opened.sequence,
                segment,
                entry,
            };
            if visit(record).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The segments as they are now, and the newest record.
    pub(super) fn outline(&self) -> (Vec<Segment>, Head) {
        let writer = lock(&self.writer);
        (writer.segments().iter().copied().collect(), writer.head())
    }

    /// All of a segment; `None` where it went meanwhile.
    fn read_if_there(&self, segment: u64) -> StoreResult<Option<Vec<u8>>> {
        match self.place.read(segment) {
            Err(StoreError::Damaged { .. }) => Ok(None),
            bytes => bytes.map(Some),
        }
    }

    /// The chain's hash after the record of this number; `None` where that went with the oldest
    /// segments. An error where the record cannot be read.
    pub(super) fn hash_after(&self, sequence: u64) -> StoreResult<Option<Head>> {
        let (segments, _) = self.outline();
        let Some(oldest) = segments.first() else {
            return Ok(None);
        };
        if sequence < oldest.first.saturating_sub(1) {
            return Ok(None);
        }
        let holds = |segment: &&Segment| segment.first <= sequence.max(1);
        let segment = segments.iter().rev().find(holds).unwrap_or(oldest).number;
        let bytes = self.place.read(segment)?;
        for span in walk::run(&bytes) {
            let before = span.sequence.checked_sub(1) == Some(sequence);
            if before || span.sequence == sequence {
                let opened = self.place.open(segment, span.of(&bytes))?;
                let hash = opened.before;
                let head = Head { sequence, hash };
                return Ok(Some(if before { head } else { opened.head() }));
            }
        }
        Err(damaged(segment, format!("record {sequence} is gone")))
    }
}
