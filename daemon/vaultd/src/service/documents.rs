//! Documents RPCs.

use std::sync::Arc;

use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};
use vault_proto::{
    CHUNK_LIMIT, UNARY_BODY_LIMIT,
    v1::{
        BatchDocumentsRequest, BatchDocumentsResponse, BatchWrite, DeleteDocumentRequest,
        DeleteDocumentResponse, DownloadDocumentResponse, GetDocumentRequest, GetDocumentResponse,
        ImportDocumentsRequest, ImportDocumentsResponse, ListDocumentsRequest,
        ListDocumentsResponse, PatchDocumentRequest, PatchDocumentResponse, PutDocumentRequest,
        PutDocumentResponse, UploadDocumentRequest, UploadDocumentResponse, WatchDocumentsRequest,
        WatchDocumentsResponse, documents_server::Documents, download_document_response,
        upload_document_request::Part,
    },
};
use vault_store::{
    DocumentId, Revision, StoreError, StoreResult,
    documents::{Change, Document, Listed, Precondition, Write},
};

use super::{
    ANSWER_DEPTH, Answer, Services, caller, convert, import, listing::Listing, out_of_turn,
    watch::Watch,
};
use crate::error::too_large;

/// The `Documents` service.
#[derive(Clone)]
pub struct DocumentsService(pub Services);

#[tonic::async_trait]
impl Documents for DocumentsService {
    async fn put(
        &self,
        request: Request<PutDocumentRequest>,
    ) -> Result<Response<PutDocumentResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let head = self.0.with_store_for(caller, &request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let content = convert::content(request.content_type, request.labels, request.body);
            let head = store.put(id, content, convert::precondition(request.precondition))?;
            Ok(convert::head(&head))
        });
        Ok(Response::new(PutDocumentResponse {
            head: Some(head.await?),
        }))
    }

    async fn get(
        &self,
        request: Request<GetDocumentRequest>,
    ) -> Result<Response<GetDocumentResponse>, Status> {
        let request = request.into_inner();
        if let Some(document) = self.0.get_cached(&request.store, &request.id) {
            return Ok(Response::new(get_response(document)));
        }
        let found = self.0.with_store(&request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let limit = UNARY_BODY_LIMIT as u64;
            let size = store.head(&id)?.body_bytes();
            if size > limit {
                return Err(StoreError::TooLarge { size, limit });
            }
            store.get(&id).map(get_response)
        });
        Ok(Response::new(found.await?))
    }

    async fn patch(
        &self,
        request: Request<PatchDocumentRequest>,
    ) -> Result<Response<PatchDocumentResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let head = self.0.with_store_for(caller, &request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let if_revision = convert::if_revision(request.if_revision);
            Ok(convert::head(&*store.patch(
                &id,
                &request.patch,
                if_revision,
            )?))
        });
        Ok(Response::new(PatchDocumentResponse {
            head: Some(head.await?),
        }))
    }

    async fn delete(
        &self,
        request: Request<DeleteDocumentRequest>,
    ) -> Result<Response<DeleteDocumentResponse>, Status> {
        let request = request.into_inner();
        let revision = self.0.with_store(&request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let if_revision = convert::if_revision(request.if_revision);
            store.delete(
                &id,
                if_revision.map_or(Precondition::None, Precondition::Revision),
            )
        });
        Ok(Response::new(DeleteDocumentResponse {
            revision: revision.await?.0,
        }))
    }

    async fn batch(
        &self,
        request: Request<BatchDocumentsRequest>,
    ) -> Result<Response<BatchDocumentsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let revisions = self.0.with_store_for(caller, &request.store, move |store| {
            let writes: StoreResult<Vec<Write>> =
                request.writes.into_iter().map(batch_write).collect();
            let outcomes = store.write(writes?)?;
            Ok(outcomes
                .iter()
                .map(|outcome| outcome.head().revision().0)
                .collect())
        });
        Ok(Response::new(BatchDocumentsResponse {
            revisions: revisions.await?,
        }))
    }

    type ListStream = Answer<ListDocumentsResponse>;

    async fn list(
        &self,
        request: Request<ListDocumentsRequest>,
    ) -> Result<Response<Self::ListStream>, Status> {
        let ListDocumentsRequest {
            store,
            bodies,
            prefix,
            after,
        } = request.into_inner();
        let (store, listed) = self
            .0
            .with_store(&store, move |store| {
                let mut listed = store.list(&prefix)?;
                listed.retain(|entry| match entry {
                    Listed::Head(head) => *head.id().as_str() > *after,
                    Listed::Damaged(..) => true,
                });
                Ok((Arc::clone(store), listed))
            })
            .await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let listing = Listing::new(store, listed, bodies);
        tokio::spawn(listing.send(self.0.clone(), sender));
        Ok(Response::new(Answer::new(receiver)))
    }

    type WatchStream = Answer<WatchDocumentsResponse>;

    async fn watch(
        &self,
        request: Request<WatchDocumentsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let WatchDocumentsRequest { store, since } = request.into_inner();
        let watch = Watch::begin(self.0.clone(), store, Revision(since)).await?;
        Ok(Response::new(watch))
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadDocumentRequest>>,
    ) -> Result<Response<UploadDocumentResponse>, Status> {
        let caller = caller(&request)?;
        let mut stream = request.into_inner();
        let Some(Part::Start(start)) = self.0.next(&mut stream).await?.and_then(|m| m.part) else {
            return Err(out_of_turn("the first message of an upload is its start"));
        };
        let limit = self
            .0
            .with_store(&start.store, |store| Ok(store.body_limit()))
            .await?;
        if start.size > limit {
            return Err(too_large(start.size, limit));
        }
        let mut body = Vec::new();
        while let Some(message) = self.0.next(&mut stream).await? {
            let Some(Part::Chunk(chunk)) = message.part else {
                return Err(out_of_turn("after the start of an upload come its chunks"));
            };
            if chunk.len() > CHUNK_LIMIT {
                return Err(too_large(chunk.len() as u64, CHUNK_LIMIT as u64));
            }
            if (body.len() + chunk.len()) as u64 > start.size {
                return Err(out_of_turn("the chunks are more than the size announced"));
            }
            body.extend_from_slice(&chunk);
        }
        if body.len() as u64 != start.size {
            return Err(out_of_turn("the chunks are less than the size announced"));
        }
        let head = self.0.with_store_for(caller, &start.store, move |store| {
            let id = DocumentId::parse(&start.id)?;
            let content = convert::content(start.content_type, start.labels, body);
            let head = store.put(id, content, convert::precondition(start.precondition))?;
            Ok(convert::head(&head))
        });
        Ok(Response::new(UploadDocumentResponse {
            head: Some(head.await?),
        }))
    }

    type DownloadStream = Answer<DownloadDocumentResponse>;

    async fn download(
        &self,
        request: Request<GetDocumentRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        use download_document_response::Part;
        let request = request.into_inner();
        let document = self
            .0
            .with_store(&request.store, move |store| {
                store.get(&DocumentId::parse(&request.id)?)
            })
            .await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        tokio::spawn(async move {
            let head = Part::Head(convert::head(&document.head));
            let chunks = document
                .body
                .chunks(CHUNK_LIMIT)
                .map(|chunk| Part::Chunk(chunk.to_vec()));
            for part in std::iter::once(head).chain(chunks) {
                let message = DownloadDocumentResponse { part: Some(part) };
                if sender.send(Ok(message)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Answer::new(receiver)))
    }

    type ImportStream = Answer<ImportDocumentsResponse>;

    async fn import(
        &self,
        request: Request<Streaming<ImportDocumentsRequest>>,
    ) -> Result<Response<Self::ImportStream>, Status> {
        let caller = caller(&request)?;
        import::begin(self.0.clone(), caller, request.into_inner())
            .await
            .map(Response::new)
    }
}

fn get_response(mut document: Document) -> GetDocumentResponse {
    GetDocumentResponse {
        head: Some(convert::head(&document.head)),
        body: std::mem::take(&mut *document.body),
    }
}

fn batch_write(write: BatchWrite) -> StoreResult<Write> {
    let change = if write.delete {
        Change::Delete
    } else {
        Change::Put(convert::content(
            write.content_type,
            write.labels,
            write.body,
        ))
    };
    let precondition = convert::precondition(write.precondition);
    Ok(Write {
        id: DocumentId::parse(&write.id)?,
        change,
        precondition,
    })
}
