//! The Collect RPC: removes what nothing has named for long enough.

use std::{ops::ControlFlow, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};
use tonic::Status;
use vault_proto::v1::{CollectBlobsRequest, CollectBlobsResponse};
use vault_store::{
    StoreName,
    blobs::BlobInfo,
    collection::{Collected, Collection},
};

use super::wire;
use crate::{
    keeper::Keeper,
    service::{ANSWER_DEPTH, Answer, Services, stores},
};

/// Blobs in one message, at most.
const PAGE: usize = 256;

/// Starts to look for what nothing names. It ends with its client.
pub(super) fn begin(
    services: Services,
    request: &CollectBlobsRequest,
) -> Result<Answer<CollectBlobsResponse>, Status> {
    let store = Some(request.store.as_str()).filter(|name| !name.is_empty());
    let store: Option<StoreName> = store.map(stores::parse).transpose()?;
    let (dry_run, grace) = (request.dry_run, request.grace_seconds);
    let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
    let closings = services.keeper.closings();
    let mut outlet = Outlet {
        services: services.clone(),
        sender: sender.clone(),
        closings,
        unsent: None,
    };
    let work = move |keeper: &Keeper| {
        let _busy = keeper.busy();
        let vault = keeper.vault()?;
        let collection = Collection {
            store,
            dry_run,
            grace: grace.map_or_else(|| keeper.blob_grace(), Duration::from_secs),
        };
        let collected = vault.collect(&collection, &mut |collected, garbage| {
            pages(garbage).try_for_each(|page| outlet.send(report(collected, page)))
        });
        let collected = collected.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
        if outlet.unsent.is_none() {
            let _ = outlet.send(report(&collected, &[]));
        }
        outlet.unsent.map_or(Ok(()), |status| Err(Box::new(status)))
    };
    tokio::spawn(async move {
        if let Err(status) = services.run(work).await {
            let _ = sender.send(Err(status)).await;
        }
    });
    Ok(Answer::new(receiver))
}

/// Messages on their way to a reader who has a bounded time to take each one: others wait to collect.
struct Outlet {
    services: Services,
    sender: mpsc::Sender<Result<CollectBlobsResponse, Status>>,
    closings: watch::Receiver<u64>,
    /// Why nothing more is sent.
    unsent: Option<Status>,
}

impl Outlet {
    fn send(&mut self, message: CollectBlobsResponse) -> ControlFlow<()> {
        let sent = self
            .services
            .send(&self.sender, &mut self.closings, message);
        match Handle::current().block_on(sent) {
            Ok(()) => ControlFlow::Continue(()),
            Err(status) => {
                self.unsent = Some(status);
                ControlFlow::Break(())
            }
        }
    }
}

/// What goes into one message each; of none, one message all the same.
fn pages(garbage: &[BlobInfo]) -> impl Iterator<Item = &[BlobInfo]> {
    let none = garbage.is_empty().then_some(garbage);
    garbage.chunks(PAGE).chain(none)
}

fn report(collected: &Collected, garbage: &[BlobInfo]) -> CollectBlobsResponse {
    CollectBlobsResponse {
        examined: collected.examined,
        named: collected.named,
        waiting: collected.waiting,
        removed: collected.removed,
        removed_bytes: collected.removed_bytes,
        garbage: garbage.iter().map(wire).collect(),
    }
}
