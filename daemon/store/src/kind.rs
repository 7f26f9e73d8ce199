//! What every kind of store implements, and all that rotation, lock, export, backup, doctor and
//! upkeep know of a store.

use std::sync::Arc;

use vault_crypto::{DataKey, KeyId, NameKey, VaultId};

use crate::{
    catalogue::StoreRecord, clock::Clock, error::StoreResult, id::Revision, root::DataRoot,
};

/// What a store is opened with.
#[derive(Clone)]
pub struct StoreContext {
    /// Where the vault lies.
    pub root: DataRoot,
    /// The vault.
    pub vault: VaultId,
    /// The store's entry in the catalogue.
    pub record: StoreRecord,
    /// Key that new objects are sealed with.
    pub key_id: KeyId,
    /// The key itself.
    pub key: Arc<DataKey>,
    /// Key of object names.
    pub names: Arc<NameKey>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Largest body, in bytes.
    pub body_limit: u64,
    /// How many tombstones a store keeps. A watch from before the oldest must list anew.
    pub tombstones: u64,
    /// Whether upkeep runs by itself on threads of its own. Crash tests say no.
    pub background: bool,
}

/// Figures of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Live objects.
    pub objects: u64,
    /// Bytes of their bodies in the clear.
    pub body_bytes: u64,
    /// Newest change.
    pub revision: Revision,
    /// Objects still plaintext, awaiting migration.
    pub awaiting_migration: u64,
    /// Objects that cannot be read.
    pub damaged: u64,
}

/// One object as it leaves a vault or enters one.
pub struct Exported {
    /// Its id within the store.
    pub id: String,
    /// Its metadata as JSON.
    pub metadata: Vec<u8>,
    /// Its content in the clear.
    pub body: zeroize::Zeroizing<Vec<u8>>,
}

/// Held while nothing may be written; writers wait until it is dropped.
pub struct Quiesced<'a> {
    pub(crate) _guard: Box<dyn Guard + 'a>,
}

/// Whatever a kind holds to keep writers out.
pub(crate) trait Guard {}

impl<T> Guard for T {}

/// A kind of store: makes and opens stores.
pub trait StoreKind: Send + Sync {
    /// Creates what a new store needs on disk, durably. Called again after a crash, it completes.
    fn create(&self, context: &StoreContext) -> StoreResult<()>;
    /// Opens a store.
    fn open(&self, context: StoreContext) -> StoreResult<Arc<dyn Store>>;
}

/// An open store, of whatever kind.
pub trait Store: Send + Sync {
    /// Ends every watch and refuses every further call; keys go when the last call in flight does.
    fn close(&self);
    /// Waits for the writes in flight and keeps new ones waiting.
    fn quiesce(&self) -> Quiesced<'_>;
    /// The newest change: objects up to it are the store as of now.
    fn snapshot(&self) -> StoreResult<Revision>;
    /// The ids of every live object as of `snapshot`.
    fn enumerate(&self, snapshot: Revision) -> StoreResult<Vec<String>>;
    /// Reads one object in the clear.
    fn export_one(&self, id: &str) -> StoreResult<Exported>;
    /// Durably writes one object that [`Store::export_one`] read.
    fn import_one(&self, object: Exported) -> StoreResult<()>;
    /// Durably seals one object again, under the store's current key; false where it was.
    fn reencrypt_one(&self, id: &str) -> StoreResult<bool>;
    /// Reads one object whole and checks it.
    fn verify_one(&self, id: &str) -> StoreResult<()>;
    /// The blobs that the store's objects name.
    fn references(&self) -> StoreResult<Vec<String>>;
    /// Figures.
    fn stats(&self) -> StoreResult<StoreStats>;
}
