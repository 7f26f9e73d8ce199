//! Across restarts, closings and removals.

use std::sync::Arc;

use vault_store::{
    Revision, StoreError, Vault,
    catalogue::Protection,
    documents::{DocumentStore, Precondition},
    kind::Store as _,
};

use crate::support::fixture::{Fixture, body, content, id, name, new_store, put, store_of};

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
    closed(store.enumerate(Revision(1)).err());
    closed(store.references().err());
    closed(store.verify_one("a").err());
    closed(store.reencrypt_one("a").err());
    closed(vault.documents(&name("notes")).err());
    closed(
        vault
            .create_store(new_store("late", Protection::Protected))
            .err(),
    );
}

#[test]
fn a_closed_store_loses_nothing_it_acknowledged() {
    for protection in [Protection::Protected, Protection::Plain] {
        let fixture = Fixture::new();
        let (vault, store) = store_of(&fixture, protection);
        let store = Arc::new(store);
        let written = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let store = Arc::clone(&store);
                    scope.spawn(move || {
                        let ids = (0..).map(|n| format!("{writer}-{n}"));
                        let put = |document: &String| {
                            store
                                .put(id(document), content(document), Precondition::None)
                                .is_ok()
                        };
                        ids.take_while(put).collect::<Vec<_>>()
                    })
                })
                .collect();
            // Closed amid the writes.
            while store.stats().expect("open").objects < 40 {
                std::thread::yield_now();
            }
            vault.close();
            writers
                .into_iter()
                .flat_map(|one| one.join().expect("no panic"))
                .collect::<Vec<_>>()
        });
        let (_vault, store) = reopen(&fixture);
        for document in written {
            let found = store.get(&id(&document));
            let found = found.unwrap_or_else(|error| panic!("{protection:?}: {error}"));
            assert_eq!(**found.body, body(&document));
        }
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
