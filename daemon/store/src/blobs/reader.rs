//! Blobs being read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use vault_crypto::{ContentHasher, blob_stream::CHUNK};

use super::{
    BlobInfo, BlobRef, Inner,
    ahead::{Ahead, Piece},
    file::{BlobFile, Failure},
    sessions::Session,
};
use crate::{
    error::{StoreError, StoreResult},
    vault::lock,
};

/// Chunks given out at once: 256 KiB of content.
const CHUNKS: usize = 4;

/// From so many bytes on, the rest of a blob is opened ahead of whoever reads it.
const WORTH_A_THREAD: u64 = 1 << 20;

/// A blob being read.
pub struct BlobReader {
    store: Arc<Inner>,
    session: Session<Reading>,
    info: BlobInfo,
}

/// What a reader works with.
pub(super) struct Reading {
    feed: Feed,
    info: BlobInfo,
    /// Bytes still to come.
    left: u64,
    /// Of a blob that is read whole.
    hasher: Option<ContentHasher>,
}

enum Feed {
    Here(Source),
    Apart(Ahead),
    /// A call has failed.
    Lost,
}

/// Where content comes from: a file, from one place to another.
pub(super) struct Source {
    file: BlobFile,
    path: PathBuf,
    object: String,
    /// Where the next content begins, and where the last one ends.
    at: u64,
    end: u64,
}

impl Source {
    /// Replaces `buffer`'s content by what comes next; empty at the end.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> StoreResult<()> {
        if self.at == self.end {
            buffer.clear();
            return Ok(());
        }
        let read = self.read(buffer);
        read.map_err(|failure| {
            buffer.clear();
            failure.of(&self.path, &self.object)
        })
    }

    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        let chunk = CHUNK as u64;
        let (first, skipped) = (self.at / chunk, self.at % chunk);
        self.file.read_chunks(first, CHUNKS, buffer)?;
        let wanted = usize::try_from(self.end - first * chunk).unwrap_or(usize::MAX);
        buffer.truncate(wanted);
        let skipped = usize::try_from(skipped).unwrap_or(CHUNK);
        buffer.drain(..skipped.min(buffer.len()));
        if buffer.is_empty() {
            return Err(Failure::Other("its file is cut short"));
        }
        self.at += buffer.len() as u64;
        Ok(())
    }
}

impl Reading {
    pub(super) fn new(file: BlobFile, path: PathBuf, object: String) -> Self {
        let info = file.info();
        Self {
            left: info.size,
            hasher: Some(ContentHasher::new()),
            feed: Feed::Here(Source {
                file,
                path,
                object,
                at: 0,
                end: info.size,
            }),
            info,
        }
    }

    pub(super) const fn info(&self) -> &BlobInfo {
        &self.info
    }

    fn range(&mut self, offset: u64, length: Option<u64>) -> StoreResult<()> {
        let size = self.info.size;
        if offset > size {
            return Err(StoreError::InvalidArgument(format!(
                "the range begins at {offset}, behind the end of the content at {size}"
            )));
        }
        let Feed::Here(source) = &mut self.feed else {
            return Err(StoreError::InvalidArgument(
                "the range of a blob is chosen before it is read".to_owned(),
            ));
        };
        let end = length.map_or(size, |length| offset.saturating_add(length).min(size));
        if (offset, end) != (0, size) {
            self.hasher = None;
        }
        (source.at, source.end) = (offset, end);
        self.left = end - offset;
        Ok(())
    }

    /// Replaces `buffer`'s content by what comes next; empty at the end.
    pub(super) fn next(&mut self, buffer: &mut Piece) -> StoreResult<()> {
        if self.left == 0 {
            buffer.clear();
            let hash = self.hasher.take().map(ContentHasher::finish);
            return match hash {
                Some(hash) if hash != *self.info.reference.hash() => Err(StoreError::damaged(
                    format!("blob {}", self.info.reference),
                    "its content has not the hash it was stored with",
                )),
                _ => Ok(()),
            };
        }
        self.feed(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(buffer);
        }
        self.left -= buffer.len() as u64;
        Ok(())
    }

    fn feed(&mut self, buffer: &mut Piece) -> StoreResult<()> {
        let mut feed = std::mem::replace(&mut self.feed, Feed::Lost);
        if let Feed::Here(source) = feed {
            feed = if self.left < WORTH_A_THREAD {
                Feed::Here(source)
            } else {
                Feed::Apart(Ahead::begin(source)?)
            };
        }
        match &mut feed {
            Feed::Here(source) => source.next(buffer)?,
            Feed::Apart(ahead) => ahead.next(buffer)?,
            Feed::Lost => return Err(StoreError::Closed),
        }
        self.feed = feed;
        Ok(())
    }
}

impl BlobReader {
    pub(super) fn open(store: &Arc<Inner>, reference: &BlobRef) -> StoreResult<Self> {
        store.check_open()?;
        let reading = store.reading(reference)?;
        let info = reading.info().clone();
        let session = Session::default();
        *lock(&session) = Some(reading);
        store.sessions.add(&session);
        // Closed meanwhile, nobody would end it.
        store.check_open()?;
        Ok(Self {
            store: Arc::clone(store),
            session,
            info,
        })
    }

    /// What is known of the blob.
    pub fn info(&self) -> &BlobInfo {
        &self.info
    }

    /// Goes to a range: at most `length` bytes from `offset` on. Before the first read only.
    pub fn range(&mut self, offset: u64, length: Option<u64>) -> StoreResult<()> {
        let mut session = lock(&self.session);
        let reading = session.as_mut().ok_or(StoreError::Closed)?;
        reading.range(offset, length)
    }

    /// Replaces `buffer`'s content by what comes next, at most 256 KiB; empty at the end. The end
    /// of a blob that is read whole is reached only if its content has the hash of its ref.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> StoreResult<()> {
        let mut session = lock(&self.session);
        let reading = session.as_mut().ok_or(StoreError::Closed)?;
        self.store.check_open()?;
        let mut piece = Piece::new(std::mem::take(buffer));
        let read = reading.next(&mut piece);
        *buffer = std::mem::take(&mut *piece);
        if read.is_err() {
            buffer.clear();
            *session = None;
        }
        read
    }
}

impl Inner {
    /// Opens a blob for reading.
    pub(super) fn reading(&self, reference: &BlobRef) -> StoreResult<Reading> {
        let path = self.folders.object(&self.name_of(reference));
        let object = self.describe(reference);
        let file = self.open_file(reference, &path, &object)?;
        Ok(Reading::new(file, path, object))
    }

    fn open_file(&self, reference: &BlobRef, path: &Path, object: &str) -> StoreResult<BlobFile> {
        let file = BlobFile::open(&self.context, path, object)?;
        let file = file.ok_or(StoreError::NoSuchBlob(*reference))?;
        if file.is(reference) {
            Ok(file)
        } else {
            Err(StoreError::damaged(
                object,
                "its file is that of another blob",
            ))
        }
    }

    /// What is known of a blob.
    pub(super) fn stat(&self, reference: &BlobRef) -> StoreResult<BlobInfo> {
        let path = self.folders.object(&self.name_of(reference));
        let file = self.open_file(reference, &path, &self.describe(reference))?;
        Ok(file.info())
    }

    fn describe(&self, reference: &BlobRef) -> String {
        format!("blob {reference} in store `{}`", self.context.record.name)
    }
}
