//! A new file that takes the place of the old one: stopped between databases, turned round, and with
//! a head that the disk would not write.

use std::{ops::ControlFlow, sync::Arc};

use vault_store::{
    DiskFileSystem,
    kind::Store as _,
    rotation::{Depth, RotationOutcome},
    vault::NextKey,
};

use super::{World, insert, new_database, notes, open};
use crate::support::{
    disk::OnDisk,
    faulty::{Fault, FaultyFileSystem, Struck},
    fixture::name,
    rotating::advance,
};

const NAMES: [&str; 3] = ["app/data", "app/more", "app/rest"];

fn with_notes(disk: OnDisk) -> World {
    for text in NAMES {
        disk.vault.create_store(new_database(text)).expect("made");
        let database = disk.vault.database(&name(text)).expect("opened");
        let table = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)";
        let table = vault_store::databases::Statement::new(table);
        database.execute(&super::call(), &table).expect("made");
        insert(&database, text).expect("inserted");
    }
    let database = open(&disk);
    World { disk, database }
}

/// The files of each database, those beside a file aside.
fn files(world: &World) -> Vec<Vec<String>> {
    let databases = NAMES.map(|text| world.disk.vault.database(&name(text)).expect("opened"));
    let folders = databases.map(|it| it.record().id.to_string());
    let files = folders.iter().map(|id| {
        let folder = world.disk.root().join("stores").join(id);
        let entries = std::fs::read_dir(folder).expect("listed");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|it| it.to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
        names.sort_unstable();
        names
    });
    files.collect()
}

fn assert_one_key(world: &World) {
    for text in NAMES {
        let database = world.disk.vault.database(&name(text)).expect("opened");
        let older = database.older_keys_in_use().expect("known");
        assert!(older.is_empty(), "{text}: {older:?}");
        assert_eq!(notes(&database)[0], text);
    }
    assert!(world.disk.vault.rotation().is_none());
    for files in files(world) {
        assert_eq!(files.len(), 2, "one file and its head: {files:?}");
    }
}

/// Begins to seal everything anew, and stops once a database has its new file and others have not.
fn pause_between(world: &World) {
    let OnDisk { vault, keyring, .. } = &world.disk;
    let next = NextKey::Random { drop_salt: false };
    vault
        .begin_rotation(keyring, Depth::Reencrypt, next)
        .expect("staged");
    let before = files(world);
    // Neither a file of before is there, nor one that is still being filled.
    let moved = |(before, now): (&Vec<String>, &Vec<String>)| {
        now.len() == 2
            && before
                .iter()
                .all(|file| file == "head" || !now.contains(file))
    };
    let paused = vault.advance_rotation(keyring, &mut |_| {
        if before.iter().zip(&files(world)).any(moved) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(paused.expect("paused"), RotationOutcome::Paused);
    let now = files(world);
    let moved = before.iter().zip(&now).filter(|pair| moved(*pair)).count();
    assert!(0 < moved && moved < now.len(), "{before:?} became {now:?}");
}

#[test]
fn paused_between_databases_a_rotation_goes_on_after_a_restart() {
    let mut world = with_notes(OnDisk::new());
    pause_between(&world);
    world.add("while it is paused");
    world.reopen();
    world.add("after a restart");
    advance(&world.disk.vault, &world.disk.keyring).expect("rotated");
    assert_one_key(&world);
    let expected = ["app/data", "while it is paused", "after a restart"];
    assert_eq!(world.notes(), expected);
    world.reopen();
    assert_one_key(&world);
}

#[test]
fn turned_round_between_databases_a_rotation_leaves_the_first_key() {
    for restart in [false, true] {
        let mut world = with_notes(OnDisk::new());
        pause_between(&world);
        world.add("while it is paused");
        if restart {
            world.reopen();
        }
        let OnDisk { vault, keyring, .. } = &world.disk;
        vault.roll_back_rotation(keyring).expect("in time");
        advance(vault, keyring).expect("back");
        assert_one_key(&world);
        world.add("afterwards");
        world.reopen();
        assert_one_key(&world);
        let expected = ["app/data", "while it is paused", "afterwards"];
        assert_eq!(world.notes(), expected);
    }
}

/// Every call to the disk around the first change of a file fails once, having done nothing or all:
/// whatever is acknowledged after that is there when the vault is opened next, under whichever file.
#[test]
fn no_write_is_lost_after_a_new_file_could_not_be_put_in_force() {
    /// More calls than it takes to put one file in force.
    const CALLS: usize = 16;
    let mut refused = 0;
    for fault in [Fault::Io, Fault::IoAfterwards] {
        for at in 0..CALLS {
            let faulty = FaultyFileSystem::new(Arc::new(DiskFileSystem), None);
            let mut world = with_notes(OnDisk::through(Arc::new(faulty.clone())));
            let OnDisk { vault, keyring, .. } = &world.disk;
            let next = NextKey::Random { drop_salt: false };
            vault
                .begin_rotation(keyring, Depth::Reencrypt, next)
                .expect("staged");
            let mut begun = false;
            let rotated = vault.advance_rotation(keyring, &mut |_| {
                if !std::mem::replace(&mut begun, true) {
                    faulty.strike(at, fault);
                }
                ControlFlow::Continue(())
            });
            let context = format!("{fault:?} at call {at}");
            assert_ne!(faulty.heal(), Struck::Never, "{context}");
            refused += usize::from(rotated.is_err());
            for text in NAMES {
                let database = world.disk.vault.database(&name(text)).expect("opened");
                insert(&database, "after it").expect(&context);
            }
            world.reopen();
            let kept = || {
                NAMES.map(|text| {
                    let database = world.disk.vault.database(&name(text)).expect(&context);
                    assert_eq!(notes(&database), [text, "after it"], "{context}");
                })
            };
            kept();
            if world.disk.vault.rotation().is_some() {
                advance(&world.disk.vault, &world.disk.keyring).expect(&context);
            }
            kept();
            assert_one_key(&world);
        }
    }
    assert!(refused > 5, "only {refused} rotations were stopped");
}
