//! A legacy root moves in whole or not at all, whatever happens amid it, and is never touched.

mod taken;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use vault_store::{
    DataRoot, OpenError, Vault,
    archive::{ArchiveError, Conflicts, Merged, merge},
    catalogue::Protection,
    legacy::{self, LegacyError, LegacyRoot, Marker, Moved},
};

use crate::{
    archive_world::{check_part, put_labelled, restorable, rich, seen},
    support::{
        crash::enumerate,
        faulty::{Fault, FaultyFileSystem, Struck},
        fixture::{Fixture, ROOT, name, new_store, put},
        simulated::{Entry, Image, SimulatedFileSystem, Tree},
        world::{World, observe},
    },
};

/// Where the legacy root lies. A simulated file system has one folder that leads to all others, and
/// that is the data root: to a vault a folder of this name is nothing.
const LEGACY: &str = "/vault/elsewhere";

/// A root at a path of a fixture's file system.
fn root_at(fixture: &Fixture, path: &str) -> DataRoot {
    DataRoot::new(Arc::clone(&fixture.fs), PathBuf::from(path))
}

/// An empty data root, and beside it a legacy root that `make` made.
fn beside(make: impl FnOnce(&Fixture) -> Vault) -> Fixture {
    let old = Fixture::new();
    drop(make(&old));
    let image = moved_to(&old.simulated.image(), LEGACY);
    let fixture = Fixture::over(SimulatedFileSystem::of(image));
    Fixture {
        keyring: old.keyring.clone().logged(fixture.simulated.clone()),
        ..fixture
    }
}

/// The same image with what is in the data root at another path.
fn moved_to(image: &Image, path: &str) -> Image {
    let mut tree = image.tree.clone();
    for folder in image.tree.keys() {
        let entries = tree.remove(folder).expect("it is there");
        let below = folder.strip_prefix(ROOT).expect("all is in the root");
        tree.insert(Path::new(path).join(below), entries);
    }
    let tree = tree.into_iter().map(|(folder, entries)| {
        // `join("")` ends in a slash.
        (folder.components().collect(), entries)
    });
    let mut tree: Tree = tree.collect();
    let leads_there = BTreeMap::from([("elsewhere".to_owned(), Entry::Directory)]);
    tree.insert(PathBuf::from(ROOT), leads_there);
    Image {
        tree,
        contents: image.contents.clone(),
    }
}

/// All that lies in the legacy root.
fn legacy_part(image: &Image) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let folders = image
        .tree
        .iter()
        .filter(|(folder, _)| folder.starts_with(LEGACY));
    let mut part = Vec::new();
    for (folder, entries) in folders {
        part.extend(entries.keys().map(|entry| {
            let path = folder.join(entry);
            let content = image.file(&path).map(<[u8]>::to_vec);
            (path, content)
        }));
    }
    part
}

/// A small legacy vault: documents in two stores, a deleted one among them.
fn small(fixture: &Fixture) -> Vault {
    let vault = fixture.create().expect("a new vault");
    for (store, protection) in [
        ("sealed", Protection::Protected),
        ("plain", Protection::Plain),
    ] {
        vault
            .create_store(new_store(store, protection))
            .expect("a new store");
        let store = vault.documents(&name(store)).expect("open");
        put(&store, "a", "a");
        put(&store, "b", "b");
    }
    vault
}

fn heard(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// What a daemon does on somebody's word, where there is no vault yet.
fn take_whole(fixture: &Fixture) -> Result<(), LegacyError> {
    let active = fixture.root();
    let legacy = LegacyRoot::look(&active, PathBuf::from(LEGACY));
    // A disk that fails at the first look shows nothing.
    let vault = legacy.vault().ok_or(LegacyError::Stopped)?;
    legacy::copy(&legacy.root, &active, 1, &mut heard)?;
    let moved = Moved {
        vault,
        source: LEGACY.to_owned(),
        at: 0,
        whole: true,
    };
    Ok(legacy::place(&active, &moved)?)
}

/// What a daemon does when it starts.
fn start(fixture: &Fixture) -> Result<Vault, OpenError> {
    legacy::complete(&fixture.root())?;
    fixture.open()
}

/// What a daemon does where there is a vault.
fn take_in(
    fixture: &Fixture,
    present: &Vault,
    conflicts: Conflicts,
) -> Result<Merged, ArchiveError> {
    let active = fixture.root();
    let legacy = LegacyRoot::look(&active, PathBuf::from(LEGACY));
    let copied = legacy::copy(&legacy.root, &active, 2, &mut heard);
    copied.map_err(|error| match error {
        LegacyError::Store(error) => ArchiveError::Store(error),
        other => panic!("{other}"),
    })?;
    let old = Vault::open(legacy::staged(&active), &fixture.keyring, fixture.options());
    let old = old.map_err(|error| match error {
        OpenError::Store(error) => ArchiveError::Store(error),
        other => panic!("{other}"),
    })?;
    let merged = merge(&old, present, conflicts, &mut |_| ControlFlow::Continue(()))?;
    drop(old);
    let moved = Moved {
        vault: merged.vault,
        source: LEGACY.to_owned(),
        at: 0,
        whole: false,
    };
    Marker::add(&active, moved)?;
    legacy::clear(&active)?;
    Ok(merged)
}

/// The vault of the data root, whatever else is in the keyring.
fn open_present(fixture: &Fixture) -> Vault {
    fixture.open().expect("open")
}

#[test]
fn the_whole_tree_moves_into_an_empty_root() {
    let fixture = beside(rich);
    let before = legacy_part(&fixture.simulated.image());
    let whole = {
        let legacy = Vault::open(
            root_at(&fixture, LEGACY),
            &fixture.keyring,
            fixture.options(),
        );
        seen(&legacy.expect("open"))
    };
    take_whole(&fixture).expect("moved in");
    let vault = start(&fixture).expect("open");
    assert_eq!(seen(&vault), whole);
    let marker = Marker::read(&fixture.root()).expect("read");
    assert!(marker.has(vault.id()) && marker.moved[0].whole);
    assert!(!legacy::is_left_over(&fixture.root()).expect("seen"));
    assert_eq!(legacy_part(&fixture.simulated.image()), before);
}

/// Whatever moment a crash comes at, there is nothing or all of it; and what is nothing can be done
/// again.
#[test]
fn every_crash_amid_a_whole_move_leaves_nothing_or_all() {
    let fixture = beside(small);
    let base = fixture.simulated.image();
    let before = legacy_part(&base);
    let whole = {
        let legacy = Vault::open(
            root_at(&fixture, LEGACY),
            &fixture.keyring,
            fixture.options(),
        );
        seen(&legacy.expect("open"))
    };
    let fixture = fixture.after(base.clone());
    take_whole(&fixture).expect("moved in");
    fixture.simulated.acknowledge();
    let (mut states, mut nothing) = (0, 0);
    let entries = fixture.keyring.entries();
    let log = fixture.simulated.log();
    let _ = enumerate(&base, &entries, &log, None, &mut |crash| {
        states += 1;
        let after = fixture.after(crash.image);
        match start(&after) {
            Ok(vault) => assert_eq!(seen(&vault), whole, "after operation {}", crash.at),
            Err(OpenError::Uninitialized) => {
                nothing += 1;
                assert_eq!(crash.acknowledged, 0, "what was acknowledged is there");
                take_whole(&after).expect("done again");
                assert_eq!(seen(&start(&after).expect("open")), whole);
            }
            Err(other) => panic!("after operation {}: {other}", crash.at),
        }
        let marker = Marker::read(&after.root()).expect("read");
        assert_eq!(marker.moved.len(), 1, "marked once");
        assert!(!legacy::is_left_over(&after.root()).expect("seen"));
        assert_eq!(legacy_part(&after.simulated.image()), before);
        ControlFlow::Continue(())
    });
    eprintln!("{states} crash states, {nothing} of them before it was decided");
    assert!(states > 200 && nothing > 50 && states - nothing > 50);
}

/// The same of a merge: a part of the objects, each whole, and another run does the rest.
#[test]
fn every_crash_amid_a_merge_is_survived() {
    let fixture = beside(small);
    let whole = {
        let legacy = Vault::open(
            root_at(&fixture, LEGACY),
            &fixture.keyring,
            fixture.options(),
        );
        restorable(&seen(&legacy.expect("open")))
    };
    drop(fixture.create().expect("a new vault"));
    let fixture = fixture.after(fixture.simulated.image());
    let base = fixture.simulated.image();
    let before = legacy_part(&base);
    let present = open_present(&fixture);
    take_in(&fixture, &present, Conflicts::Refuse).expect("merged");
    fixture.simulated.acknowledge();
    let entries = fixture.keyring.entries();
    let log = fixture.simulated.log();
    let mut states = 0;
    let _ = enumerate(&base, &entries, &log, None, &mut |crash| {
        states += 1;
        let after = fixture.after(crash.image);
        let present = open_present(&after);
        let part = observe(&present).expect("whole");
        check_part(&part, &whole).expect("a part of it");
        let marked = !Marker::read(&after.root()).expect("read").moved.is_empty();
        if marked {
            assert_eq!(part, whole, "what was marked is there");
        } else {
            assert_eq!(crash.acknowledged, 0);
            take_in(&after, &present, Conflicts::Refuse).expect("done again");
            assert_eq!(seen(&present), whole);
        }
        assert_eq!(legacy_part(&after.simulated.image()), before);
        ControlFlow::Continue(())
    });
    eprintln!("{states} crash states");
    assert!(states > 100);
}

/// Whatever call to the disk fails amid it: it says so, and another run does it.
#[test]
fn every_failure_amid_a_whole_move_is_reported_and_mended() {
    let base = beside(small);
    let whole = {
        let legacy = Vault::open(root_at(&base, LEGACY), &base.keyring, base.options());
        seen(&legacy.expect("open"))
    };
    let image = base.simulated.image();
    for fault in Fault::ALL {
        for call in 0.. {
            let mut fixture = base.after(image.clone());
            let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), None);
            fixture.fs = Arc::new(faulty.clone());
            faulty.strike(call, fault);
            let done = take_whole(&fixture);
            let struck = faulty.heal();
            if done.is_err() {
                assert_ne!(struck, Struck::Never, "{done:?}");
                if matches!(start(&fixture), Err(OpenError::Uninitialized)) {
                    take_whole(&fixture).expect("done again");
                }
            }
            let vault = start(&fixture).expect("open");
            assert_eq!(seen(&vault), whole, "{fault:?} at {call}");
            if struck == Struck::Never {
                assert!(call > 50);
                break;
            }
        }
    }
}

#[test]
fn a_legacy_root_that_is_written_to_meanwhile_does_not_move_in() {
    let fixture = beside(small);
    let active = fixture.root();
    let legacy = LegacyRoot::look(&active, PathBuf::from(LEGACY));
    let mut told = 0;
    let copied = legacy::copy(&legacy.root, &active, 1, &mut |done, total| {
        assert!(done <= total);
        told += 1;
        if told == 3 {
            let mut file = fixture
                .fs
                .create_new(&Path::new(LEGACY).join("new"))
                .expect("created");
            file.write_all(b"late").expect("written");
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(copied, Err(LegacyError::Changed(_))), "{copied:?}");
    let stopped = legacy::copy(&legacy.root, &active, 1, &mut |_, _| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(LegacyError::Stopped)), "{stopped:?}");
    assert!(legacy::is_left_over(&active).expect("seen"));
    legacy::clear(&active).expect("cleared");
    assert!(!legacy::is_left_over(&active).expect("seen"));
}

#[test]
fn a_disk_without_room_is_refused_before_anything_is_copied() {
    let mut fixture = beside(small);
    let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), None);
    faulty.set_free_space(1 << 20);
    fixture.fs = Arc::new(faulty);
    let active = fixture.root();
    let legacy = LegacyRoot::look(&active, PathBuf::from(LEGACY));
    let copied = legacy::copy(&legacy.root, &active, 1, &mut heard);
    assert!(matches!(copied, Err(LegacyError::Store(_))), "{copied:?}");
    assert!(!legacy::is_left_over(&active).expect("seen"));
}

#[test]
fn what_both_vaults_have_is_somebody_s_to_decide() {
    for (conflicts, text) in [(Conflicts::Keep, "present"), (Conflicts::Replace, "a")] {
        let fixture = beside(small);
        let present = fixture.create().expect("a new vault");
        let store = new_store("sealed", Protection::Protected);
        present.create_store(store).expect("a new store");
        put_labelled(&present, "sealed", "a", "present");
        put_labelled(&present, "sealed", "own", "own");
        let before = seen(&present);
        match take_in(&fixture, &present, Conflicts::Refuse) {
            Err(ArchiveError::Differing { count: 1, named }) => {
                assert!(named.contains("`a`"), "{named}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(seen(&present), before, "nothing was written");
        let merged = take_in(&fixture, &present, conflicts).expect("merged");
        assert_eq!(merged.kept, u64::from(conflicts == Conflicts::Keep));
        let world: World = seen(&present);
        let sealed = &world["sealed"].documents;
        assert!(sealed["a"].body.contains(text) && sealed["own"].body.contains("own"));
        assert!(sealed.contains_key("b") && world["plain"].documents.len() == 2);
        // Again, it finds all of it there.
        let again = take_in(&fixture, &present, Conflicts::Keep).expect("merged again");
        assert_eq!(again.unchanged + again.kept, again.objects);
    }
}

/// No vault is made, or opened, in a root whose files are on their way.
#[test]
fn a_root_that_is_being_taken_is_nobody_s() {
    let fixture = beside(small);
    let image = fixture.simulated.image();
    let fixture = fixture.after(image.clone());
    take_whole(&fixture).expect("moved in");
    let entries = fixture.keyring.entries();
    let mut seen_placing = 0;
    let log = fixture.simulated.log();
    let _ = enumerate(&image, &entries, &log, None, &mut |crash| {
        let after = fixture.after(crash.image);
        if legacy::is_placing(&after.root()).expect("seen") {
            seen_placing += 1;
            assert!(matches!(after.create(), Err(OpenError::AlreadyInitialized)));
            assert!(matches!(after.open(), Err(OpenError::Damaged(_))));
        }
        ControlFlow::Continue(())
    });
    assert!(seen_placing > 20);
}
