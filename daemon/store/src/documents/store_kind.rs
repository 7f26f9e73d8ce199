//! Documents as a store kind: what rotation, export, doctor and upkeep use.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

use vault_crypto::KeyId;

use super::{
    Change, DocumentStore, Outcome, Precondition, Restored, Write, folders::Folders, medium,
    metadata::Metadata, snapshot::DocumentSnapshot,
};
use crate::{
    blobs::BlobRef,
    catalogue::{Protection, StoreRecord},
    error::{StoreError, StoreResult},
    id::DocumentId,
    kind::{
        Amount, Exported, Quiesced, Report, Snapshot, Store, StoreContext, StoreKind, StoreStats,
    },
    root::DataRoot,
    vault::lock,
};

/// Makes and opens stores of documents.
#[derive(Debug, Clone, Copy)]
pub struct DocumentKind;

impl StoreKind for DocumentKind {
    fn create(&self, context: &StoreContext) -> StoreResult<()> {
        Folders::new(&context.root, &context.record).create(&context.root, &context.record)
    }

    fn open(&self, context: StoreContext) -> StoreResult<Arc<dyn Store>> {
        Ok(DocumentStore::open(context)?)
    }

    fn remove_files(&self, root: &DataRoot, record: &StoreRecord) {
        super::remove_files(root, record);
    }

    fn check_import(
        &self,
        protection: Protection,
        id: &str,
        metadata: &[u8],
    ) -> StoreResult<String> {
        if metadata.len() > vault_crypto::envelope::METADATA_LIMIT {
            return Err(StoreError::InvalidArgument(
                "its metadata is longer than any may be".to_owned(),
            ));
        }
        let metadata = Metadata::parse(metadata)?;
        medium::check(protection, &DocumentId::parse(id)?, &metadata.content_type)?;
        Ok(metadata.content_type.clone())
    }
}

/// The write that puts an object back.
fn restoring(object: Exported, change: impl FnOnce(Restored) -> Change) -> StoreResult<Write> {
    let Exported {
        id,
        revision,
        metadata,
        mut body,
    } = object;
    let restored = Restored::parse(&metadata, std::mem::take(&mut *body), Some(revision))?;
    Ok(Write {
        id: DocumentId::parse(&id)?,
        change: change(restored),
        precondition: Precondition::None,
    })
}

impl Store for DocumentStore {
    fn close(&self) {
        self.0.close();
    }

    fn quiesce(&self) -> Quiesced<'_> {
        Quiesced {
            _guard: Box::new(lock(&self.0.commit)),
        }
    }

    fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>> {
        Ok(Box::new(DocumentSnapshot::take(&self.0)?))
    }

    fn import_one(&self, object: Exported) -> StoreResult<()> {
        self.write(vec![restoring(object, Change::Restore)?])?;
        Ok(())
    }

    fn import(&self, objects: Vec<Exported>) -> StoreResult<u64> {
        let objects = objects.into_iter();
        let writes = objects.map(|object| {
            let write = restoring(object, Change::RestoreIfChanged)?;
            self.check(&write).map(|()| write)
        });
        let outcomes = self.write_each(writes.collect::<StoreResult<_>>()?)?;
        let mut unchanged = 0;
        for outcome in outcomes {
            unchanged += u64::from(matches!(outcome?, Outcome::Unchanged(_)));
        }
        Ok(unchanged)
    }

    fn outdated(&self) -> StoreResult<Amount> {
        self.0.outdated_amount()
    }

    fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        self.0.reencrypt_all(report)
    }

    fn verify(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        self.0.verify_all(report)
    }

    fn older_keys_in_use(&self) -> StoreResult<BTreeSet<KeyId>> {
        self.0.older_keys()
    }

    fn verify_one(&self, id: &str) -> StoreResult<()> {
        let document = self.get(&DocumentId::parse(id)?)?;
        let whole = document.body.len() as u64 == document.head.body_bytes()
            && document.head.metadata.hash() == Some(vault_crypto::ContentHash::of(&document.body));
        if whole {
            Ok(())
        } else {
            Err(StoreError::damaged(
                self.0.medium.describe(id),
                "its hash does not fit its body",
            ))
        }
    }

    fn references(&self) -> StoreResult<Vec<String>> {
        Ok(self.named()?.into_iter().collect())
    }

    fn naming(&self, reference: &BlobRef) -> StoreResult<Option<String>> {
        self.naming(reference)
    }

    fn stats(&self) -> StoreResult<StoreStats> {
        let index = self.0.open_index()?;
        Ok(StoreStats {
            objects: index.live_count(),
            body_bytes: index.body_bytes(),
            revision: index.last,
            awaiting_migration: index.awaiting_count(),
            damaged: index.damaged.len() as u64,
        })
    }
}
