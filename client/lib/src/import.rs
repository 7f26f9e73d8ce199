//! Import: any number of documents, each taken or rejected by itself.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        ImportDocumentsRequest, ImportDocumentsResponse,
        import_documents_request::{Item, Part},
    },
};

use crate::{Client, Error};

/// A document to import.
pub struct ImportItem {
    /// Its id.
    pub id: String,
    /// Its body, JSON.
    pub body: Vec<u8>,
}

/// An item that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its place among the items, from 0.
    pub index: u64,
    /// Its id.
    pub id: String,
    /// Why, for people.
    pub message: String,
}

/// How far an import has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// Documents written.
    pub imported: u64,
    /// Documents that were stored already, with this content.
    pub unchanged: u64,
    /// Items not taken, since the last report.
    pub rejected: Vec<Rejection>,
}

/// An import under way.
pub struct ImportStream(tonic::Streaming<ImportDocumentsResponse>);

impl ImportStream {
    /// The next report; `None` when every item is durable or rejected.
    pub async fn next(&mut self) -> Result<Option<ImportProgress>, Error> {
        let message = self.0.message().await?;
        Ok(message.map(|message| ImportProgress {
            imported: message.imported,
            unchanged: message.unchanged,
            rejected: message
                .rejected
                .into_iter()
                .map(|rejection| Rejection {
                    index: rejection.index,
                    id: rejection.id,
                    message: rejection.message,
                })
                .collect(),
        }))
    }
}

/// Messages in flight: few, since each may hold a chunk.
const DEPTH: usize = 16;

impl Client {
    /// Imports what comes through the channel into `store`, which is created where there is none.
    pub async fn import(
        &self,
        store: &str,
        mut items: mpsc::Receiver<ImportItem>,
    ) -> Result<ImportStream, Error> {
        let (sender, receiver) = mpsc::channel(DEPTH);
        let first = Part::Store(store.to_owned());
        tokio::spawn(async move {
            let send = async |part| {
                sender
                    .send(ImportDocumentsRequest { part: Some(part) })
                    .await
            };
            if send(first).await.is_err() {
                return;
            }
            while let Some(ImportItem { id, mut body }) = items.recv().await {
                let size = body.len() as u64;
                let rest = body.split_off(body.len().min(CHUNK_LIMIT));
                let item = Item {
                    id,
                    size,
                    body,
                    content_type: String::new(),
                };
                if send(Part::Item(item)).await.is_err() {
                    return;
                }
                for chunk in rest.chunks(CHUNK_LIMIT) {
                    if send(Part::Chunk(chunk.to_vec())).await.is_err() {
                        return;
                    }
                }
            }
        });
        let stream = self
            .services
            .documents()
            .import(ReceiverStream::new(receiver))
            .await?;
        Ok(ImportStream(stream.into_inner()))
    }
}
