//! The RPC services: parse at the edge, do the work on a blocking thread, answer.

mod archives;
mod audit;
mod auth;
mod blobs;
mod connections;
mod content;
mod convert;
mod databases;
mod doctor;
mod documents;
mod files;
mod import;
mod key_status;
mod keys;
mod listing;
mod locations;
mod logins;
mod maintenance;
mod moving_in;
mod pairing;
mod passkeys;
mod sealing;
mod secrets;
mod sessions;
mod stats;
mod stores;
mod tokens;
mod vault;
mod watch;

use std::{sync::Arc, time::Duration};

use tokio::sync::{self, Semaphore, mpsc};
use tonic::{Status, Streaming};
use vault_auth::Permission;
use vault_proto::v1::Reason;
use vault_store::{
    DocumentId, StoreError, StoreName, StoreResult, Vault,
    documents::{Document, DocumentStore},
};

pub use archives::ArchivesService;
pub use audit::AuditService;
pub use auth::{AuthService, AuthServices};
pub use blobs::BlobsService;
pub use connections::ConnectionsService;
pub use databases::DatabasesService;
pub use documents::DocumentsService;
pub use files::FilesService;
pub use keys::KeysService;
pub use logins::LoginsService;
pub use maintenance::MaintenanceService;
pub use pairing::PairingService;
pub use passkeys::PasskeysService;
pub use secrets::SecretsService;
pub use sessions::SessionsService;
pub use stats::StatsService;
pub use stores::StoresService;
pub use tokens::TokensService;
pub use vault::{DaemonInfo, VaultService};

use crate::{
    config::LimitsInForce,
    error::{receive_error, refusal, store_error},
    keeper::Keeper,
    principal::Principal,
};

/// Bodies that are opened on an async thread where the file is cached, in bytes: 64 KiB take some
/// 50 microseconds.
const CACHED_BODY_LIMIT: u64 = 64 << 10;

/// What every service stands on.
#[derive(Clone)]
pub struct Services {
    keeper: Arc<Keeper>,
    /// Calls that may work on the disk at once.
    blocking: Arc<Semaphore>,
    limits: LimitsInForce,
}

impl Services {
    /// Services of the vault in `keeper`.
    pub fn new(keeper: Arc<Keeper>, limits: LimitsInForce) -> Self {
        Self {
            keeper,
            blocking: Arc::new(Semaphore::new(limits.now().blocking_calls)),
            limits,
        }
    }

    /// How long a client may take over its next message, or over one of ours.
    fn stream_idle(&self) -> Duration {
        self.limits.now().stream_idle()
    }

    /// Runs `work` on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keeper) -> Result<T, Box<Status>> + Send + 'static,
    ) -> Result<T, Status> {
        let closing = |_| refusal(Reason::ShuttingDown, "the daemon is stopping", &[]);
        let slot = Arc::clone(&self.blocking)
            .acquire_owned()
            .await
            .map_err(closing)?;
        self.run_at_once(move |keeper| {
            let _slot = slot;
            work(keeper)
        })
        .await
    }

    /// The same, out of turn: for a status that must be had while every slot waits for the keyring.
    async fn run_at_once<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keeper) -> Result<T, Box<Status>> + Send + 'static,
    ) -> Result<T, Status> {
        let keeper = Arc::clone(&self.keeper);
        match tokio::task::spawn_blocking(move || work(&keeper)).await {
            Ok(result) => result.map_err(|status| *status),
            Err(error) => {
                tracing::error!(%error, "a call failed for a defect of vaultd");
                Err(defect())
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
            work(&vault).map_err(|error| Box::new(keeper.refusal_of(&error)))
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
        self.with_vault(move |vault| work(&vault.documents(&name)?))
            .await
    }

    /// The same for a caller who writes: a document of theirs names no blob out of their reach.
    async fn with_store_for<T: Send + 'static>(
        &self,
        caller: Principal,
        store: &str,
        work: impl FnOnce(&DocumentStore) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        self.with_store(store, move |store| {
            if caller.reaches_all(Permission::Read) {
                work(store)
            } else {
                work(&within(store, caller))
            }
        })
        .await
    }

    /// A document that is at hand: nothing is waited for, so this needs no thread of its own. The
    /// two switches to such a thread and back cost more than all the rest of a small get.
    fn get_cached(&self, store: &str, id: &str) -> Option<Document> {
        let (store, id) = (StoreName::parse(store).ok()?, DocumentId::parse(id).ok()?);
        let store = self.keeper.vault_if_open()?.documents_if_open(&store)?;
        store.get_cached(&id, CACHED_BODY_LIMIT)
    }

    /// The next message of a client's stream, within the time one may take.
    async fn next<T>(&self, stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
        let idle = self.stream_idle();
        let message = tokio::time::timeout(idle, stream.message());
        if let Ok(message) = message.await {
            return message.map_err(receive_error);
        }
        let seconds = idle.as_secs();
        let text = format!("no message for {seconds} seconds");
        Err(refusal(Reason::TimedOut, text, &[]))
    }

    /// Sends a message of an answer, whose reader has a bounded time to take it, and none once the
    /// vault is closed.
    async fn send<T>(
        &self,
        sender: &mpsc::Sender<Result<T, Status>>,
        closings: &mut sync::watch::Receiver<u64>,
        message: T,
    ) -> Result<(), Status> {
        let idle = self.stream_idle();
        tokio::select! {
            sent = sender.send_timeout(Ok(message), idle) => sent.map_err(|_| {
                let seconds = idle.as_secs();
                let text = format!("no message was taken for {seconds} seconds");
                refusal(Reason::TimedOut, text, &[])
            }),
            // Not only when the reader has taken what waits.
            _ = closings.changed() => Err(self.keeper.refusal_of(&StoreError::Closed)),
        }
    }
}

/// On whose behalf a call runs, as the permission layer found.
fn caller<T>(request: &tonic::Request<T>) -> Result<Principal, Status> {
    let caller = request.extensions().get::<Principal>().cloned();
    caller.ok_or_else(|| refusal(Reason::Internal, "the call has no principal", &[]))
}

/// A store as a caller sees it who does not reach every store of blobs.
fn within(store: &DocumentStore, caller: Principal) -> DocumentStore {
    store.within(move |blobs| caller.reaches(blobs.as_str(), Permission::Read))
}

/// What nobody foresaw.
fn defect() -> Status {
    let text = "a defect of vaultd; its log has the detail";
    refusal(Reason::Internal, text, &[])
}

/// A stream that does not keep to its protocol.
fn out_of_turn(text: &str) -> Status {
    refusal(Reason::InvalidArgument, text, &[])
}

/// Messages of an answer that streams.
type Answer<T> = tokio_stream::wrappers::ReceiverStream<Result<T, Status>>;

/// How many messages wait for a slow reader.
const ANSWER_DEPTH: usize = 4;

/// Heads in one message of a listing or a watch, at most.
const PAGE: usize = 256;
