//! The List RPC: a thread goes through the store and sends page by page.

use std::{ops::ControlFlow, sync::Arc};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};
use tonic::Status;
use vault_proto::v1::{ListBlobsResponse, list_blobs_response::Damaged};
use vault_store::{
    StoreError, StoreName,
    blobs::{BlobInfo, BlobStore},
};

use super::{BlobsService, existing, wire};
use crate::{
    keeper::Keeper,
    service::{ANSWER_DEPTH, Answer, PAGE, Services},
};

/// What a listing says of one blob.
type Listed = Result<BlobInfo, (String, StoreError)>;

pub(super) fn damaged(object: String, error: &StoreError) -> Damaged {
    let detail = error.to_string();
    Damaged { object, detail }
}

/// Starts to list.
pub(super) async fn begin(
    service: &BlobsService,
    name: StoreName,
) -> Result<Answer<ListBlobsResponse>, Status> {
    let services = service.services.clone();
    let closings = services.keeper.closings();
    let store = services.with_vault(move |vault| existing(vault, &name));
    let store = store.await?;
    let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
    let Some(store) = store else {
        return Ok(Answer::new(receiver));
    };
    let listings = Arc::clone(&service.listings);
    tokio::spawn(async move {
        // Never closed.
        let _turn = listings.acquire_owned().await;
        let mut outlet = Outlet {
            sender: sender.clone(),
            closings,
            services: services.clone(),
            page: ListBlobsResponse::default(),
            unsent: None,
        };
        let listed = services.run_at_once(move |keeper| list(keeper, &store, &mut outlet));
        if let Err(status) = listed.await {
            let _ = sender.send(Err(status)).await;
        }
    });
    Ok(Answer::new(receiver))
}

fn list(keeper: &Keeper, store: &Arc<BlobStore>, outlet: &mut Outlet) -> Result<(), Box<Status>> {
    let _busy = keeper.busy();
    let listed = store.list(&mut |listed| outlet.take(listed));
    listed.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
    // An empty page more is nothing to the reader.
    let _ = outlet.send();
    match outlet.unsent.take() {
        Some(status) => Err(Box::new(status)),
        None => Ok(()),
    }
}

/// Pages on their way to a reader who has a bounded time to take each one: a thread waits.
struct Outlet {
    sender: mpsc::Sender<Result<ListBlobsResponse, Status>>,
    closings: watch::Receiver<u64>,
    services: Services,
    page: ListBlobsResponse,
    /// Why nothing more is sent.
    unsent: Option<Status>,
}

impl Outlet {
    fn take(&mut self, listed: Listed) -> ControlFlow<()> {
        match listed {
            Ok(info) => self.page.blobs.push(wire(&info)),
            Err((object, error)) => self.page.damaged.push(damaged(object, &error)),
        }
        if self.page.blobs.len() + self.page.damaged.len() < PAGE {
            return ControlFlow::Continue(());
        }
        self.send()
    }

    fn send(&mut self) -> ControlFlow<()> {
        let page = std::mem::take(&mut self.page);
        let sent = self.services.send(&self.sender, &mut self.closings, page);
        match Handle::current().block_on(sent) {
            Ok(()) => ControlFlow::Continue(()),
            Err(status) => {
                self.unsent = Some(status);
                ControlFlow::Break(())
            }
        }
    }
}
