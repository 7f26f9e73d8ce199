//! Opening a large store keeps nobody else waiting; a root is locked and private.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use vault_store::{
    DataRoot, FileSystem, Vault,
    catalogue::Protection,
    fs::{EntryKind, NewFile, OpenFile},
    root::{RootLock, RootLockError},
};

use crate::support::{
    fixture::{Fixture, ROOT, name, new_store, put},
    simulated::SimulatedFileSystem,
};

/// Stops at the listing of a chosen folder until it is let go on.
struct Gate {
    inner: SimulatedFileSystem,
    folder: std::path::PathBuf,
    reached: mpsc::Sender<()>,
    released: Mutex<mpsc::Receiver<()>>,
}

impl FileSystem for Gate {
    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        if path == self.folder {
            let _ = self.reached.send(());
            // Ends when the test drops the other side.
            let _ = self.released.lock().expect("no panic inside").recv();
        }
        self.inner.read_dir(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        self.inner.create_new(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        self.inner.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_dir(path)
    }
}

#[test]
fn opening_one_store_keeps_no_other_waiting() {
    let fixture = Fixture::new();
    let vault = fixture.create().expect("a new vault");
    let large = vault
        .create_store(new_store("large", Protection::Protected))
        .expect("a new store");
    vault
        .create_store(new_store("small", Protection::Protected))
        .expect("a new store");
    drop(vault);
    let (reached, is_reached) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let gate = Gate {
        inner: fixture.simulated.clone(),
        folder: fixture.root().store(large.id).join("objects"),
        reached,
        released: Mutex::new(released),
    };
    let root = DataRoot::new(Arc::new(gate), ROOT.into());
    let vault = Vault::open(root, &fixture.keyring, fixture.options()).expect("open");
    let patience = Duration::from_secs(20);
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel();
        let vault = &vault;
        let opener = scope.spawn(move || vault.documents(&name("large")).map(|_| ()));
        is_reached
            .recv_timeout(patience)
            .expect("the large store is being opened");
        scope.spawn(move || {
            put(&vault.documents(&name("small")).expect("open"), "a", "x");
            vault.stores();
            vault
                .create_store(new_store("new", Protection::Protected))
                .expect("a new store");
            done.send(()).expect("the test waits for it");
        });
        let others = is_done.recv_timeout(patience);
        drop(release);
        // Let go on even if the others failed, so that the test ends.
        let _ = opener.join();
        others.expect("the others did not wait");
    });
}

#[test]
fn one_daemon_holds_a_root() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("deeply/nested/root");
    let lock = RootLock::acquire(&root).expect("nobody else");
    assert!(matches!(
        RootLock::acquire(&root),
        Err(RootLockError::Held(_))
    ));
    drop(lock);
    RootLock::acquire(&root).expect("nobody else any more");
}

#[cfg(unix)]
#[test]
fn a_root_is_private_and_no_link() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    drop(RootLock::acquire(&root).expect("created"));
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&root, &link).expect("link");
    assert!(matches!(
        RootLock::acquire(&link),
        Err(RootLockError::Unusable { .. })
    ));
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o770)).expect("chmod");
    assert!(matches!(
        RootLock::acquire(&root),
        Err(RootLockError::Unusable { .. })
    ));
}
