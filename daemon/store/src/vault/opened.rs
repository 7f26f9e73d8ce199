//! The stores of an open vault by what they hold.

use std::{any::Any, sync::Arc};

use super::{Core, NewStore, lock};
use crate::{
    blobs::BlobStore,
    catalogue::Kind,
    databases::Database,
    documents::DocumentStore,
    error::{StoreError, StoreResult},
    files::FileStore,
    id::StoreName,
    kind::Store,
    secrets::{self, SecretStore},
};

impl Core {
    /// The document store of this name, if it is open already and nobody is in the way: waits for
    /// no lock and no disk. `None` decides nothing; [`Vault::documents`] does.
    pub fn documents_if_open(&self, name: &StoreName) -> Option<Arc<DocumentStore>> {
        let state = self.state.try_lock().ok()?;
        state.keys.as_ref()?;
        let record = state.catalogue.find(name)?;
        downcast(state.open.get(&record.id)?.ready()?)
    }

    /// How many stores are open; one that is being opened is not.
    pub fn open_stores(&self) -> u64 {
        let state = lock(&self.state);
        state
            .open
            .values()
            .filter_map(|store| store.ready())
            .count() as u64
    }

    /// Opens the document store of this name.
    pub fn documents(&self, name: &StoreName) -> StoreResult<Arc<DocumentStore>> {
        of_kind(name, self.open_store(name)?, "holds no documents")
    }

    /// The document store of this name, created with the defaults where there is none.
    pub fn documents_or_create(&self, name: &StoreName) -> StoreResult<Arc<DocumentStore>> {
        let store = self.open_or_create(NewStore::new(name.clone(), Kind::Documents))?;
        of_kind(name, store, "holds no documents")
    }

    /// Opens the database of this name.
    pub fn database(&self, name: &StoreName) -> StoreResult<Arc<Database>> {
        of_kind(name, self.open_store(name)?, "is no database")
    }

    /// The database of this name, where it is open already. `None` decides nothing else.
    pub fn database_if_open(&self, name: &StoreName) -> Option<Arc<Database>> {
        let state = lock(&self.state);
        let record = state.catalogue.find(name)?;
        downcast(state.open.get(&record.id)?.ready()?)
    }

    /// The database in which vaultd keeps who may use the vault, created where there is none.
    pub fn auth_database(&self) -> StoreResult<Arc<Database>> {
        let store = self.open_or_create(NewStore::auth())?;
        of_kind(&StoreName::auth(), store, "is no database")
    }

    /// Whether there is one.
    pub fn has_auth_database(&self) -> bool {
        let state = lock(&self.state);
        state.catalogue.find(&StoreName::auth()).is_some()
    }

    /// Opens the store of blobs of this name.
    pub fn blobs(&self, name: &StoreName) -> StoreResult<Arc<BlobStore>> {
        of_kind(name, self.open_store(name)?, "holds no blobs")
    }

    /// The store of blobs of this name, created with the defaults where there is none.
    pub fn blobs_or_create(&self, name: &StoreName) -> StoreResult<Arc<BlobStore>> {
        let store = self.open_or_create(NewStore::new(name.clone(), Kind::Blobs))?;
        of_kind(name, store, "holds no blobs")
    }

    /// Opens the store of files of this name.
    pub fn files(&self, name: &StoreName) -> StoreResult<Arc<FileStore>> {
        of_kind(name, self.open_store(name)?, "holds no files")
    }

    /// The store of files of this name, created with the defaults where there is none.
    pub fn files_or_create(&self, name: &StoreName) -> StoreResult<Arc<FileStore>> {
        let store = self.open_or_create(NewStore::new(name.clone(), Kind::Files))?;
        of_kind(name, store, "holds no files")
    }

    /// The vault's one store of secrets, where there is one.
    pub fn secrets(&self) -> StoreResult<Option<Arc<SecretStore>>> {
        let Some(name) = self.name_of_secrets() else {
            return Ok(None);
        };
        of_kind(&name, self.open_store(&name)?, "holds no secrets").map(Some)
    }

    /// The vault's one store of secrets, created where there is none.
    pub fn secrets_or_create(&self) -> StoreResult<Arc<SecretStore>> {
        let name = match self.name_of_secrets() {
            Some(name) => name,
            None => StoreName::parse(secrets::DEFAULT_STORE)?,
        };
        let store = self.open_or_create(NewStore::new(name.clone(), Kind::Secrets))?;
        of_kind(&name, store, "holds no secrets")
    }

    fn name_of_secrets(&self) -> Option<StoreName> {
        let mut stores = self.stores().into_iter();
        let found = stores.find(|record| record.kind == Kind::Secrets)?;
        Some(found.name)
    }

    fn open_or_create(&self, new: NewStore) -> StoreResult<Arc<dyn Store>> {
        let mut state = self.state()?;
        let record = match state.catalogue.find(&new.name) {
            Some(record) => record,
            None => self.create_in(&mut state, new)?,
        };
        self.open_in(state, &record)
    }
}

fn downcast<T: Store>(store: Arc<dyn Store>) -> Option<Arc<T>> {
    let store: Arc<dyn Any + Send + Sync> = store;
    store.downcast().ok()
}

fn of_kind<T: Store>(name: &StoreName, store: Arc<dyn Store>, wrong: &str) -> StoreResult<Arc<T>> {
    downcast(store).ok_or_else(|| StoreError::InvalidArgument(format!("store `{name}` {wrong}")))
}
