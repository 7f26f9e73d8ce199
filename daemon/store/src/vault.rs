//! An open vault: its keys, its catalogue and its stores.
//!
//! A value of type [`Vault`] is the proof that the storage key is at hand: there is no locked
//! `Vault`. Locking closes and drops it.

mod audit;
mod derivation;
mod evidence;
mod inspection;
mod moving;
mod opened;
mod opening;
mod recovery;
mod reencryption;
pub(crate) mod reserving;
mod rotating;
mod secrets;
mod staging;
mod stores;

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::AtomicU8},
};

use vault_crypto::{Fingerprint, KeyId, KeyPurpose, KeyTable, NameKey, StorageKey, VaultId};

pub use derivation::SaltState;
pub use evidence::Evidence;
pub use inspection::{Inspected, Unsound};
pub use moving::MoveError;
pub use opening::OpenError;
pub use recovery::{RecoveryError, Tombstone, recover, rederive, reset};
pub use staging::NextKey;
pub use stores::NewStore;

use self::stores::OpenStore;
use crate::{
    audit::AuditLog,
    catalogue::{Catalogue, StoreRecord},
    clock::Clock,
    databases::{Stop, StopReason},
    error::{StoreError, StoreResult},
    header::{ExportRecord, Header},
    id::StoreId,
    keys,
    references::References,
    root::DataRoot,
    rotation::RotationRecord,
    secrets::SecretKeyring,
    size_class::{SizeClass, SizeLimits},
    store_keys::Ring,
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
    /// Where the values of secrets go.
    pub secrets: SecretKeyring,
}

impl Default for VaultOptions {
    fn default() -> Self {
        let clock = Arc::new(crate::clock::SystemClock);
        Self {
            clock,
            limits: SizeLimits::default(),
            tombstones: 10_000,
            background: true,
            secrets: SecretKeyring::default(),
        }
    }
}

/// An open vault.
pub struct Vault(Arc<Core>);

/// What of an open vault makes, opens and configures its stores. They reach it, too, where one needs
/// another: a document that names blobs.
pub struct Core {
    root: DataRoot,
    id: VaultId,
    options: VaultOptions,
    names: Arc<NameKey>,
    /// Keeps what is named from being collected; the stores' way to each other.
    pub(crate) references: Arc<References>,
    /// Held by whoever collects blobs: one at a time.
    pub(crate) collecting: Mutex<()>,
    state: Mutex<State>,
    /// Held by whoever rotates or moves the storage key: one at a time.
    rotating: Mutex<()>,
    /// What a rotation that runs is asked to do between two objects.
    stop: AtomicU8,
}

struct State {
    /// None once the vault is closed.
    keys: Option<Keys>,
    header: Header,
    rotation: Option<RotationRecord>,
    salt: SaltState,
    catalogue: Catalogue,
    /// Keys of stores that are not there any more, to be destroyed.
    orphans: Vec<KeyId>,
    /// Stores that are in the catalogue no more, and whose files are still there.
    removing: Vec<StoreRecord>,
    /// Stop the imports under way, which work on stores that are not open.
    imports: Vec<Weak<Stop>>,
    open: HashMap<StoreId, Arc<OpenStore>>,
    audit: Option<Arc<AuditLog>>,
}

/// The storage key, and the data keys that it wraps.
struct Keys {
    storage: StorageKey,
    table: KeyTable,
}

impl Keys {
    /// Durably writes the table. After a failure the disk may hold the old table or the new.
    fn write(&mut self, root: &DataRoot) -> StoreResult<()> {
        keys::write(root, &self.table, &self.storage)
            // What is written next is newer than either.
            .inspect_err(|_| self.table.touch())
    }

    /// The keys of one purpose, the current one first.
    fn ring(&self, purpose: &KeyPurpose) -> Ring {
        let keys = self.table.keys_of(purpose).into_iter();
        Ring::new(keys.map(|(id, key)| (id, key.duplicate())).collect())
    }
}

impl State {
    fn keys(&mut self) -> StoreResult<&mut Keys> {
        self.keys.as_mut().ok_or(StoreError::Closed)
    }

    /// Hands the catalogue to `change`, with its keys.
    fn with_catalogue<T>(
        &mut self,
        change: impl FnOnce(&mut Catalogue, &Ring) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let ring = self.keys()?.ring(&KeyPurpose::catalogue());
        change(&mut self.catalogue, &ring)
    }
}

impl Deref for Vault {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.0
    }
}

impl Core {
    /// The time, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.options.clock.now_ms()
    }

    /// Every store that clients can name, ordered by name.
    pub fn stores(&self) -> Vec<StoreRecord> {
        let mut stores = self.all_stores();
        stores.retain(|record| !record.name.is_internal());
        stores
    }

    /// The same, with those of vaultd's own: for whatever concerns the vault as a whole.
    pub fn all_stores(&self) -> Vec<StoreRecord> {
        lock(&self.state).catalogue.stores()
    }

    /// The bound on bodies of a class, in bytes.
    pub fn limit(&self, class: SizeClass) -> u64 {
        self.options.limits.of(class)
    }

    /// Refuses a closed vault, in whose stores no one may start anew.
    fn state(&self) -> StoreResult<MutexGuard<'_, State>> {
        let state = lock(&self.state);
        if state.keys.is_none() {
            Err(StoreError::Closed)
        } else {
            Ok(state)
        }
    }
}

impl Vault {
    fn over(
        root: DataRoot,
        id: VaultId,
        options: VaultOptions,
        names: NameKey,
        state: State,
    ) -> Self {
        Self(Arc::new_cyclic(|core| Core {
            root,
            id,
            options,
            names: Arc::new(names),
            references: Arc::new(References::new(Weak::clone(core))),
            collecting: Mutex::default(),
            state: Mutex::new(state),
            rotating: Mutex::default(),
            stop: AtomicU8::new(0),
        }))
    }

    /// The vault's lasting identifier.
    pub fn id(&self) -> VaultId {
        self.id
    }

    /// Check value of the storage key: of the one that wraps the key table.
    pub fn fingerprint(&self) -> Fingerprint {
        lock(&self.state).header.fingerprint
    }

    /// What the public header says.
    pub fn header(&self) -> Header {
        lock(&self.state).header.clone()
    }

    /// The keyring backend that holds the storage key.
    pub fn backend(&self) -> String {
        self.header().backend
    }

    /// The rotation under way, if there is one.
    pub fn rotation(&self) -> Option<RotationRecord> {
        lock(&self.state).rotation.clone()
    }

    /// The stores whose older data keys were kept by a rotation, since something in them cannot be
    /// read.
    pub fn kept_keys(&self) -> Vec<String> {
        let state = lock(&self.state);
        let Some(keys) = state.keys.as_ref().filter(|_| state.rotation.is_none()) else {
            return Vec::new();
        };
        let retired = keys.table.retired();
        let kept = |record: &&StoreRecord| {
            let purpose = KeyPurpose::store(&record.id.to_string());
            retired.iter().any(|(_, of)| of.active() == purpose)
        };
        let stores = state.catalogue.stores();
        stores
            .iter()
            .filter(kept)
            .map(|record| record.name.to_string())
            .collect()
    }

    /// Hands the storage key in force to `export`, and durably notes when that was done.
    pub fn export_key<T, E: From<StoreError>>(
        &self,
        export: impl FnOnce(&StorageKey) -> Result<T, E>,
    ) -> Result<T, E> {
        let key = staging::copy(&self.state()?.keys()?.storage);
        // Sealing may take a second: nobody else waits for it.
        let exported = export(&key)?;
        let record = ExportRecord {
            at: self.options.clock.now_ms(),
            fingerprint: key.fingerprint(self.id),
        };
        let mut state = self.state()?;
        let header = Header {
            last_export: Some(record),
            ..state.header.clone()
        };
        self.write_header(&mut state, header)?;
        Ok(exported)
    }

    fn write_header(&self, state: &mut State, header: Header) -> StoreResult<()> {
        header.write(&self.root)?;
        state.header = header;
        Ok(())
    }

    /// Ends every watch and import, and refuses further calls. Every key is dropped, but for those that a call
    /// in flight is using: they go with it.
    pub fn close(&self) {
        let (open, imports, audit) = {
            let mut state = lock(&self.state);
            state.keys = None;
            let imports = std::mem::take(&mut state.imports);
            let audit = state.audit.take();
            (std::mem::take(&mut state.open), imports, audit)
        };
        for stop in imports.iter().filter_map(Weak::upgrade) {
            stop.stop(StopReason::Closed);
        }
        for store in open.values() {
            store.close();
        }
        if let Some(audit) = audit {
            audit.close();
        }
    }
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
