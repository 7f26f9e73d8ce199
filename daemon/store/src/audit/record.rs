//! What stands in the log.

use serde::{Deserialize, Serialize};

/// One record, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number: records count on from 1 without a gap.
    pub sequence: u64,
    /// The segment it stands in.
    pub segment: u64,
    /// What it says.
    pub entry: Entry,
}

/// What a record says. Those of a later version of vaultd cannot be read by this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// Somebody did something, or tried to.
    Event(Box<Event>),
    /// A segment begins: the first record of each.
    Segment(SegmentStart),
    /// The oldest segment goes.
    Dropped(Dropped),
    /// Records that could not be kept.
    Lost(Lost),
    /// The log was not the one that the keyring remembered.
    AnchorMismatch(AnchorMismatch),
    /// Somebody knows of that, and why.
    Accepted(Accepted),
}

impl Entry {
    /// When it was made, in milliseconds since 1970.
    pub fn at_ms(&self) -> i64 {
        match self {
            Self::Event(event) => event.at_ms,
            Self::Segment(start) => start.at_ms,
            Self::Dropped(dropped) => dropped.at_ms,
            Self::Lost(lost) => lost.at_ms,
            Self::AnchorMismatch(mismatch) => mismatch.at_ms,
            Self::Accepted(accepted) => accepted.at_ms,
        }
    }
}

/// How something came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was let in and begins; what comes of it is another record of the same `call`.
    #[default]
    Begun,
    /// It was done.
    Done,
    /// It was not let in.
    Refused,
    /// It was let in and failed.
    Failed,
    /// Whoever called went away, or the daemon ended, before its end.
    Cancelled,
}

impl Outcome {
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
}

/// Somebody did something, or tried to. Never in it: a body, the value of a secret, a token, a code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The method, or a word such as `sign-in`.
    pub action: String,
    /// Ties the records of one call together.
    #[serde(skip_serializing_if = "is_zero")]
    pub call: u64,
    /// How it came out.
    pub outcome: Outcome,
    /// Why it did not, as programs know it: `NOT_FOUND`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// As what the caller counted: `owner`, `token`, `session`, `loopback`, `open`, `nobody`, or
    /// `daemon` for what vaultd does by itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub principal: String,
    /// The label of its token or passkey.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Where it asked from over HTTP.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The user of the process at the other end of the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// That process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// What it is called.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comm: String,
    /// The unit of systemd it belongs to, or its control group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Its program, where that can be read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub exe: String,
    /// The stores it was about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub store: String,
    /// The document, blob, secret, ...
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// What was granted, or how many were alike.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference to it"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A segment begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentStart {
    /// Its number.
    pub number: u64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The segment before it; none of the first of a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousEnd>,
    /// Whether the keyring held an anchor of this log: where it holds none later, that is lost.
    #[serde(default)]
    pub anchored: bool,
}

/// Where a segment ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousEnd {
    /// Its number.
    pub number: u64,
    /// Bytes of its records.
    pub end: u64,
    /// What lies behind them, where anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// Why there may be bytes behind the last record of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// A write that a crash left unfinished: so many bytes that hold no whole record.
    Unfinished(u64),
    /// A write that failed: nobody was told that these records count.
    Failed,
}

/// The oldest segment goes, since the log is over its bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// Its number.
    pub segment: u64,
    /// Its first record.
    pub first: u64,
    /// Its last record.
    pub last: u64,
}

/// Records that could not be kept: the disk was full, or the vault locked for long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When this was written, in milliseconds since 1970.
    pub at_ms: i64,
    /// How many.
    pub count: u64,
    /// When the first of them was made.
    pub from_ms: i64,
    /// When the last of them was made.
    pub to_ms: i64,
    /// Why, for people.
    pub reason: String,
}

/// The log was not the one that the keyring remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorMismatch {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The record that the keyring remembered; none where it had lost that.
    pub remembered: Option<u64>,
    /// The newest record of the log that was found.
    pub found: u64,
    /// For people.
    pub detail: String,
}

/// Somebody who administers the vault knows why the log was not the one that the keyring remembered:
/// it came with a copy of the data root, say. It stays recorded, and is no problem any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What was recorded of it up to this record.
    pub up_to: u64,
}
