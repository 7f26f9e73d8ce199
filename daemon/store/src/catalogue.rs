//! The sealed list of stores.

use serde::{Deserialize, Serialize};
use vault_crypto::{Address, Envelope, EnvelopeError, Header, VaultId, envelope};

use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::{Revision, StoreId, StoreName},
    root::DataRoot,
    size_class::SizeClass,
    store_keys::Ring,
};

/// File name in the data root.
pub const FILE: &str = "catalogue";

const LIMIT: u64 = 256 << 20;

/// What a store holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Documents.
    Documents,
    /// An encrypted SQL database.
    Database,
    /// Content of any size, under the hash of it.
    Blobs,
    /// Ordinary files, never encrypted.
    Files,
    /// API keys.
    Secrets,
}

/// Whether a store encrypts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Every write is sealed.
    Protected,
    /// Never sealed: ordinary files.
    Plain,
}

/// A column of a database whose values are blob refs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct BlobColumn {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
}

/// What is declared of a database besides its content.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DatabaseOptions {
    /// Whether the upkeep that runs by itself leaves it alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_maintenance: bool,
    /// What its columns name is never collected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blob_columns: Vec<BlobColumn>,
}

impl DatabaseOptions {
    /// Whether nothing was declared.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of the attachments of a document store. Thresholds are in bytes; the default where
/// there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AttachmentOptions {
    /// The store of blobs that takes them; [`crate::blobs::DEFAULT_STORE`] where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blobs: Option<StoreName>,
    /// Of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<u64>,
    /// Of any other file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u64>,
    /// Of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<u64>,
    /// Of a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<u64>,
}

impl AttachmentOptions {
    /// Whether nothing was declared.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One store, as the catalogue lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreRecord {
    /// Lasting identifier.
    pub id: StoreId,
    /// Name that clients use.
    pub name: StoreName,
    /// What it holds.
    pub kind: Kind,
    /// Whether it encrypts.
    pub protection: Protection,
    /// Largest body.
    pub size_class: SizeClass,
    /// Of a database; the default for others.
    pub database: DatabaseOptions,
    /// Of a document store; the default for others.
    pub attachments: AttachmentOptions,
}

#[derive(Serialize, Deserialize)]
struct FileRecord {
    id: String,
    name: StoreName,
    kind: Kind,
    protection: Protection,
    size_class: SizeClass,
    #[serde(default, skip_serializing_if = "DatabaseOptions::is_default")]
    database: DatabaseOptions,
    #[serde(default, skip_serializing_if = "AttachmentOptions::is_default")]
    attachments: AttachmentOptions,
    /// Fields of later versions survive a rewrite by this one.
    #[serde(flatten)]
    other: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize, Default)]
struct FileContent {
    stores: Vec<FileRecord>,
    #[serde(flatten)]
    other: serde_json::Map<String, serde_json::Value>,
}

/// The catalogue in memory.
#[derive(Default)]
pub(crate) struct Catalogue {
    revision: Revision,
    content: FileContent,
    /// Whether the disk may hold another one than this.
    in_doubt: bool,
}

fn address(vault: VaultId, revision: Revision) -> Address<'static> {
    Address {
        vault,
        store: b"catalogue",
        object: b"catalogue",
        revision: revision.0,
    }
}

impl Catalogue {
    /// Reads and opens the catalogue; `None` where the root has none.
    pub(crate) fn read(root: &DataRoot, vault: VaultId, ring: &Ring) -> StoreResult<Option<Self>> {
        let Some(bytes) = durable::read(root.fs(), &root.file(FILE), LIMIT)? else {
            return Ok(None);
        };
        let (expected, _) = ring.current()?;
        let open = || {
            let header = Header::parse(&bytes)?;
            let (revision, key_id) = (Revision(header.revision()), header.key_id());
            let key = ring.get(key_id).ok_or(EnvelopeError::OtherKey {
                found: key_id,
                expected,
            })?;
            let envelope = Envelope::new(key, key_id, address(vault, revision), &bytes)?;
            envelope.open_metadata()?;
            Ok((revision, envelope.open_body()?))
        };
        let (revision, body) = open().map_err(|error| StoreError::envelope(FILE, &error))?;
        let content =
            serde_json::from_slice(&body).map_err(|error| StoreError::damaged(FILE, error))?;
        Ok(Some(Self {
            revision,
            content,
            in_doubt: false,
        }))
    }

    fn write(
        &mut self,
        root: &DataRoot,
        vault: VaultId,
        ring: &Ring,
        content: FileContent,
    ) -> StoreResult<()> {
        self.revision = self.revision.next();
        let body = serde_json::to_vec(&content).map_err(|e| StoreError::damaged(FILE, e))?;
        let address = address(vault, self.revision);
        let (key_id, key) = ring.current()?;
        let sealed = envelope::seal(key, key_id, &address, b"{}", &body)
            .map_err(|error| StoreError::envelope(FILE, &error))?;
        self.in_doubt = true;
        durable::replace(root.fs(), root.path(), FILE, &[&sealed])?;
        self.in_doubt = false;
        self.content = content;
        Ok(())
    }

    /// Durably writes an empty catalogue for a new vault.
    pub(crate) fn create(root: &DataRoot, vault: VaultId, ring: &Ring) -> StoreResult<Self> {
        let mut catalogue = Self::default();
        catalogue.write(root, vault, ring, FileContent::default())?;
        Ok(catalogue)
    }

    /// After a write that failed, the disk may hold the old list or the new: this one is written
    /// anew, before anybody builds on it.
    pub(crate) fn settle(
        &mut self,
        root: &DataRoot,
        vault: VaultId,
        ring: &Ring,
    ) -> StoreResult<()> {
        if self.in_doubt {
            self.reseal(root, vault, ring)?;
        }
        Ok(())
    }

    /// Whether this is what another one says, too.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.revision == other.revision && self.stores() == other.stores()
    }

    /// Durably seals the list anew, under the current key.
    pub(crate) fn reseal(
        &mut self,
        root: &DataRoot,
        vault: VaultId,
        ring: &Ring,
    ) -> StoreResult<()> {
        self.write(root, vault, ring, self.copy())
    }

    /// Every store, ordered by name.
    pub(crate) fn stores(&self) -> Vec<StoreRecord> {
        let mut stores: Vec<_> = self
            .content
            .stores
            .iter()
            .filter_map(FileRecord::parse)
            .collect();
        stores.sort_by(|left, right| left.name.cmp(&right.name));
        stores
    }

    /// The store of this name.
    pub(crate) fn find(&self, name: &StoreName) -> Option<StoreRecord> {
        self.content
            .stores
            .iter()
            .find(|record| record.name == *name)?
            .parse()
    }

    /// Durably adds a store.
    pub(crate) fn add(
        &mut self,
        root: &DataRoot,
        vault: VaultId,
        ring: &Ring,
        record: &StoreRecord,
    ) -> StoreResult<()> {
        let mut content = self.copy();
        content.stores.push(FileRecord {
            id: record.id.to_string(),
            name: record.name.clone(),
            kind: record.kind,
            protection: record.protection,
            size_class: record.size_class,
            database: record.database.clone(),
            attachments: record.attachments.clone(),
            other: serde_json::Map::new(),
        });
        self.write(root, vault, ring, content)
    }

    /// Durably changes what is declared of a store: the options of `record`, in place of those
    /// known.
    pub(crate) fn configure(
        &mut self,
        root: &DataRoot,
        vault: VaultId,
        ring: &Ring,
        record: &StoreRecord,
    ) -> StoreResult<()> {
        let mut content = self.copy();
        let id = record.id.to_string();
        for known in content.stores.iter_mut().filter(|known| known.id == id) {
            known.database = record.database.clone();
            known.attachments = record.attachments.clone();
        }
        self.write(root, vault, ring, content)
    }

    /// Durably removes a store.
    pub(crate) fn remove(
        &mut self,
        root: &DataRoot,
        vault: VaultId,
        ring: &Ring,
        id: StoreId,
    ) -> StoreResult<()> {
        let mut content = self.copy();
        let id = id.to_string();
        content.stores.retain(|record| record.id != id);
        self.write(root, vault, ring, content)
    }

    fn copy(&self) -> FileContent {
        let stores = self.content.stores.iter().map(|record| FileRecord {
            id: record.id.clone(),
            name: record.name.clone(),
            database: record.database.clone(),
            attachments: record.attachments.clone(),
            other: record.other.clone(),
            ..*record
        });
        FileContent {
            stores: stores.collect(),
            other: self.content.other.clone(),
        }
    }
}

impl FileRecord {
    fn parse(&self) -> Option<StoreRecord> {
        Some(StoreRecord {
            id: self.id.parse().ok()?,
            name: self.name.clone(),
            kind: self.kind,
            protection: self.protection,
            size_class: self.size_class,
            database: self.database.clone(),
            attachments: self.attachments.clone(),
        })
    }
}
