//! What a vault's stores name, and the removal of blobs that none of them does.

use std::{collections::HashSet, sync::RwLockWriteGuard};

use crate::{
    blobs::BlobRef,
    catalogue::{Kind, StoreRecord},
    error::{StoreError, StoreResult},
    id::{StoreId, StoreName},
    vault::Core,
};

/// The blobs that stores name.
#[derive(Default)]
pub(super) struct Names {
    named: HashSet<BlobRef>,
    /// The stores that were read.
    of: HashSet<StoreId>,
}

impl Names {
    /// Every blob that is named by a store of these kinds.
    pub(super) fn of(core: &Core, kinds: impl Fn(Kind) -> bool) -> StoreResult<Self> {
        let mut names = Self::default();
        names.read_new(core, kinds)?;
        Ok(names)
    }

    /// Adds those of stores that have not been read.
    pub(super) fn read_new(
        &mut self,
        core: &Core,
        kinds: impl Fn(Kind) -> bool,
    ) -> StoreResult<()> {
        for StoreRecord { id, name, .. } in core.records_of(kinds) {
            if self.of.contains(&id) {
                continue;
            }
            let found = match core.open_store(&name) {
                // Removed in the meantime, with all that it named.
                Err(StoreError::NoSuchStore(_)) => continue,
                opened => opened.and_then(|store| store.references()),
            };
            let found = found.map_err(|error| unreadable(&name, error))?;
            // What is no ref names no blob.
            let found = found.iter().filter_map(|text| BlobRef::parse(text).ok());
            self.named.extend(found);
            self.of.insert(id);
        }
        Ok(())
    }

    pub(super) fn contain(&self, reference: &BlobRef) -> bool {
        self.named.contains(reference)
    }
}

pub(super) const fn names_blobs(kind: Kind) -> bool {
    match kind {
        Kind::Documents | Kind::Database => true,
        Kind::Blobs | Kind::Files | Kind::Secrets => false,
    }
}

/// Why nothing is removed.
fn unreadable(store: &StoreName, error: StoreError) -> StoreError {
    match error {
        StoreError::Closed => StoreError::Closed,
        error => StoreError::damaged(
            format!("store `{store}`"),
            format!("what it names cannot be read, so no blob is removed: {error}"),
        ),
    }
}

impl Core {
    /// Durably removes a blob. Refused while something names it.
    pub fn remove_blob(&self, store: &StoreName, reference: &BlobRef) -> StoreResult<()> {
        let blobs = self.blobs(store)?;
        blobs.stat(reference)?;
        self.must_be_unnamed(reference, names_blobs)?;
        let _nobody_names = self.references.exclude();
        self.must_be_unnamed(reference, |kind| kind == Kind::Documents)?;
        blobs.remove(reference)
    }

    /// Refuses the removal of a store of blobs that holds what something names and no other store
    /// has. Nobody names a blob for as long as what is returned is held.
    pub(crate) fn must_be_dispensable(
        &self,
        store: &StoreName,
    ) -> StoreResult<RwLockWriteGuard<'_, ()>> {
        self.must_hold_nothing_named(store, names_blobs)?;
        let nobody_names = self.references.exclude();
        self.must_hold_nothing_named(store, |kind| kind == Kind::Documents)?;
        Ok(nobody_names)
    }

    fn must_hold_nothing_named(
        &self,
        store: &StoreName,
        kinds: impl Fn(Kind) -> bool,
    ) -> StoreResult<()> {
        let blobs = match self.blobs(store) {
            Err(error @ (StoreError::Closed | StoreError::NoSuchStore(_))) => return Err(error),
            // One that cannot be opened may hold whatever no other one does.
            opened => opened.ok(),
        };
        let others = self.names_of_blob_stores().into_iter();
        let others = others.filter(|other| other != store);
        let others: Vec<_> = others.filter_map(|other| self.blobs(&other).ok()).collect();
        for reference in &Names::of(self, &kinds)?.named {
            let is_here = match &blobs {
                Some(blobs) => blobs.contains(reference)?,
                None => true,
            };
            let is_elsewhere = || {
                let mut others = others.iter();
                others.any(|other| {
                    other.stat(reference).is_ok()
                        && other.contains(reference).is_ok_and(|there| there)
                })
            };
            if is_here && !is_elsewhere() {
                self.must_be_unnamed(reference, &kinds)?;
            }
        }
        Ok(())
    }

    fn must_be_unnamed(
        &self,
        reference: &BlobRef,
        kinds: impl Fn(Kind) -> bool,
    ) -> StoreResult<()> {
        for StoreRecord { name, .. } in self.records_of(kinds) {
            let by = match self.open_store(&name) {
                Err(StoreError::NoSuchStore(_)) => continue,
                opened => opened.and_then(|store| store.naming(reference)),
            };
            if let Some(by) = by.map_err(|error| unreadable(&name, error))? {
                let reference = *reference;
                return Err(StoreError::InUse { reference, by });
            }
        }
        Ok(())
    }

    pub(super) fn names_of_blob_stores(&self) -> Vec<StoreName> {
        let records = self.records_of(|kind| kind == Kind::Blobs).into_iter();
        records.map(|record| record.name).collect()
    }

    fn records_of(&self, kinds: impl Fn(Kind) -> bool) -> Vec<StoreRecord> {
        let mut records = self.stores();
        records.retain(|record| kinds(record.kind));
        records
    }
}
