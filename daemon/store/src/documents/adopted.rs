//! Files of an earlier application: plaintext until each is next written or migrated.
//!
//! Only files recorded here, with their SHA-256, are ever read as plaintext. The record is sealed;
//! a file that changed since, or was never recorded, is refused, so that nobody plants one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vault_crypto::{Address, ContentHash, Envelope, Header, ObjectName, envelope};
use zeroize::Zeroizing;

use super::{
    DocumentStore, Inner,
    index::{Location, Slot},
    medium::plain_file_name,
    metadata::{Head, JSON, Metadata},
    write::{Change, Content, Precondition, Write},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
    vault::lock,
};

/// The sealed record of files awaiting migration.
const AWAITING_FILE: &str = "awaiting";
const AWAITING_LIMIT: u64 = 1 << 30;

/// How much a migration commits at once.
const MIGRATION_GROUP: usize = 128;
const MIGRATION_GROUP_BYTES: u64 = 4 << 20;

#[derive(Serialize, Deserialize, Default)]
struct Awaiting {
    files: Vec<AwaitingFile>,
}

#[derive(Clone, Serialize, Deserialize)]
struct AwaitingFile {
    /// The path in the adopted folder, without `.json`.
    id: String,
    sha256: String,
    size: u64,
    revision: Revision,
    adopted: i64,
}

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
        inner.check_adoptable()?;
        let fs = inner.context.root.fs();
        durable::ensure_dir(fs, &inner.folders.adopted)?;
        durable::sync_dir(fs, &inner.folders.base)?;
        Ok(Adoption {
            inner,
            files: Vec::new(),
            seen: std::collections::HashSet::new(),
        })
    }

    /// Seals every file that awaits migration, calling `progress` after each group. A file that
    /// is refused is reported and left alone; the others go on.
    pub fn migrate(&self, mut progress: impl FnMut(MigrationProgress)) -> StoreResult<()> {
        let mut waiting: Vec<Slot> = self
            .0
            .index()
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
                match self.0.read_adopted(&head) {
                    Ok(body) => {
                        bytes += body.len() as u64;
                        group.push(migration(&head, &body));
                    }
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
            done += self.seal_group(group)?;
            progress(MigrationProgress {
                done,
                total,
                failed: None,
            });
        }
        if self.0.index().awaiting_count() == 0 {
            let path = self.0.folders.base.join(AWAITING_FILE);
            durable::remove_if_there(self.0.context.root.fs(), &path)?;
        }
        Ok(())
    }

    /// Seals a group of adopted files; one that was written in the meantime needs no sealing.
    fn seal_group(&self, group: Vec<Write>) -> StoreResult<u64> {
        let mut group = group;
        let mut done = 0;
        while !group.is_empty() {
            let count = group.len() as u64;
            let (ids, retry): (Vec<_>, Vec<_>) = group
                .iter()
                .map(|write| (write.id.clone(), write.precondition))
                .unzip();
            match self.0.commit(group) {
                Ok(_) => {
                    self.0.checkpoint_in_background();
                    return Ok(done + count);
                }
                Err(StoreError::RevisionConflict { .. }) => {
                    // Take out those that are sealed already, and read the others again.
                    group = Vec::new();
                    for (id, precondition) in ids.into_iter().zip(retry) {
                        let name = self.0.medium.object_name(&id);
                        let slot = self.0.index().get(&name).cloned();
                        match slot {
                            Some(slot) if slot.location == Location::Adopted => {
                                debug_assert_eq!(
                                    precondition,
                                    Precondition::Revision(slot.head.revision)
                                );
                                group
                                    .push(migration(&slot.head, &self.0.read_adopted(&slot.head)?));
                            }
                            _ => done += 1,
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

fn migration(head: &Head, body: &[u8]) -> Write {
    Write {
        id: head.id.clone(),
        change: Change::Put(Content::json(body.to_vec())),
        precondition: Precondition::Revision(head.revision),
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
        serde_json::from_slice::<serde::de::IgnoredAny>(&file.body)
            .map_err(|error| refused(format!("is not well-formed JSON: {error}")))?;
        let folder = &self.inner.folders.adopted;
        durable::stage(self.inner.context.root.fs(), folder, &[&file.body])?
            .rename(&folder.join(plain_file_name(&id)))?;
        self.files.push((id, ContentHash::of(&file.body), size));
        Ok(())
    }

    /// Durably records all files added, at once. Returns how many they are.
    pub fn finish(self) -> StoreResult<u64> {
        let inner = &self.inner;
        let _commit = lock(&inner.commit);
        inner.check_open()?;
        inner.check_adoptable()?;
        durable::sync_dir(inner.context.root.fs(), &inner.folders.adopted)?;
        let now = inner.context.clock.now_ms();
        let mut revision = inner.index().last;
        let files: Vec<AwaitingFile> = self
            .files
            .iter()
            .map(|(id, hash, size)| {
                revision = revision.next();
                AwaitingFile {
                    id: id.as_str().to_owned(),
                    sha256: hash.to_string(),
                    size: *size,
                    revision,
                    adopted: now,
                }
            })
            .collect();
        inner.write_awaiting(&Awaiting {
            files: files.clone(),
        })?;
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
        if index.live_count() > 0 {
            return Err(StoreError::InvalidArgument(format!(
                "store `{}` is not empty: adopt into a new one, or import",
                self.context.record.name
            )));
        }
        Ok(())
    }

    fn awaiting_name(&self) -> ObjectName {
        self.context
            .names
            .object_name(self.context.record.id.as_bytes(), b"\0awaiting")
    }

    fn write_awaiting(&self, awaiting: &Awaiting) -> StoreResult<()> {
        let body = serde_json::to_vec(awaiting)
            .map_err(|error| StoreError::damaged(AWAITING_FILE, error))?;
        let sealed = self.seal(&self.awaiting_name(), &body)?;
        let fs = self.context.root.fs();
        durable::replace(fs, &self.folders.base, AWAITING_FILE, &[&sealed])
    }

    fn read_awaiting(&self) -> StoreResult<Awaiting> {
        let path = self.folders.base.join(AWAITING_FILE);
        match durable::read(self.context.root.fs(), &path, AWAITING_LIMIT)? {
            None => Ok(Awaiting::default()),
            Some(bytes) => {
                let body = self.open_sealed(&self.awaiting_name(), &path, &bytes)?;
                serde_json::from_slice(&body)
                    .map_err(|error| StoreError::damaged(path.display(), error))
            }
        }
    }

    /// Takes the recorded files into the index, unless something newer is known of them.
    pub(super) fn load_adopted(&self) -> StoreResult<()> {
        for file in self.read_awaiting()?.files {
            self.insert_awaiting(file);
        }
        Ok(())
    }

    fn insert_awaiting(&self, file: AwaitingFile) {
        let Ok(id) = DocumentId::parse(&file.id) else {
            return;
        };
        let name = self.medium.object_name(&id);
        let metadata = Metadata {
            id: file.id,
            content_type: JSON.to_owned(),
            size: file.size,
            sha256: file.sha256,
            created: file.adopted,
            modified: file.adopted,
            labels: std::collections::BTreeMap::new(),
            refs: Vec::new(),
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
        };
        if !self.index_mut().insert(name, slot) {
            self.drop_adopted(&id);
        }
    }

    /// Durably drops the records of files that were sealed or deleted since.
    pub(super) fn rewrite_awaiting(&self) -> StoreResult<()> {
        let mut awaiting = self.read_awaiting()?;
        let before = awaiting.files.len();
        awaiting.files.retain(|file| {
            DocumentId::parse(&file.id).is_ok_and(|id| {
                let name = self.medium.object_name(&id);
                self.index()
                    .get(&name)
                    .is_some_and(|slot| slot.location == Location::Adopted)
            })
        });
        if awaiting.files.len() == before {
            Ok(())
        } else {
            self.write_awaiting(&awaiting)
        }
    }

    /// Removes the plaintext of a document that is sealed now. Best effort: what a crash leaves is
    /// swept at the next open.
    pub(super) fn drop_adopted(&self, id: &DocumentId) {
        let path = self.folders.adopted.join(plain_file_name(id));
        let _ = self.context.root.fs().remove_file(&path);
    }

    /// The content of a recorded file, if it is still what was recorded.
    pub(super) fn read_adopted(&self, head: &Head) -> StoreResult<Zeroizing<Vec<u8>>> {
        let object = || self.medium.describe(head.id.as_str());
        let path = self.folders.adopted.join(plain_file_name(&head.id));
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
        let path = self.folders.adopted.join(plain_file_name(id));
        if self.medium.is_plain() || self.context.root.fs().open(&path).is_err() {
            return Ok(());
        }
        Err(StoreError::PlaintextRefused {
            object: self.medium.describe(id.as_str()),
            detail: "the file was never recorded as awaiting migration".to_owned(),
        })
    }

    /// Seals one of the store's own small files.
    pub(super) fn seal(&self, name: &ObjectName, body: &[u8]) -> StoreResult<Vec<u8>> {
        let context = &self.context;
        envelope::seal(
            &context.key,
            context.key_id,
            &self.own_address(name),
            b"{}",
            body,
        )
        .map_err(|error| StoreError::envelope(&context.record.name, &error))
    }

    /// Opens what [`Inner::seal`] sealed.
    pub(super) fn open_sealed(
        &self,
        name: &ObjectName,
        path: &std::path::Path,
        bytes: &[u8],
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        let context = &self.context;
        let open = || {
            Header::parse(bytes)?;
            Envelope::new(&context.key, context.key_id, self.own_address(name), bytes)?.open_body()
        };
        open().map_err(|error| StoreError::envelope(path.display(), &error))
    }

    fn own_address<'a>(&'a self, name: &'a ObjectName) -> Address<'a> {
        Address {
            vault: self.context.vault,
            store: self.context.record.id.as_bytes(),
            object: name.as_bytes(),
            revision: 0,
        }
    }

    /// Moves a damaged object into the store's folder for such. False where it is not damaged.
    pub(super) fn move_damaged_aside(&self, id: &DocumentId) -> StoreResult<bool> {
        let name = self.medium.object_name(id);
        let _commit = lock(&self.commit);
        if !self.index().damaged.contains_key(&name) {
            return Ok(false);
        }
        let fs = self.context.root.fs();
        durable::ensure_dir(fs, &self.folders.damaged)?;
        let target = self
            .folders
            .damaged
            .join(format!("{name}-{}", self.context.clock.now_ms()));
        let source = self.folders.objects.join(name.to_string());
        fs.rename(&source, &target)
            .map_err(|error| StoreError::io("move aside", &source, error))?;
        durable::sync_dir(fs, &self.folders.damaged)?;
        durable::sync_dir(fs, &self.folders.objects)?;
        let mut index = self.index_mut();
        index.damaged.remove(&name);
        index.remove(&name);
        index.last = index.last.next();
        Ok(true)
    }
}
