//! Typed async client of vaultd.
//!
//! ```no_run
//! # async fn example() -> Result<(), vault_client::Error> {
//! use vault_client::{Client, NewDocument, Options};
//!
//! let client = Client::connect(&Options::default()).await?;
//! client.create_store("notes", &Default::default()).await?;
//! client.put("notes", NewDocument::json("first", r#"{"text":"hello"}"#)).await?;
//! let note = client.get("notes", "first").await?;
//! assert_eq!(note.body, br#"{"text":"hello"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! Generated wire types do not leave this crate.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod archives;
mod attachments;
mod audit;
mod auth;
mod autostart;
mod base_url;
mod blobs;
mod connect;
mod connections;
mod databases;
mod doctor;
mod documents;
mod download;
mod error;
mod feed;
mod fetch;
mod files;
mod grpc_web;
mod import;
mod keys;
mod locations;
mod logins;
mod maintenance;
mod moving_in;
mod pairing;
mod passkeys;
mod pkce;
mod presets;
mod rotation;
mod scopes;
mod seal;
mod secret;
mod secrets;
mod services;
mod sessions;
mod stats;
mod stores;
mod tls;
mod tokens;
mod transport;
mod vault;
mod web;

use std::{path::PathBuf, sync::Arc};

use http::{HeaderMap, header::AUTHORIZATION};
use tonic::transport::Channel;
use vault_proto::endpoint::Place;

use grpc_web::GrpcWeb;
use services::Services;

pub use archives::{
    ArchiveForm, ArchiveProgress, ArchiveSummary, ArchivedStore, ExportPart, ExportStream,
    FileChunks, Restored,
};
pub use attachments::{Attachment, AttachmentContent, attachments, with_attachments, with_content};
pub use audit::{
    AuditAnchor, AuditEntry, AuditEvent, AuditFinding, AuditOutcome, AuditRecord, AuditSearch,
    AuditStatus, AuditStream, AuditVerification, AuditVerificationEvent, AuditVerificationStream,
};
pub use auth::{
    ActivityEvent, AuthSettings, AuthSettingsChange, AuthStatus, Challenge, FirstPair, NewSession,
    OlderAuth, Principal,
};
pub use autostart::daemon_program;
pub use base_url::{BaseUrl, BaseUrlError};
pub use blobs::{
    Blob, BlobCollection, BlobCollectionProgress, BlobDownload, BlobList, BlobVerification,
    BlobVerificationProgress, DamagedBlob, ListedBlob, NewBlob, StoredBlob, file_resume_key,
};
pub use connections::{Connection, NewConnection};
pub use databases::{
    BlobColumn, Column, Database, DatabaseChanges, DatabaseCheck, DatabaseCheckStream,
    DatabaseImport, DatabaseImportEvent, DatabaseImportStream, DatabaseOptions, DatabasePart,
    DatabaseStats, DatabaseTable, Executed, MigratedDatabase, Parameters, Rows, RowsEnd, Statement,
    TableDigest, Transaction, TransactionOptions, Value,
};
pub use doctor::{DoctorReport, Finding, Mend, Severity};
pub use documents::{
    Change, ChangeStream, Document, DocumentDownload, DocumentUpload, Head, Heads, Listed,
    NewDocument, Precondition, Write,
};
pub use download::ContentRange;
pub use error::{Error, Refusal};
pub use fetch::{FetchError, FetchOptions, Fetched, FetchedBody, fetch};
pub use files::{File, FileDownload, FileList, ListedFile, NewFile};
pub use import::{ImportItem, ImportProgress, ImportStream, Rejection};
pub use keys::{DerivedKey, ImportedKey, KeyExport, KeyFile, KeyReset, KeyStatus, MovedKey};
pub use locations::{LocationClass, StorageLocations};
pub use logins::{Authorization, DeviceLogin, LoginGrant, LoginRequest};
pub use maintenance::{
    MaintenanceOperation, MaintenanceRun, MaintenanceStatus, MaintenanceStream, MaintenanceTask,
};
pub use moving_in::{MoveInConflicts, MoveInEvent, MoveInStep, MoveInStream, MovedIn};
pub use pairing::PairingCode;
pub use passkeys::Passkey;
pub use pkce::{Pkce, random_text};
pub use presets::{
    AppliedStore, ApplyError, ChosenStore, NamePattern, Placeholder, PlaceholderForm, Preset,
    PresetApplication, PresetChoice, PresetContent, PresetDatabase, PresetError, PresetStore,
};
pub use rotation::{
    NextKey, Rotation, RotationDepth, RotationEvent, RotationOutcome, RotationProgress,
    RotationState, RotationStream,
};
pub use scopes::{Permission, Scope, ScopeError};
pub use seal::{OpenWith, SealFor};
pub use secret::Secret;
pub use secrets::{NewSecret, SecretInfo, SecretPlace, SecretValue};
pub use sessions::Session;
pub use stats::{Counts, Durations, Levels, MethodStats, Stats};
pub use stores::{
    AdoptFile, AttachmentPolicy, Migration, MigrationStream, SizeClass, Store, StoreKind,
    StoreOptions,
};
pub use tokens::Token;
pub use transport::{Transport, TransportFuture};
pub use vault::{KeyState, Status};
pub use web::{WebGateway, WebRequest};

/// The folders that a user's environment decides.
pub use vault_proto::paths;

/// Largest chunk of a stream, in bytes: what files are best read by.
pub use vault_proto::CHUNK_LIMIT;
/// Largest message, in bytes.
pub use vault_proto::MESSAGE_LIMIT;
/// Largest body that goes in one message, in bytes; larger ones are streamed.
pub use vault_proto::UNARY_BODY_LIMIT;

/// How to reach a vault.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Folder of the vault; by default `VAULTD_DATA_DIR`, then the platform's data folder.
    pub data_dir: Option<PathBuf>,
    /// Socket of its daemon; by default `VAULTD_SOCKET`, then the one that belongs to the folder.
    pub socket: Option<PathBuf>,
    /// Do not start a daemon where none runs.
    pub no_autostart: bool,
    /// Its gateway, in place of folder and socket: gRPC-Web over HTTP.
    pub base_url: Option<BaseUrl>,
    /// Goes with each call: a gateway asks for one, and a daemon with `strict`.
    pub token: Option<Secret>,
}

impl Options {
    /// What tells this vault from others: the address of its gateway, or its folder.
    pub fn place(&self) -> Result<String, Error> {
        match &self.base_url {
            Some(base) => Ok(base.to_string()),
            None => Ok(place(self)?.data_root.display().to_string()),
        }
    }
}

/// A connection to the daemon of one vault. Cheap to clone; clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    reach: Reach,
    services: Services,
}

/// Where a vault is reached.
#[derive(Clone, Debug)]
enum Reach {
    Socket(Arc<Place>),
    Web(Arc<BaseUrl>),
}

impl Client {
    /// Connects to the daemon, starting it where none runs, and makes sure that it serves the
    /// vault that was meant and runs as the same user. A gateway is not asked before the first call.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let token = options.token.as_ref();
        if let Some(base) = &options.base_url {
            let base = Arc::new(base.clone());
            let transport = Transport::web(GrpcWeb::new(Arc::clone(&base)).await?);
            return Ok(Self {
                reach: Reach::Web(base),
                services: Services::new(with_token(transport, token)),
            });
        }
        let place = place(options)?;
        let dialled = connect::dial(&place.socket).await;
        match Self::meet(&place, dialled, token).await {
            Err(Error::NoDaemon { .. }) if !options.no_autostart => {
                let started = autostart::start(&place).await;
                Self::meet(&place, started, token).await
            }
            met => met,
        }
    }

    /// Makes sure of what answers on a channel.
    async fn meet(
        place: &Arc<Place>,
        channel: Result<Channel, Error>,
        token: Option<&Secret>,
    ) -> Result<Self, Error> {
        let client = Self::over(place, with_token(Transport::socket(channel?), token));
        let status = match client.status().await {
            // It went away between the connection and the call: a daemon that was just stopped.
            Err(Error::Refused(refusal)) if refusal.reason.is_empty() => {
                let (socket, detail) = (place.socket.clone(), refusal.message);
                return Err(Error::NoDaemon { socket, detail });
            }
            status => status?,
        };
        if status.data_root != place.data_root {
            return Err(Error::OtherVault {
                wanted: place.data_root.clone(),
                found: status.data_root,
            });
        }
        Ok(client)
    }

    /// A client whose calls go over `transport`, to the daemon of `place`.
    fn over(place: &Arc<Place>, transport: Transport) -> Self {
        Self {
            reach: Reach::Socket(Arc::clone(place)),
            services: Services::new(transport),
        }
    }

    /// Clients over a connection for one call that carries a secret. What is sent and received lies
    /// in the daemon's buffers of a connection until that is closed, and this one is closed with the
    /// call. It carries the same metadata as every other call, so that a gateway's does not count as
    /// the owner's. Over HTTP there is none: the gateway's buffers are not the daemon's.
    pub(crate) async fn apart(&self) -> Result<Services, Error> {
        let Reach::Socket(place) = &self.reach else {
            return Ok(self.services.clone());
        };
        let channel = connect::dial(&place.socket).await?;
        Ok(Services::new(self.services.transport().over(channel)))
    }

    /// The folder of the vault, or the address of its gateway.
    pub fn place(&self) -> String {
        match &self.reach {
            Reach::Socket(place) => place.data_root.display().to_string(),
            Reach::Web(base) => base.to_string(),
        }
    }
}

/// The same transport, with a token for each call.
fn with_token(transport: Transport, token: Option<&Secret>) -> Transport {
    let Some(token) = token else {
        return transport;
    };
    transport.with(HeaderMap::from_iter([(AUTHORIZATION, web::bearer(token))]))
}

/// Where the vault that was meant lies.
fn place(options: &Options) -> Result<Arc<Place>, Error> {
    let place = Place::resolve(options.data_dir.as_deref(), options.socket.as_deref());
    let place = place.map_err(|error| Error::Local(error.to_string()))?;
    Ok(Arc::new(place))
}
