//! A verification of the audit log.

use std::time::SystemTime;

use tonic::Streaming;
use vault_proto::v1::{VerifyAuditResponse, verify_audit_response as wire};

use crate::{Error, auth::past};

/// How far the keyring's memory reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditAnchor {
    /// This backend remembers nothing: an older copy of the whole log would pass.
    NotKept,
    /// It remembers nothing.
    Nothing,
    /// It did not answer, and why.
    Unreachable(String),
    /// Up to this record nothing can have been cut off.
    Record {
        /// Its number.
        sequence: u64,
        /// Since when it is remembered.
        at: Option<SystemTime>,
    },
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFinding {
    /// A stable name, such as `record_damaged`.
    pub kind: String,
    /// Worth knowing, and no sign of tampering.
    pub note: bool,
    /// The segment it is about.
    pub segment: Option<u64>,
    /// The first and last record it is about.
    pub records: Option<(u64, u64)>,
    /// For people.
    pub detail: String,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerification {
    /// The log is as it was written, as far as that can be told.
    pub sound: bool,
    /// Segments that there must be.
    pub segments: u64,
    /// Records that were read and follow each other.
    pub records: u64,
    /// The oldest record.
    pub first: u64,
    /// The newest record.
    pub last: u64,
    /// How far the keyring's memory reaches.
    pub anchor: AuditAnchor,
    /// What was found.
    pub findings: Vec<AuditFinding>,
    /// How many more there are.
    pub more: u64,
}

/// What is heard of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditVerificationEvent {
    /// It goes on.
    Progress {
        /// Bytes read so far.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// It is done.
    Done(AuditVerification),
}

/// A verification under way.
pub struct AuditVerificationStream(Streaming<VerifyAuditResponse>);

impl AuditVerificationStream {
    pub(super) const fn new(stream: Streaming<VerifyAuditResponse>) -> Self {
        Self(stream)
    }

    /// What is heard next; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<AuditVerificationEvent>, Error> {
        while let Some(message) = self.0.message().await? {
            match message.part {
                Some(wire::Part::Progress(wire::Progress { bytes, total })) => {
                    return Ok(Some(AuditVerificationEvent::Progress { bytes, total }));
                }
                Some(wire::Part::Report(report)) => {
                    return Ok(Some(AuditVerificationEvent::Done(received(report))));
                }
                // Of a later version.
                None => {}
            }
        }
        Ok(None)
    }
}

fn received(report: wire::Report) -> AuditVerification {
    let anchor = report.anchor.unwrap_or_default();
    let findings = report.findings.into_iter().map(|found| AuditFinding {
        kind: found.kind,
        note: found.note,
        segment: found.segment,
        records: found.first.zip(found.last),
        detail: found.detail,
    });
    AuditVerification {
        sound: report.sound,
        segments: report.segments,
        records: report.records,
        first: report.first,
        last: report.last,
        anchor: match anchor.sequence {
            _ if !anchor.kept => AuditAnchor::NotKept,
            Some(sequence) => AuditAnchor::Record {
                sequence,
                at: anchor.at.and_then(past),
            },
            None if anchor.failure.is_empty() => AuditAnchor::Nothing,
            None => AuditAnchor::Unreachable(anchor.failure),
        },
        findings: findings.collect(),
        more: report.more,
    }
}
