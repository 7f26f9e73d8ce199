//! Reads the whole log and says what is not as it was written.

mod findings;
mod segment;

use std::ops::ControlFlow;

use vault_crypto::ChainHash;

use self::findings::Report;
pub use self::findings::{AnchorReach, Finding, FindingKind, Place, Verification};
use super::{
    AnchorMismatch, Anchored, AuditLog, Entry, Gap, Head, SegmentStart,
    frame::Opened,
    writer::{Segment, Tail},
};
use crate::{
    error::{StoreError, StoreResult},
    key_source::KeySourceError,
    vault::lock,
};

/// What there must be, by what the open log knows.
struct Expected {
    segments: Vec<Segment>,
    head: Head,
    /// Bytes of the newest segment's file.
    on_disk: u64,
    /// What may lie behind its last record.
    gap: Option<Gap>,
}

/// What the keyring remembers, and whether it could be asked.
enum Remembered {
    NotKept,
    Nothing,
    Unreachable(String),
    Damaged(String),
    Record(Anchored),
}

/// The chain as far as it was followed.
struct Verifier<'a> {
    log: &'a AuditLog,
    report: Report,
    /// The newest record that was found; none before the first.
    last: Option<u64>,
    /// The chain's hash after it; unknown behind one that cannot be read.
    hash: Option<ChainHash>,
    /// Segments up to this one are recorded as dropped.
    dropped: u64,
    /// Mismatches up to this record are known.
    accepted: u64,
    remembered: Remembered,
    /// The chain's hash after the record that the keyring remembers.
    at_anchor: Option<ChainHash>,
    /// The log says that the keyring remembers it.
    anchored: bool,
}

impl AuditLog {
    /// Reads every record and compares the log with its own chain, with what this process wrote and with
    /// what the keyring remembers. `progress` hears of bytes read and bytes in all, and may end it.
    pub fn verify(
        &self,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> StoreResult<Option<Verification>> {
        // Held throughout: no segment is dropped or sealed anew meanwhile.
        let anchoring = lock(&self.anchoring);
        // First: what is remembered then is no newer than the log is.
        let remembered = remembered(anchoring.anchor());
        let expected = self.expected()?;
        let total = expected.segments.iter().map(|segment| segment.len).sum();
        let mut verifier = Verifier {
            log: self,
            report: Report::default(),
            last: None,
            hash: None,
            dropped: 0,
            accepted: 0,
            remembered,
            at_anchor: None,
            anchored: false,
        };
        verifier.last = first_of(&expected).checked_sub(1);
        let mut read = 0;
        for (index, segment) in expected.segments.iter().enumerate() {
            let next = expected.segments.get(index + 1);
            let start = next.map(|next| self.start_of(next.number)).transpose()?;
            let start = start.flatten();
            let newest = next.is_none().then_some(&expected);
            verifier.segment(segment, start.as_ref(), newest)?;
            read += segment.len;
            if progress(read, total).is_break() {
                return Ok(None);
            }
        }
        verifier.files(&expected)?;
        verifier.end(&expected);
        Ok(Some(verifier.finish(&expected)))
    }

    fn expected(&self) -> StoreResult<Expected> {
        let writer = lock(&self.writer);
        if writer.is_closed() {
            return Err(StoreError::Closed);
        }
        let segments: Vec<Segment> = writer.segments().iter().copied().collect();
        let len = |last: &Segment| self.place.len(last.number).ok();
        let gap = match writer.tail() {
            Tail::Ended(gap) => *gap,
            Tail::Open(_) | Tail::Whole => None,
        };
        Ok(Expected {
            head: writer.head(),
            // One that is gone is found where it is read.
            on_disk: segments.last().and_then(len).unwrap_or(0),
            gap,
            segments,
        })
    }

    /// The first record of a segment; `None` where it cannot be read.
    fn start_of(&self, segment: u64) -> StoreResult<Option<SegmentStart>> {
        match self.place.read_start(segment) {
            Ok((start, _)) => Ok(Some(start)),
            Err(StoreError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The oldest record, as far as that can be told.
fn first_of(expected: &Expected) -> u64 {
    expected.segments.first().map_or(0, |oldest| oldest.first)
}

fn remembered(anchor: &dyn super::AuditAnchor) -> Remembered {
    if !anchor.is_kept() {
        return Remembered::NotKept;
    }
    match anchor.load() {
        Ok(Some(anchored)) => Remembered::Record(anchored),
        Ok(None) => Remembered::Nothing,
        Err(KeySourceError::Damaged(detail)) => Remembered::Damaged(detail),
        Err(error) => Remembered::Unreachable(error.to_string()),
    }
}

impl Verifier<'_> {
    /// A record that could be opened; it may begin its segment.
    fn record(&mut self, segment: u64, opened: &Opened, begins: bool) {
        let place = Place::record(segment, opened.sequence);
        let entry = opened.entry();
        let is_start = matches!(&entry, Some(Entry::Segment(start)) if start.number == segment);
        if begins && !is_start {
            let detail = "the segment does not begin with its first record";
            self.report.add(FindingKind::RecordsMissing, place, detail);
        }
        match self.last {
            Some(last) if opened.sequence <= last => {
                let detail = format!("it stands behind record {last}");
                self.report
                    .add(FindingKind::RecordOutOfPlace, place, detail);
                return;
            }
            Some(last) if opened.sequence > last + 1 => {
                let missing = Place::records(segment, last + 1, opened.sequence - 1);
                self.report
                    .add(FindingKind::RecordsMissing, missing, String::new());
            }
            _ => {
                if self.hash.is_some_and(|hash| hash != opened.before) {
                    let detail = "the record before it is another one than it was written after";
                    self.report.add(FindingKind::ChainBroken, place, detail);
                }
            }
        }
        if self.hash.is_none() {
            self.note_anchor(opened.sequence.saturating_sub(1), opened.before);
        }
        let head = opened.head();
        (self.last, self.hash) = (Some(head.sequence), Some(head.hash));
        self.note_anchor(head.sequence, head.hash);
        self.report.records += 1;
        if let Some(entry) = entry {
            self.entry(place, entry);
        } else {
            let detail = "this version does not know what it says";
            self.report.add(FindingKind::RecordUnknown, place, detail);
        }
    }

    fn note_anchor(&mut self, sequence: u64, hash: ChainHash) {
        if let Remembered::Record(anchored) = &self.remembered
            && anchored.sequence == sequence
        {
            self.at_anchor = Some(hash);
        }
    }

    /// What a record says of the log itself.
    fn entry(&mut self, place: Place, entry: Entry) {
        match entry {
            Entry::Event(_) => {}
            Entry::Segment(start) => self.anchored |= start.anchored,
            Entry::Dropped(dropped) => self.dropped = self.dropped.max(dropped.segment),
            Entry::Lost(lost) => {
                let detail = format!("{} records could not be kept: {}", lost.count, lost.reason);
                self.report.add(FindingKind::RecordsLost, place, detail);
            }
            Entry::AnchorMismatch(AnchorMismatch { detail, .. }) => {
                self.report.add(FindingKind::AnchorMismatch, place, detail);
            }
            Entry::Accepted(accepted) => self.accepted = self.accepted.max(accepted.up_to),
        }
    }

    /// Compares the files that there are with the segments that there must be.
    fn files(&mut self, expected: &Expected) -> StoreResult<()> {
        let mut known = expected.segments.iter().map(|segment| segment.number);
        let found = self.log.place.segments()?;
        let oldest = known.next().unwrap_or(0);
        let mut previous = oldest;
        for number in known {
            for between in previous + 1..number {
                let there = found.binary_search(&between).is_ok();
                let (kind, detail) = if there {
                    (FindingKind::SegmentUnexpected, "nothing of it can be read")
                } else {
                    (FindingKind::SegmentMissing, "")
                };
                self.report.add(kind, Place::segment(between), detail);
            }
            previous = number;
        }
        if oldest > self.dropped + 1 {
            let detail = format!(
                "the log begins with segment {oldest}, and no record says that the one before was \
                 dropped"
            );
            let place = Place::segment(oldest - 1);
            self.report.add(FindingKind::SegmentMissing, place, detail);
        }
        for number in found {
            if number > previous || number < oldest && number > self.dropped {
                let place = Place::segment(number);
                self.report.add(FindingKind::SegmentUnexpected, place, "");
            }
        }
        Ok(())
    }

    /// Compares the end that was found with the one that this process wrote or found.
    fn end(&mut self, expected: &Expected) {
        let Head { sequence, hash } = expected.head;
        let last = self.last.unwrap_or(0);
        let Some(newest) = expected.segments.last() else {
            return;
        };
        if last < sequence {
            let place = Place::records(newest.number, last + 1, sequence);
            let detail = "the log is cut off";
            self.report.add(FindingKind::RecordsMissing, place, detail);
        } else if last > sequence || self.hash.is_some_and(|found| found != hash) {
            let place = Place::record(newest.number, last);
            let detail = "the end of the log is another one than was written";
            self.report.add(FindingKind::ChainBroken, place, detail);
        }
    }

    fn finish(mut self, expected: &Expected) -> Verification {
        self.report.accept(self.accepted);
        let last = expected.head.sequence;
        let anchor = match &self.remembered {
            Remembered::NotKept => AnchorReach::NotKept,
            Remembered::Unreachable(why) => AnchorReach::Unreachable(why.clone()),
            Remembered::Nothing => {
                if self.anchored {
                    let detail = "the keyring has lost what it remembered of the log";
                    let place = Place::default();
                    self.report.add(FindingKind::AnchorLost, place, detail);
                }
                AnchorReach::Nothing
            }
            Remembered::Damaged(detail) => {
                let (kind, place) = (FindingKind::AnchorLost, Place::default());
                self.report.add(kind, place, detail.clone());
                AnchorReach::Nothing
            }
            Remembered::Record(anchored) => {
                let unlike = self.at_anchor.is_some_and(|hash| hash != anchored.hash);
                if anchored.sequence > last || unlike {
                    let detail = format!(
                        "the keyring remembers record {}, and it is not in the log",
                        anchored.sequence
                    );
                    let place = Place::default();
                    self.report.add(FindingKind::AnchorMismatch, place, detail);
                }
                AnchorReach::Record(anchored.clone())
            }
        };
        self.report.finish(expected, anchor)
    }
}
