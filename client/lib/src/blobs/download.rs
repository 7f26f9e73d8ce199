//! Content on its way out of the vault.

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use vault_proto::v1::{DownloadBlobRequest, DownloadBlobResponse, download_blob_response::Part};

use super::Blob;
use crate::{Client, Error};

/// A part of a blob; by default all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobRange {
    /// First byte, from 0.
    pub offset: u64,
    /// How many at most; to the end where it is not given.
    pub length: Option<u64>,
}

/// A blob being read.
pub struct BlobDownload {
    blob: Blob,
    stream: tonic::Streaming<DownloadBlobResponse>,
    size: u64,
    left: u64,
}

impl BlobDownload {
    /// What is known of the blob.
    pub const fn blob(&self) -> &Blob {
        &self.blob
    }

    /// Bytes that come in all: of the blob, or of the range that was asked for.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The next bytes; `None` at the end, which is reached only if all of them came. Those of a
    /// whole blob were checked against its ref by then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(message) = self.stream.message().await? {
            // A part of a later version is passed over.
            if let Some(Part::Chunk(chunk)) = message.part {
                let left = self.left.checked_sub(chunk.len() as u64);
                self.left = left.ok_or_else(incomplete)?;
                return Ok(Some(chunk));
            }
        }
        if self.left > 0 {
            return Err(incomplete());
        }
        Ok(None)
    }

    /// Writes all of it. `progress` is told how many bytes have come.
    pub async fn write_to(
        mut self,
        mut target: impl AsyncWrite + Unpin,
        mut progress: impl FnMut(u64),
    ) -> Result<Blob, Error> {
        let unwritten = |error: std::io::Error| Error::Local(format!("cannot write: {error}"));
        while let Some(chunk) = self.next().await? {
            target.write_all(&chunk).await.map_err(unwritten)?;
            progress(self.size - self.left);
        }
        target.flush().await.map_err(unwritten)?;
        Ok(self.blob)
    }
}

fn incomplete() -> Error {
    Error::Local("the blob came incomplete".to_owned())
}

impl Client {
    /// Begins to read a blob, or a part of it. A range that begins behind the end is refused.
    pub async fn download_blob(
        &self,
        store: &str,
        reference: &str,
        range: BlobRange,
    ) -> Result<BlobDownload, Error> {
        let request = DownloadBlobRequest {
            store: store.to_owned(),
            r#ref: reference.to_owned(),
            offset: range.offset,
            length: range.length,
        };
        let mut stream = self.blobs.clone().download(request).await?.into_inner();
        let first = stream.message().await?.and_then(|message| message.part);
        let Some(Part::Blob(blob)) = first else {
            return Err(incomplete());
        };
        let blob = Blob::from(blob);
        let rest = blob.size.saturating_sub(range.offset);
        let size = range.length.map_or(rest, |length| length.min(rest));
        Ok(BlobDownload {
            blob,
            stream,
            size,
            left: size,
        })
    }
}
