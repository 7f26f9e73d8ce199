//! Blobs leave a vault in an archive and come back, before whatever may name them.

use vault_store::{Vault, catalogue::Kind, kind::Store as _, vault::NewStore};

use crate::{
    archive_world::{FORMS, TAR, exported, restored, verified},
    blobs::content,
    support::{
        fixture::{Fixture, name, new_store, put},
        world::observe,
    },
};

/// Two stores of blobs, by name behind a store of documents.
fn vault(fixture: &Fixture) -> Vault {
    let vault = fixture.create().expect("a new vault");
    let notes = new_store("a", vault_store::catalogue::Protection::Protected);
    vault.create_store(notes).expect("a new store");
    put(&vault.documents(&name("a")).expect("open"), "note", "text");
    for store in ["z/blobs", "z"] {
        vault
            .create_store(NewStore::new(name(store), Kind::Blobs))
            .expect("a new store");
        let store = vault.blobs(&name(store)).expect("open");
        for (len, kind) in [
            (0, ""),
            (1, "image/png"),
            (200_000, "video/mp4"),
            (65_536, ""),
        ] {
            store.put(kind, &content(len)).expect("put");
        }
    }
    vault
}

#[test]
fn blobs_come_back_in_every_form() {
    let vault = vault(&Fixture::new());
    let before = observe(&vault).expect("whole");
    for form in FORMS {
        let (archive, _) = exported(&vault, form);
        let summary = verified(&archive).expect("whole");
        let names: Vec<_> = summary
            .stores
            .iter()
            .map(|store| store.name.as_str())
            .collect();
        assert_eq!(names, ["z", "z/blobs", "a"], "blobs come first");
        assert_eq!(summary.objects, 9);
        let fixture = Fixture::new();
        let target = fixture.create().expect("a new vault");
        let done = restored(&target, &archive[..], summary.manifest, false).expect("restored");
        assert_eq!(done.unchanged, 0);
        assert_eq!(observe(&target).expect("whole"), before);
        let (old, new) = (vault.blobs(&name("z")), target.blobs(&name("z")));
        let first = |store: &vault_store::blobs::BlobStore| {
            let snapshot = store.snapshot().expect("open");
            let entry = snapshot.entry(0).expect("read").expect("there");
            let reference = vault_store::blobs::BlobRef::parse(&entry.id).expect("a ref");
            store.stat(&reference).expect("there")
        };
        let (old, new) = (old.expect("open"), new.expect("open"));
        let info = first(&old);
        assert_eq!(
            new.stat(&info.reference).expect("there"),
            info,
            "its time, too"
        );
        let again = restored(&target, &archive[..], summary.manifest, true).expect("restored");
        assert_eq!(again.unchanged, 9);
    }
}

#[test]
fn a_blob_stands_under_its_ref() {
    let vault = vault(&Fixture::new());
    let (archive, _) = exported(&vault, TAR);
    let mut archive = tar::Archive::new(&archive[..]);
    let entries = archive.entries().expect("a tar file");
    let paths: Vec<String> = entries
        .map(|entry| {
            let entry = entry.expect("well formed");
            String::from_utf8_lossy(&entry.path_bytes()).into_owned()
        })
        .collect();
    let reference = vault_crypto::ContentHash::of(&content(1));
    assert!(
        paths.contains(&format!("stores/z/{reference}~blob.png")),
        "{paths:?}"
    );
    let empty = vault_crypto::ContentHash::of(b"");
    assert!(
        paths.contains(&format!("stores/z/blobs/{empty}~blob")),
        "{paths:?}"
    );
}
