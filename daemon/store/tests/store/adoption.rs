//! Files of an earlier application.

use std::fs;

use vault_store::{
    StoreError,
    catalogue::Protection,
    documents::{AdoptedFile, Change, Content, Outcome, Precondition, Write},
    kind::Store as _,
};

use crate::{
    support::{
        disk::{OnDisk, files},
        fixture::{body, id, put},
    },
    tampering::is_refused,
};

#[test]
fn only_recorded_files_are_read_as_plaintext() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let mut adoption = store.adopt().expect("an empty store");
    for document in ["a", "b", "c"] {
        let path = format!("{document}.json");
        adoption
            .add(&AdoptedFile {
                path,
                body: body(document),
            })
            .expect("add");
    }
    for (path, bytes) in [
        ("a.json", body("twice")),
        ("x.txt", body("x")),
        ("y.json", b"{".to_vec()),
    ] {
        let refused = adoption.add(&AdoptedFile {
            path: path.to_owned(),
            body: bytes,
        });
        assert!(
            matches!(refused, Err(StoreError::InvalidArgument(_))),
            "{path}: {refused:?}"
        );
    }
    assert_eq!(adoption.finish().expect("finish"), 3);
    assert!(store.adopt().is_err(), "not into a store with documents");
    let adopted = disk.folder(&store).join("adopted");
    fs::write(adopted.join("planted.json"), body("planted")).expect("write");
    fs::write(adopted.join("b.json"), body("changed")).expect("write");
    disk.reopen();
    let store = disk.documents("notes");
    assert_eq!(**store.get(&id("a")).expect("recorded").body, body("a"));
    assert!(store.head(&id("a")).expect("there").awaits_migration());
    is_refused(store.get(&id("planted")), "`planted`");
    is_refused(store.get(&id("b")), "`b`");

    let mut failed = Vec::new();
    let mut done = 0;
    store
        .migrate(|progress| {
            failed.extend(progress.failed.map(|(id, _)| id));
            done = progress.done;
        })
        .expect("migrate");
    assert_eq!(
        (failed, done),
        (vec!["b".to_owned()], 2),
        "the others go on"
    );
    assert_eq!(store.stats().expect("open").awaiting_migration, 1);
    disk.reopen();
    let store = disk.documents("notes");
    assert_eq!(**store.get(&id("c")).expect("sealed").body, body("c"));
    assert!(!store.head(&id("c")).expect("there").awaits_migration());
    is_refused(store.get(&id("b")), "`b`");
    // Its owner decides: what is written to it is sealed.
    put(&store, "b", "written");
    assert_eq!(files(&adopted), [adopted.join("planted.json")]);
}

#[test]
fn an_unchanged_import_seals_what_was_adopted() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let mut adoption = store.adopt().expect("an empty store");
    adoption
        .add(&AdoptedFile {
            path: "a.json".to_owned(),
            body: body("a"),
        })
        .expect("add");
    adoption.finish().expect("finish");
    let write = Write {
        id: id("a"),
        change: Change::PutIfChanged(Content::json(body("a"))),
        precondition: Precondition::None,
    };
    let outcome = store.write(vec![write]).expect("put").remove(0);
    assert!(matches!(outcome, Outcome::Written(_)));
    assert!(files(&disk.folder(&store).join("adopted")).is_empty());
}

#[test]
fn an_adoption_that_is_dropped_leaves_nothing() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let mut adoption = store.adopt().expect("an empty store");
    adoption
        .add(&AdoptedFile {
            path: "a.json".to_owned(),
            body: body("a"),
        })
        .expect("add");
    drop(adoption);
    assert!(matches!(
        store.get(&id("a")).err(),
        Some(StoreError::NoSuchDocument { .. })
    ));
    assert!(files(&disk.folder(&store).join("adopted")).is_empty());
}
