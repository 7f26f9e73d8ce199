//! What a verification finds.

use super::Expected;
use crate::audit::Anchored;

/// So many findings are told; of more, how many there are.
const MOST: usize = 256;

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// A record cannot be opened: it was changed, or belongs elsewhere.
    RecordDamaged,
    /// Records are not there that were.
    RecordsMissing,
    /// A record stands behind a newer one.
    RecordOutOfPlace,
    /// A record does not follow the one before it.
    ChainBroken,
    /// A segment is not there.
    SegmentMissing,
    /// A file is there that is no segment of this log.
    SegmentUnexpected,
    /// A segment does not end where it ended.
    EndChanged,
    /// The log is not the one that the keyring remembers, or once was not.
    AnchorMismatch,
    /// The keyring remembers nothing any more.
    AnchorLost,
    /// The log once was not the one that the keyring remembered, and somebody knows why.
    AnchorAccepted,
    /// A record of a later version.
    RecordUnknown,
    /// Bytes of a write that was cut short or failed, and never counted.
    UnfinishedWrite,
    /// Records could not be kept, and the log says so.
    RecordsLost,
}

impl FindingKind {
    /// A stable name, such as `record_damaged`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecordDamaged => "record_damaged",
            Self::RecordsMissing => "records_missing",
            Self::RecordOutOfPlace => "record_out_of_place",
            Self::ChainBroken => "chain_broken",
            Self::SegmentMissing => "segment_missing",
            Self::SegmentUnexpected => "segment_unexpected",
            Self::EndChanged => "end_changed",
            Self::AnchorMismatch => "anchor_mismatch",
            Self::AnchorLost => "anchor_lost",
            Self::AnchorAccepted => "anchor_accepted",
            Self::RecordUnknown => "record_unknown",
            Self::UnfinishedWrite => "unfinished_write",
            Self::RecordsLost => "records_lost",
        }
    }

    /// Whether the log is not as it was written. The others are worth knowing.
    pub const fn is_problem(self) -> bool {
        !matches!(
            self,
            Self::AnchorAccepted | Self::RecordUnknown | Self::UnfinishedWrite | Self::RecordsLost
        )
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The segment, where it is about one.
    pub segment: Option<u64>,
    /// The first and last record, where it is about records.
    pub records: Option<(u64, u64)>,
}

impl Place {
    pub(super) fn segment(segment: u64) -> Self {
        Self {
            segment: Some(segment),
            records: None,
        }
    }

    pub(super) fn record(segment: u64, record: u64) -> Self {
        Self::records(segment, record, record)
    }

    pub(super) fn records(segment: u64, first: u64, last: u64) -> Self {
        Self {
            segment: Some(segment),
            records: Some((first, last)),
        }
    }

    /// Whether another place is the record right behind it.
    fn goes_on_with(&self, other: &Self) -> bool {
        match (self.records, other.records) {
            (Some((_, last)), Some((first, _))) => {
                self.segment == other.segment && last.checked_add(1) == Some(first)
            }
            _ => false,
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where.
    pub place: Place,
    /// For people; may be empty.
    pub detail: String,
}

/// How far the keyring's memory reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnchorReach {
    /// This backend remembers nothing: an older copy of the whole log would pass.
    NotKept,
    /// It remembers nothing yet, or has lost it.
    Nothing,
    /// It did not answer, and why.
    Unreachable(String),
    /// Up to this record nothing can have been cut off.
    Record(Anchored),
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Segments that there must be.
    pub segments: u64,
    /// Records that were read and follow each other.
    pub records: u64,
    /// The oldest record that there must be; 0 where there is none, or that cannot be told.
    pub first: u64,
    /// The newest record that there must be.
    pub last: u64,
    /// How far the keyring's memory reaches.
    pub anchor: AnchorReach,
    /// What is not as it was written, or worth knowing.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
}

impl Verification {
    /// Whether the log is as it was written.
    pub fn is_sound(&self) -> bool {
        self.more == 0 && !self.findings.iter().any(|found| found.kind.is_problem())
    }
}

/// A verification under way.
#[derive(Default)]
pub(super) struct Report {
    pub(super) records: u64,
    findings: Vec<Finding>,
    more: u64,
}

impl Report {
    /// Adds a finding: to the one before, where that is of the same kind and of the records before.
    pub(super) fn add(&mut self, kind: FindingKind, place: Place, detail: impl Into<String>) {
        let last = self.findings.last_mut();
        if let Some(last) = last
            && last.kind == kind
            && last.place.goes_on_with(&place)
            && let (Some((first, _)), Some((_, end))) = (last.place.records, place.records)
        {
            last.place.records = Some((first, end));
        } else if self.findings.len() < MOST {
            self.findings.push(Finding {
                kind,
                place,
                detail: detail.into(),
            });
        } else {
            self.more += 1;
        }
    }

    /// What was recorded of mismatches up to this record is known.
    pub(super) fn accept(&mut self, up_to: u64) {
        for found in &mut self.findings {
            let known = found.place.records.is_some_and(|(_, last)| last <= up_to);
            if known && found.kind == FindingKind::AnchorMismatch {
                found.kind = FindingKind::AnchorAccepted;
            }
        }
    }

    pub(super) fn finish(self, expected: &Expected, anchor: AnchorReach) -> Verification {
        Verification {
            segments: expected.segments.len() as u64,
            records: self.records,
            first: expected.segments.first().map_or(0, |oldest| oldest.first),
            last: expected.head.sequence,
            anchor,
            findings: self.findings,
            more: self.more,
        }
    }
}
