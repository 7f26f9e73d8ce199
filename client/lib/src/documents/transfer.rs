//! Documents on their way in and out, of any size.

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use tokio::{io::AsyncRead, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        DownloadDocumentResponse, GetDocumentRequest, UploadDocumentRequest,
        download_document_response,
        upload_document_request::{Part, Start},
    },
};

use super::{Document, Head, NewDocument, Precondition};
use crate::{
    Client, Error,
    feed::{fed, read},
};

/// Chunks that wait to be sent.
const DEPTH: usize = 4;

/// A document whose body comes from a source.
#[derive(Clone, Debug, Default)]
pub struct DocumentUpload {
    /// Its id.
    pub id: String,
    /// Bytes of the body: what is over the limit of the store is refused before any of it is read.
    pub size: u64,
    /// MIME type; empty means JSON.
    pub content_type: String,
    /// The client's own labels.
    pub labels: BTreeMap<String, String>,
    /// What must hold.
    pub precondition: Precondition,
}

/// A document being read.
pub struct DocumentDownload {
    head: Head,
    body: Body,
}

enum Body {
    /// It came with the head.
    Whole(Bytes),
    /// So many bytes of it are to come.
    Rest(Box<Streaming<DownloadDocumentResponse>>, u64),
}

impl DocumentDownload {
    /// All but the body.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The next bytes; `None` at the end, which is reached only if all of them came.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match &mut self.body {
            Body::Whole(body) => Ok(Some(std::mem::take(body)).filter(|body| !body.is_empty())),
            Body::Rest(stream, left) => {
                while let Some(message) = stream.message().await? {
                    if let Some(download_document_response::Part::Chunk(chunk)) = message.part {
                        *left = left
                            .checked_sub(chunk.len() as u64)
                            .ok_or_else(incomplete)?;
                        return Ok(Some(chunk.into()));
                    }
                }
                if *left > 0 {
                    return Err(incomplete());
                }
                Ok(None)
            }
        }
    }
}

fn incomplete() -> Error {
    Error::Local("the document came incomplete".to_owned())
}

impl Client {
    /// A document of any size, whole.
    pub async fn get(&self, store: &str, id: &str) -> Result<Document, Error> {
        let mut download = self.open_document(store, id).await?;
        // A body that came whole is taken over as it is.
        let mut body = Vec::from(download.next().await?.unwrap_or_default());
        while let Some(chunk) = download.next().await? {
            body.extend_from_slice(&chunk);
        }
        let head = download.head;
        Ok(Document { head, body })
    }

    /// Begins to read a document. A small one comes in one call.
    pub async fn open_document(&self, store: &str, id: &str) -> Result<DocumentDownload, Error> {
        let request = || GetDocumentRequest {
            store: store.to_owned(),
            id: id.to_owned(),
        };
        match self.services.documents().get(request()).await {
            Ok(response) => {
                let response = response.into_inner();
                Ok(DocumentDownload {
                    head: response.head.unwrap_or_default().into(),
                    body: Body::Whole(response.body.into()),
                })
            }
            Err(status) => match Error::from(status) {
                error if error.reason() == Some("TOO_LARGE") => self.download(request()).await,
                error => Err(error),
            },
        }
    }

    async fn download(&self, request: GetDocumentRequest) -> Result<DocumentDownload, Error> {
        let mut stream = self
            .services
            .documents()
            .download(request)
            .await?
            .into_inner();
        let first = stream.message().await?.and_then(|message| message.part);
        let Some(download_document_response::Part::Head(head)) = first else {
            return Err(incomplete());
        };
        let head = Head::from(head);
        let body = Body::Rest(Box::new(stream), head.body_bytes);
        Ok(DocumentDownload { head, body })
    }

    pub(super) async fn put_large(
        &self,
        store: &str,
        document: NewDocument,
    ) -> Result<Head, Error> {
        let upload = DocumentUpload {
            id: document.id,
            size: document.body.len() as u64,
            content_type: document.content_type,
            labels: document.labels,
            precondition: document.precondition,
        };
        self.upload_document(store, upload, &*document.body).await
    }

    /// Durably writes one document from a source. Dropped, or where the source fails, it leaves
    /// what was there.
    pub async fn upload_document(
        &self,
        store: &str,
        document: DocumentUpload,
        mut source: impl AsyncRead + Unpin,
    ) -> Result<Head, Error> {
        let (sender, receiver) = mpsc::channel(DEPTH);
        let start = Part::Start(Start {
            store: store.to_owned(),
            id: document.id,
            size: document.size,
            content_type: document.content_type,
            labels: document.labels.into_iter().collect(),
            precondition: document.precondition.wire(),
        });
        let feed = async move {
            let send = async |part| {
                sender
                    .send(UploadDocumentRequest { part: Some(part) })
                    .await
            };
            // Where nobody takes any more, the answer says why.
            if send(start).await.is_err() {
                return Ok(());
            }
            loop {
                let chunk = read(&mut source, CHUNK_LIMIT).await?;
                if chunk.is_empty() || send(Part::Chunk(chunk.into())).await.is_err() {
                    return io::Result::Ok(());
                }
            }
        };
        let mut documents = self.services.documents();
        let call = documents.upload(ReceiverStream::new(receiver));
        Ok(fed(feed, call).await?.head.unwrap_or_default().into())
    }
}
