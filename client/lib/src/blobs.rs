//! Blobs: content of any size, called by its SHA-256.

mod download;
mod resume;
mod upkeep;
mod upload;

use std::collections::VecDeque;

use bytes::Bytes;
use vault_proto::{
    UNARY_BODY_LIMIT,
    v1::{
        self, DeleteBlobRequest, GetBlobRequest, ListBlobsRequest, ListBlobsResponse,
        PutBlobRequest, PutBlobResponse, StatBlobRequest,
    },
};

use crate::{Client, ContentRange, Error, vault::millis};
pub use download::BlobDownload;
pub use resume::file_resume_key;
pub use upkeep::{
    BlobCollection, BlobCollectionProgress, BlobVerification, BlobVerificationProgress,
};
pub use upload::NewBlob;

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its ref: the SHA-256 of its content, 64 lower-case hex digits.
    pub reference: String,
    /// Bytes of its content.
    pub size: u64,
    /// MIME type, as first put.
    pub content_type: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Bytes of the file it lies in.
    pub stored_bytes: u64,
}

impl From<v1::Blob> for Blob {
    fn from(blob: v1::Blob) -> Self {
        Self {
            reference: blob.r#ref,
            size: blob.size,
            content_type: blob.content_type,
            created_ms: millis(blob.created),
            stored_bytes: blob.stored_bytes,
        }
    }
}

/// A blob that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// What is known of it.
    pub blob: Blob,
    /// It was there already; nothing was written.
    pub existed: bool,
    /// Bytes that an earlier call had left, and that were not sent again.
    pub resumed: u64,
}

impl StoredBlob {
    fn new(put: PutBlobResponse, resumed: u64) -> Self {
        Self {
            blob: put.blob.unwrap_or_default().into(),
            existed: put.existed,
            resumed,
        }
    }
}

/// A blob that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedBlob {
    /// Its file, or its ref where that is known.
    pub object: String,
    /// Why, for people.
    pub detail: String,
}

impl From<v1::list_blobs_response::Damaged> for DamagedBlob {
    fn from(damaged: v1::list_blobs_response::Damaged) -> Self {
        Self {
            object: damaged.object,
            detail: damaged.detail,
        }
    }
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedBlob {
    /// A blob.
    Blob(Blob),
    /// One that cannot be read.
    Damaged(DamagedBlob),
}

/// A listing under way, in no order.
pub struct BlobList {
    stream: tonic::Streaming<ListBlobsResponse>,
    page: VecDeque<ListedBlob>,
}

impl BlobList {
    /// The next entry; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<ListedBlob>, Error> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Ok(Some(entry));
            }
            let Some(page) = self.stream.message().await? else {
                return Ok(None);
            };
            let blobs = page.blobs.into_iter().map(Blob::from);
            let damaged = page.damaged.into_iter().map(DamagedBlob::from);
            self.page = blobs.map(ListedBlob::Blob).collect();
            self.page.extend(damaged.map(ListedBlob::Damaged));
        }
    }
}

// An empty `store` means the one of blobs by default, everywhere below.
impl Client {
    /// Durably puts content that is in memory, of any size. Creates a store that is not there.
    pub async fn put_blob(
        &self,
        store: &str,
        content_type: &str,
        content: impl Into<Bytes>,
    ) -> Result<StoredBlob, Error> {
        let content = content.into();
        if content.len() > UNARY_BODY_LIMIT {
            let new = NewBlob {
                content_type: content_type.to_owned(),
                size: Some(content.len() as u64),
                ..NewBlob::default()
            };
            return self.upload_blob(store, new, &*content, |_| {}).await;
        }
        self.put_small(store, content_type, content).await
    }

    async fn put_small(
        &self,
        store: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<StoredBlob, Error> {
        let request = PutBlobRequest {
            store: store.to_owned(),
            content,
            content_type: content_type.to_owned(),
        };
        let put = self.services.blobs().put(request).await?.into_inner();
        Ok(StoredBlob::new(put, 0))
    }

    /// A blob of any size, whole.
    pub async fn get_blob(&self, store: &str, reference: &str) -> Result<(Blob, Vec<u8>), Error> {
        let request = GetBlobRequest {
            store: store.to_owned(),
            r#ref: reference.to_owned(),
        };
        match self.services.blobs().get(request).await {
            Ok(response) => {
                let response = response.into_inner();
                let blob = response.blob.unwrap_or_default().into();
                Ok((blob, response.content))
            }
            Err(status) => match Error::from(status) {
                error if error.reason() == Some("TOO_LARGE") => {
                    let whole = ContentRange::default();
                    let download = self.download_blob(store, reference, whole).await?;
                    let mut content = Vec::new();
                    let blob = download.write_to(&mut content, |_| {}).await?;
                    Ok((blob, content))
                }
                error => Err(error),
            },
        }
    }

    /// What is known of a blob.
    pub async fn stat_blob(&self, store: &str, reference: &str) -> Result<Blob, Error> {
        let request = StatBlobRequest {
            store: store.to_owned(),
            r#ref: reference.to_owned(),
        };
        let response = self.services.blobs().stat(request).await?.into_inner();
        Ok(response.blob.unwrap_or_default().into())
    }

    /// Every blob of a store.
    pub async fn list_blobs(&self, store: &str) -> Result<BlobList, Error> {
        let request = ListBlobsRequest {
            store: store.to_owned(),
        };
        let stream = self.services.blobs().list(request).await?.into_inner();
        let page = VecDeque::new();
        Ok(BlobList { stream, page })
    }

    /// Durably removes a blob. Refused while something names it.
    pub async fn delete_blob(&self, store: &str, reference: &str) -> Result<(), Error> {
        let request = DeleteBlobRequest {
            store: store.to_owned(),
            r#ref: reference.to_owned(),
        };
        self.services.blobs().delete(request).await?;
        Ok(())
    }
}
