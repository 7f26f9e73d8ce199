//! The stores of an open vault: created, opened on first use, removed.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use vault_crypto::KeyPurpose;

use super::{Core, State, lock};
use crate::{
    catalogue::{AttachmentOptions, DatabaseOptions, Kind, Protection, StoreRecord},
    error::{StoreError, StoreResult},
    files,
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
    /// Whether nobody may have it any more. Set without waiting for whoever opens it.
    refused: AtomicBool,
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
        Self {
            keys,
            opening: Mutex::default(),
            refused: AtomicBool::new(false),
        }
    }

    fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// The store, where it is open already.
    pub(super) fn ready(&self) -> Option<Arc<dyn Store>> {
        match &*self.opening.try_lock().ok()? {
            Opening::Open(store) if !self.is_refused() => Some(Arc::clone(store)),
            _ => None,
        }
    }

    fn get(
        &self,
        open: impl FnOnce() -> StoreResult<Arc<dyn Store>>,
    ) -> StoreResult<Arc<dyn Store>> {
        let mut opening = lock(&self.opening);
        match &*opening {
            _ if self.is_refused() => Err(StoreError::Closed),
            Opening::Open(store) => Ok(Arc::clone(store)),
            Opening::Closed => Err(StoreError::Closed),
            Opening::NotYet => {
                let store = open()?;
                *opening = Opening::Open(Arc::clone(&store));
                Ok(store)
            }
        }
    }

    /// Nobody gets the store from now on. Waits for nothing.
    fn refuse(&self) {
        self.refused.store(true, Ordering::Release);
    }

    /// Waits for the calls in flight, which may want any lock of the vault: the caller holds none.
    pub(super) fn close(&self) {
        // Taken out first: a guard in the condition would be held to the end of the block.
        let before = std::mem::replace(&mut *lock(&self.opening), Opening::Closed);
        if let Opening::Open(store) = before {
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
    /// Of a document store; the default for others.
    pub attachments: AttachmentOptions,
}

impl NewStore {
    /// A store as its kind has it by default.
    pub fn new(name: StoreName, kind: Kind) -> Self {
        let (protection, size_class) = match kind {
            Kind::Documents | Kind::Database | Kind::Secrets => {
                (Protection::Protected, SizeClass::default())
            }
            Kind::Blobs => (Protection::Protected, SizeClass::Any),
            Kind::Files => (Protection::Plain, SizeClass::Any),
        };
        Self {
            name,
            kind,
            protection,
            size_class,
            database: DatabaseOptions::default(),
            attachments: AttachmentOptions::default(),
        }
    }

    /// The database in which vaultd keeps who may use the vault. Upkeep leaves it alone: it is small,
    /// and nobody is to wait for a vacuum to sign in.
    pub(super) fn auth() -> Self {
        Self {
            size_class: SizeClass::Auth,
            database: DatabaseOptions {
                without_maintenance: true,
                ..DatabaseOptions::default()
            },
            ..Self::new(StoreName::auth(), Kind::Database)
        }
    }
}

impl Core {
    /// Durably creates a store: its key, its folders, and last its entry in the catalogue.
    pub fn create_store(&self, new: NewStore) -> StoreResult<StoreRecord> {
        let mut state = self.state()?;
        self.create_in(&mut state, new)
    }

    pub(super) fn create_in(&self, state: &mut State, new: NewStore) -> StoreResult<StoreRecord> {
        if state.catalogue.find(&new.name).is_some() {
            return Err(StoreError::StoreExists(new.name.to_string()));
        }
        // Their values have the vault's name in the keyring, not the store's.
        let mut stores = state.catalogue.stores();
        // What lies outside the vault's own folders is removed last.
        stores.extend(state.removing.iter().cloned());
        if new.protection == Protection::Plain && stores.iter().any(|store| store.name == new.name)
        {
            return Err(StoreError::StoreExists(new.name.to_string()));
        }
        let secrets = stores.iter().find(|store| store.kind == Kind::Secrets);
        if let Some(there) = secrets
            && new.kind == Kind::Secrets
        {
            return Err(StoreError::SecondOfSecrets(there.name.to_string()));
        }
        let place = (&new.name, new.kind, new.protection);
        files::check_place(place, &stores)?;
        new.attachments.check()?;
        if new.kind != Kind::Documents && !new.attachments.is_default() {
            return Err(StoreError::InvalidArgument(
                "what becomes of attachments is declared of a store of documents".to_owned(),
            ));
        }
        self.settle(state)?;
        let record = StoreRecord {
            id: StoreId::generate()?,
            name: new.name,
            kind: new.kind,
            protection: new.protection,
            size_class: new.size_class,
            database: new.database,
            attachments: new.attachments,
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
    ///
    /// What the keyring holds for it is removed before. A store of blobs is not removed while it
    /// holds what something names and no other store has.
    pub fn remove_store(&self, name: &StoreName) -> StoreResult<()> {
        let record = find(&*self.state()?, name)?;
        if record.kind == Kind::Secrets {
            // A keyring may take its time: nobody else waits for it.
            self.remove_secret_entries()?;
        }
        // Before the state, as who collects takes them.
        let nobody_names = match record.kind {
            Kind::Blobs => Some(self.must_be_dispensable(name)?),
            _ => None,
        };
        let mut state = self.state()?;
        let record = find(&state, name)?;
        self.settle(&mut state)?;
        let removed = state.with_catalogue(|catalogue, ring| {
            catalogue.remove(&self.root, self.id, ring, record.id)
        });
        // Even if that failed: the disk may say that the store is gone, and nothing must be
        // acknowledged in it before the catalogue was written anew.
        let open = state.open.get(&record.id).map(Arc::clone);
        if let Some(open) = &open {
            open.refuse();
        }
        let settled = removed.and_then(|()| {
            state.removing.push(record.clone());
            let purpose = KeyPurpose::store(&record.id.to_string());
            let keys = state.keys()?.table.keys_of(&purpose);
            let keys: Vec<_> = keys.into_iter().map(|(key_id, _)| key_id).collect();
            state.orphans.extend(keys);
            self.settle(&mut state)
        });
        drop(state);
        // An upload that is waited for may wait to name its blob.
        drop(nobody_names);
        if let Some(open) = &open {
            open.close();
        }
        // Not refused where the vault was closed meanwhile.
        let mut state = lock(&self.state);
        if let Some(open) = open
            && let Some(there) = state.open.get(&record.id)
            && Arc::ptr_eq(there, &open)
        {
            state.open.remove(&record.id);
        }
        let gone = state
            .removing
            .iter()
            .position(|store| store.id == record.id);
        if let Some(gone) = gone {
            state.removing.swap_remove(gone);
            implementation(record.kind).remove_files(&self.root, &record);
            tracing::info!(store = %record.id, "store removed");
        }
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

    /// Durably changes what is declared of a database.
    pub fn configure_database(
        &self,
        name: &StoreName,
        change: impl FnOnce(&mut DatabaseOptions),
    ) -> StoreResult<()> {
        let database = self.database(name)?;
        let mut state = self.state()?;
        self.settle(&mut state)?;
        let mut record = find(&state, name)?;
        change(&mut record.database);
        state.with_catalogue(|catalogue, ring| {
            catalogue.configure(&self.root, self.id, ring, &record)
        })?;
        database.configure(record.database);
        Ok(())
    }

    /// Durably changes what becomes of the attachments of a document store, from the next write on.
    pub fn configure_attachments(
        &self,
        name: &StoreName,
        options: AttachmentOptions,
    ) -> StoreResult<StoreRecord> {
        options.check()?;
        let documents = self.documents(name)?;
        let mut state = self.state()?;
        self.settle(&mut state)?;
        let mut record = find(&state, name)?;
        record.attachments = options;
        state.with_catalogue(|catalogue, ring| {
            catalogue.configure(&self.root, self.id, ring, &record)
        })?;
        documents.configure(record.attachments.clone());
        Ok(record)
    }

    /// Opens the store of this name, of whatever kind.
    pub fn open_store(&self, name: &StoreName) -> StoreResult<Arc<dyn Store>> {
        let state = self.state()?;
        let record = find(&state, name)?;
        self.open_in(state, &record)
    }

    pub(super) fn open_in(
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
            references: Arc::clone(&self.references),
            clock: Arc::clone(&self.options.clock),
            body_limit: self.limit(record.size_class),
            tombstones: self.options.tombstones,
            background: self.options.background,
            secrets: self.options.secrets.clone(),
        })
    }
}

pub(super) fn find(state: &State, name: &StoreName) -> StoreResult<StoreRecord> {
    let found = state.catalogue.find(name);
    found.ok_or_else(|| StoreError::NoSuchStore(name.to_string()))
}
