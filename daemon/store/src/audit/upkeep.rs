//! Keeps the anchor new and the log within its bound.

use std::sync::{Arc, atomic::Ordering};

use super::{AnchorMismatch, Anchored, AuditAnchor, AuditLog, Dropped, Entry, Head};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    key_source::KeySourceError,
    vault::lock,
};

/// What is known of the anchor.
pub(super) struct Anchoring {
    anchor: Arc<dyn AuditAnchor>,
    /// The newest record when the log was opened.
    opened: Head,
    /// Whether that was compared with what the keyring remembered.
    compared: bool,
    /// Segments that a record says are dropped, the oldest first, whose files are still there.
    dropping: Vec<(u64, u64)>,
}

impl Anchoring {
    pub(super) fn new(anchor: Arc<dyn AuditAnchor>, opened: Head) -> Self {
        Self {
            anchor,
            opened,
            compared: false,
            dropping: Vec::new(),
        }
    }

    pub(super) fn anchor(&self) -> &dyn AuditAnchor {
        &*self.anchor
    }
}

/// What came of it so far: had without waiting for a keyring.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// What the keyring is known to remember.
    pub(super) known: Option<Anchored>,
    /// Whether it remembers anything.
    pub(super) kept: bool,
    pub(super) failure: Option<String>,
    pub(super) mismatch: Option<String>,
}

impl AuditLog {
    /// Compares the log that was opened with what the keyring remembers, drops what is over the bound,
    /// and has the keyring remember the newest record. To be called after the log was opened, from
    /// time to time, and before it is closed. A keyring that does not answer is no error here: it is
    /// told in the [status](Self::status), and asked again the next time.
    pub fn upkeep(&self) -> StoreResult<()> {
        let mut anchoring = lock(&self.anchoring);
        let answered = self.compare_once(&mut anchoring)?;
        self.record_dropped(&mut anchoring)?;
        if answered {
            self.anchor(&anchoring);
        }
        self.drop_oldest(&mut anchoring)
    }

    /// From now on, another keyring remembers the log: the storage key has moved there.
    pub fn move_anchor(&self, anchor: Arc<dyn AuditAnchor>) -> StoreResult<()> {
        {
            let mut anchoring = lock(&self.anchoring);
            let kept = anchor.is_kept();
            // What that one remembers is of an earlier stay.
            (anchoring.anchor, anchoring.compared) = (anchor, true);
            let mut told = lock(&self.told);
            (told.known, told.failure, told.kept) = (None, None, kept);
            if !kept {
                self.anchored_once.store(false, Ordering::Release);
            }
        }
        self.upkeep()
    }

    /// How many records the keyring does not remember yet.
    pub fn unanchored(&self) -> u64 {
        let head = self.head().sequence;
        let known = lock(&self.told).known.as_ref().map(|known| known.sequence);
        head.saturating_sub(known.unwrap_or(0))
    }

    /// Compares what was opened with what the keyring remembers, unless that was done. Answers whether
    /// the keyring did.
    fn compare_once(&self, anchoring: &mut Anchoring) -> StoreResult<bool> {
        if anchoring.compared || !anchoring.anchor.is_kept() {
            return Ok(true);
        }
        match anchoring.anchor.load() {
            Ok(remembered) => self.compare(anchoring.opened, remembered)?,
            Err(KeySourceError::Damaged(detail)) => self.tell(anchoring.opened, None, &detail)?,
            Err(error) => {
                lock(&self.told).failure = Some(error.to_string());
                return Ok(false);
            }
        }
        anchoring.compared = true;
        Ok(true)
    }

    fn compare(&self, opened: Head, remembered: Option<Anchored>) -> StoreResult<()> {
        let Some(remembered) = remembered else {
            if self.is_anchored() {
                self.tell(opened, None, "the keyring has lost what it remembered")?;
            }
            return Ok(());
        };
        let (number, found) = (remembered.sequence, opened.sequence);
        let unlike = if number > found {
            Some(format!(
                "the keyring remembers record {number}, and the log ended with record {found}"
            ))
        } else {
            match self.hash_after(number) {
                Ok(Some(head)) if head.hash != remembered.hash => Some(format!(
                    "record {number} is another one than the keyring remembers"
                )),
                Ok(_) => None,
                Err(error @ StoreError::Damaged { .. }) => Some(format!(
                    "record {number}, which the keyring remembers, cannot be read: {error}"
                )),
                Err(error) => return Err(error),
            }
        };
        if let Some(unlike) = unlike {
            self.tell(opened, Some(number), &unlike)?;
        }
        lock(&self.told).known = Some(remembered);
        self.anchored_once.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes it a record that the log is not the one that the keyring remembered.
    fn tell(&self, opened: Head, remembered: Option<u64>, detail: &str) -> StoreResult<()> {
        tracing::error!(detail, "the audit log is not the one that was anchored");
        self.append(&[Entry::AnchorMismatch(AnchorMismatch {
            at_ms: self.clock.now_ms(),
            remembered,
            found: opened.sequence,
            detail: detail.to_owned(),
        })])?;
        lock(&self.told).mismatch = Some(detail.to_owned());
        Ok(())
    }

    /// Makes it a record that the oldest segments go, while the log is over its bound.
    fn record_dropped(&self, anchoring: &mut Anchoring) -> StoreResult<()> {
        let mut writer = lock(&self.writer);
        let (_, _, _, mut bytes) = writer.figures();
        let (mut going, mut dropped) = (Vec::new(), Vec::new());
        let segments: Vec<_> = writer.segments().iter().copied().collect();
        // The newest stays, however large it is.
        for pair in segments.windows(2) {
            let (oldest, next) = (pair[0], pair[1]);
            if bytes <= self.bounds.total {
                break;
            }
            bytes -= oldest.len;
            going.push((oldest.number, oldest.len));
            dropped.push(Entry::Dropped(Dropped {
                at_ms: self.clock.now_ms(),
                segment: oldest.number,
                first: oldest.first,
                last: next.first.saturating_sub(1),
            }));
        }
        self.append_to(&mut writer, &dropped)?;
        for segment in going {
            writer.drop_oldest();
            anchoring.dropping.push(segment);
        }
        Ok(())
    }

    fn anchor(&self, anchoring: &Anchoring) {
        let (segments, head) = self.outline();
        let kept = anchoring.anchor.is_kept();
        let Some(oldest) = segments.first().filter(|_| kept) else {
            return;
        };
        let known = lock(&self.told).known.clone();
        let is_newest =
            |known: Anchored| known.hash == head.hash && known.first_segment == oldest.number;
        if known.is_some_and(is_newest) {
            return;
        }
        let anchored = Anchored {
            sequence: head.sequence,
            hash: head.hash,
            first_segment: oldest.number,
            at_ms: self.clock.now_ms(),
        };
        let saved = anchoring.anchor.save(&anchored);
        let mut told = lock(&self.told);
        match saved {
            Ok(()) => {
                (told.known, told.failure) = (Some(anchored), None);
                self.anchored_once.store(true, Ordering::Release);
            }
            Err(error) => told.failure = Some(error.to_string()),
        }
    }

    /// Removes the files of dropped segments, once the keyring knows. One that does not answer puts
    /// that off, up to twice the bound.
    fn drop_oldest(&self, anchoring: &mut Anchoring) -> StoreResult<()> {
        let waiting: u64 = anchoring.dropping.iter().map(|(_, len)| len).sum();
        let (_, _, _, bytes) = lock(&self.writer).figures();
        let failed = lock(&self.told).failure.is_some();
        if failed && bytes + waiting <= 2 * self.bounds.total {
            return Ok(());
        }
        let fs = self.place.root.fs();
        while let Some((segment, _)) = anchoring.dropping.first() {
            durable::remove_if_there(fs, &self.place.path(*segment))?;
            anchoring.dropping.remove(0);
            if !anchoring.dropping.is_empty() {
                // Each durably before the next: what is left never has a hole. The last may come back.
                durable::sync_dir(fs, &self.place.folder())?;
            }
        }
        Ok(())
    }
}
