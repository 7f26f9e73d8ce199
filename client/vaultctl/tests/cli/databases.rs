//! Databases as scripts use them: what a transcript cannot show, since it takes standard input or
//! files made for the test.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
};

use rusqlite::Connection;

use super::{Daemon, vaultd};

/// Runs vaultctl with `input` on its standard input.
fn run(daemon: &Daemon, arguments: &[&str], input: &str) -> Output {
    let mut child = daemon
        .vaultctl()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vaultctl runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // One that refuses its arguments reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("vaultctl ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What it prints where it succeeds.
pub(crate) fn done(daemon: &Daemon, arguments: &[&str], input: &str) -> String {
    let output = run(daemon, arguments, input);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Its exit code and what it complains about where it fails.
pub(crate) fn failed(daemon: &Daemon, arguments: &[&str], input: &str) -> (i32, String) {
    let output = run(daemon, arguments, input);
    let code = output.status.code().expect("it ends by itself");
    assert_ne!(code, 0, "{arguments:?}");
    (code, text(&output.stderr))
}

fn with_database(name: &str) -> Daemon {
    let daemon = Daemon::start(&vaultd());
    done(&daemon, &["db", "create", name], "");
    daemon
}

#[test]
fn a_script_has_its_whole_effect_or_none() {
    let daemon = with_database("t");
    let count = || {
        done(
            &daemon,
            &["db", "sql", "t", "SELECT count(*) AS n FROM a"],
            "",
        )
    };
    let script = "CREATE TABLE a (x UNIQUE, y);\n\
                  CREATE TRIGGER b AFTER INSERT ON a BEGIN UPDATE a SET y = ';'; SELECT 1; END;\n\
                  INSERT INTO a (x) VALUES ('it''s; one'); -- ; not\n\
                  INSERT INTO a (x) VALUES (2)";
    let printed = done(&daemon, &["db", "sql", "t"], script);
    assert_eq!(printed, "4 statements ran, 2 rows changed\n");
    assert_eq!(count(), "n\n2\n");

    let reads = "INSERT INTO a (x) VALUES (3); SELECT count(*) AS n FROM a;";
    assert_eq!(done(&daemon, &["db", "sql", "t", "-"], reads), "n\n3\n");

    for broken in [
        "INSERT INTO a (x) VALUES (4); INSERT INTO a (x) VALUES (4);",
        "INSERT INTO a (x) VALUES (4); SELECT nowhere;",
        "INSERT INTO a (x) VALUES (4); SELECT 'open",
    ] {
        let (code, _) = failed(&daemon, &["db", "sql", "t"], broken);
        assert_eq!(code, 1, "{broken}");
        assert_eq!(count(), "n\n3\n", "{broken}");
    }
}

#[test]
fn values_of_any_size_go_in_and_out() {
    let daemon = with_database("t");
    let file = daemon.folder.path().join("value");
    let value: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    fs::write(&file, &value).expect("written");
    let parameter = format!("@{}", file.display());
    done(&daemon, &["db", "sql", "t", "CREATE TABLE a (b)"], "");
    let insert = "INSERT INTO a VALUES (:v) RETURNING length(b) AS n";
    let named = format!("v={parameter}");
    let printed = done(&daemon, &["db", "sql", "t", insert, "--param", &named], "");
    assert_eq!(printed, "n\n3000000\n");
    let printed = done(
        &daemon,
        &["db", "sql", "t", "SELECT b FROM a", "--json"],
        "",
    );
    let row: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let base64 = row["b"]["base64"].as_str().expect("a blob");
    let decoded = data_encoding::BASE64.decode(base64.as_bytes());
    assert!(decoded.expect("base64") == value, "the value is another");
}

#[test]
fn what_a_terminal_acts_on_is_shown_and_not_sent() {
    let daemon = with_database("t");
    let sql = "SELECT char(27) || '[2J' AS color, char(9, 10) AS blanks";
    let printed = done(&daemon, &["db", "sql", "t", sql], "");
    assert_eq!(printed, "color\tblanks\n\\u{1b}[2J\t\\t\\n\n");
    let (code, why) = failed(
        &daemon,
        &["db", "sql", "t", "SELECT * FROM \"a\x1b[2J\""],
        "",
    );
    assert_eq!(code, 1);
    assert!(!why.contains('\x1b'), "{why}");
}

#[test]
fn a_shell_reads_what_is_no_terminal() {
    let daemon = with_database("t");
    let script = "CREATE TABLE a (x);\n\
                  BEGIN;\n\
                  INSERT INTO a VALUES (1);\n\
                  ROLLBACK;\n\
                  begin immediate;\n\
                  INSERT INTO a\n\
                  VALUES (2);\n\
                  COMMIT;\n\
                  .tables\n\
                  .mode csv\n\
                  SELECT x FROM a";
    let printed = done(&daemon, &["db", "shell", "t"], script);
    let expected = "done\n1 row changed\n1 row changed\na\nx\r\n2\r\n";
    assert_eq!(printed, expected);

    let (code, why) = failed(&daemon, &["db", "shell", "t"], "BEGIN; DELETE FROM a;");
    assert_eq!(code, 1);
    assert!(why.contains("rolled back"), "{why}");
    let stops = "SELECT nowhere;\nDELETE FROM a;";
    assert_eq!(failed(&daemon, &["db", "shell", "t"], stops).0, 1);
    let printed = done(&daemon, &["db", "sql", "t", "SELECT x FROM a"], "");
    assert_eq!(printed, "x\n2\n", "nothing of either remains");
    assert_eq!(failed(&daemon, &["db", "shell", "nowhere"], "").0, 3);
}

/// A plain database with something of everything, its newest rows in its log only.
fn plain(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA user_version = 7; PRAGMA application_id = 99;
             CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT,
                                 upper TEXT AS (upper(text)) STORED, data BLOB);
             CREATE INDEX by_text ON notes (text);
             CREATE TABLE gaps (x);
             CREATE TABLE keyed (k PRIMARY KEY, v) WITHOUT ROWID;
             CREATE TABLE \"odd \"\"name\" (rowid TEXT, \"select\");
             CREATE VIRTUAL TABLE found USING fts5 (text, content = 'notes', content_rowid = 'id');
             CREATE TRIGGER mirror AFTER INSERT ON notes
             BEGIN INSERT INTO found (rowid, text) VALUES (new.id, new.text); END;
             CREATE VIEW short AS SELECT text FROM notes;
             INSERT INTO notes (text, data) VALUES ('first hello', x'00ff'), ('second', NULL);
             INSERT INTO notes (text, data) VALUES ('large', zeroblob(600000));
             DELETE FROM notes WHERE text = 'second';
             INSERT INTO gaps (rowid, x) VALUES (3, 1.5), (9, 9223372036854775807), (27, '');
             INSERT INTO keyed VALUES ('b', 1), ('a', 2);
             INSERT INTO \"odd \"\"name\" VALUES ('x', 1);
             ANALYZE;",
        )
        .expect("well formed");
    connection
}

#[test]
fn an_import_takes_over_what_a_plain_database_holds() {
    let daemon = Daemon::start(&vaultd());
    let file = daemon.folder.path().join("plain.sqlite");
    let source = plain(&file);
    let path = file.to_str().expect("UTF-8");
    let printed = done(&daemon, &["db", "import", "taken", path, "--json"], "");
    let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let tables = report["tables"].as_array().expect("tables");
    let of = |name: &str| tables.iter().find(|table| table["name"] == name);
    for (table, rows) in [("notes", 2), ("gaps", 3), ("keyed", 2), ("odd \"name", 1)] {
        assert_eq!(of(table).expect(table)["rows"], rows, "{table}");
    }
    assert_eq!(report["source_removed"], false);
    for sql in [
        "SELECT id, text, upper, hex(substr(data, 1, 2)) FROM notes ORDER BY id",
        "SELECT rowid, x FROM gaps ORDER BY rowid",
        "SELECT k, v FROM keyed ORDER BY k",
        "SELECT rowid, text FROM found WHERE found MATCH 'hello'",
        "SELECT seq FROM sqlite_sequence",
        "PRAGMA user_version",
        "PRAGMA application_id",
    ] {
        let mut statement = source.prepare(sql).expect("well formed");
        let width = statement.column_count();
        let rows = statement.query_map((), |row| {
            (0..width)
                .map(|index| {
                    Ok(match row.get_ref(index)? {
                        rusqlite::types::ValueRef::Null => String::new(),
                        rusqlite::types::ValueRef::Integer(integer) => integer.to_string(),
                        rusqlite::types::ValueRef::Real(real) => format!("{real:?}"),
                        other => text(other.as_bytes()?),
                    })
                })
                .collect::<rusqlite::Result<Vec<_>>>()
                .map(|row| row.join(","))
        });
        let rows: Vec<String> = rows
            .expect("runs")
            .collect::<rusqlite::Result<_>>()
            .expect("readable");
        let printed = done(&daemon, &["db", "sql", "taken", sql, "--csv"], "");
        let printed: Vec<&str> = printed.lines().skip(1).collect();
        assert_eq!(printed, rows, "{sql}");
    }
    // Triggers and full text go on working together.
    let insert = "INSERT INTO notes (text) VALUES ('third hello')";
    done(&daemon, &["db", "sql", "taken", insert], "");
    let search = "SELECT count(*) AS n FROM found WHERE found MATCH 'hello'";
    assert_eq!(done(&daemon, &["db", "sql", "taken", search], ""), "n\n2\n");
    done(&daemon, &["db", "check", "taken"], "");
    assert!(file.exists(), "the source stays");
    assert_eq!(failed(&daemon, &["db", "import", "taken", path], "").0, 5);
    assert!(file.exists(), "the source stays");
}

#[test]
fn a_source_is_removed_only_where_that_is_said() {
    let daemon = Daemon::start(&vaultd());
    let file = daemon.folder.path().join("plain.sqlite");
    drop(plain(&file));
    let path = file.to_str().expect("UTF-8");
    done(&daemon, &["db", "import", "kept", path], "");
    assert!(file.exists());
    done(
        &daemon,
        &["db", "import", "moved", path, "--remove-source"],
        "",
    );
    let left = fs::read_dir(daemon.folder.path()).expect("readable");
    let left: Vec<_> = left
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with("plain"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_no_plain_database_is_refused_and_stays() {
    let daemon = Daemon::start(&vaultd());
    let folder = daemon.folder.path();
    let sealed = folder.join("sealed");
    let noise: Vec<u8> = (0..8192_u32).map(|n| (n * 31 % 251) as u8 + 1).collect();
    fs::write(&sealed, noise).expect("written");
    let broken_text = folder.join("broken-text");
    Connection::open(&broken_text)
        .and_then(|source| {
            source.execute_batch(
                "CREATE TABLE t (x); INSERT INTO t VALUES ('fine'), (CAST(x'ff' AS TEXT))",
            )
        })
        .expect("well formed");
    for (file, reason) in [
        (sealed, "not a plain SQLite database"),
        (
            broken_text,
            "column x of table t holds TEXT that is not UTF-8",
        ),
    ] {
        let path = file.to_str().expect("UTF-8");
        let arguments = ["db", "import", "new", path, "--remove-source"];
        let (code, why) = failed(&daemon, &arguments, "");
        assert_eq!(code, 1, "{why}");
        assert!(why.contains(reason), "{why}");
        assert!(file.exists(), "{path}");
        let databases = done(&daemon, &["db", "ls", "--json"], "");
        assert_eq!(databases, "", "nothing was made");
    }
}
