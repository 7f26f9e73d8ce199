//! A listing: one page after another, each read when the one before has found room on its way. A
//! client that reads slowly, or not at all, keeps no thread.

use std::sync::Arc;

use prost::Message as _;
use tokio::sync::mpsc;
use tonic::Status;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{ListDocumentsResponse, ListedDocument},
};
use vault_store::{
    StoreError, StoreResult,
    documents::{DocumentStore, Head, Listed},
};

use super::{PAGE, Services, convert};

/// A listing under way.
pub(super) struct Listing {
    store: Arc<DocumentStore>,
    listed: std::vec::IntoIter<Listed>,
    bodies: bool,
}

impl Listing {
    pub(super) fn new(store: Arc<DocumentStore>, listed: Vec<Listed>, bodies: bool) -> Self {
        Self {
            store,
            listed: listed.into_iter(),
            bodies,
        }
    }

    /// Sends it, until it is done or nobody listens any more.
    pub(super) async fn send(
        mut self,
        services: Services,
        sender: mpsc::Sender<Result<ListDocumentsResponse, Status>>,
    ) {
        loop {
            let read = services.run(move |keeper| {
                let page = self
                    .page()
                    .map_err(|error| Box::new(keeper.refusal_of(&error)))?;
                Ok((self, page))
            });
            match read.await {
                Ok((rest, page)) if !page.documents.is_empty() => {
                    self = rest;
                    if sender.send(Ok(page)).await.is_err() {
                        return;
                    }
                }
                Ok(_) => return,
                Err(status) => {
                    let _ = sender.send(Err(status)).await;
                    return;
                }
            }
        }
    }

    /// The next page, below the limit of a message; an empty one at the end.
    fn page(&mut self) -> StoreResult<ListDocumentsResponse> {
        // A lock ends the listing, though its heads are in memory.
        self.store.latest()?;
        let mut documents = Vec::new();
        let mut bytes = 0;
        while documents.len() < PAGE && bytes < CHUNK_LIMIT {
            let Some(entry) = self.listed.next() else {
                break;
            };
            let document = match entry {
                Listed::Head(head) => match self.document(&head)? {
                    Some(document) => document,
                    None => continue,
                },
                Listed::Damaged(object, error) => ListedDocument {
                    damaged: format!("{object}: {error}"),
                    ..ListedDocument::default()
                },
            };
            bytes += document.encoded_len();
            documents.push(document);
        }
        Ok(ListDocumentsResponse { documents })
    }

    /// One entry; none where the document was deleted since the listing began.
    fn document(&self, head: &Head) -> StoreResult<Option<ListedDocument>> {
        let mut document = ListedDocument {
            head: Some(convert::head(head)),
            ..ListedDocument::default()
        };
        if !self.bodies {
            return Ok(Some(document));
        }
        document.body_omitted = head.body_bytes() > CHUNK_LIMIT as u64;
        if !document.body_omitted {
            match self.store.get(head.id()) {
                Ok(mut found) => {
                    document.head = Some(convert::head(&found.head));
                    // It may have grown since.
                    document.body_omitted = found.body.len() > CHUNK_LIMIT;
                    if !document.body_omitted {
                        document.body = std::mem::take(&mut *found.body);
                    }
                }
                Err(StoreError::NoSuchDocument { .. }) => return Ok(None),
                Err(error @ StoreError::Closed) => return Err(error),
                Err(error) => document.damaged = error.to_string(),
            }
        }
        Ok(Some(document))
    }
}
