//! Files of an earlier application: plaintext until each is next written or migrated.
//!
//! Only files recorded here, with their SHA-256, are ever read as plaintext. The record is sealed;
//! a file that changed since, or was never recorded, is refused, so that nobody plants one.

use std::{path::PathBuf, sync::Arc};

use vault_crypto::ContentHash;
use zeroize::Zeroizing;

use super::{
    DocumentStore, Inner,
    awaiting::AwaitingFile,
    index::{Location, Slot},
    medium::plain_file_name,
    metadata::Head,
    write::{Change, Content, Precondition, Write, check_json},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::DocumentId,
    vault::lock,
};

/// How much a migration commits at once.
const MIGRATION_GROUP: usize = 128;
const MIGRATION_GROUP_BYTES: u64 = 4 << 20;

/// One file to adopt.
pub struct AdoptedFile {
    /// Path relative to the adopted folder, with `/` between its parts.
    pub path: String,
    /// Its content.
    pub body: Vec<u8>,
}

/// An adoption under way. Dropped before [`Adoption::finish`], it leaves the store as it was.
pub struct Adoption {
    inner: Arc<Inner>,
    files: Vec<(DocumentId, ContentHash, u64)>,
    seen: std::collections::HashSet<DocumentId>,
    /// Whether the record of the files may be on disk.
    recorded: bool,
}

impl Drop for Adoption {
    fn drop(&mut self) {
        // Best effort: what stays is refused, since nobody recorded it.
        for (id, ..) in self.files.iter().filter(|_| !self.recorded) {
            self.inner.drop_adopted(id);
        }
    }
}

/// How far a migration has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationProgress {
    /// Sealed so far.
    pub done: u64,
    /// To be sealed in all.
    pub total: u64,
    /// A document that could not be sealed, and why.
    pub failed: Option<(String, String)>,
}

impl DocumentStore {
    /// Begins to adopt files into this store, which must be protected and empty.
    pub fn adopt(&self) -> StoreResult<Adoption> {
        let inner = Arc::clone(&self.0);
        inner.check_open()?;
        inner.check_adoptable()?;
        let fs = inner.context.root.fs();
        durable::ensure_dir(fs, &inner.folders.adopted)?;
        durable::sync_dir(fs, &inner.folders.base)?;
        Ok(Adoption {
            inner,
            files: Vec::new(),
            seen: std::collections::HashSet::new(),
            recorded: false,
        })
    }

    /// Seals every file that awaits migration, calling `progress` after each group. A file that
    /// is refused is reported and left alone; the others go on.
    pub fn migrate(&self, mut progress: impl FnMut(MigrationProgress)) -> StoreResult<()> {
        let mut waiting: Vec<Slot> = self
            .0
            .open_index()?
            .iter()
            .filter(|(_, slot)| slot.location == Location::Adopted)
            .map(|(_, slot)| slot.clone())
            .collect();
        waiting.sort_unstable_by_key(|slot| slot.head.revision);
        let total = waiting.len() as u64;
        let mut done = 0;
        progress(MigrationProgress {
            done,
            total,
            failed: None,
        });
        let mut rest = waiting.into_iter().peekable();
        while rest.peek().is_some() {
            let mut group = Vec::new();
            let mut bytes = 0;
            while group.len() < MIGRATION_GROUP && bytes < MIGRATION_GROUP_BYTES {
                let Some(Slot { head, .. }) = rest.next() else {
                    break;
                };
                match self.0.migration(&head) {
                    Ok(Some((write, size))) => {
                        bytes += size;
                        group.push(write);
                    }
                    Ok(None) => done += 1,
                    Err(error) => {
                        let failed = Some((head.id.as_str().to_owned(), error.to_string()));
                        progress(MigrationProgress {
                            done,
                            total,
                            failed,
                        });
                    }
                }
            }
            let ids: Vec<String> = group
                .iter()
                .map(|write| write.id.as_str().to_owned())
                .collect();
            for (id, answer) in ids.into_iter().zip(self.write_each(group)?) {
                match answer {
                    // Written or deleted in the meantime, it needs no sealing any more.
                    Ok(_) | Err(StoreError::RevisionConflict { .. }) => done += 1,
                    Err(error @ (StoreError::BlobMissing(_) | StoreError::InvalidArgument(_))) => {
                        let failed = Some((id, error.to_string()));
                        progress(MigrationProgress {
                            done,
                            total,
                            failed,
                        });
                    }
                    Err(error) => return Err(error),
                }
            }
            progress(MigrationProgress {
                done,
                total,
                failed: None,
            });
        }
        let _unsettled = lock(&self.0.commit);
        // A store closed meanwhile has an empty index, which says nothing of what awaits migration.
        self.0.check_open()?;
        self.0.rewrite_awaiting()
    }
}

impl Adoption {
    /// Copies one file into the data root.
    pub fn add(&mut self, file: &AdoptedFile) -> StoreResult<()> {
        let refused = |what: String| StoreError::InvalidArgument(format!("`{}` {what}", file.path));
        let id = file
            .path
            .strip_suffix(".json")
            .ok_or_else(|| refused("is no `.json` file".into()))?;
        let id = DocumentId::parse(id)?;
        if plain_file_name(&id).len() > 255 {
            return Err(refused("has too long a path".into()));
        }
        if !self.seen.insert(id.clone()) {
            return Err(refused("comes twice".into()));
        }
        let size = file.body.len() as u64;
        let limit = self.inner.context.body_limit;
        if size > limit {
            return Err(StoreError::TooLarge { size, limit });
        }
        check_json(&file.body)
            .map_err(|error| refused(format!("is not well-formed JSON: {error}")))?;
        let folder = &self.inner.folders.adopted;
        durable::stage(self.inner.context.root.fs(), folder, &[&file.body])?
            .rename(&folder.join(plain_file_name(&id)))?;
        self.files.push((id, ContentHash::of(&file.body), size));
        Ok(())
    }

    /// Durably records all files added, at once. Returns how many they are.
    pub fn finish(mut self) -> StoreResult<u64> {
        let inner = Arc::clone(&self.inner);
        let mut unsettled = lock(&inner.commit);
        inner.check_open()?;
        inner.settle(&mut unsettled)?;
        inner.check_adoptable()?;
        durable::sync_dir(inner.context.root.fs(), &inner.folders.adopted)?;
        let now = inner.context.clock.now_ms();
        let mut revision = inner.index().last;
        let file = |(id, hash, size): &(DocumentId, ContentHash, u64)| {
            revision = revision.next();
            AwaitingFile {
                id: id.as_str().to_owned(),
                sha256: hash.to_string(),
                size: *size,
                revision,
                adopted: now,
            }
        };
        let files: Vec<AwaitingFile> = self.files.iter().map(file).collect();
        // Before anything is recorded: no other write may get one of these revisions.
        inner.index_mut().last = revision;
        self.recorded = true;
        if let Err(error) = inner.write_awaiting_files(&files) {
            unsettled.awaiting = true;
            return Err(error);
        }
        for file in files {
            inner.insert_awaiting(file);
        }
        inner.announce(revision);
        Ok(self.files.len() as u64)
    }
}

impl Inner {
    fn check_adoptable(&self) -> StoreResult<()> {
        let index = self.index();
        if self.medium.is_plain() {
            return Err(StoreError::InvalidArgument(
                "a plain store needs no adoption: import the files".to_owned(),
            ));
        }
        if index.live_count() > 0 || !index.damaged.is_empty() {
            return Err(StoreError::InvalidArgument(format!(
                "store `{}` is not empty: adopt into a new one, or import",
                self.context.record.name
            )));
        }
        Ok(())
    }

    pub(super) fn adopted_path(&self, id: &DocumentId) -> PathBuf {
        self.folders.adopted.join(plain_file_name(id))
    }

    /// What seals an adopted file, and its size; nothing where it was sealed in the meantime.
    fn migration(&self, head: &Head) -> StoreResult<Option<(Write, u64)>> {
        match self.read_adopted(head) {
            Ok(body) => {
                let size = body.len() as u64;
                let write = Write {
                    id: head.id.clone(),
                    change: Change::Put(Content::json(body.to_vec())),
                    precondition: Precondition::Revision(head.revision),
                };
                Ok(Some((write, size)))
            }
            Err(error) => {
                let name = self.medium.object_name(&head.id);
                let index = self.open_index()?;
                let slot = index.get(&name);
                let waits = slot.is_some_and(|slot| slot.location == Location::Adopted);
                if waits { Err(error) } else { Ok(None) }
            }
        }
    }

    /// Removes the plaintext of a document that is sealed now. Best effort: what a crash leaves is
    /// swept at the next open.
    pub(super) fn drop_adopted(&self, id: &DocumentId) {
        let _ = self.context.root.fs().remove_file(&self.adopted_path(id));
    }

    /// The content of a recorded file, if it is still what was recorded.
    pub(super) fn read_adopted(&self, head: &Head) -> StoreResult<Zeroizing<Vec<u8>>> {
        let object = || self.medium.describe(head.id.as_str());
        let path = self.adopted_path(&head.id);
        let fs = self.context.root.fs();
        let refused = |detail: &str| StoreError::PlaintextRefused {
            object: object(),
            detail: detail.to_owned(),
        };
        let body = durable::read(fs, &path, self.context.body_limit)?
            .ok_or_else(|| StoreError::damaged(object(), "the adopted file is gone"))?;
        if head.metadata.hash() == Some(ContentHash::of(&body)) {
            Ok(Zeroizing::new(body))
        } else {
            Err(refused("the file changed after it was adopted"))
        }
    }

    /// Refuses a plaintext file that nobody recorded, rather than calling it absent.
    pub(super) fn refuse_unrecorded(&self, id: &DocumentId) -> StoreResult<()> {
        let path = self.adopted_path(id);
        if self.medium.is_plain() || self.context.root.fs().open(&path).is_err() {
            return Ok(());
        }
        Err(StoreError::PlaintextRefused {
            object: self.medium.describe(id.as_str()),
            detail: "the file was never recorded as awaiting migration".to_owned(),
        })
    }
}
