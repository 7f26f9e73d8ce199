//! A vault in memory, its keyring and its clock.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use vault_store::{
    Clock, DataRoot, DocumentId, FileSystem, OpenError, SizeClass, StoreName, Vault,
    catalogue::{DatabaseOptions, Kind, Protection},
    documents::{Change, Content, DocumentStore, Precondition, Write},
    header::Header,
    vault::{NewStore, VaultOptions},
};

use super::{
    keyring::{Entries, Keyring, OTHER},
    rotating::advance,
    simulated::{Image, SimulatedFileSystem},
};

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
        Self::with(simulated, Entries::new())
    }

    fn with(simulated: SimulatedFileSystem, entries: Entries) -> Self {
        let fs = Arc::new(simulated.clone());
        Self {
            fs,
            keyring: Keyring::of(entries).logged(simulated.clone()),
            simulated,
            tombstones: 10_000,
        }
    }

    /// The same after a crash that left `image`, with a keyring of its own that holds the same.
    pub(crate) fn after(&self, image: Image) -> Self {
        self.after_with(image, self.keyring.entries())
    }

    /// The same after a crash that left `image`, and this in the keyrings.
    pub(crate) fn after_with(&self, image: Image, entries: Entries) -> Self {
        Self {
            tombstones: self.tombstones,
            ..Self::with(SimulatedFileSystem::of(image), entries)
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

    /// The backend that the public header names.
    pub(crate) fn source(&self) -> Keyring {
        let header = Header::read(&self.root()).ok().flatten();
        match header {
            Some(header) if header.backend == OTHER => self.keyring.backend_named(OTHER),
            _ => self.keyring.clone(),
        }
    }

    pub(crate) fn open(&self) -> Result<Vault, OpenError> {
        self.open_by(&self.source())
    }

    pub(crate) fn open_by(&self, keyring: &Keyring) -> Result<Vault, OpenError> {
        Vault::open(self.root(), keyring, self.options())
    }

    /// Opens the vault and completes, unasked, whatever was half done: as the daemon starts.
    pub(crate) fn start(&self) -> Result<Result<Vault, String>, OpenError> {
        let vault = self.open()?;
        Ok(self.resume(&vault).map(|()| vault))
    }

    /// Completes whatever is half done.
    pub(crate) fn resume(&self, vault: &Vault) -> Result<(), String> {
        if let Some(moving) = vault.header().moving {
            let [from, to] = [moving.from, moving.to].map(|backend| match backend.as_str() {
                OTHER => self.keyring.backend_named(OTHER),
                _ => self.keyring.clone(),
            });
            vault
                .resume_move(&to)
                .and_then(|()| vault.finish_move(&from))
                .map_err(|error| format!("move: {error}"))?;
        }
        if vault.rotation().is_some() {
            advance(vault, &self.source()).map_err(|error| format!("advance: {error}"))?;
        }
        Ok(())
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
        database: DatabaseOptions::default(),
        attachments: vault_store::catalogue::AttachmentOptions::default(),
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
