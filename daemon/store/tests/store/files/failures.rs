//! Every call to the disk goes wrong once: a clear error, and what is acknowledged from then on
//! stays, also what rests on something that was in doubt.

use std::{collections::BTreeMap, sync::Arc};

use vault_crypto::ContentHash;
use vault_store::{
    Revision, StoreError, StoreResult,
    files::FileStore,
    kind::{Entry, Store as _},
};

use super::{create, everything, file, write};
use crate::support::{
    crash::sample_final,
    faulty::{Fault, FaultyFileSystem, Struck},
    fixture::{Fixture, name},
};

type World = BTreeMap<String, Vec<u8>>;
type Work = fn(&FileStore) -> StoreResult<()>;

const WORKS: [(&str, Work); 6] = [
    ("new", |store| put(store, "new")),
    ("folders", |store| put(store, "x/y/z")),
    ("overwrite", |store| put(store, "a")),
    ("remove", |store| store.remove(&file("b"))),
    ("remove a folder", |store| store.remove(&file("deep/c"))),
    ("import", |store| import(store, "x/imported")),
];

fn put(store: &FileStore, text: &str) -> StoreResult<()> {
    store.put(file(text), b"after", false).map(|_| ())
}

fn import(store: &FileStore, text: &str) -> StoreResult<()> {
    let body = b"imported";
    let entry = Entry {
        id: text.to_owned(),
        revision: Revision(1),
        content_type: String::new(),
        size: body.len() as u64,
        sha256: ContentHash::of(body),
        metadata: b"{}".to_vec(),
    };
    store.import_stream(entry, &mut &body[..]).map(|_| ())
}

fn seen(store: &FileStore) -> World {
    everything(store).expect("open").0
}

fn filled(fixture: &Fixture) {
    let vault = fixture.create().expect("a new vault");
    let store = create(&vault, "models");
    for name in ["a", "b", "deep/c"] {
        write(&store, name, b"before");
    }
    fixture.simulated.settle();
}

/// Runs `work` with one fault, and then again without. `None` once there are fewer calls than that.
fn disturbed(what: &str, work: Work, call: usize, fault: Fault) -> Option<()> {
    let context = format!("{what}: {fault:?} at call {call}");
    let mut fixture = Fixture::new();
    filled(&fixture);
    let base = fixture.simulated.image();
    let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), Some(fixture.simulated.clone()));
    fixture.fs = Arc::new(faulty.clone());
    let vault = fixture.open().expect("open");
    let store = vault.files(&name("models")).expect("open");
    let before = seen(&store);
    faulty.strike(call, fault);
    let result = work(&store);
    match faulty.heal() {
        Struck::Never => return None,
        Struck::Elsewhere => return Some(()),
        Struck::There => {}
    }
    if let Err(error) = &result {
        assert!(matches!(error, StoreError::Io { .. }), "{context}: {error}");
        assert_ne!(
            fault,
            Fault::Short,
            "{context}: short writes are gone on with"
        );
    }
    let crashes = || -> Vec<World> {
        let images = sample_final(&base, &fixture.simulated.log(), call as u64);
        let open = |image| {
            let vault = fixture.after(image).open().expect("open after a crash");
            seen(&vault.files(&name("models")).expect("open"))
        };
        images.into_iter().map(open).collect()
    };
    // Done again, it is done: what was in doubt is so no more.
    let after = match (&result, work(&store)) {
        // Or it was removed the first time, for all that is seen, and nothing is acknowledged of it.
        (_, Ok(())) | (Ok(()), Err(StoreError::NoSuchFile { .. })) => seen(&store),
        (_, Err(error)) => panic!("{context}: again: {error}"),
    };
    assert_ne!(after, before, "{context}");
    for world in crashes() {
        assert_eq!(world, after, "{context}: {result:?}, after a crash");
    }
    for text in ["b", "x/other", "deep/c", "deep/d"] {
        write(&store, text, b"later");
    }
    let live = seen(&store);
    for world in crashes() {
        assert_eq!(world, live, "{context}: after more and a crash");
    }
    assert!(faulty.retried_syncs().is_empty(), "{context}");
    Some(())
}

#[test]
fn every_call_that_fails_leaves_a_store_that_lives() {
    for (what, work) in WORKS {
        for fault in Fault::ALL {
            let mut calls = 0;
            while disturbed(what, work, calls, fault).is_some() {
                calls += 1;
            }
            assert!(calls > 4, "{what}: {calls}");
        }
    }
}
