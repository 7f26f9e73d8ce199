//! The audit log: who did what.

mod verification;

use std::time::SystemTime;

use tonic::Streaming;
use vault_proto::v1::{
    self, AcceptAuditRequest, AuditOutcome as Outcome, AuditRecords, AuditStatusRequest,
    SearchAuditRequest, TailAuditRequest, VerifyAuditRequest, audit_record,
};

use crate::{
    Client, Error, Principal,
    auth::{past, time},
};

pub use verification::{
    AuditAnchor, AuditFinding, AuditVerification, AuditVerificationEvent, AuditVerificationStream,
};

/// How something came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was let in; how it came out is another record of the same call.
    Begun,
    /// It was done.
    Done,
    /// It was not let in.
    Refused,
    /// It failed.
    Failed,
    /// Whoever called went away before its end.
    Cancelled,
}

impl AuditOutcome {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Begun,
        Self::Done,
        Self::Refused,
        Self::Failed,
        Self::Cancelled,
    ];

    /// `begun`, `done`, `refused`, `failed` or `cancelled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    const fn wire(self) -> Outcome {
        match self {
            Self::Begun => Outcome::Begun,
            Self::Done => Outcome::Done,
            Self::Refused => Outcome::Refused,
            Self::Failed => Outcome::Failed,
            Self::Cancelled => Outcome::Cancelled,
        }
    }

    /// `None` for one of a later version.
    const fn received(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Begun => Some(Self::Begun),
            Outcome::Done => Some(Self::Done),
            Outcome::Refused => Some(Self::Refused),
            Outcome::Failed => Some(Self::Failed),
            Outcome::Cancelled => Some(Self::Cancelled),
            Outcome::Unspecified => None,
        }
    }
}

/// Somebody did something, or tried to.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// The method, or a word such as `sign-in`.
    pub action: String,
    /// Ties the records of one call together.
    pub call: u64,
    /// How it came out.
    pub outcome: Option<AuditOutcome>,
    /// Why it did not, such as `NOT_FOUND`.
    pub reason: String,
    /// As what the caller counted; `None` for the daemon itself.
    pub principal: Option<Principal>,
    /// The label of its token or passkey.
    pub label: String,
    /// Where it asked from over HTTP.
    pub address: String,
    /// The user of its process.
    pub uid: Option<u32>,
    /// Its process.
    pub pid: Option<i32>,
    /// What that is called.
    pub comm: String,
    /// Its unit of systemd, or control group.
    pub unit: String,
    /// Its program.
    pub exe: String,
    /// The store it was about.
    pub store: String,
    /// The object it was about.
    pub object: String,
    /// What was granted, or how many were alike.
    pub detail: String,
}

/// What a record says.
#[derive(Clone, Debug)]
pub enum AuditEntry {
    /// Somebody did something.
    Event(Box<AuditEvent>),
    /// What the log says of itself.
    Note {
        /// `segment`, `dropped`, `lost`, `anchor_mismatch` or `accepted`.
        kind: String,
        /// For people.
        text: String,
    },
}

/// One record.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Its number.
    pub sequence: u64,
    /// When it was made.
    pub at: SystemTime,
    /// What it says.
    pub entry: AuditEntry,
}

impl AuditRecord {
    fn received(record: v1::AuditRecord) -> Self {
        let entry = match record.entry {
            Some(audit_record::Entry::Event(event)) => AuditEntry::Event(Box::new(received(event))),
            Some(audit_record::Entry::Note(text)) => AuditEntry::Note {
                kind: record.kind,
                text,
            },
            // One of a later version.
            None => AuditEntry::Note {
                kind: record.kind,
                text: String::new(),
            },
        };
        Self {
            sequence: record.sequence,
            at: time(record.at),
            entry,
        }
    }
}

fn received(event: v1::AuditEvent) -> AuditEvent {
    AuditEvent {
        outcome: AuditOutcome::received(event.outcome()),
        principal: match event.principal() {
            v1::PrincipalKind::Unspecified => None,
            kind => Some(Principal::received(kind)),
        },
        action: event.action,
        call: event.call,
        reason: event.reason,
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

/// Records on their way.
pub struct AuditStream(Streaming<AuditRecords>);

impl AuditStream {
    /// The next of them, and how many before them cannot be read; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(Vec<AuditRecord>, u64)>, Error> {
        let Some(message) = self.0.message().await? else {
            return Ok(None);
        };
        let records = message.records.into_iter().map(AuditRecord::received);
        Ok(Some((records.collect(), message.unreadable)))
    }
}

/// Which records are wanted. The default wants all.
#[derive(Clone, Debug, Default)]
pub struct AuditSearch {
    /// Not before.
    pub since: Option<SystemTime>,
    /// Not after.
    pub until: Option<SystemTime>,
    /// Part of the method, or of the word.
    pub action: String,
    /// How it came out.
    pub outcome: Option<AuditOutcome>,
    /// As what the caller counted.
    pub principal: Option<Principal>,
    /// A store, or a pattern such as `chat/*`.
    pub store: String,
    /// Part of the object's id.
    pub object: String,
    /// Part of what is known of the caller: label, address, comm, unit, exe.
    pub who: String,
    /// Its process.
    pub pid: Option<i32>,
    /// At most so many of the newest.
    pub newest: Option<u32>,
}

/// How the log fares.
#[derive(Clone, Debug)]
pub struct AuditStatus {
    /// `required` or `best-effort`.
    pub policy: &'static str,
    /// `sensitive`, `writes` or `all`.
    pub calls: &'static str,
    /// The number of the oldest record.
    pub first: u64,
    /// The number of the newest record.
    pub last: u64,
    /// How many segments there are.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Above which the oldest segment is dropped.
    pub limit_bytes: u64,
    /// Whether the keyring backend can remember the newest record.
    pub anchor_kept: bool,
    /// What it remembers.
    pub anchored: Option<u64>,
    /// Since when.
    pub anchored_at: Option<SystemTime>,
    /// Why that is not as new as it should be.
    pub anchor_failure: String,
    /// Why no records can be kept.
    pub failure: String,
    /// Since when.
    pub failing_since: Option<SystemTime>,
    /// Records that are lost and of which the log does not tell yet.
    pub lost: u64,
    /// Records that wait to be written.
    pub waiting: u64,
    /// The log was not the one that the keyring remembered.
    pub mismatch: String,
}

impl Client {
    /// How the log fares.
    pub async fn audit_status(&self) -> Result<AuditStatus, Error> {
        let status = self.services.audit().status(AuditStatusRequest {}).await?;
        let status = status.into_inner();
        Ok(AuditStatus {
            policy: match status.policy() {
                v1::AuditPolicy::Required => "required",
                v1::AuditPolicy::BestEffort => "best-effort",
                v1::AuditPolicy::Unspecified => "unknown",
            },
            calls: match status.calls() {
                v1::AuditCalls::Sensitive => "sensitive",
                v1::AuditCalls::Writes => "writes",
                v1::AuditCalls::All => "all",
                v1::AuditCalls::Unspecified => "unknown",
            },
            first: status.first,
            last: status.last,
            segments: status.segments,
            bytes: status.bytes,
            limit_bytes: status.limit_bytes,
            anchor_kept: status.anchor_kept,
            anchored: status.anchored,
            anchored_at: status.anchored_at.and_then(past),
            anchor_failure: status.anchor_failure,
            failure: status.failure,
            failing_since: status.failing_since.and_then(past),
            lost: status.lost,
            waiting: status.waiting,
            mismatch: status.mismatch,
        })
    }

    /// The newest records, in order; with `follow`, those that come after them, too.
    pub async fn audit_tail(
        &self,
        records: Option<u32>,
        follow: bool,
    ) -> Result<AuditStream, Error> {
        let request = TailAuditRequest { records, follow };
        let stream = self.services.audit().tail(request).await?;
        Ok(AuditStream(stream.into_inner()))
    }

    /// The records that fit, in order.
    pub async fn audit_search(&self, search: AuditSearch) -> Result<AuditStream, Error> {
        let outcome = search
            .outcome
            .map_or(Outcome::Unspecified, AuditOutcome::wire);
        let principal = search
            .principal
            .map_or(v1::PrincipalKind::Unspecified, Principal::wire);
        let request = SearchAuditRequest {
            since: search.since.map(Into::into),
            until: search.until.map(Into::into),
            action: search.action,
            outcome: outcome.into(),
            principal: principal.into(),
            store_pattern: search.store,
            object: search.object,
            who: search.who,
            pid: search.pid,
            limit: search.newest.unwrap_or(0),
            newest: search.newest.is_some(),
        };
        let stream = self.services.audit().search(request).await?;
        Ok(AuditStream(stream.into_inner()))
    }

    /// Takes it as known that the log was not the one that the keyring remembered.
    pub async fn accept_audit(&self) -> Result<(), Error> {
        self.services.audit().accept(AcceptAuditRequest {}).await?;
        Ok(())
    }

    /// Reads all of the log and compares it with its chain and its anchor.
    pub async fn audit_verify(&self) -> Result<AuditVerificationStream, Error> {
        let stream = self.services.audit().verify(VerifyAuditRequest {}).await?;
        Ok(AuditVerificationStream::new(stream.into_inner()))
    }
}
