//! Kind `documents`: an id, a revision, sealed metadata and a sealed body each.
//!
//! A document lies in a file of its own, named by a keyed hash of its id, or for a moment in a
//! journal (see `commit`). The index of heads is kept in memory and rebuilt from the files
//! at every open; bodies are read and opened at every get, never cached.

mod admission;
mod adopted;
mod awaiting;
mod checkpoint;
mod commit;
mod damage;
mod doubt;
mod folders;
mod index;
mod journal;
mod kept;
mod medium;
mod merge_patch;
mod metadata;
mod plain;
mod reach;
mod read;
mod reencrypt;
mod references;
mod scan;
mod snapshot;
mod store_kind;
mod write;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;
use zeroize::Zeroizing;

pub use adopted::{AdoptedFile, Adoption, MigrationProgress};
pub(crate) use medium::ESCAPED;
pub use metadata::{Head, JSON};
pub use store_kind::DocumentKind;
pub use write::{Change, Content, Outcome, Precondition, REVISION_LIMIT, Restored, Write};

use self::{commit::Queue, doubt::Unsettled, folders::Folders, index::Index, medium::Medium};
use crate::{
    catalogue::{AttachmentOptions, StoreRecord},
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
    kind::StoreContext,
    root::DataRoot,
    vault::lock,
};

/// A document with its body in the clear, zeroed when dropped.
pub struct Document {
    /// All but the body.
    pub head: Arc<Head>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// One entry of a listing.
#[derive(Debug)]
pub enum Listed {
    /// A document.
    Head(Arc<Head>),
    /// An object that cannot be read: its file name and why.
    Damaged(String, StoreError),
}

/// An open store of documents.
pub struct DocumentStore(Arc<Inner>, reach::Reached);

pub(crate) struct Inner {
    context: StoreContext,
    folders: Folders,
    medium: Medium,
    index: RwLock<Index>,
    /// Held while anything is made durable or moved.
    commit: Mutex<Unsettled>,
    queue: Queue,
    /// Journals not applied yet, oldest first, with their records.
    journals: Mutex<BTreeMap<u64, Vec<journal::Entry>>>,
    checkpointing: AtomicBool,
    closed: AtomicBool,
    latest: Mutex<Option<watch::Sender<Revision>>>,
    snapshots: snapshot::Moments,
    /// What becomes of attachments.
    attachments: RwLock<Arc<AttachmentOptions>>,
}

impl DocumentStore {
    /// Opens a store: sweeps what crashes left, reads every head.
    pub fn open(context: StoreContext) -> StoreResult<Arc<Self>> {
        let folders = Folders::new(&context.root, &context.record);
        folders.sweep(&context.root, &context.record);
        let inner = Inner {
            medium: Medium::new(context.clone(), folders.clone()),
            index: RwLock::default(),
            commit: Mutex::default(),
            queue: Queue::default(),
            journals: Mutex::default(),
            checkpointing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            latest: Mutex::new(Some(watch::Sender::new(Revision::ZERO))),
            snapshots: snapshot::Moments::default(),
            attachments: RwLock::new(Arc::new(context.record.attachments.clone())),
            context,
            folders,
        };
        inner.scan()?;
        if inner.medium.is_plain() {
            // Neither is lost by waiting: a full disk must not keep people from reading.
            if let Err(error) = inner.apply_plain().and_then(|()| inner.take_in_edits()) {
                tracing::warn!(store = %inner.context.record.id, %error, "edits not taken in yet");
            }
        }
        let store = Arc::new(Self(Arc::new(inner), None));
        store.0.checkpoint_in_background();
        Ok(store)
    }

    /// The store's entry in the catalogue.
    pub fn record(&self) -> &StoreRecord {
        &self.0.context.record
    }

    /// Changes what becomes of attachments, from the next write on.
    pub(crate) fn configure(&self, options: AttachmentOptions) {
        self.0.configure(options);
    }

    /// Largest body, in bytes.
    pub fn body_limit(&self) -> u64 {
        self.0.context.body_limit
    }

    /// Whether a write is acceptable, before anything is done about it.
    pub fn check(&self, write: &Write) -> StoreResult<()> {
        let limit = self.0.context.body_limit;
        match &write.change {
            Change::Put(content) | Change::PutIfChanged(content) => {
                content.check(limit)?;
                self.check_reached(&write.id, content)?;
                self.0.medium.check(&write.id, &content.content_type)
            }
            Change::Restore(restored) | Change::RestoreIfChanged(restored) => {
                write::check_size(&restored.body, limit)?;
                self.0.medium.check(&write.id, restored.content_type())
            }
            Change::Delete => Ok(()),
        }
    }

    /// Durably makes all of `writes`, or none.
    pub fn write(&self, writes: Vec<Write>) -> StoreResult<Vec<Outcome>> {
        for write in &writes {
            self.check(write)?;
            self.0.take_in_edit_of(&write.id);
        }
        let mut admitted = self.0.admit(writes);
        let outcomes = self.0.commit(admitted.all()?)?;
        drop(admitted);
        self.after_commit()?;
        Ok(outcomes)
    }

    /// Durably makes those of `writes` that can be made, with one sync for all of them. Each has
    /// been checked.
    pub fn write_each(&self, writes: Vec<Write>) -> StoreResult<Vec<StoreResult<Outcome>>> {
        for write in &writes {
            self.0.take_in_edit_of(&write.id);
        }
        let mut admitted = self.0.admit(writes);
        let mut answers = Vec::with_capacity(admitted.writes.len());
        let mut tickets = Vec::with_capacity(admitted.writes.len());
        for write in std::mem::take(&mut admitted.writes) {
            answers.push(write.map(|write| tickets.push(vec![write])));
        }
        let mut made = self.0.commit_each(tickets).into_iter();
        drop(admitted);
        self.after_commit()?;
        let mut one = || {
            let mut outcomes = made.next().expect("one ticket, one answer")?;
            Ok(outcomes.pop().expect("one write, one outcome"))
        };
        Ok(answers
            .into_iter()
            .map(|answer| answer.and_then(|()| one()))
            .collect())
    }

    fn after_commit(&self) -> StoreResult<()> {
        if self.0.medium.is_plain() {
            // A plain document is an ordinary file the moment its write is acknowledged.
            self.0.apply_plain()?;
        }
        self.0.checkpoint_in_background();
        Ok(())
    }

    /// Durably writes one document.
    pub fn put(
        &self,
        id: DocumentId,
        content: Content,
        precondition: Precondition,
    ) -> StoreResult<Arc<Head>> {
        let outcomes = self.write(vec![Write {
            id,
            change: Change::Put(content),
            precondition,
        }])?;
        Ok(Arc::clone(outcomes[0].head()))
    }

    /// Durably deletes one document; returns the tombstone's revision.
    ///
    /// A damaged object is moved aside, so that nothing of it is lost, and reads as absent from
    /// then on; not where a revision is asked for, which nobody knows of a damaged object.
    pub fn delete(&self, id: &DocumentId, precondition: Precondition) -> StoreResult<Revision> {
        if matches!(precondition, Precondition::None | Precondition::Present)
            && let Some(revision) = self.0.bury_damaged(id)?
        {
            self.after_commit()?;
            return Ok(revision);
        }
        let write = Write {
            id: id.clone(),
            change: Change::Delete,
            precondition,
        };
        let outcomes = self.write(vec![write])?;
        Ok(outcomes[0].head().revision)
    }

    /// Applies a JSON Merge Patch (RFC 7396), again if another write comes between.
    pub fn patch(
        &self,
        id: &DocumentId,
        patch: &[u8],
        if_revision: Option<Revision>,
    ) -> StoreResult<Arc<Head>> {
        let not_json = |what: &str| StoreError::InvalidArgument(format!("{what} is not JSON"));
        let patch = std::str::from_utf8(patch).map_err(|_| not_json("the patch"))?;
        serde_json::from_str::<serde::de::IgnoredAny>(patch).map_err(|error| {
            StoreError::InvalidArgument(format!("the patch is not well-formed JSON: {error}"))
        })?;
        loop {
            let current = self.get(id)?;
            if let Some(wanted) = if_revision {
                Precondition::Revision(wanted).check(id, Some(current.head.revision))?;
            }
            let target =
                std::str::from_utf8(&current.body).map_err(|_| not_json("the document"))?;
            let merged = merge_patch::merge_patch(target, patch).map_err(|error| {
                StoreError::InvalidArgument(format!("the patch cannot be applied: {error}"))
            })?;
            let content = Content {
                content_type: current.head.metadata.content_type.clone(),
                labels: current.head.metadata.labels.clone(),
                body: merged.into_bytes(),
            };
            let precondition = Precondition::Revision(current.head.revision);
            match self.put(id.clone(), content, precondition) {
                // Another writer was faster: merge into what it wrote, unless told otherwise.
                Err(StoreError::RevisionConflict { .. }) if if_revision.is_none() => {}
                other => return other,
            }
        }
    }

    /// Heads of live documents whose id begins with `prefix`, ordered by id, and damaged objects.
    pub fn list(&self, prefix: &str) -> StoreResult<Vec<Listed>> {
        self.0.check_open()?;
        if self.0.medium.is_plain() {
            self.0.take_in_edits()?;
        }
        self.0.retry_unreadable();
        let index = self.0.open_index()?;
        let mut heads: Vec<_> = index
            .live()
            .filter(|head| head.id.as_str().starts_with(prefix))
            .cloned()
            .collect();
        let damaged = index.damaged.iter();
        let damaged = damaged.map(|(name, e)| Listed::Damaged(name.to_string(), e.clone()));
        let damaged: Vec<_> = damaged.collect();
        drop(index);
        heads.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        Ok(heads.into_iter().map(Listed::Head).chain(damaged).collect())
    }

    /// Up to `limit` changes after `since`, oldest first: of each document its newest, tombstones
    /// included. `REVISION_GONE` from before what is retained, unless `since` is zero.
    pub fn changes(&self, since: Revision, limit: usize) -> StoreResult<Vec<Arc<Head>>> {
        let index = self.0.open_index()?;
        if since != Revision::ZERO && since < index.floor {
            return Err(StoreError::RevisionGone {
                retained: index.floor,
            });
        }
        Ok(index.changes(since).take(limit).cloned().collect())
    }

    /// The newest revision, and a signal whenever it grows. The channel closes with the store.
    pub fn latest(&self) -> StoreResult<watch::Receiver<Revision>> {
        let latest = lock(&self.0.latest);
        latest
            .as_ref()
            .map(watch::Sender::subscribe)
            .ok_or(StoreError::Closed)
    }

    /// Moves the records of every journal into files of their own. Runs by itself in the
    /// background; tests call it to have it done.
    pub fn checkpoint(&self) -> StoreResult<()> {
        self.0.checkpoint()
    }
}

impl Inner {
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self) -> StoreResult<()> {
        if self.closed.load(Ordering::Acquire) {
            Err(StoreError::Closed)
        } else {
            Ok(())
        }
    }

    /// The index of a store that is open for as long as it is held: closing empties the index, and
    /// an empty one must not be taken for an empty store.
    fn open_index(&self) -> StoreResult<RwLockReadGuard<'_, Index>> {
        let index = self.index();
        self.check_open().map(|()| index)
    }

    fn no_such(&self, id: &DocumentId) -> StoreError {
        StoreError::NoSuchDocument {
            store: self.context.record.name.to_string(),
            id: id.as_str().to_owned(),
        }
    }

    /// Tells watchers how far the store has come.
    fn announce(&self, last: Revision) {
        if let Some(latest) = &*lock(&self.latest) {
            latest.send_replace(last);
        }
    }

    /// Refuses further calls, ends watches, drops every head.
    fn close(&self) {
        // A commit in flight still answers; its successors find the store closed.
        let _commit = lock(&self.commit);
        self.closed.store(true, Ordering::Release);
        lock(&self.latest).take();
        *self.index_mut() = Index::default();
        self.snapshots.close();
    }
}

/// See [`crate::kind::StoreKind::remove_files`].
fn remove_files(root: &DataRoot, record: &StoreRecord) {
    let folders = Folders::new(root, record);
    let fs = root.fs();
    let inner = [
        &folders.objects,
        &folders.journal,
        &folders.adopted,
        &folders.damaged,
        &folders.snapshot,
    ];
    let plain =
        (record.protection == crate::catalogue::Protection::Plain).then_some(&folders.plain);
    for folder in inner.into_iter().chain(plain).chain([&folders.base]) {
        for (name, kind) in fs.read_dir(folder).unwrap_or_default() {
            // Beside a plain store's documents lie the folders of stores below it, and what people
            // put there.
            let ours = folder != &folders.plain || medium::plain_id(&name).is_some();
            if kind == crate::fs::EntryKind::File && ours {
                let _ = fs.remove_file(&folder.join(name));
            }
        }
        let _ = fs.remove_dir(folder);
    }
}
