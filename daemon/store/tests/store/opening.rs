//! Opening a large store keeps nobody else waiting; a root is locked and private.

use std::{
    path::Path,
    sync::{Arc, mpsc},
};

use vault_store::{
    DataRoot, Vault,
    catalogue::Protection,
    root::{RootLock, RootLockError},
};

use crate::support::{
    fixture::{Fixture, ROOT, name, new_store, put},
    gate::{Gate, PATIENCE},
};

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
    let objects = fixture.root().store(large.id).join("objects");
    let (gate, keeper) = Gate::new(fixture.simulated.clone(), move |call, path| {
        call == "list" && path == objects
    });
    keeper.arm();
    let root = DataRoot::new(Arc::new(gate), ROOT.into());
    let vault = Vault::open(root, &fixture.keyring, fixture.options()).expect("open");
    let patience = PATIENCE;
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel();
        let vault = &vault;
        let opener = scope.spawn(move || vault.documents(&name("large")).map(|_| ()));
        keeper
            .reached
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
        drop(keeper);
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
