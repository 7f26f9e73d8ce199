//! Crashes and failing disks amid exports and restores.

use std::{ops::ControlFlow, sync::Arc};

use vault_store::{
    Vault,
    archive::{ArchiveError, Contents, Form, export},
    catalogue::Protection,
    documents::Precondition,
};

use crate::{
    archive_world::{TAR, check_part, exported, restorable, restored, seen, verified},
    support::{
        crash::enumerate,
        faulty::{Fault, FaultyFileSystem, Struck},
        fixture::{Fixture, id, name, new_store, put},
        world::{World, observe},
    },
};

/// A small vault with gaps in its revisions, and its archive.
fn gapped() -> (Vault, Vec<u8>, [u8; 32]) {
    let vault = Fixture::new().create().expect("a new vault");
    for (text, protection) in [
        ("plain", Protection::Plain),
        ("sealed", Protection::Protected),
    ] {
        vault
            .create_store(new_store(text, protection))
            .expect("a new store");
        let store = vault.documents(&name(text)).expect("open");
        for document in ["a", "gone", "b", "c", "gone"] {
            put(&store, document, document);
        }
        store
            .delete(&id("gone"), Precondition::None)
            .expect("delete");
        put(&store, "d", "d");
    }
    let (archive, summary) = exported(&vault, TAR);
    (vault, archive, summary.manifest)
}

/// Whatever moment of a restore a crash comes at, what is there is right, and another run does the
/// rest.
#[test]
fn every_crash_amid_a_restore_is_survived() {
    let (vault, archive, manifest) = gapped();
    let whole = restorable(&seen(&vault));
    let fixture = Fixture::new();
    drop(fixture.create().expect("a new vault"));
    fixture.simulated.settle();
    let base = fixture.simulated.image();
    let target = fixture.open().expect("open");
    restored(&target, &archive[..], manifest, false).expect("restored");
    fixture.simulated.acknowledge();
    let mut states = 0;
    let entries = fixture.keyring.entries();
    let _ = enumerate(
        &base,
        &entries,
        &fixture.simulated.log(),
        None,
        &mut |crash| {
            states += 1;
            let after = fixture.after(crash.image);
            let vault = after.open().expect("a valid vault");
            let part = observe(&vault).expect("whole");
            check_part(&part, &whole).expect("a part of it");
            if crash.acknowledged > 0 {
                assert_eq!(part, whole, "what was acknowledged is there");
            }
            let there: usize = part.values().map(|store| store.documents.len()).sum();
            let again = restored(&vault, &archive[..], manifest, true).expect("completed");
            assert_eq!(again.unchanged, there as u64);
            assert_eq!(seen(&vault), whole);
            drop(vault);
            assert_eq!(seen(&after.open().expect("open")), whole);
            ControlFlow::Continue(())
        },
    );
    eprintln!("{states} crash states");
    assert!(states > 100);
}

/// A vault whose disk fails as told.
fn on_a_faulty_disk(mut fixture: Fixture) -> (Fixture, FaultyFileSystem, Vault) {
    let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), None);
    fixture.fs = Arc::new(faulty.clone());
    let vault = fixture.open().expect("open");
    (fixture, faulty, vault)
}

/// A revision that a failed write may have used up is not given away again.
fn without_revisions(world: &World) -> World {
    let mut world = world.clone();
    let stores = world.values_mut();
    for document in stores.flat_map(|store| store.documents.values_mut()) {
        document.revision = 0;
    }
    world
}

/// Whatever call to the disk fails amid a restore: it says so, and another run does the rest.
#[test]
fn every_failure_amid_a_restore_is_reported_and_mended() {
    let (vault, archive, manifest) = gapped();
    let whole = without_revisions(&restorable(&seen(&vault)));
    for fault in Fault::ALL {
        for call in 0.. {
            let fixture = Fixture::new();
            drop(fixture.create().expect("a new vault"));
            let (fixture, faulty, target) = on_a_faulty_disk(fixture);
            faulty.strike(call, fault);
            let done = restored(&target, &archive[..], manifest, false);
            let struck = faulty.heal();
            match &done {
                Ok(_) => {}
                Err(ArchiveError::Store(_)) => assert_ne!(struck, Struck::Never),
                Err(other) => panic!("{fault:?} at {call}: {other:?}"),
            }
            if done.is_err() {
                restored(&target, &archive[..], manifest, true).expect("mended");
            }
            assert_eq!(
                without_revisions(&seen(&target)),
                whole,
                "{fault:?} at {call}"
            );
            drop(target);
            let again = fixture.open().expect("open");
            assert_eq!(
                without_revisions(&seen(&again)),
                whole,
                "{fault:?} at {call}"
            );
            if struck == Struck::Never {
                break;
            }
        }
    }
}

/// An export from a failing disk fails, or is right.
#[test]
fn every_failure_amid_an_export_is_reported() {
    let source = Fixture::new();
    let vault = source.create().expect("a new vault");
    vault
        .create_store(new_store("notes", Protection::Protected))
        .expect("a new store");
    let store = vault.documents(&name("notes")).expect("open");
    for document in ["a", "b", "c"] {
        put(&store, document, document);
    }
    let world = seen(&vault);
    vault.close();
    for fault in Fault::ALL {
        for call in 0.. {
            let (_, faulty, vault) = on_a_faulty_disk(source.after(source.simulated.image()));
            let mut writes = 0;
            let store = vault.documents(&name("notes")).expect("open");
            let mut out = Vec::new();
            faulty.strike(call, fault);
            let done = export(
                &vault,
                &mut out,
                &Form::Tar,
                &Contents::default(),
                &mut |_| {
                    // So that a copy has to be kept.
                    writes += usize::from(store.delete(&id("c"), Precondition::Present).is_ok());
                    ControlFlow::Continue(())
                },
            );
            let struck = faulty.heal();
            if let Ok(summary) = done {
                assert_eq!(verified(&out).expect("whole"), summary);
                let target = Fixture::new().create().expect("a new vault");
                restored(&target, &out[..], summary.manifest, false).expect("restored");
                assert_eq!(seen(&target), world, "{fault:?} at {call}");
            }
            if struck == Struck::Never {
                assert_eq!(writes, 1);
                break;
            }
        }
    }
}
