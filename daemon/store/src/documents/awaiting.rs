//! The sealed record of adopted files that await migration.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Inner,
    index::{Location, Slot},
    metadata::{Head, JSON, Metadata},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
};

/// The sealed record of files awaiting migration.
pub(super) const AWAITING_FILE: &str = "awaiting";
const AWAITING_LIMIT: u64 = 1 << 30;

#[derive(Deserialize)]
struct Awaiting {
    files: Vec<AwaitingFile>,
}

#[derive(Serialize)]
struct AwaitingRef<'a> {
    files: &'a [AwaitingFile],
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AwaitingFile {
    /// The path in the adopted folder, without `.json`.
    pub(super) id: String,
    pub(super) sha256: String,
    pub(super) size: u64,
    pub(super) revision: Revision,
    pub(super) adopted: i64,
}

impl AwaitingFile {
    fn of(head: &Head) -> Self {
        Self {
            id: head.id.as_str().to_owned(),
            sha256: head.metadata.sha256.clone(),
            size: head.metadata.size,
            revision: head.revision,
            adopted: head.metadata.created,
        }
    }
}

impl Inner {
    /// Durably records files that await migration.
    pub(super) fn write_awaiting_files(&self, files: &[AwaitingFile]) -> StoreResult<()> {
        let body = serde_json::to_vec(&AwaitingRef { files })
            .map_err(|error| StoreError::damaged(AWAITING_FILE, error))?;
        self.context.write_own(AWAITING_FILE, &body)
    }

    fn read_awaiting(&self) -> StoreResult<Vec<AwaitingFile>> {
        let Some(body) = self.context.read_own(AWAITING_FILE, AWAITING_LIMIT)? else {
            return Ok(Vec::new());
        };
        let awaiting: Awaiting = serde_json::from_slice(&body)
            .map_err(|error| StoreError::damaged(AWAITING_FILE, error))?;
        Ok(awaiting.files)
    }

    /// Durably records the files that await migration, as the index knows them.
    pub(super) fn write_awaiting(&self) -> StoreResult<()> {
        let files: Vec<AwaitingFile> = {
            let index = self.index();
            let slots = index.iter().map(|(_, slot)| slot);
            let adopted = slots.filter(|slot| slot.location == Location::Adopted);
            adopted.map(|slot| AwaitingFile::of(&slot.head)).collect()
        };
        self.write_awaiting_files(&files)
    }

    /// Takes the recorded files into the index, unless something newer is known of them.
    pub(super) fn load_adopted(&self) -> StoreResult<()> {
        for file in self.read_awaiting()? {
            self.insert_awaiting(file);
        }
        Ok(())
    }

    pub(super) fn insert_awaiting(&self, file: AwaitingFile) {
        let Ok(id) = DocumentId::parse(&file.id) else {
            return;
        };
        let name = self.medium.object_name(&id);
        if self.index().damaged.contains_key(&name) {
            // It was sealed since, and what it was before must not pass for it.
            return;
        }
        let metadata = Metadata {
            id: file.id,
            content_type: JSON.to_owned(),
            size: file.size,
            sha256: file.sha256,
            created: file.adopted,
            modified: file.adopted,
            labels: std::collections::BTreeMap::new(),
            refs: Vec::new(),
            refs_in_body: false,
            deleted: false,
            other: serde_json::Map::new(),
        };
        let head = Head {
            id: id.clone(),
            revision: file.revision,
            metadata,
            stored_bytes: file.size,
            awaiting_migration: true,
        };
        let slot = Slot {
            head: Arc::new(head),
            location: Location::Adopted,
            key_id: None,
        };
        if !self.index_mut().insert(name, slot) {
            self.drop_adopted(&id);
        }
    }

    /// Durably removes the plaintext of files that were sealed or deleted since, and then their
    /// records. The caller keeps writers out.
    pub(super) fn rewrite_awaiting(&self) -> StoreResult<()> {
        let fs = self.context.root.fs();
        let recorded = self.read_awaiting()?;
        let mut done = false;
        for file in &recorded {
            let Ok(id) = DocumentId::parse(&file.id) else {
                continue;
            };
            let name = self.medium.object_name(&id);
            let location = self.index().get(&name).map(|slot| slot.location);
            if location != Some(Location::Adopted) {
                durable::remove_if_there(fs, &self.adopted_path(&id))?;
                done = true;
            }
        }
        if !done {
            return Ok(());
        }
        // The records go last: as long as they are there, the next start sweeps what is left.
        durable::sync_dir(fs, &self.folders.adopted)?;
        // Durable, since a record must not come back once the tombstone of its document is
        // forgotten.
        self.write_awaiting()
    }
}
