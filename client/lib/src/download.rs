//! Content on its way out of the vault, of any size: a blob or a file.

use bytes::Bytes;
use tonic::Streaming;
use vault_proto::v1::{
    DownloadBlobResponse, DownloadFileResponse, download_blob_response, download_file_response,
};

use crate::Error;

/// A part of a blob or a file; by default all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentRange {
    /// First byte, from 0.
    pub offset: u64,
    /// How many at most; to the end where it is not given.
    pub length: Option<u64>,
}

impl ContentRange {
    /// How many bytes it takes of so many.
    fn of(self, size: u64) -> u64 {
        let rest = size.saturating_sub(self.offset);
        self.length.map_or(rest, |length| length.min(rest))
    }
}

/// A message of a download.
pub(crate) trait Message {
    /// What comes, in an error.
    const WHAT: &'static str;
    /// The content in it. A part of a later version has none.
    fn chunk(self) -> Option<Bytes>;
}

impl Message for DownloadBlobResponse {
    const WHAT: &'static str = "the blob";

    fn chunk(self) -> Option<Bytes> {
        match self.part {
            Some(download_blob_response::Part::Chunk(chunk)) => Some(chunk),
            _ => None,
        }
    }
}

impl Message for DownloadFileResponse {
    const WHAT: &'static str = "the file";

    fn chunk(self) -> Option<Bytes> {
        match self.part {
            Some(download_file_response::Part::Chunk(chunk)) => Some(chunk),
            _ => None,
        }
    }
}

/// What follows the first message of a download.
pub(crate) struct Content<M> {
    stream: Streaming<M>,
    size: u64,
    left: u64,
}

impl<M: Message> Content<M> {
    /// The range of something of `whole` bytes.
    pub(crate) fn new(stream: Streaming<M>, range: ContentRange, whole: u64) -> Self {
        let size = range.of(whole);
        Self {
            stream,
            size,
            left: size,
        }
    }

    /// Bytes that come in all.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that have come.
    pub(crate) const fn come(&self) -> u64 {
        self.size - self.left
    }

    /// The next bytes; `None` at the end, which is reached only if all of them came.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(message) = self.stream.message().await? {
            if let Some(chunk) = message.chunk() {
                let left = self.left.checked_sub(chunk.len() as u64);
                self.left = left.ok_or_else(incomplete::<M>)?;
                return Ok(Some(chunk));
            }
        }
        if self.left > 0 {
            return Err(incomplete::<M>());
        }
        Ok(None)
    }
}

/// Less came than was said, or more.
pub(crate) fn incomplete<M: Message>() -> Error {
    Error::Local(format!("{} came incomplete", M::WHAT))
}
