//! What upkeep does to a database, and for whom it makes way.

use std::{sync::Arc, time::Instant};

use vault_store::{
    DiskFileSystem, FileSystem as _, StoreError, StoreResult,
    catalogue::{Kind, Protection},
    databases::{Call, Database, NoRows, Parameters, SqlError, Statement, StopReason},
    maintenance::{Operation, Upkept, is_yielded},
    vault::NewStore,
};

use crate::support::{
    disk::OnDisk,
    faulty::FaultyFileSystem,
    fixture::{name, new_store},
    gate::PATIENCE,
};

fn call() -> Call {
    Call::within(PATIENCE)
}

fn run(database: &Database, sql: &str) {
    database.execute(&call(), &Statement::new(sql)).expect(sql);
}

/// A database of some 8 MB, of which most is free.
fn spacious(disk: &OnDisk) -> Arc<Database> {
    let database = filled(disk, 2000);
    run(&database, "DELETE FROM notes WHERE id > 100");
    database
}

/// A database with so many rows of 4 KB.
fn filled(disk: &OnDisk, rows: u32) -> Arc<Database> {
    let new = NewStore {
        kind: Kind::Database,
        ..new_store("notes", Protection::Protected)
    };
    disk.vault.create_store(new).expect("a new database");
    let database = disk.vault.database(&name("notes")).expect("open");
    run(
        &database,
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, kind, text)",
    );
    run(&database, "CREATE INDEX kinds ON notes (kind)");
    run(
        &database,
        &format!(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             INSERT INTO notes SELECT i, i % 7, hex(randomblob(2000)) FROM n"
        ),
    );
    database
}

fn rows(database: &Database) -> u64 {
    let figures = database.figures(&call()).expect("figures");
    let notes = figures.tables.iter().find(|table| table.name == "notes");
    notes.and_then(|table| table.rows).expect("counted")
}

fn yields(done: &StoreResult<Upkept>) -> bool {
    done.as_ref().is_err_and(is_yielded)
}

#[test]
fn vacuum_gives_free_pages_back_to_the_disk() {
    let disk = OnDisk::new();
    let database = spacious(&disk);
    let Upkept { before, after } = database.upkeep(Operation::Vacuum).expect("done");
    assert!(before > 8_000_000, "{before}");
    assert!(after < before / 4, "{before} bytes became {after}");
    let figures = database.figures(&call()).expect("figures");
    assert_eq!((figures.free_pages, figures.log_bytes), (0, 0));
    assert_eq!(figures.file_bytes, after);
    assert_eq!(rows(&database), 100);
    run(&database, "INSERT INTO notes (kind) VALUES (1)");
    assert_eq!(rows(&database), 101);
}

#[test]
fn checkpoint_empties_the_log() {
    let disk = OnDisk::new();
    let database = filled(&disk, 50);
    let before = database.figures(&call()).expect("figures");
    assert!(before.log_bytes > 0);
    database.upkeep(Operation::Checkpoint).expect("done");
    let after = database.figures(&call()).expect("figures");
    assert_eq!(after.log_bytes, 0);
    assert_eq!(rows(&database), 50);
}

#[test]
fn optimize_looks_at_tables_that_no_query_of_its_own_has_used() {
    let disk = OnDisk::new();
    let database = filled(&disk, 500);
    let analysed = || {
        let figures = database.figures(&call()).expect("figures");
        figures
            .tables
            .iter()
            .any(|table| table.name == "sqlite_stat1")
    };
    assert!(!analysed());
    database.upkeep(Operation::Optimize).expect("done");
    assert!(analysed());
}

#[test]
fn vacuum_says_how_much_room_is_missing_and_the_others_need_none() {
    let fs = FaultyFileSystem::new(Arc::new(DiskFileSystem), None);
    let disk = OnDisk::through(Arc::new(fs.clone()));
    let database = spacious(&disk);
    let bytes = database.bytes().expect("known");
    let enough = 2 * bytes + (16 << 20);
    fs.set_free_space(enough - 1);
    let refused = database.upkeep(Operation::Vacuum).expect_err("refused");
    assert!(
        matches!(refused, StoreError::NoSpace { needed, free, .. }
            if needed == enough && free == enough - 1),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("make room for 1 more"),
        "{refused}"
    );
    assert_eq!(database.bytes().expect("known"), bytes, "nothing was begun");
    database.upkeep(Operation::Optimize).expect("done");
    database.upkeep(Operation::Checkpoint).expect("done");
    fs.set_free_space(enough);
    database.upkeep(Operation::Vacuum).expect("done");
}

#[test]
fn the_disk_tells_how_much_room_there_is() {
    let disk = OnDisk::new();
    let free = DiskFileSystem.free_space(disk.root()).expect("known");
    assert!(free > 1 << 20, "{free}");
}

#[test]
fn it_begins_nothing_where_somebody_writes_and_ends_where_somebody_wants_to() {
    let disk = OnDisk::new();
    let database = filled(&disk, 8000);
    {
        let call = call();
        let _transaction = database.begin(&call, false).expect("begun");
        assert!(yields(&database.upkeep(Operation::Optimize)));
    }
    let done = std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| database.upkeep(Operation::Vacuum));
        let mut written = 0;
        while !upkeep.is_finished() {
            run(&database, "INSERT INTO notes (kind) VALUES (1)");
            written += 1;
        }
        assert!(written > 0);
        let done = upkeep.join().expect("no panic");
        assert_eq!(rows(&database), 8000 + written);
        done
    });
    assert!(yields(&done), "{done:?}");
    database
        .upkeep(Operation::Vacuum)
        .expect("undisturbed, it is done");
}

#[test]
fn what_was_asked_for_keeps_its_turn() {
    let disk = OnDisk::new();
    let database = filled(&disk, 4000);
    std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| database.upkeep_for(&call(), Operation::Vacuum));
        while !upkeep.is_finished() {
            run(&database, "INSERT INTO notes (kind) VALUES (1)");
        }
        upkeep.join().expect("no panic").expect("done");
    });
    let stopped = call();
    stopped.stop.stop(StopReason::Cancelled);
    let error = database.upkeep_for(&stopped, Operation::Vacuum);
    let cancelled = |error: &StoreError| matches!(error, StoreError::Sql(SqlError::Cancelled));
    assert!(error.as_ref().is_err_and(cancelled), "{error:?}");
}

#[test]
fn readers_go_on_and_a_checkpoint_waits_for_another_time() {
    let disk = OnDisk::new();
    let database = spacious(&disk);
    let call = call();
    let mut reading = database.begin(&call, true).expect("begun");
    let count = |reading: &mut vault_store::databases::Transaction<'_>| {
        let sql = "SELECT count(*) FROM notes";
        reading
            .query(sql, &Parameters::default(), &mut NoRows)
            .expect("read");
    };
    count(&mut reading);
    run(&database, "INSERT INTO notes (kind) VALUES (1)");
    assert!(yields(&database.upkeep(Operation::Checkpoint)));
    let vacuumed = database
        .upkeep(Operation::Vacuum)
        .expect("done beside the reader");
    count(&mut reading);
    drop(reading);
    database.upkeep(Operation::Checkpoint).expect("done");
    let bytes = database.bytes().expect("known");
    assert!(bytes < vacuumed.before / 4, "{vacuumed:?}, then {bytes}");
}

#[test]
fn a_database_knows_for_how_long_nobody_has_worked_with_it() {
    let disk = OnDisk::new();
    assert!(disk.vault.database_if_open(&name("notes")).is_none());
    let database = filled(&disk, 1);
    let open = disk.vault.database_if_open(&name("notes")).expect("open");
    assert!(Arc::ptr_eq(&open, &database));
    let before = database.idle();
    database.upkeep(Operation::Optimize).expect("done");
    assert!(database.idle() > before, "upkeep is no use of it");
    let begun = Instant::now();
    run(&database, "DELETE FROM notes");
    assert!(database.idle() <= begun.elapsed(), "a statement is");
}
