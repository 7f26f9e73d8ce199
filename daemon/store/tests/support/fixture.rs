//! A vault in memory, its keyring and its clock.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use vault_crypto::{StorageKey, VaultId};
use vault_store::{
    Clock, DataRoot, DocumentId, FileSystem, KeySource, KeySourceError, OpenError, SizeClass,
    StoreName, Vault,
    catalogue::{Kind, Protection},
    documents::{Change, Content, DocumentStore, Precondition, Write},
    vault::{NewStore, VaultOptions},
};

use super::simulated::{Image, SimulatedFileSystem};

/// Where the vault lies in the simulated file system.
pub(crate) const ROOT: &str = "/vault";

/// Begins the body of every document: found in a file, it is plaintext.
pub(crate) const MARKER: &str = "these words are meant for nobody else";

/// Always the same time.
pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000
    }
}

/// A keyring in memory; what it was given stays. Cloned, it is the same one.
#[derive(Clone, Default)]
pub(crate) struct Keyring(pub(crate) Arc<Mutex<HashMap<VaultId, Vec<u8>>>>);

impl KeySource for Keyring {
    fn backend(&self) -> &'static str {
        "test"
    }

    fn load(&self, vault: VaultId) -> Result<Option<StorageKey>, KeySourceError> {
        let keys = self.0.lock().expect("no test panics while it holds this");
        Ok(keys
            .get(&vault)
            .map(|key| StorageKey::from_bytes(key).expect("32 bytes")))
    }

    fn save(&self, vault: VaultId, key: &StorageKey) -> Result<(), KeySourceError> {
        let mut keys = self.0.lock().expect("no test panics while it holds this");
        keys.insert(vault, key.expose().to_vec());
        Ok(())
    }
}

/// A file system with a keyring to it.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) simulated: SimulatedFileSystem,
    pub(crate) fs: Arc<dyn FileSystem>,
    pub(crate) keyring: Keyring,
    pub(crate) tombstones: u64,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::over(SimulatedFileSystem::new(Path::new(ROOT)))
    }

    pub(crate) fn over(simulated: SimulatedFileSystem) -> Self {
        let fs = Arc::new(simulated.clone());
        Self {
            simulated,
            fs,
            keyring: Keyring::default(),
            tombstones: 10_000,
        }
    }

    /// The same after a crash that left `image`, with a keyring of its own that holds the same.
    pub(crate) fn after(&self, image: Image) -> Self {
        let keys = self
            .keyring
            .0
            .lock()
            .expect("no test panics while it holds this")
            .clone();
        let keyring = Keyring(Arc::new(Mutex::new(keys)));
        Self {
            keyring,
            tombstones: self.tombstones,
            ..Self::over(SimulatedFileSystem::of(image))
        }
    }

    pub(crate) fn options(&self) -> VaultOptions {
        VaultOptions {
            clock: Arc::new(FixedClock),
            background: false,
            tombstones: self.tombstones,
            ..VaultOptions::default()
        }
    }

    pub(crate) fn root(&self) -> DataRoot {
        DataRoot::new(Arc::clone(&self.fs), PathBuf::from(ROOT))
    }

    pub(crate) fn open(&self) -> Result<Vault, OpenError> {
        Vault::open(self.root(), &self.keyring, self.options())
    }

    pub(crate) fn create(&self) -> Result<Vault, OpenError> {
        Vault::create(self.root(), &self.keyring, self.options())
    }
}

pub(crate) fn name(text: &str) -> StoreName {
    StoreName::parse(text).expect("a good name")
}

pub(crate) fn id(text: &str) -> DocumentId {
    DocumentId::parse(text).expect("a good id")
}

pub(crate) fn new_store(text: &str, protection: Protection) -> NewStore {
    NewStore {
        name: name(text),
        kind: Kind::Documents,
        protection,
        size_class: SizeClass::Card,
    }
}

/// JSON that names itself and is found again.
pub(crate) fn body(text: &str) -> Vec<u8> {
    format!(r#"{{"text":"{MARKER}, {text}"}}"#).into_bytes()
}

/// A body with a label, which a plain document's own file does not hold.
pub(crate) fn content(text: &str) -> Content {
    let labels = [("label".to_owned(), text.to_owned())].into();
    Content {
        labels,
        ..Content::json(body(text))
    }
}

pub(crate) fn put(store: &DocumentStore, document: &str, text: &str) {
    store
        .put(id(document), content(text), Precondition::None)
        .expect("put");
}

pub(crate) fn write_put(document: &str, text: &str) -> Write {
    Write {
        id: id(document),
        change: Change::Put(content(text)),
        precondition: Precondition::None,
    }
}

pub(crate) fn write_delete(document: &str) -> Write {
    Write {
        id: id(document),
        change: Change::Delete,
        precondition: Precondition::None,
    }
}

/// A new vault with one store, `notes`.
pub(crate) fn store_of(fixture: &Fixture, protection: Protection) -> (Vault, Arc<DocumentStore>) {
    let vault = fixture.create().expect("a new vault");
    vault
        .create_store(new_store("notes", protection))
        .expect("a new store");
    let store = vault.documents(&name("notes")).expect("open");
    (vault, store)
}
