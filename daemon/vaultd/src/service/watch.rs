//! A watch: what changed after a revision, then what changes.

use std::sync::Arc;

use prost::Message as _;
use tokio::sync::mpsc;
use tonic::Status;
use vault_proto::{CHUNK_LIMIT, v1::WatchDocumentsResponse};
use vault_store::{
    Revision, StoreError,
    documents::{DocumentStore, Head},
};

use super::{ANSWER_DEPTH, Answer, PAGE, Services, convert};
use crate::error::store_error;

/// A watch under way.
pub(super) struct Watch {
    services: Services,
    name: String,
    store: Arc<DocumentStore>,
    latest: tokio::sync::watch::Receiver<Revision>,
    sender: mpsc::Sender<Result<WatchDocumentsResponse, Status>>,
}

impl Watch {
    /// Starts to watch the store of this name.
    pub(super) async fn begin(
        services: Services,
        name: String,
        since: Revision,
    ) -> Result<Answer<WatchDocumentsResponse>, Status> {
        // The first page is read before the answer begins, so that REVISION_GONE is an error of
        // the call and not of its stream.
        let (store, latest, first) = services
            .with_store(&name, move |store| {
                let first = store.changes(since, PAGE)?;
                Ok((Arc::clone(store), store.latest()?, first))
            })
            .await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let watch = Self {
            services,
            name,
            store,
            latest,
            sender,
        };
        tokio::spawn(watch.run(since, first));
        Ok(Answer::new(receiver))
    }

    async fn run(mut self, mut since: Revision, first: Vec<Arc<Head>>) {
        let mut changes = first;
        loop {
            // Seen before the page is read: a change in between wakes us again.
            self.latest.borrow_and_update();
            loop {
                let caught_up = changes.is_empty();
                for message in messages(&changes, since) {
                    since = Revision(message.revision);
                    if self.sender.send(Ok(message)).await.is_err() {
                        return;
                    }
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
                woken = self.latest.changed() => woken,
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

    async fn page(&self, since: Revision) -> Result<Vec<Arc<Head>>, Status> {
        let store = Arc::clone(&self.store);
        let page = self.services.run(move |keeper| {
            let changes = store.changes(since, PAGE);
            changes.map_err(|error| Box::new(keeper.refusal_of(&error)))
        });
        page.await
    }

    /// Ends the watch with the reason: the store may be gone rather than locked.
    async fn end(self, status: Status) {
        let gone = self.services.with_store(&self.name, |_| Ok(())).await;
        let _ = self.sender.send(Err(gone.err().unwrap_or(status))).await;
    }
}

/// Changes as messages below the limit of one; no changes make one empty message.
fn messages(changes: &[Arc<Head>], since: Revision) -> Vec<WatchDocumentsResponse> {
    let mut messages = vec![WatchDocumentsResponse {
        changes: Vec::new(),
        revision: since.0,
    }];
    let mut bytes = 0;
    for change in changes {
        let head = convert::head(change);
        if bytes >= CHUNK_LIMIT {
            messages.push(WatchDocumentsResponse::default());
            bytes = 0;
        }
        bytes += head.encoded_len();
        let last = messages.last_mut().expect("there is one from the start");
        last.revision = head.revision;
        last.changes.push(head);
    }
    messages
}
