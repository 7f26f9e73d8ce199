//! Every call to the disk goes wrong once: a clear error, nothing acknowledged is lost, and the
//! store lives.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use vault_store::{
    DataRoot, DiskFileSystem, StoreError, Vault, catalogue::Kind, documents::Precondition,
};

use crate::{
    crash_aftermath::check_plaintext,
    fault_works::{STORE, WORKS, Work, adopted, documents, plain, with_journal},
    support::{
        crash::sample_final,
        faulty::{Fault, FaultyFileSystem, Struck},
        fixture::{Fixture, body, content, id, put},
        world::{StoreWorld, World, ask_for_blobs, observe},
    },
};

type Bodies = BTreeMap<String, BTreeMap<String, String>>;

fn bodies(world: &World) -> Bodies {
    let of = |store: &StoreWorld| {
        let bodies = store.bodies().into_iter();
        bodies
            .map(|(id, body)| (id.to_owned(), body.to_owned()))
            .collect()
    };
    world
        .iter()
        .map(|(name, store)| (name.clone(), of(store)))
        .collect()
}

/// What is to be seen after the work, were nothing to go wrong.
fn undisturbed(work: &Work) -> (Bodies, Bodies) {
    let fixture = Fixture::new();
    let vault = fixture.create().expect("a new vault");
    (work.before)(&vault);
    let before = bodies(&observe(&vault).expect("whole"));
    (work.run)(&vault, &fixture.keyring).expect("nothing goes wrong");
    (before, bodies(&observe(&vault).expect("whole")))
}

/// Runs `work` with one fault. `None` once there are fewer calls than that.
fn disturbed(
    work: &Work,
    (before, after): &(Bodies, Bodies),
    call: usize,
    fault: Fault,
) -> Option<()> {
    let context = format!("{}: {fault:?} at call {call}", work.name);
    let mut fixture = Fixture::new();
    (work.before)(&fixture.create().expect("a new vault"));
    fixture.simulated.settle();
    let base = fixture.simulated.image();
    let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), Some(fixture.simulated.clone()));
    fixture.fs = Arc::new(faulty.clone());
    let vault = fixture.open().expect("open");
    let last = observe(&vault)
        .expect("whole")
        .get(STORE)
        .map_or(0, StoreWorld::last);

    faulty.strike(call, fault);
    let result = (work.run)(&vault, &fixture.keyring);
    match faulty.heal() {
        Struck::Never => return None,
        Struck::Elsewhere => return Some(()),
        Struck::There => {}
    }
    match &result {
        Ok(()) => {}
        Err(StoreError::Io {
            operation, path, ..
        }) => {
            assert!(!operation.is_empty() && !path.is_empty(), "{context}");
            assert_ne!(
                fault,
                Fault::Short,
                "{context}: short writes are gone on with"
            );
        }
        Err(other) => panic!("{context}: {other}"),
    }
    let fits = |seen: &Bodies| seen == after || (result.is_err() && seen == before);
    ask_for_blobs(&vault).unwrap_or_else(|error| panic!("{context}: {error}"));
    let live = observe(&vault).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(
        fits(&bodies(&live)),
        "{context}: {result:?}, then seen {live:?}"
    );
    let crashes = || -> Vec<World> {
        let images = sample_final(&base, &fixture.simulated.log(), call as u64);
        let open = |image| {
            let vault = fixture.after(image).open();
            let vault = vault.unwrap_or_else(|error| panic!("{context}: after a crash: {error}"));
            observe(&vault).unwrap_or_else(|error| panic!("{context}: after a crash: {error}"))
        };
        images.into_iter().map(open).collect()
    };
    for world in crashes() {
        assert!(
            fits(&bodies(&world)),
            "{context}: {result:?}, after a crash {world:?}"
        );
    }

    if result.is_ok() {
        check_plaintext(&fixture, &vault, &live).unwrap_or_else(|what| panic!("{context}: {what}"));
    }

    // The store lives, and what it says from now on, it keeps.
    for record in vault.stores() {
        if record.kind == Kind::Blobs {
            let store = vault.blobs(&record.name).expect("open");
            let put = store.put("text/plain", &body("later"));
            put.unwrap_or_else(|error| panic!("{context}: put later: {error}"));
            continue;
        }
        let store = vault.documents(&record.name).expect("open");
        for document in ["a", "other"] {
            let head = store.put(id(document), content("later"), Precondition::None);
            let head = head.unwrap_or_else(|error| panic!("{context}: put later: {error}"));
            assert!(
                record.name.as_str() != STORE || head.revision().0 > last,
                "{context}"
            );
        }
    }
    let live = observe(&vault).unwrap_or_else(|error| panic!("{context}: {error}"));
    for mut world in crashes() {
        if result.is_err() && !live.contains_key("second") {
            // A store that was not acknowledged may be there, empty.
            let second = world.remove("second").unwrap_or_default();
            assert!(second.documents.is_empty(), "{context}");
        }
        if result.is_err() {
            // A blob that could not be removed for good may be there again.
            for (store, seen) in &mut world {
                seen.blobs.retain(|reference, _| {
                    live[store].blobs.contains_key(reference)
                        || !before[store].contains_key(reference)
                });
            }
        }
        assert_eq!(world, live, "{context}: after a put and a crash");
    }
    assert!(
        faulty.retried_syncs().is_empty(),
        "{context}: {:?}",
        faulty.retried_syncs()
    );
    Some(())
}

pub(crate) fn disturb(works: &[Work]) {
    for work in works {
        let undisturbed = undisturbed(work);
        let mut calls = 0;
        for fault in Fault::ALL {
            calls = 0;
            while disturbed(work, &undisturbed, calls, fault).is_some() {
                calls += 1;
            }
        }
        eprintln!(
            "{}: {calls} calls, each with {} faults",
            work.name,
            Fault::ALL.len()
        );
        assert!(calls > 0);
    }
}

#[test]
fn faults_in_single_writes_lose_nothing() {
    disturb(&WORKS[..6]);
}

#[test]
fn faults_in_longer_work_lose_nothing() {
    disturb(&WORKS[6..13]);
}

#[test]
fn faults_in_plain_stores_lose_nothing() {
    disturb(&WORKS[13..]);
}

#[test]
fn faults_while_opening_lose_nothing() {
    for before in [with_journal, plain, adopted] {
        for fault in Fault::ALL {
            for call in 0.. {
                let mut fixture = Fixture::new();
                let vault = fixture.create().expect("a new vault");
                before(&vault);
                let world = observe(&vault).expect("whole");
                vault.close();
                let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), None);
                fixture.fs = Arc::new(faulty.clone());
                faulty.strike(call, fault);
                let opened = fixture.open();
                let store = opened.as_ref().ok().map(documents);
                if faulty.heal() == Struck::Never {
                    break;
                }
                let context = format!("{fault:?} at call {call}");
                if let Some(Err(error)) = store {
                    assert!(matches!(error, StoreError::Io { .. }), "{context}: {error}");
                }
                // Whether or not that worked: what the disk gives now is all there.
                if let Ok(vault) = opened {
                    assert_eq!(observe(&vault).as_ref(), Ok(&world), "{context}");
                    put(&documents(&vault).expect("open"), "a", "later");
                }
                let vault = fixture.open().expect("open again");
                observe(&vault).unwrap_or_else(|error| panic!("{context}: {error}"));
                put(&documents(&vault).expect("open"), "b", "later");
            }
        }
    }
}

/// The same over a real disk, as far as it can be seen without crashing it.
#[test]
fn faults_over_a_real_disk_lose_nothing() {
    for work in WORKS {
        let undisturbed = undisturbed(work);
        for fault in [Fault::Io, Fault::Full, Fault::Short] {
            // Every third call: the simulated disk sees them all.
            for call in (0..).step_by(3) {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let disk: Arc<DiskFileSystem> = Arc::new(DiskFileSystem);
                let faulty = FaultyFileSystem::new(disk, None);
                let root = || {
                    DataRoot::new(
                        Arc::new(faulty.clone()),
                        Path::new(folder.path()).to_owned(),
                    )
                };
                let fixture = Fixture::new();
                let open = || Vault::open(root(), &fixture.keyring, fixture.options());
                let vault = Vault::create(root(), &fixture.keyring, fixture.options());
                let vault = vault.expect("a new vault");
                (work.before)(&vault);
                faulty.strike(call, fault);
                let result = (work.run)(&vault, &fixture.keyring);
                if faulty.heal() == Struck::Never {
                    break;
                }
                observe(&vault).expect("whole");
                drop(vault);
                let seen = bodies(&observe(&open().expect("open")).expect("whole"));
                let context = format!("{}: {fault:?} at call {call}", work.name);
                let (before, after) = &undisturbed;
                assert!(
                    seen == *after || (result.is_err() && seen == *before),
                    "{context}"
                );
            }
        }
    }
}
