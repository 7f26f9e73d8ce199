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
mod autostart;
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
mod import;
mod keys;
mod maintenance;
mod presets;
mod rotation;
mod seal;
mod secret;
mod secrets;
mod stores;
mod vault;

use std::path::PathBuf;

use tonic::transport::Channel;
use vault_proto::{
    MESSAGE_LIMIT,
    endpoint::Place,
    v1::{
        archives_client::ArchivesClient, blobs_client::BlobsClient,
        connections_client::ConnectionsClient, databases_client::DatabasesClient,
        documents_client::DocumentsClient, files_client::FilesClient, keys_client::KeysClient,
        maintenance_client::MaintenanceClient, secrets_client::SecretsClient,
        stores_client::StoresClient, vault_client::VaultClient,
    },
};

pub use archives::{
    ArchiveForm, ArchiveProgress, ArchiveSummary, ArchivedStore, ExportPart, ExportStream,
    FileChunks, Restored,
};
pub use attachments::{Attachment, AttachmentContent, attachments, with_attachments, with_content};
pub use autostart::daemon_program;
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
pub use doctor::{Finding, Severity};
pub use documents::{
    Change, ChangeStream, Document, Head, Heads, Listed, NewDocument, Precondition, Write,
};
pub use download::ContentRange;
pub use error::{Error, Refusal};
pub use fetch::{FetchError, FetchOptions, Fetched, FetchedBody, fetch};
pub use files::{File, FileDownload, FileList, ListedFile, NewFile};
pub use import::{ImportItem, ImportProgress, ImportStream, Rejection};
pub use keys::{DerivedKey, ImportedKey, KeyExport, KeyFile, KeyReset, KeyStatus, MovedKey};
pub use maintenance::{
    MaintenanceOperation, MaintenanceRun, MaintenanceStatus, MaintenanceStream, MaintenanceTask,
};
pub use presets::{
    AppliedStore, ApplyError, ChosenStore, NamePattern, Placeholder, PlaceholderForm, Preset,
    PresetApplication, PresetChoice, PresetContent, PresetDatabase, PresetError, PresetStore,
};
pub use rotation::{
    NextKey, Rotation, RotationDepth, RotationEvent, RotationOutcome, RotationProgress,
    RotationState, RotationStream,
};
pub use seal::{OpenWith, SealFor};
pub use secret::Secret;
pub use secrets::{NewSecret, SecretInfo, SecretPlace, SecretValue};
pub use stores::{
    AdoptFile, AttachmentPolicy, Migration, MigrationStream, SizeClass, Store, StoreKind,
    StoreOptions,
};
pub use vault::{KeyState, Status};

/// Largest chunk of a stream, in bytes: what files are best read by.
pub use vault_proto::CHUNK_LIMIT;

/// How to reach a vault.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Folder of the vault; by default `VAULTD_DATA_DIR`, then the platform's data folder.
    pub data_dir: Option<PathBuf>,
    /// Socket of its daemon; by default `VAULTD_SOCKET`, then the one that belongs to the folder.
    pub socket: Option<PathBuf>,
    /// Do not start a daemon where none runs.
    pub no_autostart: bool,
}

/// A connection to the daemon of one vault. Cheap to clone; clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    place: Place,
    vault: VaultClient<Channel>,
    keys: KeysClient<Channel>,
    archives: ArchivesClient<Channel>,
    stores: StoresClient<Channel>,
    blobs: BlobsClient<Channel>,
    files: FilesClient<Channel>,
    secrets: SecretsClient<Channel>,
    connections: ConnectionsClient<Channel>,
    documents: DocumentsClient<Channel>,
    databases: DatabasesClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
}

impl Client {
    /// Connects to the daemon, starting it where none runs, and makes sure that it serves the
    /// vault that was meant and runs as the same user.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let place = Place::resolve(options.data_dir.as_deref(), options.socket.as_deref())
            .map_err(|error| Error::Local(error.to_string()))?;
        let client = match Self::meet(&place, connect::dial(&place.socket).await).await {
            Err(Error::NoDaemon { .. }) if !options.no_autostart => {
                let started = autostart::start(&place).await;
                Self::meet(&place, started).await?
            }
            met => met?,
        };
        Ok(client)
    }

    /// Makes sure of what answers on a channel.
    async fn meet(place: &Place, channel: Result<Channel, Error>) -> Result<Self, Error> {
        let channel = channel?;
        let client = Self {
            vault: VaultClient::new(channel.clone()),
            keys: KeysClient::new(channel.clone()),
            archives: ArchivesClient::new(channel.clone()),
            stores: StoresClient::new(channel.clone()).max_encoding_message_size(MESSAGE_LIMIT),
            blobs: BlobsClient::new(channel.clone()).max_decoding_message_size(MESSAGE_LIMIT),
            files: FilesClient::new(channel.clone()).max_decoding_message_size(MESSAGE_LIMIT),
            secrets: SecretsClient::new(channel.clone()),
            connections: ConnectionsClient::new(channel.clone()),
            documents: DocumentsClient::new(channel.clone())
                .max_decoding_message_size(MESSAGE_LIMIT),
            databases: DatabasesClient::new(channel.clone())
                .max_decoding_message_size(MESSAGE_LIMIT),
            maintenance: MaintenanceClient::new(channel),
            place: place.clone(),
        };
        let status = match client.status().await {
            // It went away between the connection and the call: a daemon that was just stopped.
            Err(Error::Refused(refusal)) if refusal.reason.is_empty() => {
                let (socket, detail) = (place.socket.clone(), refusal.message);
                return Err(Error::NoDaemon { socket, detail });
            }
            status => status?,
        };
        if status.data_root != client.place.data_root {
            return Err(Error::OtherVault {
                wanted: client.place.data_root,
                found: status.data_root,
            });
        }
        Ok(client)
    }

    /// A connection for one call that carries a secret. What is sent and received lies in the
    /// daemon's buffers of a connection until that is closed, and this one is closed with the call.
    pub(crate) async fn apart(&self) -> Result<Channel, Error> {
        connect::dial(&self.place.socket).await
    }

    /// The folder of the vault.
    pub fn data_root(&self) -> &std::path::Path {
        &self.place.data_root
    }
}
