//! Documents as a store kind: what rotation, export, doctor and upkeep use.

use std::sync::Arc;

use super::{
    Change, DocumentStore, Restored, Write, folders::Folders, index::Location, metadata::Metadata,
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
    kind::{Exported, Quiesced, Store, StoreContext, StoreKind, StoreStats},
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

    fn snapshot(&self) -> StoreResult<Revision> {
        Ok(self.0.open_index()?.last)
    }

    fn enumerate(&self, snapshot: Revision) -> StoreResult<Vec<String>> {
        let index = self.0.open_index()?;
        let live = index.live().filter(|head| head.revision <= snapshot);
        let mut ids: Vec<String> = live.map(|head| head.id.as_str().to_owned()).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn export_one(&self, id: &str) -> StoreResult<Exported> {
        let document = self.get(&DocumentId::parse(id)?)?;
        let metadata = serde_json::to_vec(&document.head.metadata)
            .map_err(|error| StoreError::damaged(self.0.medium.describe(id), error))?;
        Ok(Exported {
            id: id.to_owned(),
            metadata,
            body: document.body,
        })
    }

    fn import_one(&self, object: Exported) -> StoreResult<()> {
        let metadata: Metadata = serde_json::from_slice(&object.metadata)
            .map_err(|error| StoreError::InvalidArgument(format!("metadata: {error}")))?;
        let id = DocumentId::parse(&object.id)?;
        let restored = Restored {
            metadata,
            body: object.body.to_vec(),
        };
        self.write(vec![Write {
            id,
            change: Change::Restore(restored),
            precondition: super::Precondition::None,
        }])?;
        Ok(())
    }

    fn reencrypt_one(&self, id: &str) -> StoreResult<bool> {
        let id = DocumentId::parse(id)?;
        let name = self.0.medium.object_name(&id);
        let mut unsettled = lock(&self.0.commit);
        self.0.check_open()?;
        self.0.settle(&mut unsettled)?;
        let slot = self.0.find(&name, &id)?;
        if self.0.medium.is_plain() || slot.location == Location::Adopted {
            return Ok(false);
        }
        let body = self.0.read_body(&name, &slot)?;
        // Revision and metadata stay: for clients nothing happened.
        let head = &slot.head;
        let record = self
            .0
            .medium
            .encode(&name, head.revision, &head.metadata, &body)?;
        let staged = durable::stage(
            self.0.context.root.fs(),
            &self.0.folders.objects,
            &[&record],
        )?;
        self.0.rename_object(&mut unsettled, staged, &name)?;
        self.0.sync_objects(&mut unsettled)?;
        self.0
            .index_mut()
            .relocate(&name, head.revision, Location::Object);
        Ok(true)
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
        let index = self.0.open_index()?;
        let mut refs: Vec<String> = index
            .live()
            .flat_map(|head| head.metadata.refs.iter().cloned())
            .collect();
        refs.sort_unstable();
        refs.dedup();
        Ok(refs)
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
