//! No column of the ledger can hold the text of a prompt or of an answer.

use rusqlite::{Connection, params_from_iter, types::Value};

use crate::assistant;

/// Longer than any word of the ledger, in letters that each of its alphabets has, and as prose.
const LONG: usize = 1000;
/// The most that a text of the ledger may have, in bytes.
const LONGEST: usize = 96;

/// A row that the ledger takes, by column.
fn row() -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        ("id", Value::Integer(1)),
        ("request_id", text("req_01H8XGJWBWBAQ4")),
        ("session_id", text("018f4e7a-5c1b-7d42-9e60-3a1f0b9c2d84")),
        ("turn_id", text("018f4e7a-5c1b-7d42-9e60-3a1f0b9c2d85")),
        ("provider", text("example")),
        ("model", text("vendor/model-4.5:free")),
        ("input_tokens", Value::Integer(1200)),
        ("output_tokens", Value::Integer(80)),
        ("cached_tokens", Value::Integer(1000)),
        ("cost_micros", Value::Integer(1234)),
        ("currency", text("EUR")),
        ("status", text("succeeded")),
        ("outcome", text("complete")),
        ("app_version", text("1.4.0-beta.2+build7")),
        ("created_ms", Value::Integer(1_700_000_000_000)),
    ]
}

fn insert(ledger: &Connection, row: &[(&str, Value)]) -> rusqlite::Result<usize> {
    let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
    let marks = vec!["?"; row.len()].join(", ");
    let sql = format!(
        "INSERT INTO ledger ({}) VALUES ({marks})",
        columns.join(", ")
    );
    ledger.execute(&sql, params_from_iter(row.iter().map(|(_, value)| value)))
}

/// A row with another value in one column.
fn with(column: &str, value: &Value) -> Vec<(&'static str, Value)> {
    let mut row = row();
    let cell = row.iter_mut().find(|(name, _)| *name == column);
    cell.expect("a column").1 = value.clone();
    row
}

#[test]
fn the_ledger_takes_a_request_and_its_cost() {
    let ledger = assistant("assistant/billing");
    insert(&ledger, &row()).expect("inserted");
}

#[test]
fn the_ledger_is_the_only_table_and_the_test_knows_its_columns() {
    let billing = assistant("assistant/billing");
    let mut statement = billing
        .prepare(
            "SELECT t.name, c.name, c.type FROM pragma_table_list AS t,
             pragma_table_xinfo(t.name) AS c
             WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid",
        )
        .expect("prepared");
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let columns: Vec<(String, String, String)> = columns
        .expect("rows")
        .map(|row| row.expect("text"))
        .collect();
    let names: Vec<&str> = columns
        .iter()
        .map(|(_, column, _)| column.as_str())
        .collect();
    let known: Vec<&str> = row().into_iter().map(|(column, _)| column).collect();
    assert_eq!(names, known);
    for (table, column, declared) in &columns {
        assert_eq!(table, "ledger");
        assert!(
            ["INTEGER", "TEXT"].contains(&declared.as_str()),
            "{column} is {declared}"
        );
    }
}

#[test]
fn no_column_holds_text_of_a_prompt() {
    let ledger = assistant("assistant/billing");
    let prose = "Tell me what you know about my landlord. ".repeat(25);
    assert!(prose.len() > LONG);
    let hidden = |front: &str| Value::Text(format!("{front}\0{}", "a".repeat(LONG)));
    for (column, fit) in row() {
        let mut attempts = vec![
            Value::Text(prose.clone()),
            Value::Text("a".repeat(LONG)),
            Value::Text("A".repeat(LONG)),
            Value::Text("7".repeat(LONG)),
            Value::Text("Who are you?".to_owned()),
            Value::Blob(prose.clone().into_bytes()),
            Value::Blob(b"Who are you?".to_vec()),
        ];
        if let Value::Text(text) = &fit {
            // `length` and GLOB stop at a NUL; the column must not.
            attempts.push(hidden(text));
            attempts.push(Value::Text("a".repeat(LONGEST + 1)));
            attempts.push(Value::Text(format!("{text}\n")));
        }
        for value in attempts {
            let tried = insert(&ledger, &with(column, &value));
            assert!(tried.is_err(), "{column} took {value:?}");
        }
    }
    insert(&ledger, &row()).expect("the row is fit");
    for (column, _) in row() {
        let sql = format!("UPDATE ledger SET {column} = ?1");
        assert!(ledger.execute(&sql, [&prose]).is_err(), "{column}");
    }
}
