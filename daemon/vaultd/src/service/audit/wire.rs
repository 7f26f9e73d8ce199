//! Between the log's types and the wire's.

use vault_proto::v1::{
    AuditCalls, AuditEvent, AuditOutcome, AuditPolicy, AuditRecord, AuditStatusResponse,
    PrincipalKind, VerifyAuditResponse, audit_record, verify_audit_response as verify,
};
use vault_store::audit::{
    AnchorReach, AuditStatus, Entry, Event, Finding, Outcome, Record, SegmentStart, Verification,
};

use crate::{
    audit::{Auditor, Calls, Policy},
    service::convert::timestamp,
};

pub(super) fn status(audit: &Auditor, log: AuditStatus) -> AuditStatusResponse {
    let (settings, queue) = (audit.settings(), audit.status());
    let (failing_since, failure) = match queue.failing {
        Some(failing) => (Some(timestamp(failing.since_ms)), failing.why),
        None => (None, String::new()),
    };
    let mut response = AuditStatusResponse {
        first: log.first,
        last: log.last,
        segments: log.segments,
        bytes: log.bytes,
        limit_bytes: settings.bounds.total,
        anchor_kept: log.anchor_kept,
        anchored: log.anchored.as_ref().map(|anchored| anchored.sequence),
        anchored_at: log.anchored.map(|anchored| timestamp(anchored.at_ms)),
        anchor_failure: log.anchor_failure.unwrap_or_default(),
        failing_since,
        failure,
        lost: queue.lost,
        waiting: queue.waiting,
        mismatch: log.mismatch.unwrap_or_default(),
        ..AuditStatusResponse::default()
    };
    response.set_policy(match settings.policy {
        Policy::Required => AuditPolicy::Required,
        Policy::BestEffort => AuditPolicy::BestEffort,
    });
    response.set_calls(match settings.calls {
        Calls::Sensitive => AuditCalls::Sensitive,
        Calls::Writes => AuditCalls::Writes,
        Calls::All => AuditCalls::All,
    });
    response
}

pub(super) fn record(record: Record) -> AuditRecord {
    let at = Some(timestamp(record.entry.at_ms()));
    let (kind, entry) = match record.entry {
        Entry::Event(event) => ("", audit_record::Entry::Event(wire_event(*event))),
        Entry::Segment(start) => ("segment", audit_record::Entry::Note(begins(&start))),
        Entry::Dropped(dropped) => {
            let note = format!(
                "segment {} with records {} to {} is dropped, since the log is over its bound",
                dropped.segment, dropped.first, dropped.last
            );
            ("dropped", audit_record::Entry::Note(note))
        }
        Entry::Lost(lost) => {
            let note = format!("{} records could not be kept: {}", lost.count, lost.reason);
            ("lost", audit_record::Entry::Note(note))
        }
        Entry::AnchorMismatch(mismatch) => (
            "anchor_mismatch",
            audit_record::Entry::Note(mismatch.detail),
        ),
        Entry::Accepted(accepted) => {
            let note = format!(
                "what the keyring remembered otherwise up to record {} is known",
                accepted.up_to
            );
            ("accepted", audit_record::Entry::Note(note))
        }
    };
    AuditRecord {
        sequence: record.sequence,
        at,
        kind: kind.to_owned(),
        entry: Some(entry),
    }
}

fn begins(start: &SegmentStart) -> String {
    match &start.previous {
        None => format!("the log begins with segment {}", start.number),
        Some(previous) if previous.gap.is_none() => format!("segment {} begins", start.number),
        Some(previous) => format!(
            "segment {} begins; the last write to segment {} never counted",
            start.number, previous.number
        ),
    }
}

fn wire_event(event: Event) -> AuditEvent {
    AuditEvent {
        action: event.action,
        call: event.call,
        outcome: outcome(event.outcome).into(),
        reason: event.reason,
        principal: principal(&event.principal).into(),
        label: event.label,
        address: event.address,
        uid: event.uid,
        pid: event.pid,
        comm: event.comm,
        unit: event.unit,
        exe: event.exe,
        store: event.store,
        object: event.object,
        detail: event.detail,
    }
}

const fn outcome(outcome: Outcome) -> AuditOutcome {
    match outcome {
        Outcome::Begun => AuditOutcome::Begun,
        Outcome::Done => AuditOutcome::Done,
        Outcome::Refused => AuditOutcome::Refused,
        Outcome::Failed => AuditOutcome::Failed,
        Outcome::Cancelled => AuditOutcome::Cancelled,
    }
}

/// As what a caller counted, by the word of its record.
pub(super) fn principal(word: &str) -> PrincipalKind {
    match word {
        "owner" => PrincipalKind::Owner,
        "token" => PrincipalKind::Token,
        "session" => PrincipalKind::Session,
        "loopback" => PrincipalKind::Loopback,
        "open" => PrincipalKind::Open,
        "nobody" => PrincipalKind::Nobody,
        _ => PrincipalKind::Unspecified,
    }
}

pub(super) fn report(verified: Verification) -> VerifyAuditResponse {
    let report = verify::Report {
        sound: verified.is_sound(),
        segments: verified.segments,
        records: verified.records,
        first: verified.first,
        last: verified.last,
        anchor: Some(anchor(verified.anchor)),
        findings: verified.findings.into_iter().map(finding).collect(),
        more: verified.more,
    };
    VerifyAuditResponse {
        part: Some(verify::Part::Report(report)),
    }
}

fn anchor(reach: AnchorReach) -> verify::Anchor {
    let kept = !matches!(reach, AnchorReach::NotKept);
    let (mut sequence, mut at, mut failure) = (None, None, String::new());
    match reach {
        AnchorReach::NotKept | AnchorReach::Nothing => {}
        AnchorReach::Unreachable(why) => failure = why,
        AnchorReach::Record(anchored) => {
            (sequence, at) = (Some(anchored.sequence), Some(timestamp(anchored.at_ms)));
        }
    }
    verify::Anchor {
        kept,
        sequence,
        at,
        failure,
    }
}

fn finding(found: Finding) -> verify::Finding {
    verify::Finding {
        kind: found.kind.as_str().to_owned(),
        note: !found.kind.is_problem(),
        segment: found.place.segment,
        first: found.place.records.map(|(first, _)| first),
        last: found.place.records.map(|(_, last)| last),
        detail: found.detail,
    }
}
