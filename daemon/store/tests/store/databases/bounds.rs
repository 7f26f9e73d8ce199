//! What would go on for very long where nothing could end it.

use std::time::{Duration, Instant};

use vault_store::{
    StoreError,
    catalogue::BlobColumn,
    databases::{NewDatabase, Parameters, SchemaEntry, SqlError, Value},
    kind::Store as _,
};

use super::{Kept, World, call, new_database, sql_error};
use crate::support::{disk::OnDisk, fixture::name};

/// Far more than these take on a busy machine, and far less than an hour, which SQLite's own `trim`
/// takes.
const SLOW: Duration = Duration::from_secs(60);

#[test]
fn functions_of_text_take_as_long_as_their_arguments_are_in_sum() {
    let world = World::new();
    let begun = Instant::now();
    for (sql, wanted) in [
        ("trim(b, a || 'b')", Value::Text(String::new())),
        ("ltrim(b, a || 'b')", Value::Text(String::new())),
        ("rtrim(b, a || 'b')", Value::Text(String::new())),
        ("instr(a || a, a || 'b' || a)", Value::Integer(0)),
        (
            "length(replace(a || a, a || 'b' || a, ''))",
            Value::Integer(1_600_000),
        ),
    ] {
        let rows = world.rows(&format!(
            "WITH zeros(z) AS MATERIALIZED (SELECT hex(zeroblob(400000))),
                  long(a, b) AS MATERIALIZED
                  (SELECT replace(z, '0', 'a'), replace(z, '0', 'b') FROM zeros)
             SELECT {sql} FROM long"
        ));
        assert_eq!(rows, [[wanted]], "{sql}");
    }
    assert!(begun.elapsed() < SLOW, "{:?}", begun.elapsed());
}

#[test]
fn a_patch_of_json_is_bounded_by_both_sizes() {
    let world = World::new();
    let patched = world.rows(r#"SELECT json_array(json_patch('{"a":1,"b":2}', '{"a":null}'))"#);
    assert_eq!(patched, [[Value::Text(r#"[{"b":2}]"#.to_owned())]]);
    let blob = world.rows(r#"SELECT json(jsonb_patch(jsonb('{"a":1}'), '{"b":2}'))"#);
    assert_eq!(blob, [[Value::Text(r#"{"a":1,"b":2}"#.to_owned())]]);
    let long = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)
                SELECT json_patch(json_group_object('a' || i, 1), json_group_object('b' || i, 1))
                FROM n";
    let error = sql_error(super::rows(&world.database, long));
    let SqlError::Invalid { message, .. } = error else {
        panic!("{error:?}");
    };
    assert!(message.contains("json_set"), "{message}");
}

#[test]
fn patterns_are_short() {
    let world = World::new();
    let like = |length: usize| format!("SELECT 'a' LIKE '{}'", "a".repeat(length));
    assert_eq!(world.rows(&like(256)), [[Value::Integer(0)]]);
    let error = sql_error(super::rows(&world.database, &like(257)));
    assert!(matches!(error, SqlError::Invalid { .. }), "{error:?}");
}

#[test]
fn indexes_views_and_triggers_may_use_them() {
    let world = World::with_notes();
    world.execute("CREATE INDEX by_word ON note(trim(text, '-'), instr(text, 'é'))");
    world.execute("CREATE VIEW bare AS SELECT ltrim(replace(text, 'é', 'e')) AS text FROM note");
    world.execute("CREATE TABLE told(text)");
    world.execute(
        "CREATE TRIGGER tell AFTER INSERT ON note
         BEGIN INSERT INTO told VALUES (rtrim(new.text, '-')); END",
    );
    world.add("--één--");
    let text = |text: &str| vec![vec![Value::Text(text.to_owned())]];
    assert_eq!(world.rows("SELECT text FROM bare"), text("--een--"));
    assert_eq!(world.rows("SELECT text FROM told"), text("--één"));
    let mut problems = Vec::new();
    let checked = world.database.check(&call(), &mut |_, found| {
        problems.extend(found);
        std::ops::ControlFlow::Continue(())
    });
    checked.expect("checked");
    assert_eq!(
        problems, [""; 0],
        "the daemon computes the index as the client did"
    );
}

#[test]
fn values_are_matched_with_thousands_of_parameters_at_once() {
    let world = World::new();
    let names: Vec<_> = (0..20_000).map(|number| format!("p{number}")).collect();
    let sql = format!("SELECT 19999 IN (:{})", names.join(", :"));
    let numbered = names.into_iter().zip((0..).map(Value::Integer));
    let mut parameters = Parameters {
        positional: Vec::new(),
        named: numbered.collect(),
    };
    let begun = Instant::now();
    let mut kept = Kept::default();
    let asked = world.database.query(&call(), &sql, &parameters, &mut kept);
    asked.expect("answered");
    assert_eq!(kept.rows, [[Value::Integer(1)]]);
    let more = (0..100_000).map(|number| (format!("q{number}"), Value::Null));
    parameters.named.extend(more);
    let error = sql_error(world.database.query(&call(), &sql, &parameters, &mut kept));
    let SqlError::Invalid { message, .. } = error else {
        panic!("{error:?}");
    };
    assert!(
        message.starts_with("120000 named values were given"),
        "{message}"
    );
    assert!(begun.elapsed() < SLOW, "{:?}", begun.elapsed());
}

/// The blobs that the column `body` of a table is said to name.
fn references(table: &str, schema: &[&str]) -> vault_store::StoreResult<Vec<String>> {
    let disk = OnDisk::new();
    let mut new = new_database("app/data");
    new.database.blob_columns = vec![BlobColumn {
        table: table.to_owned(),
        column: "body".to_owned(),
    }];
    disk.vault.create_store(new).expect("a new database");
    let database = super::open(&disk);
    for sql in schema {
        let statement = vault_store::databases::Statement::new(*sql);
        database.execute(&call(), &statement).expect(sql);
    }
    database.references()
}

#[test]
fn references_are_read_from_ordinary_tables_alone() {
    let mixed = &[
        "CREATE TABLE page(id INTEGER PRIMARY KEY, body)",
        "INSERT INTO page(body) VALUES ('a'), (7), (x'00'), (NULL), (CAST(x'ff' AS TEXT)), ('b')",
    ];
    assert_eq!(references("page", mixed).expect("read"), ["a", "b"]);
    assert_eq!(references("page", &[]).expect("no such table"), [""; 0]);
    for schema in [
        "CREATE VIEW page AS WITH RECURSIVE n(body) AS (SELECT 'a' UNION ALL SELECT body FROM n)
         SELECT body FROM n",
        "CREATE VIRTUAL TABLE page USING fts5(body)",
    ] {
        let refused = references("page", &[schema]);
        assert!(
            matches!(refused, Err(StoreError::InvalidArgument(_))),
            "{refused:?}"
        );
    }
}

fn table(name: &str, sql: &str) -> SchemaEntry {
    SchemaEntry {
        kind: "table".to_owned(),
        name: name.to_owned(),
        table: name.to_owned(),
        sql: sql.to_owned(),
    }
}

fn new_import() -> NewDatabase {
    NewDatabase {
        store: new_database("app/taken"),
        user_version: 0,
        application_id: 0,
        encoding: String::new(),
    }
}

#[test]
fn the_content_of_an_index_is_checked_before_a_database_taken_over_comes_into_being() {
    let disk = OnDisk::new();
    let call = call();
    let mut import = disk
        .vault
        .import_database(&call, new_import())
        .expect("begun");
    for (name, sql) in [
        (
            "area",
            "CREATE VIRTUAL TABLE area USING rtree(id, low, high)",
        ),
        (
            "area_rowid",
            "CREATE TABLE area_rowid(rowid INTEGER PRIMARY KEY, nodeno)",
        ),
        (
            "area_node",
            "CREATE TABLE area_node(nodeno INTEGER PRIMARY KEY, data)",
        ),
        (
            "area_parent",
            "CREATE TABLE area_parent(nodeno INTEGER PRIMARY KEY, parentnode)",
        ),
    ] {
        import.schema(table(name, sql)).expect(name);
    }
    let nodes = ["nodeno".to_owned(), "data".to_owned()];
    import
        .table("area_node".to_owned(), &nodes, false)
        .expect("nodes");
    let root = vec![Value::Integer(1), Value::Blob(vec![0; 1000])];
    import.rows(&[root]).expect("an empty node");
    let rowids = ["rowid".to_owned(), "nodeno".to_owned()];
    import
        .table("area_rowid".to_owned(), &rowids, false)
        .expect("rows");
    let entry = vec![Value::Integer(5), Value::Integer(1)];
    import
        .rows(&[entry])
        .expect("an entry that the node does not have");
    let error = import.finish(&[]).expect_err("refused");
    assert!(error.to_string().contains("has a problem"), "{error}");
    assert!(disk.vault.database(&name("app/taken")).is_err());
}

#[test]
fn what_is_taken_over_is_bounded_as_statements_are() {
    let disk = OnDisk::new();
    let call = call();
    let mut import = disk
        .vault
        .import_database(&call, new_import())
        .expect("begun");
    let columns: Vec<_> = (0..1500).map(|number| format!("c{number}")).collect();
    let wide = format!("CREATE TABLE wide({})", columns.join(", "));
    import.schema(table("wide", &wide)).expect("noted");
    let error = import.table("wide".to_owned(), &columns, true);
    assert!(
        error
            .expect_err("refused")
            .to_string()
            .contains("too many columns")
    );
}
