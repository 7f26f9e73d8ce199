//! A blob's file, opened: its head and trailer are checked, its chunks are read one by one.

use std::{io, path::Path, sync::Arc};

use vault_crypto::{
    BlobAddress, BlobHeader, EnvelopeError, Position, StreamKeys, Trailer,
    blob_stream::{self, CHUNK, HEADER_LEN, NONCE_LEN, OVERHEAD, SEALED_CHUNK, TRAILER_LEN},
};

use super::{BlobInfo, BlobRef};
use crate::{
    error::{StoreError, StoreResult},
    fs::OpenFile,
    kind::StoreContext,
};

/// Chunks that are read, or written, at once: 512 KiB of content.
pub(super) const BATCH: usize = 8;

/// A file whose head and trailer are authentic and fit each other.
pub(super) struct BlobFile {
    file: Box<dyn OpenFile>,
    keys: Arc<StreamKeys>,
    pub(super) trailer: Trailer,
    len: u64,
}

/// Where blobs of this store belong.
pub(super) fn address(context: &StoreContext) -> BlobAddress<'_> {
    BlobAddress {
        vault: context.vault,
        store: context.record.id.as_bytes(),
    }
}

/// The keys of the file that begins like this.
pub(super) fn keys_of(context: &StoreContext, beginning: &[u8]) -> Result<StreamKeys, Failure> {
    let ring = context.keys.ring();
    let (expected, _) = ring.current().map_err(Failure::Store)?;
    let header = BlobHeader::parse(beginning)?;
    let found = header.key_id();
    let key = ring
        .get(found)
        .ok_or(EnvelopeError::OtherKey { found, expected })?;
    Ok(StreamKeys::open(key, found, &address(context), header)?)
}

/// Why a file is not what it should be, before anybody has said which file it is.
pub(super) enum Failure {
    Store(StoreError),
    Sealed(EnvelopeError),
    Io(io::Error),
    Other(&'static str),
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Self {
        Self::Sealed(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    /// The error of the blob that `object` names and that lies at `path`.
    pub(super) fn of(self, path: &Path, object: &str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Sealed(error) => StoreError::envelope(object, &error),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    StoreError::damaged(object, "its file is cut short")
                }
                io::ErrorKind::InvalidInput => {
                    StoreError::damaged(object, "it is not a regular file")
                }
                _ => StoreError::io("read", path, &error),
            },
            Self::Other(detail) => StoreError::damaged(object, detail),
        }
    }
}

/// The first bytes of a file: a header, where it is long enough.
pub(super) fn beginning(file: &dyn OpenFile, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(HEADER_LEN)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

impl BlobFile {
    /// Opens the file at `path`; `None` where there is none.
    pub(super) fn open(
        context: &StoreContext,
        path: &Path,
        object: &str,
    ) -> StoreResult<Option<Self>> {
        let file = match context.root.fs().open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::Io(error).of(path, object)),
        };
        let opened = Self::read(context, file);
        opened.map(Some).map_err(|failure| failure.of(path, object))
    }

    fn read(context: &StoreContext, file: Box<dyn OpenFile>) -> Result<Self, Failure> {
        let len = file.len()?;
        let keys = keys_of(context, &beginning(&*file, len)?)?;
        let size = blob_stream::content_len(len).ok_or(EnvelopeError::Malformed)?;
        let mut sealed = [0; TRAILER_LEN];
        file.read_exact_at(&mut sealed, len - TRAILER_LEN as u64)?;
        let trailer = keys.open_trailer(&sealed)?;
        if trailer.size != size {
            return Err(Failure::Other(
                "its length is not the one it was stored with",
            ));
        }
        Ok(Self {
            file,
            keys: Arc::new(keys),
            trailer,
            len,
        })
    }

    /// The file that was just written at `path`, with these keys and this trailer.
    pub(super) fn written(
        context: &StoreContext,
        path: &Path,
        keys: Arc<StreamKeys>,
        trailer: Trailer,
    ) -> StoreResult<Self> {
        let failed = |error| StoreError::io("read", path, &error);
        let file = context.root.fs().open(path).map_err(failed)?;
        Ok(Self {
            file,
            keys,
            len: blob_stream::file_len(trailer.size),
            trailer,
        })
    }

    /// Whether it is the blob that was asked for.
    pub(super) fn is(&self, reference: &BlobRef) -> bool {
        self.trailer.hash == *reference.hash()
    }

    /// What is known of the blob.
    pub(super) fn info(&self) -> BlobInfo {
        BlobInfo::of(&self.trailer)
    }

    /// How many chunks there are; the last one may be empty.
    pub(super) fn chunks(&self) -> u64 {
        self.trailer.size / CHUNK as u64 + 1
    }

    /// Replaces `content` by what chunks `first` to, at most, `first + count` hold. Each is read to
    /// where its content is to stand, and opened there. Of what fails the rest is of no use.
    pub(super) fn read_chunks(
        &self,
        first: u64,
        count: usize,
        content: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let last = self.chunks() - 1;
        let end = last
            .saturating_add(1)
            .min(first.saturating_add(count as u64));
        let mut len = 0;
        // Not twice as much, for the tag of the last one.
        let chunks = usize::try_from(end.saturating_sub(first)).unwrap_or(count);
        content.reserve_exact((chunks * CHUNK + OVERHEAD).saturating_sub(content.len()));
        for index in first..end {
            let position = Position {
                index,
                last: index == last,
            };
            let begin = blob_stream::chunk_offset(index);
            let behind = if position.last {
                self.len - TRAILER_LEN as u64
            } else {
                begin + SEALED_CHUNK as u64
            };
            let sealed = behind.checked_sub(begin + NONCE_LEN as u64);
            let sealed = sealed.and_then(|sealed| usize::try_from(sealed).ok());
            let sealed = sealed.ok_or(EnvelopeError::Malformed)?;
            // What stood there before is overwritten.
            if content.len() < len + sealed {
                content.resize(len + sealed, 0);
            }
            let sealed = &mut content[len..len + sealed];
            let mut nonce = [0; NONCE_LEN];
            self.file.read_exact_at(&mut nonce, begin)?;
            self.file.read_exact_at(sealed, begin + NONCE_LEN as u64)?;
            len += self.keys.open_chunk_in_place(position, &nonce, sealed)?;
        }
        content.truncate(len);
        Ok(())
    }
}

impl BlobInfo {
    /// What a trailer says.
    pub(super) fn of(trailer: &Trailer) -> Self {
        Self {
            reference: BlobRef::new(trailer.hash),
            size: trailer.size,
            content_type: trailer.content_type.clone(),
            created_ms: trailer.created_ms,
            stored_bytes: blob_stream::file_len(trailer.size),
        }
    }
}
