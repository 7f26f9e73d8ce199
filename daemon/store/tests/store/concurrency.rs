//! Many at once.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use vault_store::{
    DataRoot, StoreError, Vault,
    catalogue::Protection,
    documents::{DocumentStore, Precondition},
    vault::VaultOptions,
};

use crate::support::{
    fixture::{Fixture, ROOT, body, content, id, name, new_store, put, store_of},
    gate::{Gate, PATIENCE},
    world::{observe, observe_store},
};

const WRITERS: usize = 16;
const EACH: usize = 50;

fn write_many(store: &DocumentStore) -> HashSet<u64> {
    std::thread::scope(|scope| {
        let write = |writer: usize| {
            scope.spawn(move || {
                let put = |n: usize| {
                    let document = format!("{writer}-{n}");
                    store
                        .put(id(&document), content(&document), Precondition::Absent)
                        .expect("put")
                        .revision()
                        .0
                };
                (0..EACH).map(put).collect::<Vec<_>>()
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        writers
            .into_iter()
            .flat_map(|one| one.join().expect("no panic"))
            .collect()
    })
}

#[test]
fn concurrent_writers_get_revisions_of_their_own() {
    for protection in [Protection::Protected, Protection::Plain] {
        let fixture = Fixture::new();
        let vault = fixture.create().expect("a new vault");
        vault
            .create_store(new_store("notes", protection))
            .expect("a new store");
        let store = vault.documents(&name("notes")).expect("open");
        let revisions = write_many(&store);
        let total = (WRITERS * EACH) as u64;
        assert_eq!(revisions, (1..=total).collect(), "{protection:?}");
        let seen = observe_store(&store).expect("whole");
        assert_eq!(seen.documents.len(), WRITERS * EACH);
        drop(vault);
        let again = observe(&fixture.open().expect("open")).expect("whole");
        assert_eq!(again["notes"], seen, "{protection:?}");
    }
}

/// Between the rename of a new object and the sync that acknowledges it, the file on disk is ahead
/// of what the store says. Whoever reads then waits for the outcome.
#[test]
fn a_read_amid_an_overwrite_sees_no_damage() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture, Protection::Protected);
    put(&store, "a", "before");
    vault.close();
    let objects = fixture.root().store(store.record().id).join("objects");
    let (gate, keeper) = Gate::new(fixture.simulated.clone(), move |call, path| {
        call == "sync" && path == objects
    });
    let root = DataRoot::new(Arc::new(gate), ROOT.into());
    let vault = Vault::open(root, &fixture.keyring, fixture.options()).expect("open");
    let store = vault.documents(&name("notes")).expect("open");
    std::thread::scope(|scope| {
        keeper.arm();
        let writer = scope.spawn(|| put(&store, "a", "after"));
        keeper
            .reached
            .recv_timeout(PATIENCE)
            .expect("renamed, not synced");
        while keeper.opened.try_recv().is_ok() {}
        let reader = scope.spawn(|| store.get(&id("a")).map(|document| document.body));
        keeper
            .opened
            .recv_timeout(PATIENCE)
            .expect("the reader opens the new file");
        drop(keeper);
        let read = reader.join().expect("no panic").expect("no damage");
        assert_eq!(**read, body("after"));
        writer.join().expect("no panic");
    });
}

/// Reads while records move from journals to files, and are replaced: never an error, never an
/// old body under a new head.
#[test]
fn reads_go_on_while_records_move() {
    let fixture = Fixture::new();
    drop(fixture.create().expect("a new vault"));
    let options = VaultOptions {
        background: true,
        ..fixture.options()
    };
    let vault = Vault::open(fixture.root(), &fixture.keyring, options).expect("open");
    for protection in [Protection::Protected, Protection::Plain] {
        let text = format!("{protection:?}");
        vault
            .create_store(new_store(&text, protection))
            .expect("a new store");
        let store = vault.documents(&name(&text)).expect("open");
        for document in ["a", "b", "c", "d"] {
            put(&store, document, document);
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for reader in ["a", "b", "c"] {
                let (store, done) = (Arc::clone(&store), &done);
                scope.spawn(move || {
                    while !done.load(Ordering::Acquire) {
                        let document = store.get(&id(reader)).expect("always there");
                        let text = document.head.labels()["label"].clone();
                        assert_eq!(**document.body, body(&text));
                        assert_eq!(store.list("").expect("list").len(), 4);
                    }
                });
            }
            let writers: Vec<_> = ["a", "b", "c", "d"]
                .map(|document| {
                    let store = Arc::clone(&store);
                    scope.spawn(move || (0..60).for_each(|n| put(&store, document, &n.to_string())))
                })
                .into_iter()
                .collect();
            for writer in writers {
                writer.join().expect("no panic");
            }
            store.checkpoint().expect("checkpoint");
            done.store(true, Ordering::Release);
        });
    }
}

/// Deleted and put again by others, a document is there or it is not; nothing else.
#[test]
fn deletions_do_not_come_back() {
    for protection in [Protection::Protected, Protection::Plain] {
        let fixture = Fixture::new();
        let vault = fixture.create().expect("a new vault");
        vault
            .create_store(new_store("notes", protection))
            .expect("a new store");
        let store = vault.documents(&name("notes")).expect("open");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    match store.get(&id("a")) {
                        Ok(document) => assert_eq!(**document.body, body("a")),
                        Err(StoreError::NoSuchDocument { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                    store.list("").expect("list");
                }
            });
            for n in 0..100 {
                let head = store
                    .put(id("a"), content("a"), Precondition::Absent)
                    .expect("put");
                assert_eq!(head.revision().0, 2 * n + 1, "nobody else wrote");
                store
                    .delete(&id("a"), Precondition::Revision(head.revision()))
                    .expect("delete");
            }
            done.store(true, Ordering::Release);
            reader.join().expect("no panic");
        });
        assert!(store.list("").expect("list").is_empty());
    }
}
