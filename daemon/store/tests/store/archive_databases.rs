//! Databases leave a vault as ordinary SQLite files, and come back as they were.

use std::{
    io::{self, Read},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rusqlite::Connection;
use vault_crypto::ContentHash;
use vault_store::{
    SizeClass, StoreError, Vault,
    archive::{ArchiveError, Contents, Form, Progress, export},
    catalogue::{BlobColumn, DatabaseOptions, Kind, Protection},
    databases::Database,
    id::Revision,
    kind::{Entry, Store as _},
    vault::NewStore,
};

use crate::{
    archive_world::{FORMS, TAR, exported, restored, verified},
    database_world::{execute, number},
    support::{
        disk::{OnDisk, files},
        fixture::{name, put},
    },
};

const STORE: &str = "chat/history";
const PATH: &str = "stores/chat/history~.sqlite3";

fn create(vault: &Vault, store: &str) -> Arc<Database> {
    let new = NewStore {
        name: name(store),
        kind: Kind::Database,
        protection: Protection::Protected,
        size_class: SizeClass::default(),
        attachments: vault_store::catalogue::AttachmentOptions::default(),
        database: DatabaseOptions {
            without_maintenance: true,
            blob_columns: vec![BlobColumn {
                table: "turn".to_owned(),
                column: "attachment".to_owned(),
            }],
        },
    };
    vault.create_store(new).expect("a new store");
    vault.database(&name(store)).expect("open")
}

/// Tables, an index, a trigger, full text, every storage class, and pages that are free.
fn fill(database: &Database) {
    for sql in [
        "CREATE TABLE turn(id INTEGER PRIMARY KEY, text TEXT, score REAL, attachment BLOB)",
        "CREATE INDEX turn_text ON turn(text)",
        "CREATE VIRTUAL TABLE found USING fts5(text)",
        "CREATE TRIGGER mirror AFTER INSERT ON turn BEGIN \
         INSERT INTO found(rowid, text) VALUES (new.id, new.text); END",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) \
         INSERT INTO turn SELECT i, 'words of turn ' || i, i / 7.0, \
         CASE i % 3 WHEN 0 THEN NULL ELSE zeroblob(i % 200) END FROM n",
        "DELETE FROM turn WHERE id BETWEEN 500 AND 1500",
        "PRAGMA user_version = 7",
    ] {
        execute(database, sql);
    }
}

fn vault() -> (OnDisk, Arc<Database>) {
    let disk = OnDisk::new();
    let database = create(&disk.vault, STORE);
    fill(&database);
    (disk, database)
}

/// The database in a tar file.
fn file_of(archive: &[u8]) -> Vec<u8> {
    let mut tar = tar::Archive::new(archive);
    let mut entries = tar.entries().expect("a tar file");
    let is_it = |entry: &tar::Entry<'_, _>| *entry.path_bytes() == *PATH.as_bytes();
    let mut entry = entries
        .find_map(|entry| entry.ok().filter(is_it))
        .expect("the database");
    let mut content = Vec::new();
    entry.read_to_end(&mut content).expect("read");
    content
}

/// Opens it as anybody does, who has no key.
fn opened(file: &[u8]) -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plain.sqlite3");
    std::fs::write(&path, file).expect("written");
    (folder, Connection::open(path).expect("opened"))
}

/// All that can be read from it, and the schema.
const CONTENT: &str = "SELECT group_concat(line, char(10)) FROM ( \
    SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_schema \
    UNION ALL SELECT * FROM (SELECT quote(id) || quote(text) || quote(score) || \
    quote(attachment) FROM turn ORDER BY id) \
    UNION ALL SELECT * FROM (SELECT rowid || text FROM found('words') ORDER BY rowid))";

fn plain_text(connection: &Connection, sql: &str) -> String {
    let read = connection.query_row(sql, (), |row| row.get(0));
    read.expect("read")
}

fn text(database: &Database, sql: &str) -> String {
    crate::database_world::text(database, sql)
}

#[test]
fn anybody_opens_an_exported_database_and_finds_every_row() {
    let (disk, database) = vault();
    let (archive, summary) = exported(&disk.vault, TAR);
    assert_eq!(verified(&archive).expect("whole"), summary);
    assert!(String::from_utf8_lossy(&archive).contains("{\"format\":2,"));
    let file = file_of(&archive);
    let (_folder, plain) = opened(&file);
    assert_eq!(plain_text(&plain, CONTENT), text(&database, CONTENT));
    assert_eq!(plain_text(&plain, "PRAGMA integrity_check"), "ok");
    assert_eq!(plain_text(&plain, "PRAGMA journal_mode"), "delete");
    let version = plain.query_row("PRAGMA user_version", (), |row| row.get::<_, i64>(0));
    assert_eq!(version.expect("read"), 7);
    plain.execute("DELETE FROM turn", ()).expect("it is theirs");
    // Of it the log held what was not yet written back.
    let log = files(disk.root())
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with("-wal"));
    assert!(log.is_some_and(|log| log.metadata().expect("there").len() > 0));
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let (mut disk, database) = vault();
    let (first, _) = exported(&disk.vault, TAR);
    let unchanged = text(&database, CONTENT);
    drop(database);
    disk.reopen();
    let (second, _) = exported(&disk.vault, TAR);
    assert!(file_of(&first) == file_of(&second));
    let database = disk.vault.database(&name(STORE)).expect("open");
    assert_eq!(text(&database, CONTENT), unchanged);
    execute(&database, "UPDATE turn SET text = 'other' WHERE id = 1");
    let (third, _) = exported(&disk.vault, TAR);
    assert!(file_of(&first) != file_of(&third));
}

#[test]
fn another_vault_gets_back_what_was_exported() {
    let (disk, database) = vault();
    let documents = disk.store("notes", Protection::Protected);
    put(&documents, "a", "x");
    for form in FORMS {
        let (archive, summary) = exported(&disk.vault, form);
        let mut target = OnDisk::new();
        let done = restored(&target.vault, &archive[..], summary.manifest, false);
        assert_eq!(done.expect("restored").unchanged, 0);
        target.reopen();
        let back = target.vault.database(&name(STORE)).expect("open");
        assert_eq!(text(&back, CONTENT), text(&database, CONTENT));
        assert_eq!(back.record().database, database.record().database);
        assert_eq!(text(&back, "PRAGMA integrity_check"), "ok");
        execute(&back, "INSERT INTO turn(text) VALUES ('it goes on')");
        execute(&back, "DELETE FROM turn WHERE text = 'it goes on'");
    }
    // Byte by byte, and known as such.
    let (archive, summary) = exported(&disk.vault, TAR);
    let target = OnDisk::new();
    restored(&target.vault, &archive[..], summary.manifest, false).expect("restored");
    let (again, _) = exported(&target.vault, TAR);
    assert!(file_of(&archive) == file_of(&again));
    let done = restored(&target.vault, &archive[..], summary.manifest, true).expect("merged");
    assert_eq!(done.unchanged, summary.objects);
}

#[test]
fn merging_replaces_a_database_as_a_whole() {
    let (disk, database) = vault();
    let (archive, summary) = exported(&disk.vault, TAR);
    let mut target = OnDisk::new();
    let other = create(&target.vault, STORE);
    execute(&other, "CREATE TABLE mine(x)");
    let done = restored(&target.vault, &archive[..], summary.manifest, true).expect("merged");
    assert_eq!(done.unchanged, 0);
    assert_eq!(
        text(&other, CONTENT),
        text(&database, CONTENT),
        "the handle goes on"
    );
    execute(&other, "UPDATE turn SET text = 'changed' WHERE id = 1");
    restored(&target.vault, &archive[..], summary.manifest, true).expect("merged");
    drop(other);
    target.reopen();
    let other = target.vault.database(&name(STORE)).expect("open");
    assert_eq!(text(&other, CONTENT), text(&database, CONTENT));
}

/// The files of a vault that hold databases, but for logs.
fn database_files(disk: &OnDisk) -> Vec<String> {
    let names = files(disk.root()).into_iter().filter_map(|path| {
        let database = path.extension().is_some_and(|extension| extension == "db");
        let name = path.file_name()?.to_str()?.to_owned();
        database.then_some(name)
    });
    names.collect()
}

#[test]
fn nothing_is_kept_of_a_database_that_is_not_the_one_meant() {
    let (disk, _) = vault();
    let (archive, summary) = exported(&disk.vault, TAR);
    let target = OnDisk::new();
    let other = create(&target.vault, STORE);
    execute(&other, "CREATE TABLE mine(x)");
    let files = database_files(&target);
    let end = archive.len() - 1024;
    let size = usize::try_from(summary.bytes).expect("small");
    for at in [end - size, end - size / 2, end - 1] {
        let mut wrong = archive.clone();
        wrong[at] ^= 1;
        let error = restored(&target.vault, &wrong[..], summary.manifest, true);
        assert!(
            matches!(error, Err(ArchiveError::Damaged(_))),
            "{at}: {error:?}"
        );
        let error = restored(&target.vault, &archive[..at], summary.manifest, true);
        assert!(
            matches!(error, Err(ArchiveError::Damaged(_))),
            "{at}: {error:?}"
        );
        assert_eq!(text(&other, "SELECT name FROM sqlite_schema"), "mine");
        assert_eq!(database_files(&target), files, "nothing is left behind");
    }
    execute(&other, "DROP TABLE mine");
}

/// Puts a file into a store as an archive would whose manifest vouches for it.
fn import(database: &Database, file: &[u8]) -> Result<bool, StoreError> {
    let entry = Entry {
        id: "database".to_owned(),
        revision: Revision(1),
        content_type: "application/vnd.sqlite3".to_owned(),
        size: file.len() as u64,
        sha256: ContentHash::of(file),
        metadata: br#"{"page_size": 4096, "user_version": 0}"#.to_vec(),
    };
    database.import_stream(entry, &mut &file[..])
}

#[test]
fn files_that_no_vault_wrote_are_refused_with_the_reason() {
    let (disk, _) = vault();
    let file = file_of(&exported(&disk.vault, TAR).0);
    let other = create(&disk.vault, "other");
    execute(&other, "CREATE TABLE mine(x)");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ordinary = folder.path().join("ordinary.sqlite3");
    let connection = Connection::open(&ordinary).expect("opened");
    connection.execute_batch("CREATE TABLE t(x)").expect("made");
    drop(connection);
    let ordinary = std::fs::read(ordinary).expect("read");
    // A page of the table stands where a page of another was.
    let mut mixed = file.clone();
    mixed.copy_within(4096..8192, 4 * 4096);
    for (what, wrong) in [
        ("smaller than a page", &file[..100]),
        ("0 of them reserved", &ordinary),
        ("pages and has", &file[..file.len() - 4096]),
        ("no SQLite file", &[7; 8192][..]),
        ("contradict each other", &mixed),
    ] {
        let error = import(&other, wrong).expect_err(what).to_string();
        assert!(error.contains(what), "{what}: {error}");
        assert_eq!(text(&other, "SELECT name FROM sqlite_schema"), "mine");
    }
    assert!(!import(&other, &file).expect("taken"));
    assert!(import(&other, &file).expect("there already"));
}

/// Whatever is written meanwhile, an export shows whole transactions, up to one moment.
#[test]
fn an_export_amid_a_writer_is_of_one_moment() {
    let disk = OnDisk::new();
    let database = create(&disk.vault, STORE);
    for sql in [
        "CREATE TABLE one(n INTEGER PRIMARY KEY, filling BLOB)",
        "CREATE TABLE two(n INTEGER PRIMARY KEY, filling BLOB)",
        "CREATE TRIGGER both AFTER INSERT ON one BEGIN \
         INSERT INTO two VALUES (new.n, new.filling); END",
    ] {
        execute(&database, sql);
    }
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                execute(
                    &database,
                    "INSERT INTO one(filling) VALUES (zeroblob(3000))",
                );
                written.fetch_add(1, Ordering::AcqRel);
            }
        });
        let await_more = || {
            let before = written.load(Ordering::Acquire);
            while written.load(Ordering::Acquire) < before + 5 {
                std::thread::yield_now();
            }
        };
        let mut seen = 0;
        for _ in 0..8 {
            await_more();
            let mut out = Vec::new();
            // Many more are written after the moment and before the first page is.
            let mut wait = |_: Progress<'_>| {
                await_more();
                ControlFlow::Continue(())
            };
            let summary = export(
                &disk.vault,
                &mut out,
                &Form::Tar,
                &Contents::default(),
                &mut wait,
            );
            if summary.is_err() {
                done.store(true, Ordering::Release);
            }
            summary.expect("exported");
            let (_folder, plain) = opened(&file_of(&out));
            let sums = "SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)";
            let counts = plain.query_row(sums, (), |row| Ok((row.get(0)?, row.get(1)?)));
            let (one, two): (u64, u64) = counts.expect("read");
            assert_eq!(one, two, "half a transaction");
            assert!(one > seen, "what was acknowledged is in it");
            assert_eq!(plain_text(&plain, "PRAGMA integrity_check"), "ok");
            seen = one;
        }
        done.store(true, Ordering::Release);
    });
    assert!(number(&database, "SELECT count(*) FROM one") >= 40);
}

/// An export ends when the vault is locked; nothing of it passes for whole.
#[test]
fn an_export_ends_with_the_vault() {
    let (disk, _) = vault();
    let mut out = Vec::new();
    let stopped = export(
        &disk.vault,
        &mut out,
        &Form::Tar,
        &Contents::default(),
        &mut |_| {
            disk.vault.close();
            ControlFlow::Continue(())
        },
    );
    let closed = matches!(stopped, Err(ArchiveError::Store(StoreError::Closed)));
    assert!(closed, "{stopped:?}");
    assert!(verified(&out).is_err());
}

/// A reader that gives little at a time, and remembers how much was wanted.
struct Sparing<'a>(&'a [u8], usize);

impl Read for Sparing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1.max(buffer.len());
        let len = buffer.len().min(1000);
        self.0.read(&mut buffer[..len])
    }
}

/// Neither way is more held of a database than some pages.
#[test]
fn large_databases_pass_in_small_pieces() {
    let (disk, database) = vault();
    execute(
        &database,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000) \
         INSERT INTO turn(text, attachment) SELECT i, randomblob(5000) FROM n",
    );
    let (archive, summary) = exported(&disk.vault, TAR);
    assert!(summary.bytes > 20 << 20);
    let target = OnDisk::new();
    let mut input = Sparing(&archive, 0);
    restored(&target.vault, &mut input, summary.manifest, false).expect("restored");
    assert!(input.1 <= 64 << 10, "{}", input.1);
    let (again, _) = exported(&target.vault, TAR);
    assert!(file_of(&archive) == file_of(&again));
}
