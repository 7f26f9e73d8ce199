//! Statements, their parameters and their rows.

use vault_store::databases::{Budget, Parameters, SqlError, Statement, Value};

use super::{Kept, World, call, positional, sql_error, with};

#[test]
fn values_of_every_class_come_back_as_they_were() {
    let mut world = World::new();
    world.execute("CREATE TABLE t(v)");
    let values = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Real(-0.1),
        Value::Text(String::new()),
        Value::Text("naïve \u{1F5DD} \0 text".to_owned()),
        Value::Blob(Vec::new()),
        Value::Blob((0..=255).collect()),
    ];
    let runs = values.iter().cloned().map(|value| positional([value]));
    let insert = Statement {
        sql: "INSERT INTO t VALUES (?)".to_owned(),
        runs: runs.collect(),
    };
    let done = world.database.execute(&call(), &insert).expect("inserted");
    assert_eq!((done.changes, done.last_insert_rowid), (8, 8));
    for _ in 0..2 {
        let rows = world.rows("SELECT v FROM t ORDER BY rowid");
        assert_eq!(rows.concat(), values);
        world.reopen();
    }
}

#[test]
fn columns_have_names_and_declared_types() {
    let world = World::with_notes();
    let mut kept = Kept::default();
    let sql = "SELECT id, text AS \"what\", 1 + 1 FROM note";
    let none = Parameters::default();
    world
        .database
        .query(&call(), sql, &none, &mut kept)
        .expect("rows");
    let columns: Vec<_> = kept
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.declared_type.as_str()))
        .collect();
    assert_eq!(
        columns,
        [("id", "INTEGER"), ("what", "TEXT"), ("1 + 1", "")]
    );
}

#[test]
fn every_parameter_has_a_value_and_every_value_a_parameter() {
    let world = World::new();
    let ask = |sql: &str, positional: &[i64], named: &[(&str, i64)]| {
        let parameters = Parameters {
            positional: positional.iter().map(|n| Value::Integer(*n)).collect(),
            named: named
                .iter()
                .map(|(name, n)| ((*name).to_owned(), Value::Integer(*n)))
                .collect(),
        };
        let mut kept = Kept::default();
        let done = world.database.query(&call(), sql, &parameters, &mut kept);
        done.map(|_| kept.rows)
    };
    let row = |values: &[i64]| {
        vec![
            values
                .iter()
                .map(|n| Value::Integer(*n))
                .collect::<Vec<_>>(),
        ]
    };
    assert_eq!(
        ask("SELECT ?, ?", &[1, 2], &[]).expect("rows"),
        row(&[1, 2])
    );
    assert_eq!(
        ask("SELECT ?2, ?1", &[1, 2], &[]).expect("rows"),
        row(&[2, 1])
    );
    let named = [("a", 1), ("b", 2), ("c", 3)];
    assert_eq!(
        ask("SELECT :c, @b, $a, :c", &[], &named).expect("rows"),
        row(&[3, 2, 1, 3])
    );
    assert_eq!(
        ask("SELECT ?, :a", &[7], &[("a", 8)]).expect("rows"),
        row(&[7, 8])
    );
    for (sql, positional, named) in [
        ("SELECT ?, ?", &[1][..], &[][..]),
        ("SELECT ?", &[1, 2], &[]),
        ("SELECT :a", &[], &[]),
        ("SELECT :a", &[], &[("a", 1), ("b", 2)]),
        ("SELECT :a", &[1], &[]),
        ("SELECT 1", &[1], &[]),
    ] {
        let error = sql_error(ask(sql, positional, named));
        assert!(matches!(error, SqlError::Invalid { .. }), "{sql}: {error}");
    }
}

#[test]
fn what_sqlite_does_not_accept_says_where() {
    let world = World::with_notes();
    let error = sql_error(world.try_execute("SELECT * FORM note"));
    let SqlError::Invalid { message, offset } = error else {
        panic!("{error}");
    };
    assert_eq!(
        (message.as_str(), offset),
        ("near \"FORM\": syntax error", Some(9))
    );
    for sql in [
        "",
        " -- nothing",
        "SELECT 1; SELECT 2",
        "SELECT * FROM nowhere",
    ] {
        let error = sql_error(world.try_execute(sql));
        assert!(matches!(error, SqlError::Invalid { .. }), "{sql}: {error}");
    }
}

#[test]
fn a_constraint_names_itself_and_changes_nothing() {
    let world = World::with_notes();
    world.add("one");
    let error = sql_error(super::insert(&world.database, "one"));
    assert_eq!(
        error,
        SqlError::Constraint("UNIQUE constraint failed: note.text".to_owned())
    );
    assert_eq!(world.notes(), ["one"]);
}

#[test]
fn foreign_keys_hold() {
    let world = World::with_notes();
    world.execute("CREATE TABLE tag(note INTEGER NOT NULL REFERENCES note(id))");
    let error = sql_error(world.try_execute("INSERT INTO tag VALUES (7)"));
    assert!(matches!(error, SqlError::Constraint(_)), "{error}");
}

#[test]
fn statements_that_return_rows_may_write() {
    let mut world = World::with_notes();
    let rows = world.rows("INSERT INTO note(text) VALUES ('a'), ('b') RETURNING id, text");
    assert_eq!(rows.len(), 2);
    world.reopen();
    assert_eq!(world.notes(), ["a", "b"]);
}

#[test]
fn values_and_rows_are_bounded_by_the_size_class() {
    let world = World::new();
    world.execute("CREATE TABLE t(v)");
    let limit = usize::try_from(world.database.limit()).expect("small");
    let put = |len: usize| {
        let statement = with("INSERT INTO t VALUES (?)", [Value::Blob(vec![1; len])]);
        world.database.execute(&call(), &statement)
    };
    put(limit).expect("as large as may be");
    assert!(put(limit + 1).is_err(), "larger than may be");
    assert_eq!(
        world.rows("SELECT length(v) FROM t"),
        [[Value::Integer(2 << 20)]]
    );
    let error = sql_error(super::rows(&world.database, "SELECT v, v FROM t"));
    assert_eq!(error, SqlError::OverBudget(Budget::Row(2 << 20)));
}

#[test]
fn full_text_json_and_r_trees_are_there() {
    let world = World::new();
    world.execute("CREATE VIRTUAL TABLE f USING fts5(text, tokenize = 'porter')");
    world.execute("INSERT INTO f VALUES ('the keys were kept'), ('nothing')");
    let sql = "SELECT highlight(f, 0, '[', ']') FROM f WHERE f MATCH 'keep OR key' ORDER BY rank";
    assert_eq!(
        world.rows(sql),
        [[Value::Text("the [keys] were kept".to_owned())]]
    );
    let sql = "SELECT value ->> 'a' FROM json_each('[{\"a\":1},{\"a\":2}]')";
    assert_eq!(world.rows(sql).len(), 2);
    world.execute("CREATE VIRTUAL TABLE r USING rtree(id, low, high)");
    world.execute("INSERT INTO r VALUES (1, 0, 5), (2, 6, 9)");
    assert_eq!(
        world.rows("SELECT id FROM r WHERE low > 5"),
        [[Value::Integer(2)]]
    );
}
