//! A vault on a real disk, where files can be planted.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use vault_store::{
    DataRoot, DiskFileSystem, FileSystem, Vault, catalogue::Protection, documents::DocumentStore,
};

use super::{
    fixture::{Fixture, name, new_store},
    keyring::Keyring,
};

/// A vault in a temporary folder.
pub(crate) struct OnDisk {
    folder: tempfile::TempDir,
    pub(crate) keyring: Keyring,
    pub(crate) vault: Vault,
}

impl OnDisk {
    pub(crate) fn new() -> Self {
        Self::through(Arc::new(DiskFileSystem))
    }

    /// The same, reached through a file system of one's own.
    pub(crate) fn through(fs: Arc<dyn FileSystem>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fixture = Fixture::new();
        let root = DataRoot::new(fs, folder.path().to_owned());
        let vault = Vault::create(root, &fixture.keyring, fixture.options()).expect("a new vault");
        Self {
            folder,
            keyring: fixture.keyring,
            vault,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn store(&self, text: &str, protection: Protection) -> Arc<DocumentStore> {
        self.vault
            .create_store(new_store(text, protection))
            .expect("a new store");
        self.documents(text)
    }

    pub(crate) fn documents(&self, text: &str) -> Arc<DocumentStore> {
        self.vault.documents(&name(text)).expect("open the store")
    }

    /// Closes the vault and opens it again.
    pub(crate) fn reopen(&mut self) {
        self.vault.close();
        let root = DataRoot::new(Arc::new(DiskFileSystem), self.root().to_owned());
        let options = Fixture::new().options();
        self.vault = Vault::open(root, &self.keyring, options).expect("open the vault");
    }

    /// The folder of a store.
    pub(crate) fn folder(&self, store: &DocumentStore) -> PathBuf {
        self.root()
            .join("stores")
            .join(store.record().id.to_string())
    }

    /// The object files of a store.
    pub(crate) fn objects(&self, store: &DocumentStore) -> Vec<PathBuf> {
        files(&self.folder(store).join("objects"))
    }

    /// The one object file that `write` makes or changes.
    pub(crate) fn object_of(&self, store: &DocumentStore, write: impl FnOnce()) -> PathBuf {
        let read = |path: &PathBuf| fs::read(path).expect("readable");
        let before: Vec<_> = self.objects(store).iter().map(read).collect();
        write();
        let mut objects = self.objects(store);
        objects.retain(|path| !before.contains(&read(path)));
        assert_eq!(objects.len(), 1, "one file is new or changed");
        objects.remove(0)
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.expect("listed");
        if entry.file_type().expect("known").is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
