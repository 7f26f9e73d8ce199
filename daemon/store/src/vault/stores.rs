//! The stores of an open vault: created, opened on first use, removed.

use std::{
    any::Any,
    sync::{Arc, Mutex, MutexGuard},
};

use vault_crypto::KeyPurpose;

use super::{State, Vault, lock};
use crate::{
    catalogue::{DatabaseOptions, Kind, Protection, StoreRecord},
    databases::Database,
    documents::DocumentStore,
    error::{StoreError, StoreResult},
    id::{StoreId, StoreName},
    kind::{Store, StoreContext, implementation},
    size_class::SizeClass,
    store_keys::StoreKeys,
};

/// One store's place among the open ones, with a lock of its own: opening a large store keeps
/// nobody waiting but its own callers.
pub(super) struct OpenStore {
    /// Its data keys, whether or not it is open yet.
    pub(super) keys: Arc<StoreKeys>,
    opening: Mutex<Opening>,
}

#[derive(Default)]
enum Opening {
    #[default]
    NotYet,
    Open(Arc<dyn Store>),
    Closed,
}

impl OpenStore {
    fn new(keys: Arc<StoreKeys>) -> Self {
        let opening = Mutex::default();
        Self { keys, opening }
    }

    /// The store, where it is open already.
    fn ready(&self) -> Option<Arc<dyn Store>> {
        match &*self.opening.try_lock().ok()? {
            Opening::Open(store) => Some(Arc::clone(store)),
            _ => None,
        }
    }

    fn get(
        &self,
        open: impl FnOnce() -> StoreResult<Arc<dyn Store>>,
    ) -> StoreResult<Arc<dyn Store>> {
        let mut opening = lock(&self.opening);
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

    pub(super) fn close(&self) {
        if let Opening::Open(store) = std::mem::replace(&mut *lock(&self.opening), Opening::Closed)
        {
            store.close();
        }
        self.keys.forget();
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
    /// Of a database; the default for others.
    pub database: DatabaseOptions,
}

impl Vault {
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
            database: new.database,
        };
        let purpose = KeyPurpose::store(&record.id.to_string());
        let keys = state.keys()?;
        let added = keys.table.add(purpose)?;
        keys.write(&self.root)
            .and_then(|()| implementation(record.kind).create(&self.context(state, &record)?))
            .and_then(|()| {
                state.with_catalogue(|catalogue, ring| {
                    catalogue.add(&self.root, self.id, ring, &record)
                })
            })
            // Not at once: the catalogue on disk may name the store, and what it names has a key.
            .inspect_err(|_| state.orphans.push(added))?;
        tracing::info!(store = %record.id, "store created");
        Ok(record)
    }

    /// Durably removes a store and all that is in it: from the catalogue first, then its keys (from
    /// then on nothing can be read), then its files.
    pub fn remove_store(&self, name: &StoreName) -> StoreResult<()> {
        let mut state = self.state()?;
        let record = find(&state, name)?;
        self.settle(&mut state)?;
        let removed = state.with_catalogue(|catalogue, ring| {
            catalogue.remove(&self.root, self.id, ring, record.id)
        });
        // Even if that failed: the disk may say that the store is gone, and nothing must be
        // acknowledged in it before the catalogue was written anew.
        if let Some(open) = state.open.remove(&record.id) {
            open.close();
        }
        removed?;
        let purpose = KeyPurpose::store(&record.id.to_string());
        let keys = state.keys()?.table.keys_of(&purpose);
        let keys: Vec<_> = keys.into_iter().map(|(key_id, _)| key_id).collect();
        state.orphans.extend(keys);
        let settled = self.settle(&mut state);
        implementation(record.kind).remove_files(&self.root, &record);
        tracing::info!(store = %record.id, "store removed");
        settled
    }

    /// Writes anew what a failed write left in doubt, and destroys the keys of stores that are
    /// gone.
    pub(super) fn settle(&self, state: &mut State) -> StoreResult<()> {
        state.with_catalogue(|catalogue, ring| catalogue.settle(&self.root, self.id, ring))?;
        if state.orphans.is_empty() {
            return Ok(());
        }
        let orphans = std::mem::take(&mut state.orphans);
        let keys = state.keys()?;
        for key_id in &orphans {
            keys.table.remove(*key_id);
        }
        let written = keys.write(&self.root);
        if written.is_err() {
            state.orphans = orphans;
        }
        written
    }

    /// The document store of this name, if it is open already and nobody is in the way: waits for
    /// no lock and no disk. `None` decides nothing; [`Vault::documents`] does.
    pub fn documents_if_open(&self, name: &StoreName) -> Option<Arc<DocumentStore>> {
        let state = self.state.try_lock().ok()?;
        state.keys.as_ref()?;
        let record = state.catalogue.find(name)?;
        as_documents(state.open.get(&record.id)?.ready()?)
    }

    /// Opens the document store of this name.
    pub fn documents(&self, name: &StoreName) -> StoreResult<Arc<DocumentStore>> {
        let store = self.open_store(name)?;
        as_documents(store).ok_or_else(|| wrong_kind(name))
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
                    database: DatabaseOptions::default(),
                },
            )?,
        };
        let store = self.open_in(state, &record)?;
        as_documents(store).ok_or_else(|| wrong_kind(name))
    }

    /// Opens the database of this name.
    pub fn database(&self, name: &StoreName) -> StoreResult<Arc<Database>> {
        let store: Arc<dyn Any + Send + Sync> = self.open_store(name)?;
        let wrong = |_| StoreError::InvalidArgument(format!("store `{name}` is no database"));
        store.downcast().map_err(wrong)
    }

    /// The database of this name, where it is open already. `None` decides nothing else.
    pub fn database_if_open(&self, name: &StoreName) -> Option<Arc<Database>> {
        let state = lock(&self.state);
        let record = state.catalogue.find(name)?;
        let store: Arc<dyn Any + Send + Sync> = state.open.get(&record.id)?.ready()?;
        store.downcast().ok()
    }

    /// Durably changes what is declared of a database.
    pub fn configure_database(
        &self,
        name: &StoreName,
        change: impl FnOnce(&mut DatabaseOptions),
    ) -> StoreResult<()> {
        let database = self.database(name)?;
        let mut state = self.state()?;
        self.settle(&mut state)?;
        let record = find(&state, name)?;
        let mut options = record.database.clone();
        change(&mut options);
        state.with_catalogue(|catalogue, ring| {
            catalogue.configure(&self.root, self.id, ring, (record.id, &options))
        })?;
        database.configure(options);
        Ok(())
    }

    /// Opens the store of this name, of whatever kind.
    pub fn open_store(&self, name: &StoreName) -> StoreResult<Arc<dyn Store>> {
        let state = self.state()?;
        let record = find(&state, name)?;
        self.open_in(state, &record)
    }

    fn open_in(
        &self,
        mut state: MutexGuard<'_, State>,
        record: &StoreRecord,
    ) -> StoreResult<Arc<dyn Store>> {
        if let Some(open) = state.open.get(&record.id) {
            if let Some(store) = open.ready() {
                return Ok(store);
            }
        } else {
            // A store whose removal failed must not be built on before the disk agrees.
            state.with_catalogue(|catalogue, ring| catalogue.settle(&self.root, self.id, ring))?;
        }
        let context = self.context(&mut state, record)?;
        let place = state.open.entry(record.id);
        let open = place.or_insert_with(|| Arc::new(OpenStore::new(Arc::clone(&context.keys))));
        let open = Arc::clone(open);
        let context = StoreContext {
            keys: Arc::clone(&open.keys),
            ..context
        };
        drop(state);
        open.get(|| implementation(context.record.kind).open(context))
    }

    pub(super) fn context(
        &self,
        state: &mut State,
        record: &StoreRecord,
    ) -> StoreResult<StoreContext> {
        let purpose = KeyPurpose::store(&record.id.to_string());
        let keys = state.keys()?;
        if keys.table.find(&purpose).is_none() {
            let detail = format!("no key for store `{}`", record.name);
            return Err(StoreError::damaged("the key table", detail));
        }
        Ok(StoreContext {
            root: self.root.clone(),
            vault: self.id,
            record: record.clone(),
            keys: Arc::new(StoreKeys::new(keys.ring(&purpose))),
            names: Arc::clone(&self.names),
            clock: Arc::clone(&self.options.clock),
            body_limit: self.limit(record.size_class),
            tombstones: self.options.tombstones,
            background: self.options.background,
        })
    }
}

fn as_documents(store: Arc<dyn Store>) -> Option<Arc<DocumentStore>> {
    let store: Arc<dyn Any + Send + Sync> = store;
    store.downcast().ok()
}

fn wrong_kind(name: &StoreName) -> StoreError {
    StoreError::InvalidArgument(format!("store `{name}` holds no documents"))
}

fn find(state: &State, name: &StoreName) -> StoreResult<StoreRecord> {
    let found = state.catalogue.find(name);
    found.ok_or_else(|| StoreError::NoSuchStore(name.to_string()))
}
