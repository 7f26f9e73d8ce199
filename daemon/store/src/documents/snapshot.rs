//! A store of documents as of one moment.
//!
//! A snapshot holds the heads of that moment. A body is read from where it lies, as long as its
//! document was not written since. What a writer is about to replace while a snapshot still needs
//! it is copied aside first, sealed under a key that lives in the copy alone, so that a rotation
//! meanwhile changes nothing. Without snapshots, a writer looks into an empty list and that is all.
//!
//! What people edit in the files of a plain store while a snapshot is held is beyond anybody's
//! reach: reading such a document from the snapshot fails and says so.

use std::{
    collections::HashMap,
    io::{Cursor, Read},
    sync::{Arc, Mutex, MutexGuard, Weak},
};

use vault_crypto::ObjectName;
use zeroize::Zeroizing;

use super::{
    Inner,
    commit::Prepared,
    index::{Location, Slot},
    kept::Kept,
    medium::Medium,
    metadata::Head,
};
use crate::{
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
    kind::{Amount, Entry, Snapshot, no_object},
    vault::lock,
};

/// The moments that snapshots in use show.
#[derive(Default)]
pub(super) struct Moments(Mutex<Vec<Weak<Moment>>>);

/// One moment.
struct Moment {
    revision: Revision,
    /// Live documents, by ascending revision.
    heads: Vec<(ObjectName, Arc<Head>)>,
    /// Of the documents written since, what they were, or why that could not be kept.
    kept: Mutex<HashMap<ObjectName, StoreResult<Arc<Kept>>>>,
}

/// See [`Snapshot`].
pub(super) struct DocumentSnapshot {
    inner: Arc<Inner>,
    moment: Arc<Moment>,
    amount: Amount,
}

impl Moments {
    fn active(&self) -> Vec<Arc<Moment>> {
        let mut moments = lock(&self.0);
        moments.retain(|moment| moment.strong_count() > 0);
        moments.iter().filter_map(Weak::upgrade).collect()
    }

    fn add(&self, moment: &Arc<Moment>) {
        lock(&self.0).push(Arc::downgrade(moment));
    }

    /// Drops every copy, with its key.
    pub(super) fn close(&self) {
        for moment in self.active() {
            moment.kept().clear();
        }
    }
}

impl Moment {
    fn kept(&self) -> MutexGuard<'_, HashMap<ObjectName, StoreResult<Arc<Kept>>>> {
        lock(&self.kept)
    }

    fn needs(&self, name: &ObjectName, revision: Revision) -> bool {
        let found = self
            .heads
            .binary_search_by_key(&revision, |(_, head)| head.revision);
        found.is_ok_and(|index| self.heads[index].0 == *name)
    }
}

impl DocumentSnapshot {
    pub(super) fn take(inner: &Arc<Inner>) -> StoreResult<Self> {
        inner.check_open()?;
        if inner.medium.is_plain() {
            inner.take_in_every_edit()?;
        }
        inner.retry_unreadable();
        let mut unsettled = lock(&inner.commit);
        inner.check_open()?;
        // A write in doubt becomes old or new here, and does not change its mind afterwards.
        inner.settle(&mut unsettled)?;
        let index = inner.open_index()?;
        if let Some(error) = index.damaged.values().next() {
            return Err(error.clone());
        }
        let live = index.iter().filter(|(_, slot)| !slot.head.is_deleted());
        let mut heads: Vec<_> = live
            .map(|(name, slot)| (*name, Arc::clone(&slot.head)))
            .collect();
        heads.sort_unstable_by_key(|(_, head)| head.revision);
        let amount = Amount {
            objects: heads.len() as u64,
            bytes: index.body_bytes(),
        };
        let moment = Arc::new(Moment {
            revision: index.last,
            heads,
            kept: Mutex::default(),
        });
        inner.snapshots.add(&moment);
        Ok(Self {
            inner: Arc::clone(inner),
            moment,
            amount,
        })
    }

    fn metadata(&self, head: &Head) -> StoreResult<Vec<u8>> {
        serde_json::to_vec(&head.metadata).map_err(|error| {
            StoreError::damaged(self.inner.medium.describe(head.id.as_str()), error)
        })
    }
}

impl Snapshot for DocumentSnapshot {
    fn revision(&self) -> Revision {
        self.moment.revision
    }

    fn amount(&self) -> Amount {
        self.amount
    }

    fn entry(&self, index: usize) -> StoreResult<Option<Entry>> {
        let Some((_, head)) = self.moment.heads.get(index) else {
            return Ok(None);
        };
        let id = head.id.as_str();
        let sha256 = head.metadata.hash().ok_or_else(|| {
            StoreError::damaged(self.inner.medium.describe(id), "it records no hash")
        })?;
        Ok(Some(Entry {
            id: id.to_owned(),
            revision: head.revision,
            content_type: head.metadata.content_type.clone(),
            size: head.body_bytes(),
            sha256,
            metadata: self.metadata(head)?,
        }))
    }

    /// In memory as a whole: an envelope vouches for all of its content at once.
    fn body(&self, index: usize) -> StoreResult<Box<dyn Read + '_>> {
        let found = self.moment.heads.get(index);
        let (name, head) = found.ok_or_else(|| no_object(index))?;
        let body = self.inner.body_as_of(&self.moment, name, head)?;
        Ok(Box::new(Cursor::new(body)))
    }
}

impl Inner {
    /// Keeps, for the snapshots that need it, what these writes are about to replace. The caller
    /// keeps writers out.
    ///
    /// Where that fails, the write goes on: the snapshot has the error, for when it gets there.
    pub(super) fn preserve(&self, prepared: &[Prepared]) {
        let moments = self.snapshots.active();
        if moments.is_empty() {
            return;
        }
        for Prepared { name, .. } in prepared {
            let Some(slot) = self.index().get(name).cloned() else {
                continue;
            };
            let needs = |moment: &&Arc<Moment>| moment.needs(name, slot.head.revision);
            let needing: Vec<_> = moments.iter().filter(needs).collect();
            if needing.is_empty() {
                continue;
            }
            // An earlier write may have failed after this, or come before in this very group.
            let known = needing.iter().find_map(|moment| {
                let kept = moment.kept().get(name).cloned();
                kept.filter(Result::is_ok)
            });
            let kept = known.unwrap_or_else(|| self.keep(name, &slot).map(Arc::new));
            if let Err(error) = &kept {
                tracing::warn!(store = %self.context.record.id, %error, "not kept for a snapshot");
            }
            for moment in needing {
                moment.kept().insert(*name, kept.clone());
            }
        }
    }

    fn keep(&self, name: &ObjectName, slot: &Slot) -> StoreResult<Kept> {
        let body = self.body_now(name, slot)?;
        let address = self.medium.address(name, slot.head.revision);
        Kept::new(&self.context.root, &self.folders.snapshot, &address, &body)
    }

    fn body_as_of(
        &self,
        moment: &Moment,
        name: &ObjectName,
        head: &Head,
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        if let Ok(body) = self.body_as_of_once(moment, name, head) {
            return Ok(body);
        }
        // The record may have moved or been replaced between the look-up and the read. While
        // nothing moves, the answer counts.
        let unsettled = lock(&self.commit);
        self.check_open()?;
        if unsettled.doubts(name) {
            self.reload(name);
        }
        self.body_as_of_once(moment, name, head)
            .inspect_err(|error| {
                let slot = self.index().get(name).cloned();
                let sealed = slot.is_some_and(|slot| {
                    slot.key_id.is_some() && slot.head.revision == head.revision
                });
                if sealed {
                    self.note_damage(name, error);
                }
            })
    }

    fn body_as_of_once(
        &self,
        moment: &Moment,
        name: &ObjectName,
        head: &Head,
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        let slot = self.open_index()?.get(name).cloned();
        if let Some(slot) = slot.filter(|slot| slot.head.revision == head.revision) {
            return self.body_now(name, &slot);
        }
        let kept = moment.kept().get(name).cloned();
        if let Some(kept) = kept {
            return kept?.read(&self.medium.address(name, head.revision), || {
                self.medium.describe(head.id.as_str())
            });
        }
        let damage = self.index().damaged.get(name).cloned();
        let damage = damage.map(|error| self.name_damage(&head.id, &error));
        Err(damage.unwrap_or_else(|| {
            StoreError::damaged(self.medium.describe(head.id.as_str()), "it is gone")
        }))
    }

    /// The body of the record in `slot`, of a plain document, too.
    fn body_now(&self, name: &ObjectName, slot: &Slot) -> StoreResult<Zeroizing<Vec<u8>>> {
        if !self.medium.is_plain() || slot.location != Location::Object {
            return self.read_body(name, slot);
        }
        let id = &slot.head.id;
        match self.medium.read_plain(id)? {
            Some(body) if Medium::plain_matches(&slot.head, &body) => Ok(body),
            _ => Err(StoreError::damaged(
                self.medium.describe(id.as_str()),
                "its file was edited or removed while it was being read",
            )),
        }
    }

    /// Takes in every edit from outside a plain store, those that keep a file's length included.
    pub(super) fn take_in_every_edit(&self) -> StoreResult<()> {
        self.take_in_edits()?;
        let ids: Vec<DocumentId> = {
            let index = self.open_index()?;
            index.live().map(|head| head.id.clone()).collect()
        };
        for id in &ids {
            self.take_in_edit_of(id);
        }
        Ok(())
    }
}
