//! Blobs RPCs.

mod collect;
mod download;
mod listing;
mod upload;
mod verify;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};
use vault_proto::{
    UNARY_BODY_LIMIT,
    v1::{
        Blob, CollectBlobsRequest, CollectBlobsResponse, DeleteBlobRequest, DeleteBlobResponse,
        DownloadBlobRequest, DownloadBlobResponse, GetBlobRequest, GetBlobResponse,
        ListBlobsRequest, ListBlobsResponse, PutBlobRequest, PutBlobResponse, StatBlobRequest,
        StatBlobResponse, UploadBlobRequest, UploadBlobResponse, VerifyBlobsRequest,
        VerifyBlobsResponse, blobs_server::Blobs,
    },
};
use vault_store::{
    StoreError, StoreName, StoreResult, Vault,
    blobs::{BlobInfo, BlobRef, BlobStore, DEFAULT_STORE, Stored},
};

use super::{Answer, Services, convert, stores};
use crate::error::{store_error, too_large};

/// The `Blobs` service.
#[derive(Clone)]
pub struct BlobsService {
    services: Services,
    /// Listings at once. Apart from other calls: each keeps a thread while its reader is slow.
    listings: Arc<Semaphore>,
}

/// How many listings there are at once.
const LISTINGS: usize = 8;

/// The store that a client names by leaving its name out, too.
fn store_name(name: &str) -> Result<StoreName, Status> {
    stores::parse(if name.is_empty() { DEFAULT_STORE } else { name })
}

fn parse_ref(reference: &str) -> Result<BlobRef, Status> {
    BlobRef::parse(reference).map_err(|error| store_error(&error.into()))
}

/// The store to look for a blob in. Where it is the default one and not there yet, no blob is.
fn holding(vault: &Vault, name: &StoreName, wanted: &BlobRef) -> StoreResult<Arc<BlobStore>> {
    vault.blobs(name).map_err(|error| match error {
        StoreError::NoSuchStore(missing) if missing == DEFAULT_STORE => {
            StoreError::NoSuchBlob(*wanted)
        }
        error => error,
    })
}

/// The store to go through; none where it is the default one and not there yet.
fn existing(vault: &Vault, name: &StoreName) -> StoreResult<Option<Arc<BlobStore>>> {
    match vault.blobs(name) {
        Err(StoreError::NoSuchStore(missing)) if missing == DEFAULT_STORE => Ok(None),
        found => found.map(Some),
    }
}

fn wire(info: &BlobInfo) -> Blob {
    Blob {
        r#ref: info.reference.to_string(),
        size: info.size,
        content_type: info.content_type.clone(),
        created: Some(convert::timestamp(info.created_ms)),
        stored_bytes: info.stored_bytes,
    }
}

fn stored(stored: &Stored) -> PutBlobResponse {
    PutBlobResponse {
        blob: Some(wire(&stored.info)),
        existed: stored.existed,
    }
}

/// Reads a blob that one message holds.
fn get(store: &BlobStore, reference: &BlobRef) -> StoreResult<GetBlobResponse> {
    let mut reader = store.open_blob(reference)?;
    let (size, limit) = (reader.info().size, UNARY_BODY_LIMIT as u64);
    if size > limit {
        return Err(StoreError::TooLarge { size, limit });
    }
    let blob = Some(wire(reader.info()));
    let (mut content, mut piece) = (Vec::new(), Vec::new());
    loop {
        reader.next(&mut piece)?;
        if piece.is_empty() {
            return Ok(GetBlobResponse { blob, content });
        }
        content.extend_from_slice(&piece);
    }
}

impl BlobsService {
    /// The service.
    pub fn new(services: Services) -> Self {
        let listings = Arc::new(Semaphore::new(LISTINGS));
        Self { services, listings }
    }

    /// Works with the store that holds a blob, or would.
    async fn with_blob<T: Send + 'static>(
        &self,
        store: &str,
        reference: &str,
        work: impl FnOnce(&Arc<BlobStore>, &BlobRef) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        let (name, reference) = (store_name(store)?, parse_ref(reference)?);
        self.services
            .with_vault(move |vault| work(&holding(vault, &name, &reference)?, &reference))
            .await
    }
}

#[tonic::async_trait]
impl Blobs for BlobsService {
    async fn put(
        &self,
        request: Request<PutBlobRequest>,
    ) -> Result<Response<PutBlobResponse>, Status> {
        let request = request.into_inner();
        let name = store_name(&request.store)?;
        if request.content.len() > UNARY_BODY_LIMIT {
            let size = request.content.len() as u64;
            return Err(too_large(size, UNARY_BODY_LIMIT as u64));
        }
        let put = self.services.with_vault(move |vault| {
            let store = vault.blobs_or_create(&name)?;
            store.put(&request.content_type, &request.content)
        });
        Ok(Response::new(stored(&put.await?)))
    }

    async fn get(
        &self,
        request: Request<GetBlobRequest>,
    ) -> Result<Response<GetBlobResponse>, Status> {
        let GetBlobRequest { store, r#ref } = request.into_inner();
        let found = self.with_blob(&store, &r#ref, |store, reference| get(store, reference));
        Ok(Response::new(found.await?))
    }

    type UploadStream = Answer<UploadBlobResponse>;

    async fn upload(
        &self,
        request: Request<Streaming<UploadBlobRequest>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        let begun = upload::begin(self.services.clone(), request.into_inner());
        begun.await.map(Response::new)
    }

    type DownloadStream = Answer<DownloadBlobResponse>;

    async fn download(
        &self,
        request: Request<DownloadBlobRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let begun = download::begin(self, request.into_inner());
        begun.await.map(Response::new)
    }

    async fn stat(
        &self,
        request: Request<StatBlobRequest>,
    ) -> Result<Response<StatBlobResponse>, Status> {
        let StatBlobRequest { store, r#ref } = request.into_inner();
        let found = self.with_blob(&store, &r#ref, |store, reference| store.stat(reference));
        let blob = Some(wire(&found.await?));
        Ok(Response::new(StatBlobResponse { blob }))
    }

    type ListStream = Answer<ListBlobsResponse>;

    async fn list(
        &self,
        request: Request<ListBlobsRequest>,
    ) -> Result<Response<Self::ListStream>, Status> {
        let name = store_name(&request.into_inner().store)?;
        let begun = listing::begin(self, name);
        begun.await.map(Response::new)
    }

    async fn delete(
        &self,
        request: Request<DeleteBlobRequest>,
    ) -> Result<Response<DeleteBlobResponse>, Status> {
        let DeleteBlobRequest { store, r#ref } = request.into_inner();
        let (name, reference) = (store_name(&store)?, parse_ref(&r#ref)?);
        let removed = self.services.with_vault(move |vault| {
            holding(vault, &name, &reference)?;
            vault.remove_blob(&name, &reference)
        });
        removed.await?;
        Ok(Response::new(DeleteBlobResponse {}))
    }

    type CollectStream = Answer<CollectBlobsResponse>;

    async fn collect(
        &self,
        request: Request<CollectBlobsRequest>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        collect::begin(self.services.clone(), &request.into_inner()).map(Response::new)
    }

    type VerifyStream = Answer<VerifyBlobsResponse>;

    async fn verify(
        &self,
        request: Request<VerifyBlobsRequest>,
    ) -> Result<Response<Self::VerifyStream>, Status> {
        let name = store_name(&request.into_inner().store)?;
        let begun = verify::begin(&self.services, name);
        begun.await.map(Response::new)
    }
}
