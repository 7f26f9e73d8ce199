//! An open vault: its keys, its catalogue and its stores.
//!
//! A value of type [`Vault`] is the proof that the storage key is at hand: there is no locked
//! `Vault`. Locking drops it.

mod opening;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use vault_crypto::{
    DataKey, Fingerprint, KeyId, KeyPurpose, KeyTable, NameKey, StorageKey, VaultId,
};

pub use opening::{Evidence, OpenError};

use crate::{
    catalogue::{Catalogue, Kind, Protection, StoreRecord},
    clock::Clock,
    documents::{DocumentKind, DocumentStore},
    error::{StoreError, StoreResult},
    id::{StoreId, StoreName},
    keys,
    kind::{Store, StoreContext, StoreKind as _},
    root::DataRoot,
    size_class::{SizeClass, SizeLimits},
};

/// Locks a mutex whose data stays consistent even if a holder panicked between its statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a vault is opened with, besides its key.
#[derive(Clone)]
pub struct VaultOptions {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Largest bodies.
    pub limits: SizeLimits,
    /// How many tombstones a store keeps. A watch from before the oldest must list anew.
    pub tombstones: u64,
    /// Whether upkeep runs by itself on threads of its own.
    pub background: bool,
}

impl Default for VaultOptions {
    fn default() -> Self {
        let clock = Arc::new(crate::clock::SystemClock);
        Self {
            clock,
            limits: SizeLimits::default(),
            tombstones: 10_000,
            background: true,
        }
    }
}

/// An open vault.
pub struct Vault {
    root: DataRoot,
    id: VaultId,
    fingerprint: Fingerprint,
    backend: String,
    storage_key: StorageKey,
    options: VaultOptions,
    names: Arc<NameKey>,
    state: Mutex<State>,
}

struct State {
    table: KeyTable,
    catalogue: Catalogue,
    /// Keys of stores that are not there any more, to be destroyed.
    orphans: Vec<KeyId>,
    open: HashMap<StoreId, Arc<OpenStore>>,
    closed: bool,
}

/// One store's place among the open ones, with a lock of its own: opening a large store keeps
/// nobody waiting but its own callers.
#[derive(Default)]
struct OpenStore(Mutex<Opening>);

#[derive(Default)]
enum Opening {
    #[default]
    NotYet,
    Open(Arc<DocumentStore>),
    Closed,
}

impl OpenStore {
    /// The store, where it is open already.
    fn ready(&self) -> Option<Arc<DocumentStore>> {
        match &*self.0.try_lock().ok()? {
            Opening::Open(store) => Some(Arc::clone(store)),
            _ => None,
        }
    }

    fn get(
        &self,
        open: impl FnOnce() -> StoreResult<Arc<DocumentStore>>,
    ) -> StoreResult<Arc<DocumentStore>> {
        let mut opening = lock(&self.0);
        match &*opening {
            Opening::Open(store) => Ok(Arc::clone(store)),
            Opening::Closed => Err(StoreError::Closed),
            Opening::NotYet => {
                let store = open()?;
                *opening = Opening::Open(Arc::clone(&store));
                Ok(store)
            }
        }
    }

    fn close(&self) {
        if let Opening::Open(store) = std::mem::replace(&mut *lock(&self.0), Opening::Closed) {
            store.close();
        }
    }
}

/// A store that is not there yet.
#[derive(Clone, Debug)]
pub struct NewStore {
    /// Its name.
    pub name: StoreName,
    /// What it holds.
    pub kind: Kind,
    /// Whether it encrypts.
    pub protection: Protection,
    /// Largest body.
    pub size_class: SizeClass,
}

impl Vault {
    /// The vault's lasting identifier.
    pub fn id(&self) -> VaultId {
        self.id
    }

    /// Check value of the storage key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The keyring backend that holds the storage key.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Every store, ordered by name.
    pub fn stores(&self) -> Vec<StoreRecord> {
        lock(&self.state).catalogue.stores()
    }

    /// The bound on bodies of a class, in bytes.
    pub fn limit(&self, class: SizeClass) -> u64 {
        self.options.limits.of(class)
    }

    /// Durably creates a store: its key, its folders, and last its entry in the catalogue.
    pub fn create_store(&self, new: NewStore) -> StoreResult<StoreRecord> {
        let mut state = self.state()?;
        self.create_in(&mut state, new)
    }

    fn create_in(&self, state: &mut State, new: NewStore) -> StoreResult<StoreRecord> {
        if state.catalogue.find(&new.name).is_some() {
            return Err(StoreError::StoreExists(new.name.to_string()));
        }
        self.settle(state)?;
        let record = StoreRecord {
            id: StoreId::generate()?,
            name: new.name,
            kind: new.kind,
            protection: new.protection,
            size_class: new.size_class,
        };
        let purpose = KeyPurpose::store(&record.id.to_string());
        let added = state.table.add(purpose)?;
        keys::write(&self.root, &state.table, &self.storage_key)
            .and_then(|()| DocumentKind.create(&self.context(state, &record)?))
            .and_then(|()| {
                with_catalogue(state, |catalogue, key_id, key| {
                    catalogue.add(&self.root, self.id, key_id, key, &record)
                })
            })
            // Not at once: the catalogue on disk may name the store, and what it names has a key.
            .inspect_err(|_| state.orphans.push(added))?;
        tracing::info!(store = %record.id, "store created");
        Ok(record)
    }

    /// Durably removes a store and all that is in it: from the catalogue first, then its key (from
    /// then on nothing can be read), then its files.
    pub fn remove_store(&self, name: &StoreName) -> StoreResult<()> {
        let mut state = self.state()?;
        let record = find(&state, name)?;
        self.settle(&mut state)?;
        let removed = with_catalogue(&mut state, |catalogue, key_id, key| {
            catalogue.remove(&self.root, self.id, key_id, key, record.id)
        });
        // Even if that failed: the disk may say that the store is gone, and nothing must be
        // acknowledged in it before the catalogue was written anew.
        if let Some(open) = state.open.remove(&record.id) {
            open.close();
        }
        removed?;
        let purpose = KeyPurpose::store(&record.id.to_string());
        let key_id = state.table.find(&purpose).map(|(key_id, _)| key_id);
        state.orphans.extend(key_id);
        let settled = self.settle(&mut state);
        crate::documents::remove_files(&self.root, &record);
        tracing::info!(store = %record.id, "store removed");
        settled
    }

    /// Writes anew what a failed write left in doubt, and destroys the keys of stores that are
    /// gone.
    fn settle(&self, state: &mut State) -> StoreResult<()> {
        with_catalogue(state, |catalogue, key_id, key| {
            catalogue.settle(&self.root, self.id, key_id, key)
        })?;
        if state.orphans.is_empty() {
            return Ok(());
        }
        for key_id in &state.orphans {
            state.table.remove(*key_id);
        }
        keys::write(&self.root, &state.table, &self.storage_key)?;
        state.orphans.clear();
        Ok(())
    }

    /// The document store of this name, if it is open already and nobody is in the way: waits for
    /// no lock and no disk. `None` decides nothing; [`Vault::documents`] does.
    pub fn documents_if_open(&self, name: &StoreName) -> Option<Arc<DocumentStore>> {
        let state = self.state.try_lock().ok().filter(|state| !state.closed)?;
        let record = state.catalogue.find(name)?;
        state.open.get(&record.id)?.ready()
    }

    /// Opens the document store of this name.
    pub fn documents(&self, name: &StoreName) -> StoreResult<Arc<DocumentStore>> {
        let state = self.state()?;
        let record = find(&state, name)?;
        self.open_in(state, &record)
    }

    /// The document store of this name, created with the defaults where there is none.
    pub fn documents_or_create(&self, name: &StoreName) -> StoreResult<Arc<DocumentStore>> {
        let mut state = self.state()?;
        let record = match state.catalogue.find(name) {
            Some(record) => record,
            None => self.create_in(
                &mut state,
                NewStore {
                    name: name.clone(),
                    kind: Kind::Documents,
                    protection: Protection::Protected,
                    size_class: SizeClass::default(),
                },
            )?,
        };
        self.open_in(state, &record)
    }

    fn open_in(
        &self,
        mut state: MutexGuard<'_, State>,
        record: &StoreRecord,
    ) -> StoreResult<Arc<DocumentStore>> {
        if let Some(open) = state.open.get(&record.id) {
            if let Some(store) = open.ready() {
                return Ok(store);
            }
        } else {
            // A store whose removal failed must not be built on before the disk agrees.
            with_catalogue(&mut state, |catalogue, key_id, key| {
                catalogue.settle(&self.root, self.id, key_id, key)
            })?;
        }
        let context = self.context(&state, record)?;
        let open = Arc::clone(state.open.entry(record.id).or_default());
        drop(state);
        open.get(|| DocumentStore::open(context))
    }

    /// Ends every watch and refuses further calls. The keys go with the last reference.
    pub fn close(&self) {
        let open = {
            let mut state = lock(&self.state);
            state.closed = true;
            std::mem::take(&mut state.open)
        };
        for store in open.values() {
            store.close();
        }
    }

    /// Refuses a closed vault, in whose stores no one may start anew.
    fn state(&self) -> StoreResult<MutexGuard<'_, State>> {
        let state = lock(&self.state);
        if state.closed {
            Err(StoreError::Closed)
        } else {
            Ok(state)
        }
    }

    fn context(&self, state: &State, record: &StoreRecord) -> StoreResult<StoreContext> {
        let purpose = KeyPurpose::store(&record.id.to_string());
        let (key_id, key) = state.table.find(&purpose).ok_or_else(|| {
            StoreError::damaged(
                "the key table",
                format!("no key for store `{}`", record.name),
            )
        })?;
        let key = DataKey::from_bytes(key.expose()).expect("a data key has a data key's length");
        Ok(StoreContext {
            root: self.root.clone(),
            vault: self.id,
            record: record.clone(),
            key_id,
            key: Arc::new(key),
            names: Arc::clone(&self.names),
            clock: Arc::clone(&self.options.clock),
            body_limit: self.limit(record.size_class),
            tombstones: self.options.tombstones,
            background: self.options.background,
        })
    }
}

fn with_catalogue<T>(
    state: &mut State,
    change: impl FnOnce(&mut Catalogue, KeyId, &DataKey) -> StoreResult<T>,
) -> StoreResult<T> {
    let State {
        table, catalogue, ..
    } = state;
    let (key_id, key) = table
        .find(&KeyPurpose::catalogue())
        .ok_or_else(|| StoreError::damaged("the key table", "no key for the catalogue"))?;
    change(catalogue, key_id, key)
}

fn find(state: &State, name: &StoreName) -> StoreResult<StoreRecord> {
    let found = state.catalogue.find(name);
    found.ok_or_else(|| StoreError::NoSuchStore(name.to_string()))
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
