//! Kind `files`: ordinary files under their own names, never encrypted.
//!
//! They lie in the store's folder below `plain`, where people may browse, add, change and remove
//! them: what lies there is what is served, and nothing is remembered of it. What lies there under
//! a name that no client may use is passed over, and said to be. A file that begins as a sealed
//! object does is served only if it opens under the store's own key.

mod commit;
mod content;
mod name;
mod names;
mod place;
mod reading;
mod sealed;
mod snapshot;
mod store_kind;
mod tree;
mod upload;

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

pub use name::FileName;
pub(crate) use place::check_place;
pub use reading::FileReader;
pub use store_kind::FileKind;
pub use upload::Upload;

use self::{commit::Writing, snapshot::Moments, tree::Tree};
use crate::{
    catalogue::StoreRecord,
    error::{StoreError, StoreResult},
    kind::StoreContext,
};

/// What is known of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileInfo {
    /// Its name.
    pub name: FileName,
    /// Bytes of its content, in the clear.
    pub size: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Whether it lies sealed on the disk, and is opened when it is read.
    pub sealed: bool,
}

/// One entry of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listed {
    /// A file.
    File(FileInfo),
    /// What lies there and is not served.
    Skipped {
        /// Its name, as far as it is text.
        name: String,
        /// Why it is not.
        detail: String,
    },
}

/// An open store of files.
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

struct Inner {
    context: StoreContext,
    tree: Tree,
    writing: Mutex<Writing>,
    moments: Moments,
    closed: AtomicBool,
}

impl FileStore {
    /// The store's entry in the catalogue.
    pub fn record(&self) -> &StoreRecord {
        &self.0.context.record
    }

    /// Durably writes a file of content that is in memory: a new one alone, or also in place of the
    /// one there is.
    pub fn put(&self, name: FileName, content: &[u8], create: bool) -> StoreResult<FileInfo> {
        let mut upload = self.begin(name, create, Some(content.len() as u64))?;
        upload.write(content)?;
        upload.finish()
    }

    /// Begins to write a file of any size: a new one alone, or also in place of the one there is.
    /// What cannot come to a good end is refused before the first byte.
    pub fn begin(&self, name: FileName, create: bool, size: Option<u64>) -> StoreResult<Upload> {
        Upload::begin(&self.0, name, create, size)
    }

    /// Opens a file for reading. Whatever is written from then on, the reader has what was there.
    pub fn open_file(&self, name: &FileName) -> StoreResult<FileReader> {
        FileReader::open(&self.0, name)
    }

    /// What is known of a file.
    pub fn stat(&self, name: &FileName) -> StoreResult<FileInfo> {
        let found = self.0.find(name)?;
        let (path, inspected) = found.ok_or_else(|| self.0.no_such(name))?;
        let info = self.0.info(name, &path, inspected)?;
        info.ok_or_else(|| self.0.no_such(name))
    }

    /// Tells `each` of every file whose name begins with `prefix`, ordered by name, until it breaks.
    pub fn list(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> StoreResult<()> {
        self.0.list(prefix, each)
    }

    /// Durably removes a file, and the folders that are empty then.
    pub fn remove(&self, name: &FileName) -> StoreResult<()> {
        self.0.remove(name)
    }
}

impl Inner {
    fn check_open(&self) -> StoreResult<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    fn no_such(&self, name: &FileName) -> StoreError {
        StoreError::NoSuchFile {
            store: self.context.record.name.to_string(),
            name: name.to_string(),
        }
    }

    fn changed(&self, name: &FileName) -> StoreError {
        StoreError::ChangedMeanwhile {
            store: self.context.record.name.to_string(),
            name: name.to_string(),
        }
    }

    /// How errors name a file.
    fn describe(&self, name: &str) -> String {
        format!("file `{name}` in store `{}`", self.context.record.name)
    }
}
