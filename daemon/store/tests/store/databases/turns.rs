//! Who waits for whom, and who is stopped.

use std::{sync::mpsc, thread, time::Duration};

use vault_store::{
    StoreError,
    databases::{Budget, Call, Parameters, SqlError, Statement, StopReason, Value},
};

use super::{Kept, LONG, World, call, insertion, sql_error};

/// Computes without an end and without a row.
const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn a_writer_waits_for_the_one_before_it() {
    let world = World::with_notes();
    let mut first = world.database.begin(&call(), false).expect("begun");
    first.execute(&insertion("a")).expect("inserted");
    thread::scope(|scope| {
        let second = scope.spawn(|| super::insert(&world.database, "b"));
        first.execute(&insertion("c")).expect("inserted");
        first.commit().expect("committed");
        second.join().expect("no panic").expect("inserted");
    });
    assert_eq!(world.notes(), ["a", "c", "b"]);
}

#[test]
fn who_waited_as_long_as_it_may_hears_that_the_database_is_busy() {
    let world = World::with_notes();
    let _open = world.database.begin(&call(), false).expect("begun");
    let impatient = Call::within(Duration::ZERO);
    let error = sql_error(world.database.execute(&impatient, &insertion("a")));
    assert_eq!(error, SqlError::Busy);
    assert_eq!(world.notes(), [""; 0], "readers do not wait");
}

#[test]
fn readers_go_on_beside_a_writer_and_are_bounded() {
    let world = World::with_notes();
    world.add("a");
    let _writer = world.database.begin(&call(), false).expect("begun");
    let views: Vec<_> = (0..vault_store::databases::READERS)
        .map(|_| world.database.begin(&call(), true).expect("a reader"))
        .collect();
    let impatient = Call::within(Duration::ZERO);
    let error = sql_error(world.database.begin(&impatient, true).map(|_| ()));
    assert_eq!(error, SqlError::Busy);
    drop(views);
    assert_eq!(world.notes(), ["a"]);
}

#[test]
fn a_statement_without_an_end_is_stopped_by_its_budget() {
    let world = World::new();
    let short = Call {
        work: Duration::from_millis(20),
        ..call()
    };
    let mut kept = Kept::default();
    let none = Parameters::default();
    let error = sql_error(world.database.query(&short, ENDLESS, &none, &mut kept));
    assert_eq!(error, SqlError::OverBudget(Budget::Time));
    assert_eq!(world.rows("SELECT 1"), [[Value::Integer(1)]]);
}

#[test]
fn a_statement_is_stopped_by_its_caller_and_by_a_lock() {
    for (reason, closes) in [(StopReason::Cancelled, false), (StopReason::Closed, true)] {
        let world = World::new();
        let call = call();
        let (started, starts) = mpsc::channel();
        thread::scope(|scope| {
            let running = scope.spawn(|| {
                started.send(()).expect("heard");
                let mut kept = Kept::default();
                let none = Parameters::default();
                world.database.query(&call, ENDLESS, &none, &mut kept)
            });
            starts.recv().expect("told");
            if closes {
                // Until the statement runs, or before it does.
                world.disk.vault.close();
                assert!(matches!(
                    running.join().expect("no panic"),
                    Err(StoreError::Closed)
                ));
            } else {
                call.stop.stop(reason);
                let error = sql_error(running.join().expect("no panic"));
                assert_eq!(error, SqlError::Cancelled);
            }
        });
    }
}

#[test]
fn a_sink_that_wants_no_more_ends_the_statement() {
    let world = World::new();
    let mut kept = Kept {
        enough: Some(3),
        ..Kept::default()
    };
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let none = Parameters::default();
    let error = sql_error(world.database.query(&call(), endless, &none, &mut kept));
    assert_eq!((error, kept.rows.len()), (SqlError::Cancelled, 3));
}

#[test]
fn a_closed_database_answers_nobody() {
    let world = World::with_notes();
    let mut open = world
        .database
        .begin(&Call::within(LONG), false)
        .expect("begun");
    world.disk.vault.close();
    assert!(matches!(
        open.execute(&insertion("a")),
        Err(StoreError::Closed)
    ));
    drop(open);
    for done in [
        world.try_execute("SELECT 1"),
        world.database.execute(&call(), &Statement::new("SELECT 1")),
    ] {
        assert!(matches!(done, Err(StoreError::Closed)), "{done:?}");
    }
    assert!(matches!(
        super::rows(&world.database, "SELECT 1"),
        Err(StoreError::Closed)
    ));
}
