//! The audit log: who did what, append-only, chained and sealed.
//!
//! ```text
//! audit/000000000001        a segment: records one behind the other, each an envelope of its own
//! audit/000000000002
//! ```
//!
//! **Records.** Record *n* is an envelope at the address (vault, `audit`, segment, *n*), so that none
//! can be written without the log's data key, moved to another place or made to count as another. Its
//! metadata is the chain's hash before it, its body an [`Entry`] as JSON. The hash after it is that of
//! all records up to it ([`ChainHash`]). It is a hash of plaintext: a rotation that re-encrypts seals
//! the same records under another key, at the same offsets, and the chain stays what it was.
//!
//! **Durability.** Records of several callers are written together and share a sync; they count once
//! it has returned ([`AuditLog::append`]). A segment is only ever appended to. After a failure, or
//! where the last write of a crash was left unfinished, a new one is begun: its first record,
//! [`SegmentStart`], says where the one before ends, and carries the chain on. Nothing that cannot be
//! read is cut off or written over.
//!
//! **Anchor.** The number and hash of the newest record, and the oldest segment kept, are remembered
//! in the keyring: from time to time, and when the log is closed ([`AuditLog::upkeep`]). Always after
//! the records are durable, so a log ahead of its anchor is sound. One that is behind it, or whose
//! record of that number is another one, is an older copy or was cut: that becomes a record
//! ([`AnchorMismatch`]), and every verification says so. Records since the newest anchor are held by
//! the chain alone: they cannot be changed, but the last of them can be cut off while no daemon runs.
//!
//! **Bounds.** Where the log is over its bound, the oldest segment goes: first a record of it
//! ([`Dropped`]), then the anchor, then the file.
//!
//! The log is this vault's on this machine: backups and exports do not take it along.

pub mod anchor;
mod frame;
mod opening;
mod reading;
mod record;
mod reencrypt;
mod segment;
mod upkeep;
mod verify;
mod walk;
mod writer;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use vault_crypto::{ChainHash, VaultId};

pub use self::{
    anchor::{Anchored, AuditAnchor, NoAnchor},
    reading::Reading,
    record::{
        Accepted, AnchorMismatch, Dropped, Entry, Event, Gap, Lost, Outcome, PreviousEnd, Record,
        SegmentStart,
    },
    verify::{AnchorReach, Finding, FindingKind, Place as FindingPlace, Verification},
};
use self::{
    frame::Place,
    upkeep::{Anchoring, Told},
    writer::Writer,
};
use crate::{
    clock::Clock,
    error::{StoreError, StoreResult},
    root::DataRoot,
    store_keys::StoreKeys,
    vault::lock,
};

/// How large a log becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a segment, after which the next one is begun.
    pub segment: u64,
    /// Bytes of all segments, above which the oldest goes.
    pub total: u64,
}

impl Default for Bounds {
    /// 64 MiB, some 150,000 records, in segments that are read in a few milliseconds.
    fn default() -> Self {
        Self {
            segment: 1 << 20,
            total: 64 << 20,
        }
    }
}

/// What a log is opened with.
#[derive(Clone)]
pub struct AuditOptions {
    /// How large it becomes.
    pub bounds: Bounds,
    /// Where its newest record is remembered.
    pub anchor: Arc<dyn AuditAnchor>,
}

/// The newest record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 before the first.
    pub sequence: u64,
    /// The chain's hash after it.
    pub hash: ChainHash,
}

/// Figures of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditStatus {
    /// The number of its oldest record; 0 where there is none.
    pub first: u64,
    /// The number of its newest record.
    pub last: u64,
    /// How many segments it has.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is remembered of it outside of the vault, as far as this process knows.
    pub anchored: Option<Anchored>,
    /// Whether anything can be remembered there.
    pub anchor_kept: bool,
    /// Why the anchor is not as new as it should be.
    pub anchor_failure: Option<String>,
    /// When the log was opened, it was not the one that the keyring remembered.
    pub mismatch: Option<String>,
}

/// An open audit log. Calls block.
pub struct AuditLog {
    place: Place,
    bounds: Bounds,
    clock: Arc<dyn Clock>,
    /// Taken before the writer, where both are.
    anchoring: Mutex<Anchoring>,
    told: Mutex<Told>,
    writer: Mutex<Writer>,
    /// Whether the keyring held an anchor when this was last known.
    anchored_once: AtomicBool,
}

impl AuditLog {
    /// Opens the log of a vault. Reads only: a log that is not there yet begins with its first record.
    pub(crate) fn open(
        root: DataRoot,
        vault: VaultId,
        keys: Arc<StoreKeys>,
        clock: Arc<dyn Clock>,
        options: AuditOptions,
    ) -> StoreResult<Self> {
        let place = Place { root, vault, keys };
        let found = opening::open(&place, &*options.anchor)?;
        let told = Told {
            kept: options.anchor.is_kept(),
            ..Told::default()
        };
        Ok(Self {
            place,
            bounds: options.bounds,
            clock,
            anchored_once: AtomicBool::new(found.anchored),
            anchoring: Mutex::new(Anchoring::new(options.anchor, found.writer.head())),
            told: Mutex::new(told),
            writer: Mutex::new(found.writer),
        })
    }

    /// Durably adds records, all or none; answers with the newest. After a failure none of them counts,
    /// and the next call begins a new segment.
    pub fn append(&self, entries: &[Entry]) -> StoreResult<Head> {
        self.append_to(&mut lock(&self.writer), entries)
    }

    fn append_to(&self, writer: &mut Writer, entries: &[Entry]) -> StoreResult<Head> {
        if entries.is_empty() {
            return Ok(writer.head());
        }
        let start = |previous| SegmentStart {
            number: 0,
            at_ms: self.clock.now_ms(),
            previous,
            anchored: self.is_anchored(),
        };
        writer.append(&self.place, &self.bounds, &start, entries)
    }

    /// Takes it as known that the log was not the one that the keyring remembered, as far as that is
    /// recorded: on purpose, for a data root that was brought from elsewhere.
    pub fn accept(&self) -> StoreResult<()> {
        let accepted = Accepted {
            at_ms: self.clock.now_ms(),
            up_to: self.head().sequence,
        };
        self.append(&[Entry::Accepted(accepted)])?;
        lock(&self.told).mismatch = None;
        Ok(())
    }

    /// The newest record.
    pub fn head(&self) -> Head {
        lock(&self.writer).head()
    }

    /// Figures.
    pub fn status(&self) -> AuditStatus {
        let (first, last, segments, bytes) = lock(&self.writer).figures();
        let told = lock(&self.told).clone();
        AuditStatus {
            first,
            last,
            segments,
            bytes,
            anchored: told.known,
            anchor_kept: told.kept,
            anchor_failure: told.failure,
            mismatch: told.mismatch,
        }
    }

    /// The keys in force, which a rotation replaces.
    pub(crate) fn keys(&self) -> &StoreKeys {
        &self.place.keys
    }

    /// Refuses every further call, and drops the keys. What is to be anchored was before.
    pub(crate) fn close(&self) {
        lock(&self.writer).close();
        self.place.keys.forget();
    }

    fn is_anchored(&self) -> bool {
        self.anchored_once.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog")
            .field("vault", &self.place.vault)
            .finish_non_exhaustive()
    }
}

/// What cannot be told of a record without its key.
fn damaged(segment: u64, detail: impl std::fmt::Display) -> StoreError {
    StoreError::damaged(format!("segment {segment} of the audit log"), detail)
}
