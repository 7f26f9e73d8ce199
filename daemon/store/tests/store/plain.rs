//! Plain stores: ordinary files, by design.

use std::{fs, path::PathBuf, sync::Arc};

use vault_crypto::{Address, KeyPurpose, KeyTable, NameKey, StorageKey, envelope};
use vault_store::{
    StoreError,
    catalogue::Protection,
    documents::{Content, DocumentStore, Precondition},
};

use crate::support::{
    disk::OnDisk,
    fixture::{body, content, id, put},
};

fn plain() -> (OnDisk, Arc<DocumentStore>, PathBuf) {
    let disk = OnDisk::new();
    let store = disk.store("shared/notes", Protection::Plain);
    let folder = disk.root().join("plain/shared/notes");
    (disk, store, folder)
}

#[test]
fn a_document_is_an_ordinary_file() {
    let (_disk, store, folder) = plain();
    put(&store, "a/b", "x");
    assert_eq!(
        fs::read(folder.join("a%2Fb.json")).expect("readable"),
        body("x")
    );
    put(&store, "a/b", "y");
    assert_eq!(
        fs::read(folder.join("a%2Fb.json")).expect("readable"),
        body("y")
    );
    store
        .delete(&id("a/b"), Precondition::None)
        .expect("delete");
    assert!(
        fs::read_dir(&folder).expect("listed").next().is_none(),
        "and nothing else"
    );
    let refused = store.put(
        id("t"),
        Content {
            content_type: "text/plain".to_owned(),
            ..content("x")
        },
        Precondition::None,
    );
    assert!(matches!(refused, Err(StoreError::InvalidArgument(_))));
    let long = id(&"%".repeat(100));
    let refused = store.put(long.clone(), content("x"), Precondition::None);
    assert!(matches!(refused, Err(StoreError::InvalidArgument(_))));
    assert!(matches!(
        store.get(&long).err(),
        Some(StoreError::NoSuchDocument { .. })
    ));
}

#[test]
fn what_people_do_to_the_files_counts() {
    let (mut disk, store, folder) = plain();
    for document in ["edited", "same length", "removed"] {
        put(&store, document, "before");
    }
    fs::write(folder.join("edited.json"), body("edited by hand")).expect("write");
    fs::write(folder.join("same length.json"), body("BEFORE")).expect("write");
    fs::remove_file(folder.join("removed.json")).expect("remove");
    fs::write(folder.join("added.json"), body("added by hand")).expect("write");
    fs::write(folder.join("notes.txt"), "no document").expect("write");
    assert_eq!(store.list("").expect("list").len(), 3);
    let check = |store: &DocumentStore, document: &str, text: &str| {
        let found = store.get(&id(document)).expect("there");
        assert_eq!(**found.body, body(text));
        found.head.revision().0
    };
    // Each edit has a revision of its own.
    let mut revisions = vec![
        check(&store, "edited", "edited by hand"),
        check(&store, "added", "added by hand"),
        check(&store, "same length", "BEFORE"),
    ];
    assert_eq!(
        store.head(&id("edited")).expect("there").labels()["label"],
        "before"
    );
    let gone = store.get(&id("removed")).err();
    assert!(matches!(gone, Some(StoreError::NoSuchDocument { .. })));
    revisions.sort_unstable();
    revisions.dedup();
    assert!(revisions.len() == 3 && revisions[0] > 3, "{revisions:?}");

    // An edit that the daemon has not seen is not overwritten unseen.
    let revision = store.head(&id("edited")).expect("there").revision();
    fs::write(folder.join("edited.json"), body("edited again")).expect("write");
    let conflict = store.put(id("edited"), content("x"), Precondition::Revision(revision));
    assert!(
        matches!(conflict, Err(StoreError::RevisionConflict { .. })),
        "{conflict:?}"
    );

    fs::write(folder.join("while closed.json"), body("while closed")).expect("write");
    disk.reopen();
    let store = disk.documents("shared/notes");
    check(&store, "while closed", "while closed");
    check(&store, "edited", "edited again");
}

#[test]
fn one_bad_file_hides_no_other() {
    let (mut disk, store, folder) = plain();
    put(&store, "a", "x");
    fs::write(folder.join("bad.json"), b"\x89VLT and no more").expect("write");
    fs::create_dir(folder.join("folder.json")).expect("folder");
    for _ in 0..2 {
        let store = disk.documents("shared/notes");
        assert_eq!(store.list("").expect("list").len(), 1);
        assert!(matches!(
            store.get(&id("bad")).err(),
            Some(StoreError::Damaged { .. })
        ));
        disk.reopen();
    }
}

/// A file that was sealed before the store became plain is read all the same.
#[test]
fn a_sealed_file_is_read() {
    let (disk, store, folder) = plain();
    let (vault, key) = disk.keyring.storage_key();
    let key = StorageKey::from_bytes(&key).expect("32 bytes");
    let table = fs::read(disk.root().join("keys.a")).expect("readable");
    let table = KeyTable::unwrap(&key, &table).expect("the right key");
    let record = store.record();
    let (key_id, key) = table
        .find(&KeyPurpose::store(&record.id.to_string()))
        .expect("a key");
    let (_, names) = table.find(&KeyPurpose::names()).expect("a key");
    let names = vault_crypto::DataKey::from_bytes(names.expose()).expect("32 bytes");
    let object = NameKey::new(names).object_name(record.id.as_bytes(), b"a");
    let address = Address {
        vault,
        store: record.id.as_bytes(),
        object: object.as_bytes(),
        revision: 7,
    };
    let sealed = envelope::seal(key, key_id, &address, b"{}", &body("sealed")).expect("sealed");
    fs::write(folder.join("a.json"), &sealed).expect("write");
    assert_eq!(**store.get(&id("a")).expect("read").body, body("sealed"));
    fs::write(folder.join("b.json"), &sealed).expect("write");
    assert!(matches!(
        store.get(&id("b")).err(),
        Some(StoreError::Damaged { .. })
    ));
}

/// Nobody but the owner edits head files, but a slip of the hand must not stop the daemon.
#[test]
fn a_damaged_head_file_is_damage() {
    let (mut disk, store, folder) = plain();
    let head = disk.object_of(&store, || put(&store, "a", "x"));
    let good = fs::read_to_string(&head).expect("text");
    let far = good.replacen("                   1", "18446744073709551615", 1);
    let large = good.replacen(
        &format!("\"size\":{}", body("x").len()),
        "\"size\":18446744073709551615",
        1,
    );
    assert!(far != good && large != good);
    for bad in [
        far,
        large.clone(),
        good[..70].to_owned(),
        String::new(),
        "{}".to_owned(),
    ] {
        fs::write(&head, &bad).expect("write");
        disk.reopen();
        let store = disk.documents("shared/notes");
        let error = store.get(&id("a")).err();
        assert!(
            matches!(error, Some(StoreError::Damaged { .. })),
            "{bad}: {error:?}"
        );
        assert!(
            store
                .put(id("a"), content("y"), Precondition::None)
                .is_err(),
            "{bad}"
        );
        assert!(folder.join("a.json").exists());
        assert!(
            store.put(id("b"), content("y"), Precondition::None).is_ok(),
            "{bad}"
        );
    }
    let store = disk.documents("shared/notes");
    store
        .delete(&id("a"), Precondition::None)
        .expect("moved aside");
    put(&store, "a", "again");
    disk.reopen();
    let found = disk.documents("shared/notes").get(&id("a")).expect("there");
    assert_eq!(**found.body, body("again"));
}

#[test]
fn removing_a_plain_store_leaves_what_is_not_its_own() {
    let (disk, store, folder) = plain();
    put(&store, "a", "x");
    fs::write(folder.join("notes.txt"), "people's own").expect("write");
    disk.store("shared/notes/below", Protection::Plain);
    disk.vault
        .remove_store(&crate::support::fixture::name("shared/notes"))
        .expect("remove");
    assert!(!folder.join("a.json").exists());
    assert!(folder.join("notes.txt").exists() && folder.join("below").exists());
}
