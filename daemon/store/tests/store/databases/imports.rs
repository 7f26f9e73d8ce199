//! Databases that are taken over, and what becomes of those that are not.

use std::{fs, path::PathBuf};

use vault_crypto::{KeyPurpose, KeyTable, StorageKey};
use vault_store::{
    KeyEntry, StoreError, StoreId,
    databases::{Import, NewDatabase, SchemaEntry, SqlError, StopReason, TableDigest, Value},
};

use super::{World, call, new_database, sql_error};
use crate::support::{fixture::name, rotating::reencrypt};

/// What is in the folder of a store that nobody can open yet.
const MARK: &str = "unpublished";

fn new(name: &str) -> NewDatabase {
    NewDatabase {
        store: new_database(name),
        user_version: 0,
        application_id: 0,
        encoding: String::new(),
    }
}

/// Begins to take over a database with one row.
fn import(world: &World) -> Import<'_> {
    let begun = world.disk.vault.import_database(&call(), new("copy"));
    let mut import = begun.expect("begun");
    let entry = SchemaEntry {
        kind: "table".into(),
        name: "t".into(),
        table: "t".into(),
        sql: "CREATE TABLE t (x)".into(),
    };
    import.schema(entry).expect("an entry");
    let columns = ["x".to_owned()];
    import.table("t".into(), &columns, false).expect("a table");
    import.rows(&[vec![Value::Null]]).expect("a row");
    import
}

fn announced(name: &str, rows: u64, sha256: [u8; 32]) -> TableDigest {
    TableDigest {
        name: name.into(),
        rows,
        sha256,
    }
}

/// SHA-256 of a row that is NULL.
fn digest() -> TableDigest {
    let sha256 = *vault_crypto::ContentHash::of(&[0]).as_bytes();
    announced("t", 1, sha256)
}

/// The folders of all stores but the one in the catalogue.
fn others(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.disk.root().join("stores")).expect("listed");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    folders.filter(|path| *path != world.folder()).collect()
}

fn has_key(world: &World, id: StoreId) -> bool {
    let mut kept = world.disk.keyring.entries().into_iter();
    let key = kept.find(|((_, _, entry), _)| *entry == KeyEntry::StorageKey);
    let key = StorageKey::from_bytes(&key.expect("kept").1).expect("32 bytes");
    let table = fs::read(world.disk.root().join("keys.a")).expect("read");
    let table = KeyTable::unwrap(&key, &table).expect("opened");
    let purpose = KeyPurpose::store(&id.to_string());
    !table.keys_of(&purpose).is_empty()
}

fn id(folder: &std::path::Path) -> StoreId {
    let name = folder.file_name().expect("a name").to_str();
    name.expect("ASCII").parse().expect("an id")
}

#[test]
fn what_was_taken_over_is_there_and_bears_no_mark() {
    let mut world = World::with_notes();
    let found = import(&world).finish(&[digest()]).expect("taken over");
    assert_eq!(found, [digest()]);
    let [folder] = &others(&world)[..] else {
        panic!("one folder")
    };
    assert!(folder.join("head").exists() && !folder.join(MARK).exists());
    world.reopen();
    world.disk.vault.database(&name("copy")).expect("opened");
}

#[test]
fn a_crash_amid_an_import_leaves_nothing_once_the_vault_is_open_again() {
    let mut world = World::with_notes();
    world.add("a");
    // As if the daemon had been killed.
    std::mem::forget(import(&world));
    let [folder] = &others(&world)[..] else {
        panic!("one folder")
    };
    let id = id(folder);
    assert!(folder.join(MARK).exists() && has_key(&world, id));
    world.reopen();
    assert!(others(&world).is_empty() && !has_key(&world, id));
    assert_eq!(world.notes(), ["a"]);
}

#[test]
fn only_what_bears_the_mark_and_is_in_no_catalogue_is_removed() {
    let mut world = World::with_notes();
    world.add("a");
    fs::write(world.folder().join(MARK), "").expect("planted");
    let unknown = world.disk.root().join("stores/0123456789abcdef");
    fs::create_dir(&unknown).expect("a folder");
    fs::write(unknown.join("1.db"), "").expect("a file");
    world.reopen();
    assert_eq!(world.notes(), ["a"]);
    assert!(others(&world) == [unknown.as_path()]);
    assert!(unknown.join("1.db").exists());
}

#[test]
fn an_import_given_up_leaves_nothing() {
    let world = World::new();
    drop(import(&world));
    assert!(others(&world).is_empty());
}

#[test]
fn an_import_that_may_not_be_published_leaves_nothing() {
    let world = World::new();
    let late = import(&world);
    let taken = world.disk.vault.create_store(new_database("copy"));
    let taken = taken.expect("created");
    let refused = late.finish(&[digest()]);
    assert!(matches!(refused, Err(StoreError::StoreExists(_))));
    let of_taken = world.disk.root().join("stores").join(taken.id.to_string());
    assert_eq!(others(&world), [of_taken]);

    let world = World::new();
    let late = import(&world);
    reencrypt(&world.disk.vault, &world.disk.keyring);
    let refused = sql_error(late.finish(&[digest()]));
    assert_eq!(refused, SqlError::TransactionEnded);
    assert!(!refused.to_string().contains("transaction"), "{refused}");
    assert!(others(&world).is_empty());
}

#[test]
fn closing_the_vault_stops_an_import() {
    let mut world = World::new();
    let call = call();
    let begun = world.disk.vault.import_database(&call, new("copy"));
    let mut import = begun.expect("begun");
    world.disk.vault.close();
    assert_eq!(call.stop.reason(), Some(StopReason::Closed));
    let refused = import.table("t".into(), &[], false);
    assert!(refused.is_err());
    assert!(matches!(import.finish(&[]), Err(StoreError::Closed)));
    let id = id(&others(&world)[0]);
    world.reopen();
    assert!(others(&world).is_empty() && !has_key(&world, id));
}

#[test]
fn what_reads_back_otherwise_is_told_by_what_is_different() {
    let world = World::new();
    for (expected, told) in [
        (announced("t", 2, [0; 32]), "with 1 rows, 2 were announced"),
        (announced("u", 1, [0; 32]), "where `u` was announced"),
        (announced("t", 1, [0; 32]), "other values than announced"),
    ] {
        let error = import(&world).finish(&[expected]).expect_err("different");
        assert!(error.to_string().contains(told), "{error}");
    }
}
