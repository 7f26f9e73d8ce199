//! What holds of every schema.

use rusqlite::{Connection, params};

use crate::{assistant, database, databases, needs_vectors};

fn strings(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("prepared");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("text")
}

#[test]
fn every_step_runs_and_every_database_has_one() {
    let databases = databases();
    assert_eq!(databases.len(), 8);
    for (name, design) in databases {
        assert!(
            design.steps.iter().any(|step| !needs_vectors(step)),
            "{name}"
        );
        let connection = database(&design);
        let tables = strings(
            &connection,
            "SELECT name FROM sqlite_schema WHERE type = 'table'",
        );
        assert!(!tables.is_empty(), "{name}");
    }
}

#[test]
fn columns_of_blob_refs_exist() {
    let mut named = 0;
    for (name, design) in databases() {
        let connection = database(&design);
        for column in &design.blob_columns {
            let sql = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
            let found: u32 = connection
                .query_row(sql, params![column.table, column.column], |row| row.get(0))
                .expect("counted");
            assert_eq!(found, 1, "{column} of {name}");
            named += 1;
        }
        // The other way round: nothing that is called a blob ref goes undeclared.
        let sql = "SELECT t.name || '.' || c.name FROM pragma_table_list AS t,
                   pragma_table_info(t.name) AS c WHERE c.name LIKE '%blob%'";
        let declared = design.blob_columns.iter().map(ToString::to_string);
        let declared: Vec<String> = declared.collect();
        assert_eq!(strings(&connection, sql), declared, "{name}");
    }
    assert_eq!(named, 2);
}

#[test]
fn tables_are_strict_and_have_rowids() {
    for (name, design) in databases() {
        let connection = database(&design);
        let sql = "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main'
                   AND name NOT LIKE 'sqlite_%' AND (wr OR NOT strict)";
        assert_eq!(strings(&connection, sql), [""; 0], "{name}");
    }
}

#[test]
fn a_blob_ref_is_64_hexadecimal_digits() {
    let history = assistant("assistant/history");
    history
        .execute_batch(
            "INSERT INTO sessions (id, session_id, created_ms, updated_ms) VALUES (1, 's', 0, 0);
             INSERT INTO turns (id, turn_id, session, position, role, text, created_ms)
             VALUES (1, 't', 1, 0, 'user', 'hello', 0);",
        )
        .expect("inserted");
    let attach = |reference: &str| {
        let sql = "INSERT INTO attachments (turn, name, media_type, size, blob_ref)
                   VALUES (1, 'a.png', 'image/png', 1, ?1)";
        history.execute(sql, [reference])
    };
    let good = "0123456789abcdef".repeat(4);
    attach(&good).expect("a blob ref");
    for bad in [
        "",
        &good[1..],
        &good.to_uppercase(),
        &format!("{good}0"),
        &format!("{good}\0more"),
        &format!("{}g", &good[1..]),
    ] {
        assert!(attach(bad).is_err(), "{bad:?}");
    }
    history
        .execute("DELETE FROM sessions WHERE id = 1", [])
        .expect("deleted");
    let left: u32 = history
        .query_row("SELECT count(*) FROM attachments", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(
        left, 0,
        "a session takes its turns and their attachments along"
    );
}

#[test]
fn an_agent_is_paused_once() {
    let scheduler = assistant("assistant/scheduler");
    let pause = |schedule: Option<&str>| {
        let sql = "INSERT INTO pauses (agent_id, schedule_id, since_ms) VALUES ('a', ?1, 0)";
        scheduler.execute(sql, [schedule])
    };
    pause(None).expect("all of its schedules");
    pause(Some("daily")).expect("one of them");
    assert!(pause(None).is_err());
    assert!(pause(Some("daily")).is_err());
}
