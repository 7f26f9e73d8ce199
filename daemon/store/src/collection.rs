//! Collection: removing blobs that nothing names.
//!
//! Nobody counts references. Whoever collects reads what the documents' heads and the databases'
//! columns name (a store that cannot be read stops it: nobody knows what that one names), notes which
//! blobs are not among it, and removes those that were not for the grace period: at two looks so far
//! apart, and at none in between. Putting a blob again, or writing a document that names it, starts
//! its time anew.
//!
//! All of that is read while others work. Then, for a few blobs at a time, whoever names blobs waits
//! for a moment: what is not named, and whose clock was not stopped since, is removed.

mod in_use;
mod unnamed;

use std::{collections::HashSet, ops::ControlFlow, sync::TryLockError, time::Duration};

pub(crate) use unnamed::Unnamed;

use self::in_use::{Names, names_blobs};
use crate::{
    blobs::{BlobInfo, BlobRef, BlobStore},
    catalogue::Kind,
    error::{StoreError, StoreResult},
    id::StoreName,
    vault::Core,
};

/// How long nothing must have named a blob unless configured otherwise: a day.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many blobs are removed while those that name blobs wait: each takes about a millisecond.
const AT_ONCE: usize = 32;

/// After how many blobs a report is due.
const REPORTED: u64 = 4096;

/// What is collected.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Of this store of blobs, or of all.
    pub store: Option<StoreName>,
    /// Nothing is noted or removed.
    pub dry_run: bool,
    /// How long nothing must have named a blob.
    pub grace: Duration,
}

/// How far it has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Collected {
    /// Blobs looked at.
    pub examined: u64,
    /// Of them, those that something names.
    pub named: u64,
    /// Those that nothing names, but not for long enough.
    pub waiting: u64,
    /// Those removed, or to be removed.
    pub removed: u64,
    /// Bytes of their content.
    pub removed_bytes: u64,
}

/// Told how far it has come, and of the blobs removed since the last time; answers whether to go on.
pub type CollectionReport<'a> = dyn FnMut(&Collected, &[BlobInfo]) -> ControlFlow<()> + 'a;

impl Core {
    /// Removes the blobs that nothing has named for long enough. Refused while another collection is
    /// under way.
    pub fn collect(
        &self,
        collection: &Collection,
        report: &mut CollectionReport<'_>,
    ) -> StoreResult<Collected> {
        // Nobody queues: one look after the other finds nothing new.
        let _one_at_a_time = match self.collecting.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(StoreError::Collecting),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Ok(guard) => guard,
        };
        let names = match &collection.store {
            Some(name) => vec![name.clone()],
            None => self.names_of_blob_stores(),
        };
        let mut run = Run {
            core: self,
            collection,
            report,
            collected: Collected::default(),
        };
        for name in names {
            if run.collect_in(&name)?.is_break() {
                break;
            }
        }
        Ok(run.collected)
    }
}

/// One collection under way.
struct Run<'a, 'r> {
    core: &'a Core,
    collection: &'a Collection,
    report: &'a mut CollectionReport<'r>,
    collected: Collected,
}

impl Run<'_, '_> {
    fn collect_in(&mut self, name: &StoreName) -> StoreResult<ControlFlow<()>> {
        let store = match self.core.blobs(name) {
            // Removed in the meantime.
            Err(StoreError::NoSuchStore(_)) if self.collection.store.is_none() => {
                return Ok(ControlFlow::Continue(()));
            }
            opened => opened?,
        };
        if !self.collection.dry_run {
            store.unnamed().begin_look();
        }
        let looked = self.look_at(&store);
        store.unnamed().give_look_up();
        looked
    }

    fn look_at(&mut self, store: &BlobStore) -> StoreResult<ControlFlow<()>> {
        let named = Names::of(self.core, names_blobs)?;
        let mut unnamed = Vec::new();
        let mut stopped = ControlFlow::Continue(());
        store.list(&mut |listed| {
            // One that cannot be read is left to whoever verifies the store.
            let Ok(info) = listed else {
                return ControlFlow::Continue(());
            };
            self.collected.examined += 1;
            if named.contain(&info.reference) {
                self.collected.named += 1;
            } else {
                unnamed.push(info);
            }
            if self.collected.examined.is_multiple_of(REPORTED) {
                stopped = (self.report)(&self.collected, &[]);
            }
            stopped
        })?;
        if stopped.is_break() {
            return Ok(stopped);
        }
        self.judge(store, unnamed)
    }

    /// Notes what is not named, and removes what has not been for long enough.
    fn judge(&mut self, store: &BlobStore, unnamed: Vec<BlobInfo>) -> StoreResult<ControlFlow<()>> {
        let now = self.core.now_ms();
        let grace = i64::try_from(self.collection.grace.as_millis()).unwrap_or(i64::MAX);
        let refs: Vec<BlobRef> = unnamed.iter().map(|info| info.reference).collect();
        if !self.collection.dry_run {
            store.unnamed().end_look(now, &refs)?;
        }
        let overdue: HashSet<BlobRef> = store
            .unnamed()
            .overdue(now, grace, &refs)?
            .into_iter()
            .collect();
        let (garbage, waiting): (Vec<_>, Vec<_>) = unnamed
            .into_iter()
            .partition(|info| overdue.contains(&info.reference));
        self.collected.waiting += waiting.len() as u64;
        if garbage.is_empty() {
            return Ok((self.report)(&self.collected, &[]));
        }
        // Whoever began to name a blob before its clock ran is waited for, and read; whoever begins
        // from here on stops its clock. So all is read once more while nobody has to wait for it.
        drop(self.core.references.exclude());
        let mut names = Names::of(self.core, names_blobs)?;
        for few in garbage.chunks(AT_ONCE) {
            let removed = if self.collection.dry_run {
                few.to_vec()
            } else {
                self.remove(store, few, &mut names)?
            };
            // What is spared is named again.
            self.collected.named += (few.len() - removed.len()) as u64;
            self.collected.removed += removed.len() as u64;
            self.collected.removed_bytes += removed.iter().map(|info| info.size).sum::<u64>();
            if (self.report)(&self.collected, &removed).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Removes those of a few blobs that are still not named. Whoever wants to name one waits.
    fn remove(
        &self,
        store: &BlobStore,
        few: &[BlobInfo],
        names: &mut Names,
    ) -> StoreResult<Vec<BlobInfo>> {
        let _nobody_names = self.core.references.exclude();
        // A store made meanwhile over files that were there already.
        names.read_new(self.core, |kind| kind == Kind::Documents)?;
        let mut removed = Vec::new();
        for info in few {
            let reference = &info.reference;
            // Put again or named meanwhile, its clock was stopped.
            if names.contain(reference) || !store.unnamed().contains(reference)? {
                continue;
            }
            match store.remove(reference) {
                Ok(()) => removed.push(info.clone()),
                Err(StoreError::NoSuchBlob(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let gone: Vec<BlobRef> = removed.iter().map(|info| info.reference).collect();
        store.unnamed().forget(&gone)?;
        Ok(removed)
    }
}
