//! Statements that no client may run, or that ask for more than anybody gets.

use std::time::Duration;

use vault_store::databases::{Budget, Call, Parameters, SqlError, Statement};

use super::{Kept, World, call, sql_error};

const REFUSED: &[&str] = &[
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other KEY ''",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT a",
    "CREATE TEMP TABLE t(x)",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE VIRTUAL TABLE temp.note USING fts5vocab('main', 'f', 'row')",
    "CREATE VIRTUAL TABLE temp.t USING fts5(x)",
    "CREATE VIRTUAL TABLE t USING csv(filename = '/etc/passwd')",
    "SELECT load_extension('x.so')",
    "SELECT sqlcipher_export('main')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT sqlite_compileoption_get(0)",
    "SELECT data FROM sqlite_dbpage",
    "UPDATE sqlite_dbpage SET data = zeroblob(4096) WHERE pgno = 1",
    "PRAGMA key = 'x'",
    "PRAGMA rekey = 'x'",
    "PRAGMA hexkey = '00'",
    "PRAGMA cipher_version",
    "PRAGMA cipher_salt",
    "PRAGMA cipher_memory_security = ON",
    "PRAGMA cipher_integrity_check",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode = MEMORY",
    "PRAGMA synchronous = OFF",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA temp_store = FILE",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA mmap_size = 1000000000",
    "PRAGMA cache_size = 1000000",
    "PRAGMA hard_heap_limit = 1000",
    "PRAGMA soft_heap_limit = 1000",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA database_list",
    "PRAGMA page_size = 512",
    "PRAGMA schema_version = 7",
    "PRAGMA trusted_schema = ON",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_cipher_salt",
];

#[test]
fn what_could_leave_the_file_or_reach_its_key_is_refused() {
    let world = World::with_notes();
    world.add("kept");
    for sql in REFUSED {
        let mut kept = Kept::default();
        let none = Parameters::default();
        let asked = world.database.query(&call(), sql, &none, &mut kept);
        let executed = world.try_execute(sql);
        for (way, done) in [("query", asked), ("execute", executed)] {
            let error = sql_error(done);
            // A table-valued function of a pragma that is refused does not exist.
            let refused = match &error {
                SqlError::Refused { .. } => true,
                SqlError::Invalid { message, .. } => {
                    message.contains("no such table") || message.contains("no such module")
                }
                _ => false,
            };
            assert!(refused, "{way} {sql}: {error}");
        }
        assert!(kept.rows.is_empty(), "{sql}");
    }
    assert_eq!(world.notes(), ["kept"]);
    assert_eq!(world.rows("PRAGMA journal_mode").concat().len(), 1);
}

#[test]
fn no_statement_changes_the_schema_behind_sqlites_back() {
    let world = World::with_notes();
    for sql in [
        "UPDATE sqlite_schema SET sql = 'x'",
        "DELETE FROM sqlite_master",
        "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x(y)')",
    ] {
        assert!(world.try_execute(sql).is_err(), "{sql}");
    }
    world.execute("CREATE VIRTUAL TABLE f USING fts5(text)");
    assert!(
        world.try_execute("DELETE FROM f_data").is_err(),
        "the tables of a full-text index are its own"
    );
}

#[test]
fn what_is_refused_is_refused_in_triggers_and_views_too() {
    let world = World::with_notes();
    let made = world.try_execute("CREATE VIEW v AS SELECT sqlite_compileoption_get(0) AS x");
    if made.is_ok() {
        let error = sql_error(super::rows(&world.database, "SELECT x FROM v"));
        assert!(matches!(error, SqlError::Refused { .. }), "{error:?}");
    }
    let trigger =
        "CREATE TRIGGER t AFTER INSERT ON note BEGIN SELECT sqlite_compileoption_get(0); END";
    if world.try_execute(trigger).is_ok() {
        assert!(super::insert(&world.database, "a").is_err());
    }
    assert_eq!(world.notes(), [""; 0]);
}

#[test]
fn giants_are_bounded() {
    let world = World::new();
    let bounded = [
        "SELECT zeroblob(2000000000)",
        "SELECT zeroblob(30000000)",
        "SELECT hex(zeroblob(30000000))",
        "SELECT printf('%.*c', 1000000000, 'x')",
        "SELECT replace(hex(zeroblob(10000)), '0', hex(zeroblob(10000)))",
        "SELECT group_concat(hex(zeroblob(100000))) FROM
           (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n)",
    ];
    for sql in bounded {
        let error = sql_error(super::rows(&world.database, sql));
        assert_eq!(error, SqlError::OverBudget(Budget::Row(2 << 20)), "{sql}");
    }
    let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    let wide = format!("SELECT {}1", "1, ".repeat(5000));
    let long = format!("SELECT '{}'", "x".repeat(2 << 20));
    for sql in [deep, wide, long] {
        assert!(super::rows(&world.database, &sql).is_err());
    }
}

#[test]
fn what_has_no_end_ends_when_its_time_is_over() {
    let world = World::with_notes();
    world.add("a");
    let short = || Call {
        work: Duration::from_millis(30),
        ..call()
    };
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
           INSERT INTO note(text) SELECT i FROM n",
    ] {
        let done = world.database.execute(&short(), &Statement::new(sql));
        assert_eq!(sql_error(done), SqlError::OverBudget(Budget::Time), "{sql}");
    }
    assert_eq!(world.notes(), ["a"]);
}
