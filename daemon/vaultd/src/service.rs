//! The RPC services: parse at the edge, do the work on a blocking thread, answer.

mod convert;
mod documents;
mod import;
mod stores;
mod vault;

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tonic::{Status, Streaming};
use vault_proto::v1::Reason;
use vault_store::{StoreName, StoreResult, Vault, documents::DocumentStore};

pub use documents::DocumentsService;
pub use stores::StoresService;
pub use vault::{DaemonInfo, VaultService};

use crate::{
    config::Limits,
    error::{receive_error, refusal, store_error},
    keeper::Keeper,
};

/// What every service stands on.
#[derive(Clone)]
pub struct Services {
    keeper: Arc<Keeper>,
    /// Calls that may work on the disk at once.
    blocking: Arc<Semaphore>,
    stream_idle: Duration,
}

impl Services {
    /// Services of the vault in `keeper`.
    pub fn new(keeper: Arc<Keeper>, limits: &Limits) -> Self {
        Self {
            keeper,
            blocking: Arc::new(Semaphore::new(limits.blocking_calls)),
            stream_idle: Duration::from_secs(limits.stream_idle_seconds),
        }
    }

    /// Runs `work` on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keeper) -> Result<T, Box<Status>> + Send + 'static,
    ) -> Result<T, Status> {
        let closing = |_| refusal(Reason::ShuttingDown, "the daemon is stopping", &[]);
        let slot = Arc::clone(&self.blocking).acquire_owned().await.map_err(closing)?;
        let keeper = Arc::clone(&self.keeper);
        let done = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work(&keeper)
        });
        match done.await {
            Ok(result) => result.map_err(|status| *status),
            Err(error) => {
                tracing::error!(%error, "a call failed for a defect of vaultd");
                Err(refusal(Reason::Internal, "a defect of vaultd; its log has the detail", &[]))
            }
        }
    }

    /// Runs `work` on the open vault.
    async fn with_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        let on_vault = |keeper: &Keeper| {
            let vault = keeper.vault()?;
            work(&vault).map_err(|error| Box::new(store_error(&error)))
        };
        self.run(on_vault).await
    }

    /// Runs `work` on a document store.
    async fn with_store<T: Send + 'static>(
        &self,
        store: &str,
        work: impl FnOnce(&Arc<DocumentStore>) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        let name = StoreName::parse(store).map_err(|error| store_error(&error.into()))?;
        self.with_vault(move |vault| work(&vault.documents(&name)?)).await
    }

    /// The next message of a client's stream, within the time one may take.
    async fn next<T>(&self, stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
        match tokio::time::timeout(self.stream_idle, stream.message()).await {
            Ok(message) => message.map_err(receive_error),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "no message for {} seconds",
                self.stream_idle.as_secs()
            ))),
        }
    }
}

/// A stream that does not keep to its protocol.
fn out_of_turn(text: &str) -> Status {
    refusal(Reason::InvalidArgument, text, &[])
}

/// Messages of an answer that streams.
type Answer<T> = tokio_stream::wrappers::ReceiverStream<Result<T, Status>>;

/// How many messages wait for a slow reader.
const ANSWER_DEPTH: usize = 4;
