//! Stores.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        self, AdoptStoreRequest, ConfigureStoreRequest, CreateStoreRequest, ListStoresRequest,
        MigrateStoreRequest, MigrateStoreResponse, RemoveStoreRequest,
        adopt_store_request::{File, Finish, Part},
    },
};

use crate::{Client, Error, feed::fed};

/// The largest body a store takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SizeClass {
    /// 64 KiB.
    Auth,
    /// 2 MiB.
    Card,
    /// 16 MiB.
    #[default]
    Chat,
    /// 50 MiB.
    Image,
    /// 60 MiB.
    Voice,
    /// 200 MiB.
    Download,
    /// Whatever fits on the disk: for blobs and files only.
    Any,
}

impl SizeClass {
    pub(crate) const fn wire(self) -> v1::SizeClass {
        match self {
            Self::Auth => v1::SizeClass::Auth,
            Self::Card => v1::SizeClass::Card,
            Self::Chat => v1::SizeClass::Chat,
            Self::Image => v1::SizeClass::Image,
            Self::Voice => v1::SizeClass::Voice,
            Self::Download => v1::SizeClass::Download,
            Self::Any => v1::SizeClass::Any,
        }
    }

    pub(crate) const fn received(class: v1::SizeClass) -> Self {
        match class {
            v1::SizeClass::Auth => Self::Auth,
            v1::SizeClass::Card => Self::Card,
            v1::SizeClass::Chat | v1::SizeClass::Unspecified => Self::Chat,
            v1::SizeClass::Image => Self::Image,
            v1::SizeClass::Voice => Self::Voice,
            v1::SizeClass::Download => Self::Download,
            v1::SizeClass::Any => Self::Any,
        }
    }

    /// Its name, such as `chat`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Card => "card",
            Self::Chat => "chat",
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Download => "download",
            Self::Any => "any",
        }
    }
}

/// What a store holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StoreKind {
    /// Documents.
    #[default]
    Documents,
    /// An SQL database.
    Database,
    /// Content of any size, under the hash of it.
    Blobs,
    /// Ordinary files, never encrypted.
    Files,
    /// API keys.
    Secrets,
}

impl StoreKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Database => "database",
            Self::Blobs => "blobs",
            Self::Files => "files",
            Self::Secrets => "secrets",
        }
    }

    const fn wire(self) -> v1::StoreKind {
        match self {
            Self::Documents => v1::StoreKind::Documents,
            Self::Database => v1::StoreKind::Database,
            Self::Blobs => v1::StoreKind::Blobs,
            Self::Files => v1::StoreKind::Files,
            Self::Secrets => v1::StoreKind::Secrets,
        }
    }
}

/// What becomes of the attachments of a store's documents. Thresholds are in bytes: what has as many
/// or more becomes a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachmentPolicy {
    /// The store of blobs that takes them; empty for the one by default.
    pub blobs: String,
    /// Of images; the default where there is none, as below.
    pub image_bytes: Option<u64>,
    /// Of whatever is none of the others.
    pub document_bytes: Option<u64>,
    /// Of videos.
    pub video_bytes: Option<u64>,
    /// Of recordings.
    pub audio_bytes: Option<u64>,
}

impl AttachmentPolicy {
    fn wire(self) -> v1::AttachmentPolicy {
        v1::AttachmentPolicy {
            blobs: self.blobs,
            image_bytes: self.image_bytes,
            document_bytes: self.document_bytes,
            video_bytes: self.video_bytes,
            audio_bytes: self.audio_bytes,
        }
    }
}

impl From<v1::AttachmentPolicy> for AttachmentPolicy {
    fn from(policy: v1::AttachmentPolicy) -> Self {
        Self {
            blobs: policy.blobs,
            image_bytes: policy.image_bytes,
            document_bytes: policy.document_bytes,
            video_bytes: policy.video_bytes,
            audio_bytes: policy.audio_bytes,
        }
    }
}

/// How a new store is to be.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// What it holds.
    pub kind: StoreKind,
    /// Ordinary files, never encrypted.
    pub plain: bool,
    /// Largest body; as the kind has it by default where there is none.
    pub size_class: Option<SizeClass>,
    /// For documents: what becomes of their attachments.
    pub attachments: Option<AttachmentPolicy>,
}

/// A store as it is.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its name.
    pub name: String,
    /// `documents`, `database`, `blobs`, `files` or `secrets`.
    pub kind: &'static str,
    /// Ordinary files, never encrypted.
    pub plain: bool,
    /// Largest body, in bytes.
    pub max_body_bytes: u64,
    /// Documents in it; 1 for a database.
    pub documents: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Its newest change.
    pub revision: u64,
    /// Documents still plaintext, awaiting migration.
    pub awaiting_migration: u64,
    /// Why it, or a part of it, cannot be read; empty where it can.
    pub damaged: String,
    /// Of a store of documents, with every threshold in force.
    pub attachments: Option<AttachmentPolicy>,
}

impl From<v1::Store> for Store {
    fn from(store: v1::Store) -> Self {
        Self {
            kind: match store.kind() {
                v1::StoreKind::Documents => "documents",
                v1::StoreKind::Database => "database",
                v1::StoreKind::Blobs => "blobs",
                v1::StoreKind::Files => "files",
                v1::StoreKind::Secrets => "secrets",
                v1::StoreKind::Unspecified => "unknown",
            },
            name: store.name,
            plain: store.plain,
            max_body_bytes: store.max_body_bytes,
            documents: store.documents,
            body_bytes: store.body_bytes,
            revision: store.revision,
            awaiting_migration: store.awaiting_migration,
            damaged: store.damaged,
            attachments: store.attachments.map(AttachmentPolicy::from),
        }
    }
}

/// A file to adopt.
pub struct AdoptFile {
    /// Path relative to the adopted folder, with `/` between its parts, ending in `.json`.
    pub path: String,
    /// Its content.
    pub body: Vec<u8>,
}

/// How far a migration has come.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Sealed so far.
    pub done: u64,
    /// To be sealed in all.
    pub total: u64,
    /// A document that could not be sealed, and why.
    pub failed: Option<(String, String)>,
}

/// A migration under way.
pub struct MigrationStream(tonic::Streaming<MigrateStoreResponse>);

impl MigrationStream {
    /// The next report; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Migration>, Error> {
        let message = self.0.message().await?;
        Ok(message.map(|message| Migration {
            done: message.done,
            total: message.total,
            failed: (!message.failed_id.is_empty()).then_some((message.failed_id, message.failure)),
        }))
    }
}

impl Client {
    /// Creates a store.
    pub async fn create_store(&self, name: &str, options: &StoreOptions) -> Result<Store, Error> {
        let request = CreateStoreRequest {
            name: name.to_owned(),
            kind: options.kind.wire().into(),
            plain: options.plain,
            size_class: options
                .size_class
                .map_or(v1::SizeClass::Unspecified, SizeClass::wire)
                .into(),
            attachments: options.attachments.clone().map(AttachmentPolicy::wire),
        };
        let response = self.services.stores().create(request).await?.into_inner();
        Ok(response.store.unwrap_or_default().into())
    }

    /// Every store, ordered by name.
    pub async fn stores(&self) -> Result<Vec<Store>, Error> {
        let response = self
            .services
            .stores()
            .list(ListStoresRequest {})
            .await?
            .into_inner();
        Ok(response.stores.into_iter().map(Store::from).collect())
    }

    /// Changes what becomes of the attachments of a store of documents, from the next write on.
    pub async fn configure_store(
        &self,
        name: &str,
        attachments: AttachmentPolicy,
    ) -> Result<Store, Error> {
        let request = ConfigureStoreRequest {
            name: name.to_owned(),
            attachments: Some(attachments.wire()),
        };
        let response = self
            .services
            .stores()
            .configure(request)
            .await?
            .into_inner();
        Ok(response.store.unwrap_or_default().into())
    }

    /// Deletes a store and all that is in it.
    pub async fn remove_store(&self, name: &str) -> Result<(), Error> {
        self.services
            .stores()
            .remove(RemoveStoreRequest {
                name: name.to_owned(),
            })
            .await?;
        Ok(())
    }

    /// Copies the files that come through the channel into the vault, as plaintext that awaits
    /// migration. All or none: an error in the channel undoes the adoption. Returns how many.
    pub async fn adopt(
        &self,
        store: &str,
        mut files: mpsc::Receiver<std::io::Result<AdoptFile>>,
    ) -> Result<u64, Error> {
        let (sender, receiver) = mpsc::channel(4);
        let first = Part::Store(store.to_owned());
        let feed = async move {
            let send = async |part| sender.send(AdoptStoreRequest { part: Some(part) }).await;
            if send(first).await.is_err() {
                return Ok(());
            }
            while let Some(file) = files.recv().await {
                let AdoptFile { path, body } = file?;
                let start = Part::File(File {
                    path,
                    size: body.len() as u64,
                });
                let chunks = body
                    .chunks(CHUNK_LIMIT)
                    .map(|chunk| Part::Chunk(chunk.to_vec()));
                for part in std::iter::once(start).chain(chunks) {
                    if send(part).await.is_err() {
                        return Ok(());
                    }
                }
            }
            let _ = send(Part::Finish(Finish {})).await;
            Ok(())
        };
        let mut stores = self.services.stores();
        let call = stores.adopt(ReceiverStream::new(receiver));
        Ok(fed(feed, call).await?.adopted)
    }

    /// Seals every document that still awaits migration.
    pub async fn migrate(&self, store: &str) -> Result<MigrationStream, Error> {
        let request = MigrateStoreRequest {
            name: store.to_owned(),
        };
        Ok(MigrationStream(
            self.services.stores().migrate(request).await?.into_inner(),
        ))
    }
}
