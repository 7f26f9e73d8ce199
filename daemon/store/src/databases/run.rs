//! Running one statement of a client's.

use std::ops::ControlFlow;

use rusqlite::{Connection, Row, types::ValueRef};

use super::{
    Budget, Column, Executed, Given, Parameters, RowSink, Runs, SqlError, Statement,
    binding::Wanted,
    call::{Call, StopReason},
    connection::Bounded,
    fault::Place,
    policy::Author,
    statement::NoRows,
    watch::Working,
};
use crate::error::{StoreError, StoreResult};

/// Columns of a row that need no memory of their own.
const FEW: usize = 16;

/// A client's statements on one connection.
pub(super) struct Run<'a> {
    pub(super) bounded: &'a Bounded,
    pub(super) call: &'a Call,
    pub(super) place: Place<'a>,
    pub(super) author: Author,
}

/// A statement that this connection cannot run: it writes.
pub(super) struct Writes;

impl Run<'_> {
    /// Runs a statement with every set of its parameters; its rows are left unread.
    pub(super) fn statement(&self, statement: &Statement) -> StoreResult<Executed> {
        self.each(&statement.sql, statement.runs())
    }

    /// The same of a statement that is in parts.
    pub(super) fn each<R: Runs + ?Sized>(&self, sql: &str, runs: &R) -> StoreResult<Executed> {
        let ran = self.run(sql, runs, &mut NoRows, true)?;
        ran.map_err(|Writes| StoreError::Closed)
    }

    /// Runs a statement and hands on its rows.
    pub(super) fn rows(
        &self,
        sql: &str,
        parameters: &Parameters,
        sink: &mut dyn RowSink,
    ) -> StoreResult<Executed> {
        let ran = self.run(sql, std::slice::from_ref(parameters), sink, true)?;
        ran.map_err(|Writes| StoreError::Closed)
    }

    /// The same, unless the statement writes.
    pub(super) fn if_it_reads(
        &self,
        sql: &str,
        parameters: &Parameters,
        sink: &mut dyn RowSink,
    ) -> StoreResult<Result<Executed, Writes>> {
        self.run(sql, std::slice::from_ref(parameters), sink, false)
    }

    /// Runs a statement with each set of parameters. All of it has its effect, or nothing.
    pub(super) fn run<R: Runs + ?Sized>(
        &self,
        sql: &str,
        runs: &R,
        sink: &mut dyn RowSink,
        may_write: bool,
    ) -> StoreResult<Result<Executed, Writes>> {
        let Bounded {
            connection, policy, ..
        } = self.bounded;
        if let Some(reason) = self.call.stop.reason() {
            return Err(reason.error());
        }
        policy.prepare_for(self.author);
        let working = self.bounded.watch.begin(self.call, connection);
        let ran = self.run_all(sql, runs, sink, &working, may_write);
        drop(working);
        policy.prepare_for(Author::Own);
        if self.author == Author::Client && !connection.is_autocommit() {
            // No statement may leave a transaction behind.
            let _ = connection.execute_batch("ROLLBACK");
        }
        ran
    }

    fn run_all<R: Runs + ?Sized>(
        &self,
        sql: &str,
        runs: &R,
        sink: &mut dyn RowSink,
        working: &Working<'_>,
        may_write: bool,
    ) -> StoreResult<Result<Executed, Writes>> {
        let connection = &self.bounded.connection;
        let mut statement = connection
            .prepare_cached(sql)
            .map_err(|error| self.failed(error))?;
        if !may_write && !statement.readonly() {
            return Ok(Err(Writes));
        }
        let columns = columns(&statement);
        let count = columns.len();
        if sink.columns(columns).is_break() {
            return Err(SqlError::Cancelled.into());
        }
        // SQLite commits a statement whose rows are not all read as it stands; nothing of one that
        // fails is to stay.
        let guarded = !statement.readonly() && (count > 0 || runs.are_several());
        if guarded {
            self.own("SAVEPOINT \"vaultd statement\"")?;
        }
        let ran = self.run_each(&mut statement, (count, runs), sink, working);
        // A statement that rolled everything back has left nothing to undo.
        if guarded && !connection.is_autocommit() {
            if ran.is_err() {
                self.own("ROLLBACK TO \"vaultd statement\"")?;
            }
            self.own("RELEASE \"vaultd statement\"")?;
        }
        ran.map(Ok)
    }

    /// The daemon's own statement amid a client's.
    fn own(&self, sql: &str) -> StoreResult<()> {
        self.bounded.policy.prepare_for(Author::Own);
        let done = self.place.own(self.bounded.connection.execute_batch(sql));
        self.bounded.policy.prepare_for(self.author);
        done
    }

    fn run_each<R: Runs + ?Sized>(
        &self,
        statement: &mut rusqlite::Statement<'_>,
        (columns, runs): (usize, &R),
        sink: &mut dyn RowSink,
        working: &Working<'_>,
    ) -> StoreResult<Executed> {
        let connection = &self.bounded.connection;
        let wanted = Wanted::of(statement);
        let mut all = Executed::default();
        runs.each(&mut |given| {
            check_size(given, self.place.limit)?;
            let before = connection.total_changes();
            let bound = wanted.bind(statement, given);
            bound.map_err(|unfit| unfit.into_error(|error| self.failed(error)))?;
            self.step(statement, columns, sink, working)?;
            let done = executed(connection, before);
            all.changes += done.changes;
            all.last_insert_rowid = done.last_insert_rowid;
            Ok(())
        })?;
        Ok(all)
    }

    /// Runs a statement whose parameters are bound.
    fn step(
        &self,
        statement: &mut rusqlite::Statement<'_>,
        columns: usize,
        sink: &mut dyn RowSink,
        working: &Working<'_>,
    ) -> StoreResult<()> {
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            let flow = self.hand_over(row, columns, sink)?;
            let waited = sink.waited();
            if !waited.is_zero() {
                working.idle(waited);
            }
            if flow.is_break() {
                let given_up = || SqlError::Cancelled.into();
                let reason = self.call.stop.reason();
                return Err(reason.map_or_else(given_up, StopReason::error));
            }
        }
        Ok(())
    }

    fn hand_over(
        &self,
        row: &Row<'_>,
        count: usize,
        sink: &mut dyn RowSink,
    ) -> StoreResult<ControlFlow<()>> {
        let mut few = [ValueRef::Null; FEW];
        let mut many = Vec::new();
        let values = if count <= FEW {
            &mut few[..count]
        } else {
            many.resize(count, ValueRef::Null);
            &mut many[..]
        };
        let mut size = 0;
        for (index, value) in values.iter_mut().enumerate() {
            *value = row.get_ref(index).map_err(|error| self.failed(error))?;
            size += match value {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() as u64,
                ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 8,
            };
        }
        if size > self.place.limit.max(super::SMALLEST_ROW_LIMIT) {
            return Err(SqlError::OverBudget(Budget::Row(self.place.limit)).into());
        }
        Ok(sink.row(values))
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        let failed = self
            .place
            .client::<()>(Err(error), self.bounded, &self.call.stop);
        failed.err().unwrap_or(StoreError::Closed)
    }
}

fn check_size(given: Given<'_>, limit: u64) -> StoreResult<()> {
    let size = given.size();
    if size > limit {
        return Err(StoreError::TooLarge { size, limit });
    }
    Ok(())
}

fn columns(statement: &rusqlite::Statement<'_>) -> Vec<Column> {
    let columns = statement.columns();
    let column = |column: &rusqlite::Column<'_>| Column {
        name: column.name().to_owned(),
        declared_type: column.decl_type().unwrap_or_default().to_owned(),
    };
    columns.map(|found| column(&found)).collect()
}

fn executed(connection: &Connection, before: u64) -> Executed {
    // SQLite goes on telling what the last statement changed that changed anything.
    let changed = connection.total_changes() != before;
    Executed {
        changes: if changed { connection.changes() } else { 0 },
        last_insert_rowid: connection.last_insert_rowid(),
    }
}
