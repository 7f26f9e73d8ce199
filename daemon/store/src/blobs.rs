//! Kind `blobs`: sealed content of any size, stored once however often it is put.

mod ahead;
mod file;
mod folders;
mod listing;
mod names;
mod reader;
mod reencrypt;
mod reference;
mod resume;
mod sealer;
mod sessions;
mod snapshot;
mod spoiled;
mod store_kind;
mod upload;
mod writer;

use std::{
    io,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use vault_crypto::ObjectName;

pub use listing::Verified;
pub use reader::BlobReader;
pub use reference::BlobRef;
pub use store_kind::BlobKind;
pub use upload::Upload;

use self::{folders::Folders, names::Names, resume::Resumable, sessions::Sessions};
use crate::{
    catalogue::StoreRecord,
    collection::Unnamed,
    durable,
    error::{StoreError, StoreResult},
    kind::StoreContext,
    vault::lock,
};

/// The store that takes blobs where no other is named.
pub const DEFAULT_STORE: &str = "blobs";

/// MIME type of content that nobody named one for.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// What is known of a blob.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobInfo {
    /// Its ref.
    pub reference: BlobRef,
    /// Bytes of its content.
    pub size: u64,
    /// MIME type, as first put.
    pub content_type: String,
    /// When it was first put, in milliseconds since 1970.
    pub created_ms: i64,
    /// Bytes of its sealed file.
    pub stored_bytes: u64,
}

/// A blob as a put left it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// What is known of it.
    pub info: BlobInfo,
    /// It was there already; nothing was written.
    pub existed: bool,
}

/// What an upload begins with.
#[derive(Clone, Debug, Default)]
pub struct NewBlob {
    /// MIME type; [`OCTET_STREAM`] where it is empty.
    pub content_type: String,
    /// Bytes of the content, where they are known.
    pub size: Option<u64>,
    /// Names the source of the content, so that an upload that broke off can be taken up again.
    pub resume_key: Option<Vec<u8>>,
}

/// An open store of blobs.
pub struct BlobStore(Arc<Inner>);

/// What all that works with a store shares.
pub(crate) struct Inner {
    context: StoreContext,
    folders: Folders,
    names: Names,
    sessions: Sessions,
    resumable: Resumable,
    /// Snapshots that are held.
    snapshots: Mutex<usize>,
    /// Held, shared, by whoever names blobs or takes names away.
    gate: RwLock<()>,
    closed: AtomicBool,
    /// Since when nothing names a blob.
    unnamed: Unnamed,
}

impl BlobStore {
    /// Opens a store: sweeps what crashes and broken-off uploads left.
    pub fn open(context: StoreContext) -> StoreResult<Arc<Self>> {
        let folders = Folders::new(&context.root, context.record.id);
        folders.check(context.root.fs())?;
        let inner = Inner {
            folders,
            names: Names::default(),
            sessions: Sessions::default(),
            resumable: Resumable::default(),
            snapshots: Mutex::default(),
            gate: RwLock::default(),
            closed: AtomicBool::new(false),
            unnamed: Unnamed::new(context.clone()),
            context,
        };
        inner.sweep();
        Ok(Arc::new(Self(Arc::new(inner))))
    }

    /// Since when nothing names its blobs.
    pub(crate) fn unnamed(&self) -> &Unnamed {
        &self.0.unnamed
    }

    /// The store's entry in the catalogue.
    pub fn record(&self) -> &StoreRecord {
        &self.0.context.record
    }

    /// Durably puts content that is in memory.
    pub fn put(&self, content_type: &str, content: &[u8]) -> StoreResult<Stored> {
        let mut upload = self.begin(NewBlob {
            content_type: content_type.to_owned(),
            size: Some(content.len() as u64),
            resume_key: None,
        })?;
        upload.write(content)?;
        upload.finish(None)
    }

    /// Begins to put content of any size.
    pub fn begin(&self, new: NewBlob) -> StoreResult<Upload> {
        self.0.begin(new)
    }

    /// Opens a blob for reading. The error of one that is not there is [`StoreError::NoSuchBlob`].
    pub fn open_blob(&self, reference: &BlobRef) -> StoreResult<BlobReader> {
        BlobReader::open(&self.0, reference)
    }

    /// What is known of a blob.
    pub fn stat(&self, reference: &BlobRef) -> StoreResult<BlobInfo> {
        self.0.check_open()?;
        self.0.stat(reference)
    }

    /// Whether there is such a blob; if so, it is there durably. Cheaper than [`BlobStore::stat`].
    pub fn contains(&self, reference: &BlobRef) -> StoreResult<bool> {
        self.0.check_open()?;
        self.0.confirm(&self.0.name_of(reference))
    }

    /// Tells `each` of every blob, or of what cannot be read (its file, and why), in no order, until
    /// it breaks.
    pub fn list(
        &self,
        each: &mut dyn FnMut(Result<BlobInfo, (String, StoreError)>) -> ControlFlow<()>,
    ) -> StoreResult<()> {
        self.0.list(each)
    }

    /// Reads every blob whole, and tells `each` of progress and of what is damaged, until it breaks.
    pub fn verify_each(
        &self,
        each: &mut dyn FnMut(Verified) -> ControlFlow<()>,
    ) -> StoreResult<ControlFlow<()>> {
        self.0.verify_each(each)
    }

    /// Durably removes a blob. Whoever calls has made sure that nothing names it.
    pub fn remove(&self, reference: &BlobRef) -> StoreResult<()> {
        self.0.remove(reference)
    }
}

impl Inner {
    fn check_open(&self) -> StoreResult<()> {
        if self.closed.load(Ordering::Acquire) {
            Err(StoreError::Closed)
        } else {
            Ok(())
        }
    }

    /// Held while a name is given or taken away.
    fn writing(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn name_of(&self, reference: &BlobRef) -> ObjectName {
        let store = self.context.record.id;
        let id = reference.hash().as_bytes();
        self.context.names.object_name(store.as_bytes(), id)
    }

    /// Whether something lies under the name of a blob.
    fn is_there(&self, name: &ObjectName) -> StoreResult<bool> {
        let path = self.folders.object(name);
        match self.context.root.fs().file_len(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            // Whatever it is: whoever reads it says what is wrong with it.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(true),
            Err(error) => Err(StoreError::io("read", &path, &error)),
            Ok(_) => Ok(true),
        }
    }

    /// Removes what crashes and uploads that were broken off left. Best effort.
    fn sweep(&self) {
        let fs = self.context.root.fs();
        durable::sweep(fs, &self.folders.uploads);
        durable::sweep(fs, &self.context.root.store(self.context.record.id));
        self.sweep_removed(&lock(&self.snapshots));
        self.sweep_uploads();
    }
}
