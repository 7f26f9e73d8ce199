//! Blobs as a store kind: what rotation, export, doctor and upkeep use.

use std::{
    collections::BTreeSet,
    io::Read,
    ops::ControlFlow,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use vault_crypto::KeyId;

use super::{
    BlobRef, BlobStore, Verified,
    folders::Folders,
    snapshot::{BlobSnapshot, Metadata},
    upload::Plan,
};
use crate::{
    catalogue::{Protection, StoreRecord},
    error::{StoreError, StoreResult},
    kind::{
        Amount, Entry, Exported, Quiesced, Report, Snapshot, Store, StoreContext, StoreKind,
        StoreStats, import_each, pour,
    },
    root::DataRoot,
};

/// Makes and opens stores of blobs.
#[derive(Debug, Clone, Copy)]
pub struct BlobKind;

impl StoreKind for BlobKind {
    fn create(&self, context: &StoreContext) -> StoreResult<()> {
        if context.record.protection == Protection::Plain {
            return Err(StoreError::InvalidArgument(
                "a store of blobs is always encrypted: leave out `--plain`".to_owned(),
            ));
        }
        Folders::new(&context.root, context.record.id).create(&context.root)
    }

    fn open(&self, context: StoreContext) -> StoreResult<Arc<dyn Store>> {
        Ok(BlobStore::open(context)?)
    }

    fn remove_files(&self, root: &DataRoot, record: &StoreRecord) {
        Folders::new(root, record.id).remove(root.fs());
    }

    fn check_import(
        &self,
        protection: Protection,
        id: &str,
        metadata: &[u8],
    ) -> StoreResult<String> {
        Metadata::parse(protection, id, metadata).map(|metadata| metadata.content_type)
    }

    fn streams(&self) -> bool {
        true
    }
}

impl Store for BlobStore {
    fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.sessions.end();
        // Whoever names blobs or takes them away has done so, or comes too late: another vault may
        // be at work from now on.
        drop(self.0.quiet());
        self.0.unnamed.close();
    }

    fn quiesce(&self) -> Quiesced<'_> {
        Quiesced {
            _guard: Box::new(self.0.quiet()),
        }
    }

    fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>> {
        Ok(Box::new(BlobSnapshot::take(&self.0)?))
    }

    fn import_one(&self, object: Exported) -> StoreResult<()> {
        self.import(vec![object]).map(|_| ())
    }

    fn import(&self, objects: Vec<Exported>) -> StoreResult<u64> {
        import_each(self, "", objects)
    }

    fn import_stream(&self, object: Entry, body: &mut dyn Read) -> StoreResult<bool> {
        let protection = self.record().protection;
        let metadata = Metadata::parse(protection, &object.id, &object.metadata)?;
        let reference = BlobRef::new(object.sha256);
        if object.id != reference.to_string() {
            return Err(StoreError::InvalidArgument(format!(
                "`{}` is not the ref of its content, {reference}",
                object.id
            )));
        }
        if self.0.there_whole(&reference)?.is_some() {
            return Ok(true);
        }
        let mut upload = self.0.upload(Plan {
            content_type: metadata.content_type,
            size: Some(object.size),
            created_ms: Some(metadata.created),
            resume: None,
        })?;
        pour(&object.id, body, |piece| upload.write(piece))?;
        upload.finish(Some(&reference)).map(|stored| stored.existed)
    }

    fn outdated(&self) -> StoreResult<Amount> {
        self.0.outdated()
    }

    fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        self.0.reencrypt(report)
    }

    fn verify(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        let mut failed = None;
        let flow = self.verify_each(&mut |Verified { amount, damaged }| match damaged {
            None => report(amount),
            Some((file, error)) => {
                tracing::error!(file, %error, "damaged");
                match error {
                    // It may be whole: nobody knows before it can be read.
                    StoreError::Io { .. } => {
                        failed = Some(error);
                        ControlFlow::Break(())
                    }
                    _ => ControlFlow::Continue(()),
                }
            }
        })?;
        failed.map_or(Ok(flow), Err)
    }

    fn older_keys_in_use(&self) -> StoreResult<BTreeSet<KeyId>> {
        self.0.older_keys()
    }

    fn verify_one(&self, id: &str) -> StoreResult<()> {
        self.0.check_open()?;
        self.0.verify(&BlobRef::parse(id)?).map(|_| ())
    }

    fn references(&self) -> StoreResult<Vec<String>> {
        Ok(Vec::new())
    }

    fn stats(&self) -> StoreResult<StoreStats> {
        self.0.stats()
    }
}

impl super::Inner {
    /// Waits for whoever names blobs or takes names away, and keeps others waiting.
    pub(super) fn quiet(&self) -> std::sync::RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }
}
