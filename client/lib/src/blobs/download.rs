//! Content on its way out of the vault.

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use vault_proto::v1::{DownloadBlobRequest, DownloadBlobResponse, download_blob_response::Part};

use super::Blob;
use crate::{
    Client, ContentRange, Error,
    download::{Content, incomplete},
};

/// A blob being read.
pub struct BlobDownload {
    blob: Blob,
    content: Content<DownloadBlobResponse>,
}

impl BlobDownload {
    /// What is known of the blob.
    pub const fn blob(&self) -> &Blob {
        &self.blob
    }

    /// Bytes that come in all: of the blob, or of the range that was asked for.
    pub const fn size(&self) -> u64 {
        self.content.size()
    }

    /// The next bytes; `None` at the end, which is reached only if all of them came. Those of a
    /// whole blob were checked against its ref by then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.content.next().await
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
            progress(self.content.come());
        }
        target.flush().await.map_err(unwritten)?;
        Ok(self.blob)
    }
}

impl Client {
    /// Begins to read a blob, or a part of it. A range that begins behind the end is refused.
    pub async fn download_blob(
        &self,
        store: &str,
        reference: &str,
        range: ContentRange,
    ) -> Result<BlobDownload, Error> {
        let request = DownloadBlobRequest {
            store: store.to_owned(),
            r#ref: reference.to_owned(),
            offset: range.offset,
            length: range.length,
        };
        let mut stream = self.services.blobs().download(request).await?.into_inner();
        let first = stream.message().await?.and_then(|message| message.part);
        let Some(Part::Blob(blob)) = first else {
            return Err(incomplete::<DownloadBlobResponse>());
        };
        let blob = Blob::from(blob);
        let content = Content::new(stream, range, blob.size);
        Ok(BlobDownload { blob, content })
    }
}
