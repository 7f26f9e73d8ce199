//! One daemon, from lock to drain.

use std::{sync::Arc, time::Duration};

use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Server, server::Router};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};
use vault_proto::{
    FILE_DESCRIPTOR_SET, MESSAGE_LIMIT,
    v1::{
        archives_server::ArchivesServer, auth_server::AuthServer, blobs_server::BlobsServer,
        connections_server::ConnectionsServer, databases_server::DatabasesServer,
        documents_server::DocumentsServer, files_server::FilesServer, keys_server::KeysServer,
        logins_server::LoginsServer, maintenance_server::MaintenanceServer,
        pairing_server::PairingServer, passkeys_server::PasskeysServer,
        secrets_server::SecretsServer, sessions_server::SessionsServer,
        stores_server::StoresServer, tokens_server::TokensServer, vault_server::VaultServer,
    },
};
use vault_store::{
    Clock as _, SystemClock,
    root::{RootLock, RootLockError},
};

use crate::{
    audit::{Audit, Journal},
    callers::Callers,
    config::Config,
    keeper::Keeper,
    listener::{BindError, ConnectionLimits, Listener},
    permission::PermissionLayer,
    platform::Hardening,
    service::{
        ArchivesService, AuthService, AuthServices, BlobsService, ConnectionsService, DaemonInfo,
        DatabasesService, DocumentsService, FilesService, KeysService, LoginsService,
        MaintenanceService, PairingService, PasskeysService, SecretsService, Services,
        SessionsService, StoresService, TokensService, VaultService,
    },
};

/// HTTP/2 windows, in bytes: a few chunks in flight for one stream, no more than that for a
/// connection, since both are memory that a peer can fill.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// Largest HTTP/2 frame, in bytes: what comes in larger ones takes fewer calls to read. A message of
/// the largest chunk fits in one, with what says so.
const FRAME: u32 = (256 << 10) + 1024;

/// Largest message, in bytes, of a service whose messages hold names and passphrases.
const SMALL_MESSAGE: usize = 64 << 10;
/// The same, where a key file of 64 KiB may be in it.
const KEY_MESSAGE: usize = 3 * SMALL_MESSAGE;

/// The same of what an authenticator answers, beside the name of its ceremony.
const AUTH_MESSAGE: usize = SMALL_MESSAGE + 1024;

/// How long a daemon has run before it looks after databases: whoever started it goes first.
const FIRST_UPKEEP: Duration = Duration::from_secs(30);

/// How long it waits in memory when a session or a token was used last: it is kept to the minute.
const USES: Duration = Duration::from_secs(60);

/// Why a daemon did not start. Nothing else stops one: a missing key is a state it serves.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data root is not to be had.
    #[error(transparent)]
    Root(#[from] RootLockError),
    /// The socket is not to be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The server could not be put together.
    #[error("cannot serve: {0}")]
    Server(String),
}

impl StartError {
    /// Whether another daemon does already what this one was started for.
    pub const fn is_already_running(&self) -> bool {
        matches!(
            self,
            Self::Root(RootLockError::Held(_)) | Self::Bind(BindError::Served(_))
        )
    }
}

/// A daemon that holds its data root and its socket.
#[derive(Debug)]
pub struct Daemon {
    config: Config,
    hardening: Hardening,
    // Dropped in this order, as at the end of `serve`.
    listener: Listener,
    lock: RootLock,
}

impl Daemon {
    /// Takes the lock of the data root, then the socket.
    pub fn start(config: Config, hardening: Hardening) -> Result<Self, StartError> {
        let lock = RootLock::acquire(&config.place.data_root)?;
        let listener = Listener::bind(&config.place.socket)?;
        Ok(Self {
            config,
            hardening,
            listener,
            lock,
        })
    }

    /// Serves until `stop` resolves, then gives the calls in flight a bounded time to end.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let Self {
            config,
            hardening,
            listener,
            lock,
        } = self;
        let limits = &config.limits;
        if config.without_strict {
            tracing::warn!(
                "clients on the socket need no token while this daemon runs, as its start asked"
            );
        }
        let keeper = Arc::new(Keeper::new(&config));
        let starting = Arc::clone(&keeper);
        // The keyring may take its time; meanwhile status and health are served.
        let started = tokio::task::spawn_blocking(move || starting.start());

        let idle = tokio::spawn(lock_when_idle(Arc::clone(&keeper)));
        let upkeep = tokio::spawn(maintain(Arc::clone(&keeper)));
        let uses = tokio::spawn(write_uses(Arc::clone(&keeper)));

        let info = DaemonInfo {
            data_root: config.place.data_root.clone(),
            socket: listener.path().to_owned(),
            started_ms: SystemClock.now_ms(),
            ephemeral: config.ephemeral,
            hardening,
        };
        let (health, router) = assemble(&keeper, info, &config)?;
        let (drain, mut draining) = tokio::sync::watch::channel(());
        let (connections, accepting) = listener.serve(
            ConnectionLimits {
                connections: limits.connections,
                first_bytes: Duration::from_secs(limits.first_bytes_seconds),
            },
            draining.clone(),
        );
        tracing::info!(socket = %config.place.socket.display(), "ready");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

        let serving =
            router.serve_with_incoming_shutdown(ReceiverStream::new(connections), async {
                let _ = draining.changed().await;
            });
        // Ends with every connection and the queue of new ones dropped.
        let ended = async {
            let mut serving = std::pin::pin!(serving);
            tokio::select! {
                ended = &mut serving => return ended,
                () = stop => {}
            }
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
            tracing::info!("stopping");
            announce(&health, ServingStatus::NotServing).await;
            // Ends the watches, which would otherwise never end by themselves.
            let closing = Arc::clone(&keeper);
            let _ = tokio::task::spawn_blocking(move || closing.close()).await;
            let _ = drain.send(());
            let grace = Duration::from_secs(limits.drain_seconds);
            tokio::time::timeout(grace, serving)
                .await
                .unwrap_or_else(|_| {
                    tracing::warn!("calls were still running when the time to end them was over");
                    Ok(())
                })
        };
        let ended = ended
            .await
            .map_err(|error| StartError::Server(error.to_string()));
        started.abort();
        idle.abort();
        upkeep.abort();
        uses.abort();
        // The socket goes before the root is free for another daemon.
        let _ = accepting.await;
        // A call that was given up may still be writing: the operating system gives the root back,
        // with the process.
        std::mem::forget(lock);
        tracing::info!("stopped");
        ended
    }
}

/// Locks the vault when nobody has used it for the time that the configuration names.
async fn lock_when_idle(keeper: Arc<Keeper>) {
    loop {
        let idle = Arc::clone(&keeper);
        let rest = tokio::task::spawn_blocking(move || idle.lock_if_idle()).await;
        let Ok(Some(rest)) = rest else { return };
        tokio::time::sleep(rest.max(Duration::from_millis(50))).await;
    }
}

/// Looks after the databases for as long as the daemon runs. What it is at when the daemon stops is
/// interrupted as the vault is closed.
async fn maintain(keeper: Arc<Keeper>) {
    let mut rest = FIRST_UPKEEP;
    loop {
        tokio::time::sleep(rest).await;
        let keeper = Arc::clone(&keeper);
        let round = tokio::task::spawn_blocking(move || keeper.maintain(&SystemClock));
        // After a defect, not at once again.
        rest = round.await.unwrap_or(FIRST_UPKEEP);
    }
}

/// Writes down when sessions and tokens were used last, from time to time.
async fn write_uses(keeper: Arc<Keeper>) {
    loop {
        tokio::time::sleep(USES).await;
        let keeper = Arc::clone(&keeper);
        let _ = tokio::task::spawn_blocking(move || keeper.write_auth_uses()).await;
    }
}

async fn announce(health: &HealthReporter, status: ServingStatus) {
    health.set_service_status("", status).await;
}

fn assemble(
    keeper: &Arc<Keeper>,
    info: DaemonInfo,
    config: &Config,
) -> Result<(HealthReporter, Router<Stack<PermissionLayer, Identity>>), StartError> {
    let limits = &config.limits;
    let services = Services::new(Arc::clone(keeper), limits);
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| StartError::Server(error.to_string()))?;
    let journal = Arc::new(Journal::default());
    let audit: Arc<dyn Audit> = Arc::<Journal>::clone(&journal);
    let auth = AuthServices::new(services.clone(), journal);
    let permission = PermissionLayer::new(
        Callers::new(Arc::clone(keeper), config.without_strict),
        Arc::clone(&audit),
        Duration::from_secs(limits.call_seconds),
        Duration::from_secs(limits.stream_idle_seconds),
    );
    let router = Server::builder()
        .max_concurrent_streams(limits.streams_per_connection)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .layer(permission)
        .add_service(health_service.max_decoding_message_size(SMALL_MESSAGE))
        .add_service(reflection.max_decoding_message_size(SMALL_MESSAGE))
        .add_service(
            VaultServer::new(VaultService::new(services.clone(), info))
                .max_decoding_message_size(SMALL_MESSAGE),
        )
        .add_service(
            KeysServer::new(KeysService(services.clone())).max_decoding_message_size(KEY_MESSAGE),
        )
        .add_service(
            ArchivesServer::new(ArchivesService(services.clone()))
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(
            MaintenanceServer::new(MaintenanceService(services.clone()))
                .max_decoding_message_size(SMALL_MESSAGE),
        )
        .add_service(
            StoresServer::new(StoresService(services.clone()))
                .max_decoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(
            DatabasesServer::new(DatabasesService::new(services.clone(), limits))
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(
            BlobsServer::new(BlobsService::new(services.clone()))
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(
            FilesServer::new(FilesService(services.clone()))
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(
            AuthServer::new(AuthService(auth.clone())).max_decoding_message_size(AUTH_MESSAGE),
        )
        .add_service(
            PasskeysServer::new(PasskeysService(auth.clone()))
                .max_decoding_message_size(SMALL_MESSAGE),
        )
        .add_service(
            SessionsServer::new(SessionsService(auth.clone()))
                .max_decoding_message_size(SMALL_MESSAGE),
        )
        .add_service(
            TokensServer::new(TokensService(auth.clone())).max_decoding_message_size(SMALL_MESSAGE),
        )
        .add_service(
            PairingServer::new(PairingService(auth.clone()))
                .max_decoding_message_size(SMALL_MESSAGE),
        )
        .add_service(
            LoginsServer::new(LoginsService(auth)).max_decoding_message_size(SMALL_MESSAGE),
        )
        .add_service(
            SecretsServer::new(SecretsService::new(services.clone(), audit))
                .max_decoding_message_size(KEY_MESSAGE),
        )
        .add_service(
            ConnectionsServer::new(ConnectionsService::new(services.clone()))
                .max_decoding_message_size(KEY_MESSAGE),
        )
        .add_service(
            DocumentsServer::new(DocumentsService(services))
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT),
        );
    Ok((health, router))
}
