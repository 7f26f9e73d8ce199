//! Across restarts, closings and removals.

use std::{ops::ControlFlow, sync::Arc};

use vault_store::{
    Revision, StoreError, Vault,
    catalogue::Protection,
    documents::{AdoptedFile, DocumentStore, Precondition},
    durable::replace,
    kind::Store as _,
};

use crate::support::{
    faulty::{Fault, FaultyFileSystem, Struck},
    fixture::{Fixture, body, content, id, name, new_store, put, store_of, write_put},
};

fn reopen(fixture: &Fixture) -> (Vault, Arc<DocumentStore>) {
    let vault = fixture.open().expect("open");
    let store = vault.documents(&name("notes")).expect("open");
    (vault, store)
}

#[test]
fn revisions_are_one_increasing_count_across_restarts() {
    for protection in [Protection::Protected, Protection::Plain] {
        let fixture = Fixture::new();
        let (vault, store) = store_of(&fixture, protection);
        let put = |store: &DocumentStore, document: &str| {
            store
                .put(id(document), content("x"), Precondition::None)
                .expect("put")
                .revision()
                .0
        };
        assert_eq!(
            [put(&store, "a"), put(&store, "b"), put(&store, "a")],
            [1, 2, 3]
        );
        assert_eq!(
            store.delete(&id("a"), Precondition::None).expect("delete"),
            Revision(4)
        );
        vault.close();
        let (_vault, store) = reopen(&fixture);
        assert_eq!(put(&store, "a"), 5, "{protection:?}");
        let changes = store.changes(Revision::ZERO, 10).expect("changes");
        let changes: Vec<_> = changes
            .iter()
            .map(|head| (head.id().as_str(), head.revision().0))
            .collect();
        assert_eq!(
            changes,
            [("b", 2), ("a", 5)],
            "of each document its newest change only"
        );
    }
}

#[test]
fn changes_from_before_what_is_remembered_are_gone() {
    let fixture = Fixture {
        tombstones: 2,
        ..Fixture::new()
    };
    let (vault, store) = store_of(&fixture, Protection::Protected);
    put(&store, "kept", "x");
    for document in 0..6 {
        put(&store, &document.to_string(), "x");
        store
            .delete(&id(&document.to_string()), Precondition::None)
            .expect("delete");
    }
    store.checkpoint().expect("checkpoint");
    let check = |store: &DocumentStore| {
        // Tombstones have the revisions 3, 5, ... 13; the newest two stay.
        let gone = store.changes(Revision(8), 10);
        let is_gone = matches!(
            gone,
            Err(StoreError::RevisionGone {
                retained: Revision(9)
            })
        );
        assert!(is_gone, "{gone:?}");
        assert_eq!(store.changes(Revision(9), 10).expect("changes").len(), 2);
        let all = store
            .changes(Revision::ZERO, 10)
            .expect("from the beginning, always");
        assert_eq!(all.len(), 3);
    };
    check(&store);
    vault.close();
    let (_vault, store) = reopen(&fixture);
    check(&store);
    assert_eq!(
        store
            .put(id("new"), content("x"), Precondition::None)
            .expect("put")
            .revision()
            .0,
        14
    );
}

#[test]
fn closing_ends_watches_and_refuses_calls() {
    let (vault, store) = store_of(&Fixture::new(), Protection::Protected);
    put(&store, "a", "x");
    let latest = store.latest().expect("open");
    let snapshot = store.snapshot().expect("open");
    assert_eq!(*latest.borrow(), Revision(1));
    vault.close();
    assert!(latest.has_changed().is_err(), "the watch has ended");
    let closed =
        |error: Option<StoreError>| assert!(matches!(error, Some(StoreError::Closed)), "{error:?}");
    closed(store.get(&id("a")).err());
    closed(store.head(&id("a")).err());
    closed(store.put(id("a"), content("x"), Precondition::None).err());
    closed(store.delete(&id("a"), Precondition::None).err());
    closed(store.patch(&id("a"), b"{}", None).err());
    closed(store.list("").err());
    closed(store.changes(Revision::ZERO, 1).err());
    closed(store.latest().err());
    closed(store.adopt().err());
    closed(store.migrate(|_| ()).err());
    closed(store.stats().err());
    closed(store.snapshot().err());
    closed(snapshot.read(0).err());
    closed(store.references().err());
    closed(store.verify_one("a").err());
    closed(store.outdated().err());
    closed(store.reencrypt(&mut |_| ControlFlow::Continue(())).err());
    closed(store.verify(&mut |_| ControlFlow::Continue(())).err());
    closed(store.older_keys_in_use().err());
    closed(vault.documents(&name("notes")).err());
    closed(
        vault
            .create_store(new_store("late", Protection::Protected))
            .err(),
    );
}

/// Closed at every moment of a write, again and again, since each moment is short.
#[test]
fn a_closed_store_loses_nothing_it_acknowledged() {
    for round in 0..120 {
        let protection = if round % 3 == 0 {
            Protection::Protected
        } else {
            Protection::Plain
        };
        let fixture = Fixture::new();
        let (vault, store) = store_of(&fixture, protection);
        let written = std::thread::scope(|scope| {
            let write = |writer: usize| {
                let store = &store;
                scope.spawn(move || {
                    let put = |document: &String| {
                        store
                            .put(id(document), content(document), Precondition::None)
                            .is_ok()
                    };
                    let ids = (0..).map(|n| format!("{writer}-{n}"));
                    ids.take_while(put).collect::<Vec<_>>()
                })
            };
            let writers: Vec<_> = (0..=round % 2).map(write).collect();
            while store.stats().expect("open").objects < 3 {
                std::thread::yield_now();
            }
            vault.close();
            let written = writers
                .into_iter()
                .flat_map(|one| one.join().expect("no panic"));
            written.collect::<Vec<_>>()
        });
        let (_vault, store) = reopen(&fixture);
        for document in written {
            let found = store.get(&id(&document));
            let found = found.unwrap_or_else(|error| panic!("{protection:?}: {error}"));
            assert_eq!(**found.body, body(&document));
        }
    }
}

/// A journal that waits to be applied is not taken for one that was.
#[test]
fn what_was_read_from_a_plain_store_survives_its_closing() {
    let mut seen = 0;
    for call in 0.. {
        let mut fixture = Fixture::new();
        drop(store_of(&fixture, Protection::Plain));
        let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), None);
        fixture.fs = Arc::new(faulty.clone());
        let (vault, store) = reopen(&fixture);
        faulty.strike(call, Fault::Broken);
        let put = store.put(id("a"), content("x"), Precondition::None);
        if faulty.heal() == Struck::Never {
            break;
        }
        let was_there = store.get(&id("a")).is_ok();
        vault.close();
        let _ = store.checkpoint();
        let (_vault, store) = reopen(&fixture);
        assert!(
            store.get(&id("a")).is_ok() || !was_there,
            "call {call}: {put:?}"
        );
        seen += usize::from(was_there && put.is_err());
    }
    assert!(seen > 0);
}

#[test]
fn a_migration_cut_off_by_a_close_forgets_no_file() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture, Protection::Protected);
    let mut adoption = store.adopt().expect("an empty store");
    for document in ["a", "b"] {
        let path = format!("{document}.json");
        adoption
            .add(&AdoptedFile {
                path,
                body: body(document),
            })
            .expect("add");
    }
    adoption.finish().expect("finish");
    let adopted = fixture.root().store(store.record().id).join("adopted");
    replace(&*fixture.fs, &adopted, "b.json", &[b"changed"]).expect("change");
    let cut_off = store.migrate(|progress| {
        if progress.done == 1 {
            vault.close();
        }
    });
    assert!(matches!(cut_off, Err(StoreError::Closed)), "{cut_off:?}");
    let (_vault, store) = reopen(&fixture);
    assert!(!store.head(&id("a")).expect("there").awaits_migration());
    replace(&*fixture.fs, &adopted, "b.json", &[&body("b")]).expect("change back");
    assert_eq!(
        **store.get(&id("b")).expect("still recorded").body,
        body("b")
    );
}

/// What keeps a journal from being removed keeps the tombstones that hold its records down.
#[test]
fn nothing_is_forgotten_over_a_journal_that_stays() {
    let fixture = Fixture {
        tombstones: 0,
        ..Fixture::new()
    };
    let (vault, store) = store_of(&fixture, Protection::Protected);
    store
        .write(vec![write_put("damaged", "x"), write_put("deleted", "x")])
        .expect("batch");
    store
        .delete(&id("deleted"), Precondition::None)
        .expect("delete");
    vault.close();
    let journals = fixture.root().store(store.record().id).join("journal");
    let journal = journals.join("0000000000000001");
    let mut bytes = fixture
        .simulated
        .image()
        .file(&journal)
        .expect("there")
        .to_vec();
    bytes[8 + 40 + 100] ^= 1;
    replace(&*fixture.fs, &journals, "0000000000000001", &[&bytes]).expect("damage");
    for _ in 0..2 {
        let (vault, store) = reopen(&fixture);
        let damaged = store.get(&id("damaged")).err();
        assert!(
            matches!(damaged, Some(StoreError::Damaged { .. })),
            "{damaged:?}"
        );
        let deleted = store.get(&id("deleted")).err();
        assert!(
            matches!(deleted, Some(StoreError::NoSuchDocument { .. })),
            "{deleted:?}"
        );
        store.checkpoint().expect("checkpoint");
        vault.close();
    }
}

#[test]
fn stores_are_created_once_and_removed_whole() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture, Protection::Protected);
    put(&store, "a", "x");
    let twice = vault.create_store(new_store("notes", Protection::Plain));
    assert!(
        matches!(twice, Err(StoreError::StoreExists(_))),
        "{twice:?}"
    );
    let nobody = vault.documents(&name("nobody")).err();
    assert!(
        matches!(nobody, Some(StoreError::NoSuchStore(_))),
        "{nobody:?}"
    );
    let folder = fixture.root().store(store.record().id);
    vault.remove_store(&name("notes")).expect("remove");
    assert!(matches!(
        store.get(&id("a")).err(),
        Some(StoreError::Closed)
    ));
    assert!(vault.stores().is_empty());
    assert!(!fixture.simulated.image().tree.contains_key(&folder));
    let again = vault
        .documents_or_create(&name("notes"))
        .expect("created anew");
    assert!(again.list("").expect("list").is_empty());
    drop(vault);
    assert_eq!(fixture.open().expect("open").stores().len(), 1);
}
