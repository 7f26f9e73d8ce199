//! Transactions, batches and schemas.

use vault_store::{
    StoreError,
    databases::{Call, Parameters, SqlError, Statement, StopReason, Value},
};

use super::{Kept, World, call, insertion, positional, sql_error};

#[test]
fn a_batch_is_all_or_nothing() {
    let mut world = World::with_notes();
    let statements = [insertion("a"), insertion("b"), insertion("a")];
    let error = sql_error(world.database.batch(&call(), &statements));
    assert!(matches!(error, SqlError::Constraint(_)), "{error}");
    assert_eq!(world.notes(), [""; 0]);
    let done = world
        .database
        .batch(&call(), &statements[..2])
        .expect("done");
    assert_eq!(done.len(), 2);
    world.reopen();
    assert_eq!(world.notes(), ["a", "b"]);
}

#[test]
fn one_statement_with_many_parameters_is_all_or_nothing() {
    let world = World::with_notes();
    let runs = ["a", "b", "a"].map(|text| positional([Value::Text(text.to_owned())]));
    let mut insert = insertion("");
    insert.runs = runs.to_vec();
    sql_error(world.database.execute(&call(), &insert));
    assert_eq!(world.notes(), [""; 0]);
}

#[test]
fn a_transaction_is_seen_when_it_is_committed() {
    let mut world = World::with_notes();
    let mut transaction = world.database.begin(&call(), false).expect("begun");
    transaction.execute(&insertion("a")).expect("inserted");
    let mut kept = Kept::default();
    let count = "SELECT count(*) FROM note";
    transaction
        .query(count, &Parameters::default(), &mut kept)
        .expect("its own view");
    assert_eq!(kept.rows, [[Value::Integer(1)]]);
    assert_eq!(world.rows(count), [[Value::Integer(0)]]);
    transaction.commit().expect("committed");
    assert_eq!(world.rows(count), [[Value::Integer(1)]]);
    world.reopen();
    assert_eq!(world.notes(), ["a"]);
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let world = World::with_notes();
    let mut transaction = world.database.begin(&call(), false).expect("begun");
    transaction.execute(&insertion("a")).expect("inserted");
    drop(transaction);
    assert_eq!(world.notes(), [""; 0]);
    world.add("b");
    assert_eq!(world.notes(), ["b"]);
}

#[test]
fn a_failed_statement_leaves_the_transaction_as_it_was() {
    let world = World::with_notes();
    let mut transaction = world.database.begin(&call(), false).expect("begun");
    transaction.execute(&insertion("a")).expect("inserted");
    sql_error(transaction.execute(&insertion("a")));
    let mut several = insertion("b");
    several.runs.push(positional([Value::Text("a".to_owned())]));
    sql_error(transaction.execute(&several));
    transaction.execute(&insertion("c")).expect("inserted");
    transaction.commit().expect("committed");
    assert_eq!(world.notes(), ["a", "c"]);
}

#[test]
fn a_reading_transaction_sees_one_moment_and_writes_nothing() {
    let world = World::with_notes();
    world.add("a");
    let mut view = world.database.begin(&call(), true).expect("begun");
    world.add("b");
    let mut kept = Kept::default();
    view.query("SELECT text FROM note", &Parameters::default(), &mut kept)
        .expect("rows");
    assert_eq!(kept.rows.len(), 1);
    assert!(view.execute(&insertion("c")).is_err());
    view.commit().expect("ended");
    assert_eq!(world.notes(), ["a", "b"]);
}

#[test]
fn a_stopped_transaction_does_nothing_more() {
    let world = World::with_notes();
    let call = call();
    let mut transaction = world.database.begin(&call, false).expect("begun");
    transaction.execute(&insertion("a")).expect("inserted");
    call.stop.stop(StopReason::Rotation);
    let error = sql_error(transaction.execute(&insertion("b")));
    assert_eq!(error, SqlError::TransactionEnded);
    assert_eq!(sql_error(transaction.commit()), SqlError::TransactionEnded);
    assert_eq!(world.notes(), [""; 0]);
}

#[test]
fn a_statement_that_rolls_back_ends_the_transaction_and_nothing_passes_for_a_part_of_it() {
    let world = World::with_notes();
    world.add("there");
    world.execute(
        "CREATE TRIGGER no BEFORE INSERT ON note WHEN new.text = 'no' BEGIN
           SELECT RAISE(ROLLBACK, 'no');
         END",
    );
    for sql in [
        "INSERT OR ROLLBACK INTO note(text) VALUES ('there')",
        "INSERT INTO note(text) VALUES ('no')",
        "INSERT OR ROLLBACK INTO note(text) VALUES ('there') RETURNING id",
    ] {
        let mut transaction = world.database.begin(&call(), false).expect("begun");
        transaction.execute(&insertion("a")).expect("inserted");
        let ended = |result| assert_eq!(sql_error(result), SqlError::TransactionEnded, "{sql}");
        ended(transaction.execute(&Statement::new(sql)));
        ended(transaction.execute(&insertion("b")));
        ended(
            transaction
                .commit()
                .map(|()| vault_store::databases::Executed::default()),
        );
        assert_eq!(world.notes(), ["there"], "{sql}");
        let batch = [insertion("a"), Statement::new(sql), insertion("b")];
        sql_error(world.database.batch(&call(), &batch));
        assert_eq!(world.notes(), ["there"], "{sql}");
        sql_error(world.try_execute(sql));
    }
    world.add("c");
    assert_eq!(world.notes(), ["there", "c"]);
}

#[test]
fn of_a_statement_whose_rows_are_not_taken_nothing_stays() {
    let world = World::with_notes();
    let sql = "INSERT INTO note(text) VALUES ('a'), ('b'), ('c') RETURNING id";
    let few = || Kept {
        enough: Some(1),
        ..Kept::default()
    };
    let none = Parameters::default();
    let broken = world.database.query(&call(), sql, &none, &mut few());
    assert_eq!(sql_error(broken), SqlError::Cancelled);
    assert_eq!(world.notes(), [""; 0]);
    let mut transaction = world.database.begin(&call(), false).expect("begun");
    transaction.execute(&insertion("kept")).expect("inserted");
    assert_eq!(
        sql_error(transaction.query(sql, &none, &mut few())),
        SqlError::Cancelled
    );
    transaction.commit().expect("committed");
    assert_eq!(world.notes(), ["kept"]);
    let large = "INSERT INTO note(text) VALUES ('large') RETURNING zeroblob(3000000)";
    sql_error(world.try_execute(large));
    assert_eq!(world.notes(), ["kept"]);
}

#[test]
fn savepoints_work_inside_a_transaction() {
    let world = World::with_notes();
    let mut transaction = world.database.begin(&call(), false).expect("begun");
    for sql in [
        "SAVEPOINT a",
        "INSERT INTO note(text) VALUES ('gone')",
        "ROLLBACK TO a",
        "RELEASE a",
        "INSERT INTO note(text) VALUES ('kept')",
    ] {
        transaction.execute(&Statement::new(sql)).expect(sql);
    }
    transaction.commit().expect("committed");
    assert_eq!(world.notes(), ["kept"]);
}

#[test]
fn a_schema_grows_by_the_steps_that_are_missing() {
    let world = World::new();
    let steps = |texts: &[&str]| {
        texts
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    let migrate = |texts: &[&str]| world.database.migrate(&call(), &steps(texts));
    let first = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL);
                 CREATE INDEX by_text ON note(text);";
    let second = "ALTER TABLE note ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
                  CREATE TRIGGER stamp AFTER INSERT ON note BEGIN
                    UPDATE note SET at = 1 WHERE id = new.id;
                  END;";
    assert_eq!(migrate(&[first]).expect("one step"), (0, 1));
    world.add("kept");
    assert_eq!(migrate(&[first, second]).expect("another"), (1, 2));
    assert_eq!(migrate(&[first, second]).expect("none"), (2, 2));
    assert_eq!(world.notes(), ["kept"]);
    let error = sql_error(migrate(&[first]));
    assert_eq!(error, SqlError::SchemaNewer { found: 2, known: 1 });

    // A step that fails undoes the one before it.
    let error = sql_error(migrate(&[
        first,
        second,
        "CREATE TABLE x(y)",
        "CREATE TABLE x(y)",
    ]));
    assert!(matches!(error, SqlError::Invalid { .. }), "{error}");
    assert_eq!(
        world.rows("SELECT * FROM sqlite_schema WHERE name = 'x'"),
        [[]; 0]
    );
    assert_eq!(world.rows("PRAGMA user_version"), [[Value::Integer(2)]]);
}

#[test]
fn steps_may_rebuild_a_table_that_others_refer_to_and_may_not_leave_orphans() {
    let world = World::new();
    let steps: Vec<String> = [
        "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(a REFERENCES a(id) ON DELETE CASCADE);
         INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);",
        "CREATE TABLE new(id INTEGER PRIMARY KEY, more TEXT); INSERT INTO new(id) SELECT id FROM a;
         DROP TABLE a; ALTER TABLE new RENAME TO a;",
        "DELETE FROM a;",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(
        world
            .database
            .migrate(&call(), &steps[..2])
            .expect("rebuilt"),
        (0, 2)
    );
    assert_eq!(world.rows("SELECT a FROM b"), [[Value::Integer(1)]]);
    let error = sql_error(world.database.migrate(&call(), &steps));
    assert!(matches!(error, SqlError::Constraint(_)), "{error}");
    assert_eq!(world.rows("SELECT id FROM a"), [[Value::Integer(1)]]);
    world.execute("DELETE FROM a");
    assert_eq!(
        world.rows("SELECT a FROM b"),
        [[]; 0],
        "foreign keys are enforced again"
    );
}

#[test]
fn a_step_may_do_no_more_than_a_client() {
    let world = World::new();
    for step in ["ATTACH 'x' AS y", "COMMIT", "PRAGMA key = 'x'", "SELECT ?"] {
        let done: Result<_, StoreError> = world
            .database
            .migrate(&Call::within(super::LONG), &[step.to_owned()]);
        assert!(matches!(done, Err(StoreError::Sql(_))), "{step}: {done:?}");
        assert_eq!(world.rows("PRAGMA user_version"), [[Value::Integer(0)]]);
    }
}
