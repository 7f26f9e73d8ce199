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
        ListDocumentsResponse, ListedDocument, PatchDocumentRequest, PatchDocumentResponse,
        PutDocumentRequest, PutDocumentResponse, UploadDocumentRequest, UploadDocumentResponse,
        WatchDocumentsRequest, WatchDocumentsResponse, documents_server::Documents,
        download_document_response, upload_document_request::Part,
    },
};
use vault_store::{
    DocumentId, Revision, StoreError, StoreResult,
    documents::{Change, DocumentStore, Listed, Precondition, Write},
};

use super::{ANSWER_DEPTH, Answer, Services, convert, import, out_of_turn};
use crate::error::{store_error, too_large};

/// Heads in one message of a listing or a watch.
const PAGE: usize = 256;

/// The `Documents` service.
#[derive(Clone)]
pub struct DocumentsService(pub Services);

#[tonic::async_trait]
impl Documents for DocumentsService {
    async fn put(
        &self,
        request: Request<PutDocumentRequest>,
    ) -> Result<Response<PutDocumentResponse>, Status> {
        let request = request.into_inner();
        let head = self.0.with_store(&request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let content = convert::content(request.content_type, request.labels, request.body);
            let head = store.put(id, content, convert::precondition(request.precondition))?;
            Ok(convert::head(&head))
        });
        Ok(Response::new(PutDocumentResponse { head: Some(head.await?) }))
    }

    async fn get(
        &self,
        request: Request<GetDocumentRequest>,
    ) -> Result<Response<GetDocumentResponse>, Status> {
        let request = request.into_inner();
        let found = self.0.with_store(&request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let limit = UNARY_BODY_LIMIT as u64;
            let size = store.head(&id)?.body_bytes();
            if size > limit {
                return Err(StoreError::TooLarge { size, limit });
            }
            let mut document = store.get(&id)?;
            let body = std::mem::take(&mut *document.body);
            Ok(GetDocumentResponse { head: Some(convert::head(&document.head)), body })
        });
        Ok(Response::new(found.await?))
    }

    async fn patch(
        &self,
        request: Request<PatchDocumentRequest>,
    ) -> Result<Response<PatchDocumentResponse>, Status> {
        let request = request.into_inner();
        let head = self.0.with_store(&request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let if_revision = convert::if_revision(request.if_revision);
            Ok(convert::head(&*store.patch(&id, &request.patch, if_revision)?))
        });
        Ok(Response::new(PatchDocumentResponse { head: Some(head.await?) }))
    }

    async fn delete(
        &self,
        request: Request<DeleteDocumentRequest>,
    ) -> Result<Response<DeleteDocumentResponse>, Status> {
        let request = request.into_inner();
        let revision = self.0.with_store(&request.store, move |store| {
            let id = DocumentId::parse(&request.id)?;
            let if_revision = convert::if_revision(request.if_revision);
            store.delete(&id, if_revision.map_or(Precondition::None, Precondition::Revision))
        });
        Ok(Response::new(DeleteDocumentResponse { revision: revision.await?.0 }))
    }

    async fn batch(
        &self,
        request: Request<BatchDocumentsRequest>,
    ) -> Result<Response<BatchDocumentsResponse>, Status> {
        let request = request.into_inner();
        let revisions = self.0.with_store(&request.store, move |store| {
            let writes: StoreResult<Vec<Write>> =
                request.writes.into_iter().map(batch_write).collect();
            let outcomes = store.write(writes?)?;
            Ok(outcomes.iter().map(|outcome| outcome.head().revision().0).collect())
        });
        Ok(Response::new(BatchDocumentsResponse { revisions: revisions.await? }))
    }

    type ListStream = Answer<ListDocumentsResponse>;

    async fn list(
        &self,
        request: Request<ListDocumentsRequest>,
    ) -> Result<Response<Self::ListStream>, Status> {
        let ListDocumentsRequest { store, bodies, prefix } = request.into_inner();
        let (store, listed) = self
            .0
            .with_store(&store, move |store| Ok((Arc::clone(store), store.list(&prefix)?)))
            .await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let services = self.0.clone();
        tokio::spawn(async move {
            let work = services.run(move |_| {
                send_pages(&store, &listed, bodies, &sender);
                Ok(())
            });
            // Only a defect fails here, and that is in the log; the stream just ends short.
            let _ = work.await;
        });
        Ok(Response::new(Answer::new(receiver)))
    }

    type WatchStream = Answer<WatchDocumentsResponse>;

    async fn watch(
        &self,
        request: Request<WatchDocumentsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let WatchDocumentsRequest { store: name, since } = request.into_inner();
        let since = Revision(since);
        // The first page is read before the answer begins, so that REVISION_GONE is an error of
        // the call and not of its stream.
        let (store, first) = self
            .0
            .with_store(&name, move |store| Ok((Arc::clone(store), store.changes(since, PAGE)?)))
            .await?;
        let latest = store.latest().map_err(|error| store_error(&error))?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let watch = Watch { services: self.0.clone(), name, store, latest, sender };
        tokio::spawn(watch.run(since, first));
        Ok(Response::new(Answer::new(receiver)))
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadDocumentRequest>>,
    ) -> Result<Response<UploadDocumentResponse>, Status> {
        let mut stream = request.into_inner();
        let Some(Part::Start(start)) = self.0.next(&mut stream).await?.and_then(|m| m.part) else {
            return Err(out_of_turn("the first message of an upload is its start"));
        };
        let limit = self.0.with_store(&start.store, |store| Ok(store.body_limit())).await?;
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
        let head = self.0.with_store(&start.store, move |store| {
            let id = DocumentId::parse(&start.id)?;
            let content = convert::content(start.content_type, start.labels, body);
            let head = store.put(id, content, convert::precondition(start.precondition))?;
            Ok(convert::head(&head))
        });
        Ok(Response::new(UploadDocumentResponse { head: Some(head.await?) }))
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
            .with_store(&request.store, move |store| store.get(&DocumentId::parse(&request.id)?))
            .await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        tokio::spawn(async move {
            let head = Part::Head(convert::head(&document.head));
            let chunks = document.body.chunks(CHUNK_LIMIT).map(|chunk| Part::Chunk(chunk.to_vec()));
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
        import::begin(self.0.clone(), request.into_inner()).await.map(Response::new)
    }
}

fn batch_write(write: BatchWrite) -> StoreResult<Write> {
    let change = if write.delete {
        Change::Delete
    } else {
        Change::Put(convert::content(write.content_type, write.labels, write.body))
    };
    let precondition = convert::precondition(write.precondition);
    Ok(Write { id: DocumentId::parse(&write.id)?, change, precondition })
}

/// Sends a listing page by page, until it is done or nobody listens any more.
fn send_pages(
    store: &DocumentStore,
    listed: &[Listed],
    bodies: bool,
    sender: &mpsc::Sender<Result<ListDocumentsResponse, Status>>,
) {
    let mut documents = Vec::new();
    let mut bytes = 0;
    for entry in listed {
        let document = match entry {
            Listed::Head(head) => {
                let mut document =
                    ListedDocument { head: Some(convert::head(head)), ..ListedDocument::default() };
                if bodies && head.body_bytes() > CHUNK_LIMIT as u64 {
                    document.body_omitted = true;
                } else if bodies {
                    match store.get(head.id()) {
                        Ok(mut found) => {
                            document.head = Some(convert::head(&found.head));
                            document.body = std::mem::take(&mut *found.body);
                        }
                        // Deleted since the listing began.
                        Err(StoreError::NoSuchDocument { .. }) => continue,
                        Err(error) => document.damaged = error.to_string(),
                    }
                }
                document
            }
            Listed::Damaged(object, error) => ListedDocument {
                damaged: format!("{object}: {error}"),
                ..ListedDocument::default()
            },
        };
        bytes += document.body.len();
        documents.push(document);
        if documents.len() >= PAGE || bytes >= CHUNK_LIMIT {
            let page = ListDocumentsResponse { documents: std::mem::take(&mut documents) };
            bytes = 0;
            if sender.blocking_send(Ok(page)).is_err() {
                return;
            }
        }
    }
    if !documents.is_empty() {
        let _ = sender.blocking_send(Ok(ListDocumentsResponse { documents }));
    }
}

/// A watch under way.
struct Watch {
    services: Services,
    name: String,
    store: Arc<DocumentStore>,
    latest: tokio::sync::watch::Receiver<Revision>,
    sender: mpsc::Sender<Result<WatchDocumentsResponse, Status>>,
}

impl Watch {
    async fn run(mut self, since: Revision, first: Vec<Arc<vault_store::documents::Head>>) {
        let mut since = since;
        let mut changes = first;
        loop {
            // Seen before the page is read: a change in between wakes us again.
            self.latest.borrow_and_update();
            loop {
                let caught_up = changes.is_empty();
                if let Some(last) = changes.last() {
                    since = last.revision();
                }
                let message = WatchDocumentsResponse {
                    changes: changes.iter().map(|head| convert::head(head)).collect(),
                    revision: since.0,
                };
                if self.sender.send(Ok(message)).await.is_err() {
                    return;
                }
                if caught_up {
                    break;
                }
                match self.page(since).await {
                    Ok(page) => changes = page,
                    Err(status) => return self.end(status).await,
                }
            }
            let more = tokio::select! {
                changed = self.latest.changed() => changed,
                () = self.sender.closed() => return,
            };
            let page = match more {
                Ok(()) => self.page(since).await,
                Err(_) => Err(store_error(&StoreError::Closed)),
            };
            match page {
                Ok(page) => changes = page,
                Err(status) => return self.end(status).await,
            }
        }
    }

    async fn page(&self, since: Revision) -> Result<Vec<Arc<vault_store::documents::Head>>, Status> {
        let store = Arc::clone(&self.store);
        let page = self.services.run(move |_| {
            store.changes(since, PAGE).map_err(|error| Box::new(store_error(&error)))
        });
        page.await
    }

    /// Ends the watch with the reason: the store may be gone rather than locked.
    async fn end(self, status: Status) {
        let gone = self.services.with_store(&self.name, |_| Ok(())).await;
        let _ = self.sender.send(Err(gone.err().unwrap_or(status))).await;
    }
}
