//! What may be removed: never what a document names, not even one that may come back.

use std::{sync::Arc, time::Duration};

use vault_store::{
    StoreError, StoreResult,
    blobs::BlobRef,
    catalogue::Kind,
    documents::{Change, Content, Precondition, Write},
    vault::NewStore,
};

use super::stray;
use crate::support::{
    blob_world::{BlobWorld, every_name_holds, with_refs},
    crash::sample_final,
    faulty::{Fault, FaultyFileSystem, Struck},
    fixture::{Fixture, id, name},
};

#[test]
fn a_store_whose_blobs_are_named_is_not_removed() {
    let world = BlobWorld::new();
    let blob = stray(&world, b"named");
    world.put("a", &with_refs(&[blob])).expect("put");
    let refused = world.vault.remove_store(&name("blobs"));
    let Err(StoreError::InUse { reference, by }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (reference, by.as_str()),
        (blob, "document `a` in store `notes`")
    );
    assert!(world.holds(&blob), "it is as it was");
    // Another store has it, too.
    let new = NewStore::new(name("copies"), Kind::Blobs);
    world.vault.create_store(new).expect("a store");
    let copies = world.vault.blobs(&name("copies")).expect("open");
    copies.put("text/plain", b"named").expect("put");
    world.vault.remove_store(&name("blobs")).expect("removed");
    let refused = world.vault.remove_store(&name("copies"));
    assert!(matches!(refused, Err(StoreError::InUse { .. })));
    world
        .notes()
        .delete(&id("a"), Precondition::None)
        .expect("deleted");
    world.vault.remove_store(&name("copies")).expect("removed");
}

fn write(document: &str, change: Change) -> Write {
    Write {
        id: id(document),
        change,
        precondition: Precondition::None,
    }
}

/// Takes the name of the blob away, alone.
fn one() -> Vec<Write> {
    vec![write("a", Change::Delete)]
}

/// The same in a journal.
fn two() -> Vec<Write> {
    let other = Change::Put(Content::json("{}"));
    vec![write("a", Change::Delete), write("b", other)]
}

fn remove_blob(world: &BlobWorld, blob: &BlobRef) -> StoreResult<()> {
    world.vault.remove_blob(&name("blobs"), blob)
}

fn collect(world: &BlobWorld, _: &BlobRef) -> StoreResult<()> {
    world.try_to_collect(Duration::ZERO).map(drop)
}

/// The document's end is in doubt, and its blob goes: after a crash the one is not there without
/// the other.
#[test]
fn what_a_document_in_doubt_names_is_not_removed() {
    let mut struck = 0;
    for writes in [one, two] {
        for remove in [remove_blob, collect] {
            for fault in [Fault::Io, Fault::IoAfterwards] {
                for call in 0.. {
                    match disturbed(writes, remove, call, fault) {
                        Struck::There => struck += 1,
                        Struck::Elsewhere => {}
                        Struck::Never => break,
                    }
                }
            }
        }
    }
    assert!(struck > 20, "{struck}");
}

fn disturbed(
    writes: fn() -> Vec<Write>,
    remove: fn(&BlobWorld, &BlobRef) -> StoreResult<()>,
    call: usize,
    fault: Fault,
) -> Struck {
    let fixture = Fixture::new();
    let simulated = fixture.simulated.clone();
    let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), Some(simulated.clone()));
    let world = BlobWorld::over(Fixture {
        fs: Arc::new(faulty.clone()),
        ..fixture
    });
    let blob = stray(&world, b"named");
    world.put("a", &with_refs(&[blob])).expect("put");
    simulated.settle();
    let base = simulated.image();
    faulty.strike(call, fault);
    let written = world.notes().write(writes());
    let struck = faulty.heal();
    if written.is_ok() {
        return struck;
    }
    // Refused or not, it leaves no name without its blob.
    let removed = remove(&world, &blob);
    for image in sample_final(&base, &simulated.log(), call as u64) {
        let vault = world.fixture.after(image).open().expect("open");
        every_name_holds(&vault)
            .unwrap_or_else(|what| panic!("{fault:?} at {call}, {removed:?}: {what}"));
    }
    struck
}

#[test]
fn json_of_every_type_names_blobs() {
    let world = BlobWorld::new();
    let put = |content_type: &str, body: String| {
        let content = Content {
            content_type: content_type.to_owned(),
            ..Content::json(body)
        };
        world.notes().put(id("a"), content, Precondition::None)
    };
    for content_type in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/ld+json",
        "application/activity+JSON ;profile=x",
    ] {
        let blob = stray(&world, content_type.as_bytes());
        let body = with_refs(&[blob]);
        put(content_type, body.clone()).expect("put");
        world.collect(Duration::ZERO);
        assert!(world.holds(&blob), "{content_type}");
        // What is no JSON after all is nobody's mistake, and names what it names.
        put(content_type, body + "\"attachments\": [{").expect("put");
        assert_eq!(world.collect(Duration::ZERO).removed, 0, "{content_type}");
        put("text/plain", with_refs(&[blob])).expect("put");
        assert_eq!(world.collect(Duration::ZERO).removed, 1, "{content_type}");
    }
}
