//! One daemon, from lock to drain.

mod tasks;

use std::sync::Arc;

use tokio::{sync::watch, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Server, server::Router};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};
use vault_proto::{
    FILE_DESCRIPTOR_SET, MESSAGE_LIMIT,
    v1::{
        archives_server::ArchivesServer, audit_server::AuditServer, auth_server::AuthServer,
        blobs_server::BlobsServer, connections_server::ConnectionsServer,
        databases_server::DatabasesServer, documents_server::DocumentsServer,
        files_server::FilesServer, keys_server::KeysServer, logins_server::LoginsServer,
        maintenance_server::MaintenanceServer, pairing_server::PairingServer,
        passkeys_server::PasskeysServer, secrets_server::SecretsServer,
        sessions_server::SessionsServer, stats_server::StatsServer, stores_server::StoresServer,
        tokens_server::TokensServer, vault_server::VaultServer,
    },
};
use vault_store::{
    Clock as _, SystemClock,
    root::{RootLock, RootLockError},
};

use crate::{
    callers::Callers,
    config::{Config, LimitsInForce},
    keeper::Keeper,
    listener::{BindError, Listener, Slots},
    metrics::{Metrics, MetricsLayer},
    permission::PermissionLayer,
    platform::{self, Hardening, InheritedSocket, Notice, notify},
    reload::{InForce, Reload},
    service::{
        ArchivesService, AuditService, AuthService, AuthServices, BlobsService, ConnectionsService,
        DaemonInfo, DatabasesService, DocumentsService, FilesService, KeysService, LoginsService,
        MaintenanceService, PairingService, PasskeysService, SecretsService, Services,
        SessionsService, StatsService, StoresService, TokensService, VaultService,
    },
    supervision::{Probe, Report, feed_watchdog},
};

/// HTTP/2 windows, in bytes: a few chunks in flight for one stream, no more than that for a
/// connection, since both are memory that a peer can fill.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// Largest HTTP/2 frame, in bytes: what comes in larger ones takes fewer calls to read. A message of
/// the largest chunk fits in one, with what says so.
const FRAME: u32 = (256 << 10) + 1024;

/// Largest headers of a call, in bytes, their names and 32 a field included: tokens and what the
/// gateway tells of a request fit in well.
const HEADERS: u32 = 16 << 10;

/// Calls that a peer has taken back before they were looked at, at once: one that does so again and
/// again ends its connection (CVE-2023-44487).
const PENDING_RESETS: usize = 20;

/// Streams of one connection that were reset for breaking the protocol, or for being one too many: a
/// flood of calls above the limit is refused, and ends here.
const MISTAKES: usize = 1024;

/// Largest message, in bytes, of a service whose messages hold names and passphrases.
const SMALL_MESSAGE: usize = 64 << 10;
/// The same, where a key file of 64 KiB may be in it.
const KEY_MESSAGE: usize = 3 * SMALL_MESSAGE;

/// The same of what an authenticator answers, beside the name of its ceremony.
const AUTH_MESSAGE: usize = SMALL_MESSAGE + 1024;

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

    /// Whether another start would end the same way, until somebody changes what it was told.
    pub const fn is_bad_configuration(&self) -> bool {
        matches!(self, Self::Bind(BindError::Inherited { .. }))
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
    /// Takes the lock of the data root, then the socket: one that the service manager opened, where
    /// there is one.
    pub fn start(
        config: Config,
        hardening: Hardening,
        inherited: Vec<InheritedSocket>,
    ) -> Result<Self, StartError> {
        if inherited.is_empty() {
            Listener::check_unserved(&config.place.socket)?;
        }
        let lock = RootLock::acquire(&config.place.data_root)?;
        let listener = Listener::open(inherited, &config.place.socket)?;
        Ok(Self {
            config,
            hardening,
            listener,
            lock,
        })
    }

    /// Serves until `stop` resolves, then gives the calls in flight a bounded time to end. Meanwhile
    /// the configuration is read anew by `reload`.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()>,
        reload: Reload,
    ) -> Result<(), StartError> {
        let Self {
            config,
            hardening,
            listener,
            lock,
        } = self;
        let limits = LimitsInForce::new(config.limits.clone());
        if config.without_strict {
            tracing::warn!(
                "clients on the socket need no token while this daemon runs, as its start asked"
            );
        }
        let keeper = Arc::new(Keeper::new(&config));
        let starting = Arc::clone(&keeper);
        // The keyring may take its time; meanwhile status and health are served.
        let started = tokio::task::spawn_blocking(move || starting.start());

        // Ends with this value.
        let mut tasks = JoinSet::new();
        tasks.spawn(tasks::lock_when_idle(Arc::clone(&keeper)));
        tasks.spawn(tasks::maintain(Arc::clone(&keeper)));
        tasks.spawn(tasks::write_uses(Arc::clone(&keeper)));

        let info = DaemonInfo {
            data_root: config.place.data_root.clone(),
            socket: listener.path().to_owned(),
            started_ms: SystemClock.now_ms(),
            ephemeral: config.ephemeral,
            hardening,
        };
        let metrics = Arc::new(Metrics::default());
        let (health, router) = assemble(&keeper, info, &config, &limits, &metrics)?;
        let (drain, mut draining) = watch::channel(());
        let (slots, activated) = (listener.slots(), listener.is_inherited());
        let traffic = Arc::clone(metrics.traffic());
        let (connections, accepting) = listener.serve(limits.clone(), draining.clone(), traffic);
        tracing::info!(socket = %config.place.socket.display(), activated, "ready");
        notify(Notice::Ready);
        supervise(&mut tasks, reload, slots, config, &limits, &keeper);

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
            notify(Notice::Stopping);
            tracing::info!("stopping");
            announce(&health, ServingStatus::NotServing).await;
            // Ends the watches, which would otherwise never end by themselves.
            let closing = Arc::clone(&keeper);
            let _ = tokio::task::spawn_blocking(move || closing.close()).await;
            let _ = drain.send(());
            tokio::time::timeout(limits.now().drain(), serving)
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
        tasks.abort_all();
        // The socket goes before the root is free for another daemon.
        let _ = accepting.await;
        // A call that was given up may still be writing: the operating system gives the root back,
        // with the process.
        std::mem::forget(lock);
        tracing::info!("stopped");
        ended
    }
}

/// What goes on beside the calls, once they are served: the service manager is told how things are, and
/// tells when the configuration has changed.
fn supervise(
    tasks: &mut JoinSet<()>,
    reload: Reload,
    slots: Slots,
    config: Config,
    limits: &LimitsInForce,
    keeper: &Arc<Keeper>,
) {
    let (complaint, complaints) = watch::channel(None);
    let report = Report {
        keeper: Arc::clone(keeper),
        slots,
        complaint: complaints,
    };
    tasks.spawn(report.serve());
    if let Some(interval) = platform::watchdog_interval() {
        let probe = Probe::new(config.place.socket.clone());
        tasks.spawn(feed_watchdog(interval, probe));
    }
    tasks.spawn(reload.serve(InForce {
        newest: config.clone(),
        started: config,
        keeper: Arc::clone(keeper),
        limits: limits.clone(),
        complaint,
    }));
}

async fn announce(health: &HealthReporter, status: ServingStatus) {
    health.set_service_status("", status).await;
}

/// What stands in front of every service.
type Layers = Stack<PermissionLayer, Stack<MetricsLayer, Identity>>;

/// The server without services: bounds on what a connection may do, and the layers.
fn transport(
    config: &Config,
    metrics: &Arc<Metrics>,
    permission: PermissionLayer,
) -> Server<Layers> {
    let keepalive = config.limits.keepalive();
    Server::builder()
        .max_concurrent_streams(config.limits.streams_per_connection)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_max_header_list_size(HEADERS)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MISTAKES))
        .http2_keepalive_interval(Some(keepalive))
        .http2_keepalive_timeout(Some(keepalive / 3))
        .layer(MetricsLayer::new(Arc::clone(metrics)))
        .layer(permission)
}

/// The contract, for whoever asks for it.
fn described() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // What the details of a failure are, so that a tool can show them.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
}

fn assemble(
    keeper: &Arc<Keeper>,
    info: DaemonInfo,
    config: &Config,
    limits: &LimitsInForce,
    metrics: &Arc<Metrics>,
) -> Result<(HealthReporter, Router<Layers>), StartError> {
    let services = Services::new(Arc::clone(keeper), limits.clone());
    let (health, health_service) = tonic_health::server::health_reporter();
    let failed = |error: tonic_reflection::server::Error| StartError::Server(error.to_string());
    let reflection = described().build_v1().map_err(failed)?;
    // The same by the name that it had before, which many tools still ask for.
    let reflection_v1alpha = described().build_v1alpha().map_err(failed)?;
    let auth = AuthServices::new(services.clone());
    let databases = DatabasesService::new(services.clone());
    let (counted, started_ms) = (Arc::clone(metrics), info.started_ms);
    let stats = StatsService::new(services.clone(), databases.clone(), counted, started_ms);
    let permission = PermissionLayer::new(
        Callers::new(Arc::clone(keeper), config.without_strict),
        Arc::clone(keeper.audit()),
        limits.clone(),
    );
    let router = transport(config, metrics, permission)
        .add_service(health_service.max_decoding_message_size(SMALL_MESSAGE))
        .add_service(reflection.max_decoding_message_size(SMALL_MESSAGE))
        .add_service(reflection_v1alpha.max_decoding_message_size(SMALL_MESSAGE))
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
            AuditServer::new(AuditService(services.clone()))
                .max_decoding_message_size(SMALL_MESSAGE)
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
            DatabasesServer::new(databases)
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
        .add_service(StatsServer::new(stats).max_decoding_message_size(SMALL_MESSAGE))
        .add_service(
            SecretsServer::new(SecretsService(services.clone()))
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
