//! Files that were changed, cut, swapped or lost: an error that names the database, never an empty
//! one in its place.

use std::fs;

use vault_store::{StoreError, StoreResult};

use super::{World, call, new_database};
use crate::support::fixture::name;

const MARKER: &str = "these words are meant for nobody else";

fn damaged<T>(result: StoreResult<T>) -> String {
    match result {
        Err(StoreError::Damaged { object, .. }) => object,
        Err(other) => panic!("{other} is not damage"),
        Ok(_) => panic!("it was opened"),
    }
}

/// The database file in a folder.
fn file_in(folder: &std::path::Path) -> std::path::PathBuf {
    let mut files = crate::support::disk::files(folder);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "db"));
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// Changes the files of a closed database, and opens it again.
fn after(change: impl FnOnce(&std::path::Path)) -> StoreResult<Vec<String>> {
    let mut world = World::with_notes();
    world.add(MARKER);
    let folder = world.folder();
    world.disk.vault.close();
    change(&folder);
    world.disk.reopen();
    let database = world.disk.vault.database(&name("app/data"))?;
    let rows = super::rows(&database, "SELECT text FROM note")?;
    Ok(rows
        .concat()
        .iter()
        .map(|value| format!("{value:?}"))
        .collect())
}

#[test]
fn nothing_of_a_database_stands_in_the_clear() {
    let mut world = World::with_notes();
    world.add(MARKER);
    for round in ["with its log", "closed"] {
        for file in crate::support::disk::files(world.disk.root()) {
            let bytes = fs::read(&file).expect("readable");
            let shown = file.display();
            for clear in [MARKER, "SQLite format", "note", "app/data"] {
                let found = bytes.windows(clear.len()).any(|w| w == clear.as_bytes());
                assert!(!found, "{clear:?} stands in {shown}, {round}");
            }
        }
        world.disk.vault.close();
    }
    world.reopen();
    assert_eq!(world.notes(), [MARKER]);
}

#[cfg(unix)]
#[test]
fn its_files_are_the_owners_alone() {
    use std::os::unix::fs::MetadataExt as _;

    let world = World::with_notes();
    world.add("a");
    let files = world.files();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let mode = fs::metadata(world.folder().join(&file))
            .expect("there")
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_lost_or_emptied_file_is_damage_and_no_empty_database() {
    let object = "database `app/data`";
    assert_eq!(
        damaged(after(
            |folder| fs::remove_file(file_in(folder)).expect("removed")
        )),
        object
    );
    let emptied = after(|folder| fs::write(file_in(folder), b"").expect("written"));
    assert_eq!(damaged(emptied), object);
    let plain = after(|folder| {
        fs::write(file_in(folder), b"SQLite format 3\0").expect("written");
    });
    assert_eq!(damaged(plain), object);
    let head = after(|folder| fs::remove_file(folder.join("head")).expect("removed"));
    assert_eq!(damaged(head), object);
}

#[test]
fn a_changed_byte_is_damage() {
    for at in [0, 20, 4000, 4096 + 100] {
        let changed = after(|folder| {
            let file = file_in(folder);
            let mut bytes = fs::read(&file).expect("readable");
            assert!(bytes.len() > at, "{} bytes", bytes.len());
            bytes[at] ^= 1;
            fs::write(file, bytes).expect("written");
        });
        assert_eq!(damaged(changed), "database `app/data`", "byte {at}");
    }
    let head = after(|folder| {
        let file = folder.join("head");
        let mut bytes = fs::read(&file).expect("readable");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(file, bytes).expect("written");
    });
    assert_eq!(damaged(head), "the head of database `app/data`");
}

#[test]
fn the_file_of_another_database_is_damage() {
    let mut world = World::with_notes();
    world
        .disk
        .vault
        .create_store(new_database("app/other"))
        .expect("created");
    let other = world
        .disk
        .vault
        .database(&name("app/other"))
        .expect("opened");
    let other = world
        .disk
        .root()
        .join("stores")
        .join(other.record().id.to_string());
    let own = world.folder();
    world.disk.vault.close();
    for (theirs, ours) in [
        (file_in(&other), file_in(&own)),
        (other.join("head"), own.join("head")),
    ] {
        fs::copy(theirs, ours).expect("copied");
        world.disk.reopen();
        damaged(world.disk.vault.database(&name("app/data")));
        world.disk.vault.close();
    }
}

#[test]
fn a_check_finds_a_page_that_was_changed_and_a_rotation_does_not_stop_there() {
    let mut world = World::with_notes();
    for n in 0..500 {
        world.add(&format!("{n} {}", "x".repeat(100)));
    }
    let problems = |world: &World| {
        let mut found = Vec::new();
        let checked = world.database.check(&call(), &mut |_, problems| {
            found.extend(problems);
            std::ops::ControlFlow::Continue(())
        });
        checked.expect("checked to its end");
        found
    };
    assert_eq!(problems(&world), [""; 0]);
    let file = file_in(&world.folder());
    world.disk.vault.close();
    let mut bytes = fs::read(&file).expect("readable");
    bytes[5 * 4096 + 7] ^= 1;
    fs::write(&file, bytes).expect("written");
    world.reopen();
    assert!(!problems(&world).is_empty());
}
