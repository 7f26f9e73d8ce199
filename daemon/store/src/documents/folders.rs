//! The folders of one document store.

use std::path::PathBuf;

use crate::{
    catalogue::{Protection, StoreRecord},
    durable,
    error::StoreResult,
    root::DataRoot,
};

/// Where a store's files lie.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// All below, the plain files aside.
    pub(crate) base: PathBuf,
    /// Sealed objects; of a plain store, the heads.
    pub(crate) objects: PathBuf,
    /// Journals that are not applied yet.
    pub(crate) journal: PathBuf,
    /// Plaintext files of an earlier application, awaiting migration.
    pub(crate) adopted: PathBuf,
    /// Damaged objects moved aside on request.
    pub(crate) damaged: PathBuf,
    /// What snapshots in use need of documents that were written since.
    pub(crate) snapshot: PathBuf,
    /// Ordinary files of a plain store.
    pub(crate) plain: PathBuf,
}

impl Folders {
    pub(crate) fn new(root: &DataRoot, record: &StoreRecord) -> Self {
        let base = root.store(record.id);
        Self {
            objects: base.join("objects"),
            journal: base.join("journal"),
            adopted: base.join("adopted"),
            damaged: base.join("damaged"),
            snapshot: base.join("snapshot"),
            plain: root.plain(&record.name),
            base,
        }
    }

    /// Durably creates those that every store has.
    pub(crate) fn create(&self, root: &DataRoot, record: &StoreRecord) -> StoreResult<()> {
        let fs = root.fs();
        durable::ensure_dir(fs, &self.base)?;
        durable::ensure_dir(fs, &self.objects)?;
        durable::ensure_dir(fs, &self.journal)?;
        durable::sync_dir(fs, &self.base)?;
        durable::sync_dir(fs, &root.stores())?;
        if record.protection == Protection::Plain {
            let mut folder = root.plain_base();
            for part in record.name.as_str().split('/') {
                let parent = folder.clone();
                folder.push(part);
                durable::ensure_dir(fs, &folder)?;
                durable::sync_dir(fs, &parent)?;
            }
        }
        Ok(())
    }

    /// Sweeps what crashes left half-written.
    pub(crate) fn sweep(&self, root: &DataRoot, record: &StoreRecord) {
        let own = [
            &self.base,
            &self.objects,
            &self.journal,
            &self.adopted,
            &self.damaged,
            &self.snapshot,
        ];
        let plain = (record.protection == Protection::Plain).then_some(&self.plain);
        for folder in own.into_iter().chain(plain) {
            durable::sweep(root.fs(), folder);
        }
    }
}
