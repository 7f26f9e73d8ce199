//! Collecting what nothing names, and verifying.

use std::time::Duration;

use vault_proto::v1::{
    CollectBlobsRequest, CollectBlobsResponse, VerifyBlobsRequest, VerifyBlobsResponse,
};

use super::{Blob, DamagedBlob};
use crate::{Client, Error};

/// How far a collection has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobCollectionProgress {
    /// Blobs looked at.
    pub examined: u64,
    /// Named by something.
    pub named: u64,
    /// Not named, but not for long enough.
    pub waiting: u64,
    /// Removed; in a dry run, to be removed.
    pub removed: u64,
    /// Bytes of their content.
    pub removed_bytes: u64,
    /// Those of them since the last report.
    pub garbage: Vec<Blob>,
}

/// A collection under way.
pub struct BlobCollection(tonic::Streaming<CollectBlobsResponse>);

impl BlobCollection {
    /// The next report; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<BlobCollectionProgress>, Error> {
        let message = self.0.message().await?;
        Ok(message.map(|message| BlobCollectionProgress {
            examined: message.examined,
            named: message.named,
            waiting: message.waiting,
            removed: message.removed,
            removed_bytes: message.removed_bytes,
            garbage: message.garbage.into_iter().map(Blob::from).collect(),
        }))
    }
}

/// How far a verification has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobVerificationProgress {
    /// Blobs read and found to be what their refs say.
    pub verified: u64,
    /// Bytes of content read.
    pub bytes: u64,
    /// Blobs in all.
    pub total: u64,
    /// Bytes of their content.
    pub total_bytes: u64,
    /// Found damaged since the last report.
    pub damaged: Vec<DamagedBlob>,
}

/// A verification under way.
pub struct BlobVerification(tonic::Streaming<VerifyBlobsResponse>);

impl BlobVerification {
    /// The next report; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<BlobVerificationProgress>, Error> {
        let message = self.0.message().await?;
        Ok(message.map(|message| BlobVerificationProgress {
            verified: message.verified,
            bytes: message.bytes,
            total: message.total,
            total_bytes: message.total_bytes,
            damaged: message.damaged.into_iter().map(DamagedBlob::from).collect(),
        }))
    }
}

impl Client {
    /// Removes what nothing has named for `grace` (the configured time where there is none): of one
    /// store, or, where `store` is empty, of every store of blobs. A dry run removes nothing.
    pub async fn collect_blobs(
        &self,
        store: &str,
        dry_run: bool,
        grace: Option<Duration>,
    ) -> Result<BlobCollection, Error> {
        let request = CollectBlobsRequest {
            store: store.to_owned(),
            dry_run,
            grace_seconds: grace.map(|grace| grace.as_secs()),
        };
        let stream = self.services.blobs().collect(request).await?.into_inner();
        Ok(BlobCollection(stream))
    }

    /// Reads every blob of a store whole, and checks it.
    pub async fn verify_blobs(&self, store: &str) -> Result<BlobVerification, Error> {
        let request = VerifyBlobsRequest {
            store: store.to_owned(),
        };
        let stream = self.services.blobs().verify(request).await?.into_inner();
        Ok(BlobVerification(stream))
    }
}
