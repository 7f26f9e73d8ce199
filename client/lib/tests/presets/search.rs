//! Full-text tables follow the tables they mirror.

use rusqlite::Connection;

use crate::{assistant, databases};

/// A store, what its tables need first, a mirrored table, its columns besides the searched one and
/// values for them, and the searched column.
const MIRRORS: [(&str, &str, &str, &str, &str, &str); 8] = [
    (
        "assistant/history",
        "INSERT INTO sessions (id, session_id, created_ms, updated_ms) VALUES (1, 's', 0, 0)",
        "turns",
        "turn_id, session, position, role, created_ms",
        "'t', 1, 0, 'user', 0",
        "text",
    ),
    (
        "assistant/memory",
        "",
        "facts",
        "created_ms, updated_ms",
        "0, 0",
        "text",
    ),
    (
        "assistant/memory",
        "",
        "episodes",
        "started_ms, ended_ms",
        "0, 0",
        "summary",
    ),
    (
        "assistant/memory",
        "",
        "transcript",
        "session_id, turn_id, role, created_ms",
        "'s', 't', 'user', 0",
        "text",
    ),
    (
        "assistant/methods",
        "",
        "methods",
        "name, purpose, created_ms, updated_ms",
        "'m', 'p', 0, 0",
        "body",
    ),
    (
        "assistant/tools",
        "",
        "tools",
        "plugin_id, name, updated_ms",
        "'p', 'n', 0",
        "description",
    ),
    (
        "agents/{agent}",
        "",
        "turns",
        "turn_id, session_id, position, role, created_ms",
        "'t', 's', 0, 'user', 0",
        "text",
    ),
    (
        "agents/{agent}",
        "",
        "notes",
        "created_ms, updated_ms",
        "0, 0",
        "text",
    ),
];

fn matches(database: &Connection, table: &str, words: &str) -> Vec<i64> {
    let sql = format!("SELECT rowid FROM {table}_text WHERE {table}_text MATCH ?1");
    let mut statement = database.prepare(&sql).expect("prepared");
    let rows = statement
        .query_map([words], |row| row.get(0))
        .expect("rows");
    rows.collect::<Result<_, _>>().expect("rowids")
}

/// Lets FTS5 compare the mirror with its table.
fn assert_agrees(database: &Connection, table: &str) {
    let sql =
        format!("INSERT INTO {table}_text ({table}_text, rank) VALUES ('integrity-check', 1)");
    database.execute(&sql, []).expect("the mirror agrees");
}

#[test]
fn every_full_text_table_is_among_those_tested() {
    let mut found = 0;
    for (_, design) in databases() {
        let sql = design.steps.concat();
        found += sql.matches("USING fts5").count();
    }
    assert_eq!(found, MIRRORS.len());
}

#[test]
fn inserts_updates_and_deletes_reach_the_mirror() {
    for (store, first, table, columns, values, searched) in MIRRORS {
        let database = assistant(store);
        database.execute_batch(first).expect("inserted");
        let run = |sql: String| database.execute(&sql, []).expect("it runs");
        run(format!(
            "INSERT INTO {table} (id, {columns}, {searched}) VALUES (7, {values}, 'a Gray café')"
        ));
        assert_eq!(
            matches(&database, table, "gray CAFE"),
            [7],
            "{table} of {store}"
        );
        run(format!(
            "UPDATE {table} SET {searched} = 'a harbour' WHERE id = 7"
        ));
        assert_eq!(
            matches(&database, table, "gray"),
            [0; 0],
            "{table} of {store}"
        );
        assert_eq!(
            matches(&database, table, "harbour"),
            [7],
            "{table} of {store}"
        );
        run(format!("UPDATE {table} SET id = 9"));
        assert_eq!(
            matches(&database, table, "harbour"),
            [9],
            "{table} of {store}"
        );
        assert_agrees(&database, table);
        run(format!("DELETE FROM {table}"));
        assert_eq!(
            matches(&database, table, "harbour"),
            [0; 0],
            "{table} of {store}"
        );
        assert_agrees(&database, table);
    }
}

#[test]
fn a_row_written_anew_and_one_deleted_with_its_parent_leave_nothing_behind() {
    let history = assistant("assistant/history");
    let turn = "INSERT INTO turns (turn_id, session, position, role, text, created_ms)
                VALUES ('t', 1, 0, 'user', ?1, 0)
                ON CONFLICT (turn_id) DO UPDATE SET text = excluded.text";
    let session = "INSERT INTO sessions (id, session_id, created_ms, updated_ms)
                   VALUES (1, 's', 0, 0)";
    history.execute(session, []).expect("inserted");
    history.execute(turn, ["first"]).expect("inserted");
    history.execute(turn, ["second"]).expect("updated");
    assert_eq!(matches(&history, "turns", "first"), [0; 0]);
    assert_eq!(matches(&history, "turns", "second"), [1]);
    history
        .execute("DELETE FROM sessions", [])
        .expect("deleted");
    assert_eq!(matches(&history, "turns", "second"), [0; 0]);
    assert_agrees(&history, "turns");
}
