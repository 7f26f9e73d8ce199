//! What tests do with a database.

use std::{ops::ControlFlow, time::Duration};

use vault_store::databases::{
    Call, Column, Database, Parameters, RowSink, Statement, Value, ValueRef,
};

fn call() -> Call {
    Call::within(Duration::from_secs(60))
}

pub(crate) fn execute(database: &Database, sql: &str) {
    let done = database.execute(&call(), &Statement::new(sql));
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Keeps the rows it is given.
#[derive(Default)]
struct Rows(Vec<Vec<Value>>);

impl RowSink for Rows {
    fn columns(&mut self, _: Vec<Column>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> ControlFlow<()> {
        let owned = values.iter().map(|value| Value::try_from(*value));
        self.0
            .push(owned.map(|value| value.expect("UTF-8")).collect());
        ControlFlow::Continue(())
    }
}

fn first(database: &Database, sql: &str) -> Value {
    let mut rows = Rows::default();
    let done = database.query(&call(), sql, &Parameters::default(), &mut rows);
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.0.swap_remove(0).swap_remove(0)
}

pub(crate) fn text(database: &Database, sql: &str) -> String {
    match first(database, sql) {
        Value::Text(text) => text,
        other => panic!("{sql}: {other:?}"),
    }
}

pub(crate) fn number(database: &Database, sql: &str) -> i64 {
    match first(database, sql) {
        Value::Integer(number) => number,
        other => panic!("{sql}: {other:?}"),
    }
}
