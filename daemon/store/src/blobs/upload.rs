//! Blobs being put.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use vault_crypto::{
    ContentHash, ContentHasher, ObjectName, StreamKeys, Trailer,
    blob_stream::{CHUNK, CONTENT_TYPE_LIMIT},
};
use zeroize::Zeroizing;

use super::{
    BlobInfo, BlobRef, Inner, Stored,
    file::BlobFile,
    sealer::Sealer,
    sessions::Session,
    spoiled::Spoiled,
    writer::{BATCH_LEN, Batch, Writer},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    root::DataRoot,
    vault::lock,
};

/// A blob being put. Dropped before [`Upload::finish`], it leaves nothing, or, with a resume key,
/// what was written so far.
pub struct Upload {
    pub(super) store: Arc<Inner>,
    pub(super) session: Session<Work>,
    pub(super) kept: (u64, [u8; 32]),
}

/// What an upload works with.
pub(super) struct Work {
    file: Unfinished,
    writer: Option<Writer>,
    hasher: ContentHasher,
    /// Content that is not sealed yet.
    pending: Batch,
    size: u64,
    plan: Plan,
}

/// What an upload was begun with, checked.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) content_type: String,
    /// Bytes of content, where they were announced.
    pub(super) size: Option<u64>,
    /// When the blob was first put, where it was put before.
    pub(super) created_ms: Option<i64>,
    /// The name by which the upload is found again.
    pub(super) resume: Option<ObjectName>,
}

/// An unfinished file. Dropped, it is removed, unless it is to be found again and sound.
pub(super) struct Unfinished {
    pub(super) root: DataRoot,
    pub(super) path: PathBuf,
    pub(super) keep: bool,
    pub(super) spoiled: Spoiled,
}

impl Unfinished {
    /// Gives the file its name. Durable only once the folder is synced.
    pub(super) fn rename(&mut self, target: &Path) -> StoreResult<()> {
        let fs = self.root.fs();
        fs.rename(&self.path, target)
            .map_err(|error| StoreError::io("rename", target, &error))?;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.keep || self.spoiled.contains(&self.path) {
            // Best effort: what remains is swept later, and nobody goes on with a spoiled one.
            let _ = self.spoiled.remove(self.root.fs(), &self.path);
        }
    }
}

/// Whether this may be the content type of a blob.
pub(super) fn check_content_type(content_type: &str) -> StoreResult<()> {
    if content_type.len() > CONTENT_TYPE_LIMIT || content_type.chars().any(char::is_control) {
        return Err(StoreError::InvalidArgument(format!(
            "a content type has at most {CONTENT_TYPE_LIMIT} bytes and no control characters"
        )));
    }
    Ok(())
}

impl Work {
    /// Begins a new file.
    pub(super) fn create(store: &Inner, plan: Plan) -> StoreResult<Self> {
        let root = &store.context.root;
        let path = match plan.resume {
            Some(name) => store.unfinished_path(&name),
            None => durable::temporary_path(&store.folders.uploads)?,
        };
        let keys = store.new_keys(&path)?;
        let spoiled = store.resumable.spoiled.clone();
        let sealer = Sealer::create(root.fs(), &path, keys, &spoiled)?;
        let file = Unfinished {
            root: root.clone(),
            path,
            keep: plan.resume.is_some(),
            spoiled,
        };
        Ok(Self::new(file, sealer, plan, (0, ContentHasher::new())))
    }

    /// Goes on with a file that holds so much content, hashed so far.
    pub(super) fn new(
        file: Unfinished,
        sealer: Sealer,
        plan: Plan,
        (size, hasher): (u64, ContentHasher),
    ) -> Self {
        let room = plan.size.and_then(|size| usize::try_from(size).ok());
        let room = room.unwrap_or(BATCH_LEN).min(BATCH_LEN);
        Self {
            file,
            writer: Some(Writer::new(sealer)),
            hasher,
            pending: Zeroizing::new(Vec::with_capacity(room)),
            size,
            plan,
        }
    }

    /// How much there is, and its SHA-256.
    pub(super) fn so_far(&self) -> (u64, [u8; 32]) {
        (self.size, *self.hasher.clone().finish().as_bytes())
    }

    fn write(&mut self, mut piece: &[u8], limit: u64) -> StoreResult<()> {
        let size = self.size.saturating_add(piece.len() as u64);
        if size > limit {
            return Err(StoreError::TooLarge { size, limit });
        }
        self.size = size;
        self.hasher.update(piece);
        while !piece.is_empty() {
            let room = BATCH_LEN - self.pending.len();
            let (now, later) = piece.split_at(room.min(piece.len()));
            self.pending.extend_from_slice(now);
            piece = later;
            if self.pending.len() == BATCH_LEN {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Seals the whole chunks that are pending.
    fn flush(&mut self) -> StoreResult<()> {
        let whole = self.pending.len() / CHUNK * CHUNK;
        if whole == 0 {
            return Ok(());
        }
        let rest = Zeroizing::new(self.pending[whole..].to_vec());
        self.pending.truncate(whole);
        let writer = self.writer.as_mut().ok_or(StoreError::Closed)?;
        writer.write(&mut self.pending)?;
        self.pending.extend_from_slice(&rest);
        Ok(())
    }

    /// Seals what is pending and the trailer, and syncs the file. Returns the keys of it.
    fn seal(&mut self, trailer: &Trailer) -> StoreResult<Arc<StreamKeys>> {
        self.flush()?;
        let writer = self.writer.take().ok_or(StoreError::Closed)?;
        writer.finish()?.finish(&self.pending, trailer)
    }
}

impl Drop for Work {
    /// What will be taken up again is left as complete as can be.
    fn drop(&mut self) {
        if self.writer.is_some() && self.file.keep {
            let _ = self.flush();
        }
        // Before the file goes: whoever writes it has ended, and has said whether it is sound.
        self.writer = None;
    }
}

impl Upload {
    /// Bytes that are there from an earlier upload of the same resume key, and their SHA-256.
    pub fn kept(&self) -> (u64, [u8; 32]) {
        self.kept
    }

    /// Forgets what is there and begins at zero.
    pub fn restart(&mut self) -> StoreResult<()> {
        let mut session = lock(&self.session);
        let mut old = session.take().ok_or_else(|| self.store.ended())?;
        old.file.keep = false;
        let plan = old.plan.clone();
        drop(old);
        let work = Work::create(&self.store, plan)?;
        self.kept = work.so_far();
        *session = Some(work);
        Ok(())
    }

    /// Adds what comes next, of any length. After an error, nothing more can be added.
    pub fn write(&mut self, piece: &[u8]) -> StoreResult<()> {
        let mut session = lock(&self.session);
        let work = session.as_mut().ok_or_else(|| self.store.ended())?;
        let written = work.write(piece, self.store.context.body_limit);
        if written.is_err() {
            *session = None;
        }
        written
    }

    /// Durably stores the content. Refused where it is not the one that was `expected`.
    pub fn finish(self, expected: Option<&BlobRef>) -> StoreResult<Stored> {
        // Held to the end: whoever takes the upload over waits.
        let mut session = lock(&self.session);
        let mut work = session.take().ok_or_else(|| self.store.ended())?;
        let (size, hash) = work.so_far();
        let reference = BlobRef::new(ContentHash::from_bytes(hash));
        if let Some(announced) = work.plan.size.filter(|announced| *announced != size) {
            return Err(StoreError::InvalidArgument(format!(
                "{announced} bytes were announced and {size} came"
            )));
        }
        if expected.is_some_and(|expected| *expected != reference) {
            work.file.keep = false;
            return Err(StoreError::InvalidArgument(format!(
                "the content is not the one expected: its ref is {reference}"
            )));
        }
        self.store.store(&reference, &mut work)
    }
}

impl Inner {
    /// Why a session has nothing to work with.
    pub(super) fn ended(&self) -> StoreError {
        match self.check_open() {
            Err(error) => error,
            Ok(()) => StoreError::InvalidArgument(
                "the upload has failed, or another one of the same resume key has taken it over"
                    .to_owned(),
            ),
        }
    }

    /// Gives what was uploaded its name, unless it is there already.
    fn store(&self, reference: &BlobRef, work: &mut Work) -> StoreResult<Stored> {
        self.check_open()?;
        if let Some(info) = self.there_whole(reference)? {
            work.file.keep = false;
            let existed = true;
            return Ok(Stored { info, existed });
        }
        let name = self.name_of(reference);
        let replace = self.is_there(&name)?;
        let trailer = Trailer {
            hash: *reference.hash(),
            size: work.size,
            created_ms: (work.plan.created_ms).unwrap_or_else(|| self.context.clock.now_ms()),
            content_type: work.plan.content_type.clone(),
        };
        let keys = work.seal(&trailer)?;
        let info = BlobInfo::of(&trailer);
        let placed = self.keep(reference, || {
            let mut renewed = self.under_current_key(&work.file.path, keys, trailer)?;
            let file = renewed.as_mut().unwrap_or(&mut work.file);
            self.place(&name, file, replace)
        })?;
        if placed {
            let existed = false;
            return Ok(Stored { info, existed });
        }
        let (info, existed) = (self.stat(reference)?, true);
        Ok(Stored { info, existed })
    }

    /// Does what makes a blob be there: it is not collected meanwhile, and its time begins anew.
    fn keep<T>(
        &self,
        reference: &BlobRef,
        work: impl FnOnce() -> StoreResult<T>,
    ) -> StoreResult<T> {
        // In this order, as who collects takes them.
        let _shared = self.context.references.share();
        let _writing = self.writing();
        self.check_open()?;
        self.unnamed.forget(std::slice::from_ref(reference))?;
        work()
    }

    /// A copy of what was just written, if the key that it was begun with is not in force any more:
    /// a rotation will not look at it again.
    fn under_current_key(
        &self,
        path: &Path,
        keys: Arc<StreamKeys>,
        trailer: Trailer,
    ) -> StoreResult<Option<Unfinished>> {
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        if keys.header().key_id() == current {
            return Ok(None);
        }
        let written = BlobFile::written(&self.context, path, keys, trailer)?;
        let go_on = &mut |_| ControlFlow::Continue(());
        let sealed = self.reseal(&written, (path, "the blob just written"), go_on)?;
        Ok(sealed.map(|(file, _)| file))
    }

    /// Returns whether the file was given the name. Otherwise another upload was faster.
    fn place(&self, name: &ObjectName, file: &mut Unfinished, replace: bool) -> StoreResult<bool> {
        let fs = self.context.root.fs();
        let mut shard = self.names.lock(name);
        if !replace && self.is_there(name)? {
            file.keep = false;
            shard.confirm(fs, &self.folders, name, &|| self.check_open())?;
            return Ok(false);
        }
        shard.give(fs, &self.folders, name, |target| file.rename(target))?;
        Ok(true)
    }

    /// What is known of a blob that is there, durably and whole.
    pub(super) fn there_whole(&self, reference: &BlobRef) -> StoreResult<Option<BlobInfo>> {
        let info = match self.verify(reference) {
            Ok(info) => info,
            Err(
                StoreError::NoSuchBlob(_)
                | StoreError::Damaged { .. }
                | StoreError::PlaintextRefused { .. },
            ) => return Ok(None),
            Err(error) => return Err(error),
        };
        let there = self.keep(reference, || self.confirm(&self.name_of(reference)))?;
        Ok(there.then_some(info))
    }

    /// Whether a blob is there. If so, it is there durably from then on.
    pub(super) fn confirm(&self, name: &ObjectName) -> StoreResult<bool> {
        let mut shard = self.names.lock(name);
        if !self.is_there(name)? {
            return Ok(false);
        }
        let fs = self.context.root.fs();
        shard.confirm(fs, &self.folders, name, &|| self.check_open())?;
        Ok(true)
    }
}
