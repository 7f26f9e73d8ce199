//! What keeps a blob from being collected: that something names it, or is about to.
//!
//! A document's write holds [`References::share`] from the check that the blobs it names are there
//! until it is durable; so does a put that finds its blob stored already, until it has stopped the
//! blob's clock. Whoever removes a blob holds [`References::exclude`] while it looks once more
//! whether anything names it, and removes it. A database's columns are read before: who writes a ref
//! into one has put the blob first, which stops its clock.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use crate::{
    blobs::{BlobRef, BlobStore},
    catalogue::Kind,
    error::{StoreError, StoreResult},
    id::StoreName,
    vault::Core,
};

/// One vault's lock between those that name blobs and those that remove them, and the way from a
/// store of documents to the stores of blobs.
pub struct References {
    lock: RwLock<()>,
    core: Weak<Core>,
}

/// Held while a write relies on blobs that are there. Never taken twice by one thread: who waits to
/// remove something keeps the second from being had.
pub(crate) struct Shared<'a> {
    _guard: RwLockReadGuard<'a, ()>,
}

impl References {
    pub(crate) fn new(core: Weak<Core>) -> Self {
        let lock = RwLock::default();
        Self { lock, core }
    }

    /// Keeps every blob that is there from being removed.
    pub(crate) fn share(&self) -> Shared<'_> {
        let guard = self.lock.read().unwrap_or_else(PoisonError::into_inner);
        Shared { _guard: guard }
    }

    /// Keeps everybody from naming a blob. For moments only.
    pub(crate) fn exclude(&self) -> RwLockWriteGuard<'_, ()> {
        self.lock.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn core(&self) -> StoreResult<Arc<Core>> {
        self.core.upgrade().ok_or(StoreError::Closed)
    }

    /// The store of blobs of this name, created where there is none.
    pub(crate) fn blobs_or_create(&self, name: &StoreName) -> StoreResult<Arc<BlobStore>> {
        self.core()?.blobs_or_create(name)
    }

    /// Every store of blobs, `first` before the others, or why one cannot be opened.
    fn stores(&self, first: &StoreName) -> StoreResult<Vec<StoreResult<Arc<BlobStore>>>> {
        let core = self.core()?;
        let mut records = core.stores();
        records.retain(|record| record.kind == Kind::Blobs);
        records.sort_by_key(|record| record.name != *first);
        let names = records.into_iter().map(|record| record.name);
        Ok(names.map(|name| core.blobs(&name)).collect())
    }

    /// The size of a blob, in whichever store it is.
    pub(crate) fn size_of(&self, reference: &BlobRef, first: &StoreName) -> StoreResult<u64> {
        let mut failed = None;
        for store in self.stores(first)? {
            match store.and_then(|store| store.stat(reference)) {
                Ok(info) => return Ok(info.size),
                Err(StoreError::NoSuchBlob(_)) => {}
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or(StoreError::BlobMissing(*reference)))
    }

    /// Makes sure that a blob is in one of the stores that are `reached`.
    pub(crate) fn check_within(
        &self,
        reference: &BlobRef,
        reached: &dyn Fn(&StoreName) -> bool,
    ) -> StoreResult<()> {
        let core = self.core()?;
        let records = core.stores().into_iter();
        let reached = records.filter(|record| record.kind == Kind::Blobs && reached(&record.name));
        let stores: Vec<_> = reached.map(|record| core.blobs(&record.name)).collect();
        is_stored(&stores, reference)
    }

    /// Makes sure that the blobs `required` are stored, and stops the clock of all that are `named`,
    /// durably.
    pub(crate) fn claim(
        &self,
        _shared: &Shared<'_>,
        first: &StoreName,
        required: &[BlobRef],
        named: &[BlobRef],
    ) -> StoreResult<()> {
        if required.is_empty() && named.is_empty() {
            return Ok(());
        }
        let stores = self.stores(first)?;
        for reference in required {
            is_stored(&stores, reference)?;
        }
        // In one that cannot be opened nothing is collected.
        for store in stores.iter().flatten() {
            store.unnamed().forget(named)?;
        }
        Ok(())
    }
}

fn is_stored(stores: &[StoreResult<Arc<BlobStore>>], reference: &BlobRef) -> StoreResult<()> {
    let mut failed = None;
    for store in stores {
        match store.as_ref().map(|store| store.contains(reference)) {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => failed = Some(error),
            Err(error) => failed = Some(error.clone()),
        }
    }
    Err(failed.unwrap_or(StoreError::BlobMissing(*reference)))
}
