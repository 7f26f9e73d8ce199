//! Verifies one segment.

use super::{Expected, FindingKind, Place, Verifier};
use crate::{
    audit::{Gap, SegmentStart, walk, writer::Segment},
    error::{StoreError, StoreResult},
};

impl Verifier<'_> {
    /// Reads a segment, of which the next one says where it ends; of the newest, what the writer knows.
    pub(super) fn segment(
        &mut self,
        segment: &Segment,
        next: Option<&SegmentStart>,
        newest: Option<&Expected>,
    ) -> StoreResult<()> {
        let number = segment.number;
        let mut bytes = match self.log.place.read(number) {
            Ok(bytes) => bytes,
            Err(StoreError::Damaged { detail, .. }) => {
                self.report
                    .add(FindingKind::SegmentMissing, Place::segment(number), detail);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if let Some(expected) = newest {
            // What the writer adds meanwhile is of another verification.
            bytes.truncate(usize::try_from(expected.on_disk).unwrap_or(usize::MAX));
        }
        let said = next.and_then(|next| next.previous.as_ref());
        let said = said.filter(|previous| previous.number == number);
        let (end, gap) = match (said, newest) {
            (Some(previous), _) => (previous.end, previous.gap),
            (None, Some(expected)) => (segment.len, expected.gap),
            (None, None) => (bytes.len() as u64, None),
        };
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        let (records, behind) = bytes.split_at(end.min(bytes.len()));
        self.records(segment, records)?;
        if records.len() < end {
            let detail = format!("{} bytes are cut off", end - records.len());
            self.report
                .add(FindingKind::EndChanged, Place::segment(number), detail);
        }
        self.behind(number, behind, gap)
    }

    fn records(&mut self, segment: &Segment, bytes: &[u8]) -> StoreResult<()> {
        let number = segment.number;
        let mut start = 0;
        while start < bytes.len() {
            let span = walk::at(bytes, start);
            let opened = span.map(|span| self.log.place.open(number, span.of(bytes)));
            match (span, opened) {
                (Some(span), Some(Ok(opened))) => {
                    self.record(number, &opened, start == 0);
                    start = span.end;
                }
                (_, Some(Err(error))) if !matches!(error, StoreError::Damaged { .. }) => {
                    return Err(error);
                }
                _ => {
                    // Whatever its length says: it may be what was changed.
                    let next = walk::next(bytes, start + 1);
                    let end = next.map_or(bytes.len(), |next| next.start);
                    self.unreadable(segment, end - start);
                    start = end;
                }
            }
        }
        Ok(())
    }

    /// Bytes that should be the next record.
    fn unreadable(&mut self, segment: &Segment, len: usize) {
        let number = self.last.map_or(segment.first.max(1), |last| last + 1);
        let detail = format!("{len} bytes cannot be opened");
        let place = Place::record(segment.number, number);
        self.report.add(FindingKind::RecordDamaged, place, detail);
        (self.last, self.hash) = (Some(number), None);
    }

    /// What lies behind the last record of a segment that is ended.
    fn behind(&mut self, segment: u64, bytes: &[u8], gap: Option<Gap>) -> StoreResult<()> {
        let found = bytes.len() as u64;
        let place = Place::segment(segment);
        let accounted = match gap {
            None => found == 0,
            Some(Gap::Unfinished(len)) => found == len && !self.holds_records(segment, bytes)?,
            Some(Gap::Failed) => true,
        };
        if !accounted {
            let detail = format!("{found} bytes behind its last record");
            self.report.add(FindingKind::EndChanged, place, detail);
        } else if gap.is_some() {
            let detail = format!("{found} bytes of a write that never counted");
            self.report.add(FindingKind::UnfinishedWrite, place, detail);
        }
        Ok(())
    }

    /// A crash leaves a beginning of what was written: where records can be opened behind bytes that
    /// cannot, those were changed.
    fn holds_records(&self, segment: u64, bytes: &[u8]) -> StoreResult<bool> {
        let mut from = 0;
        while let Some(span) = walk::next(bytes, from) {
            match self.log.place.open(segment, span.of(bytes)) {
                Ok(_) => return Ok(true),
                Err(StoreError::Damaged { .. }) => from = span.start + 1,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}
