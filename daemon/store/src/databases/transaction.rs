//! A transaction that its caller leads, statement by statement.

use super::{
    Database, Executed, Parameters, RowSink, SqlError, Statement,
    call::Call,
    connection::Bounded,
    fault::spoils,
    generation::Reading,
    policy::Author,
    run::{Run, Writes},
    statement::NoRows,
    writer::Turn,
};
use crate::error::StoreResult;

/// A transaction that its caller leads. Dropped, it is rolled back.
///
/// `call.stop` ends it: every further statement is refused with the reason, and so is the commit.
pub struct Transaction<'a> {
    database: &'a Database,
    call: Call,
    connection: Led<'a>,
    open: bool,
}

enum Led<'a> {
    Writing(Turn<'a>),
    Reading(Reading),
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(database: &'a Database, call: &Call, read_only: bool) -> StoreResult<Self> {
        let place = database.place();
        let begin = |bounded: &Bounded, how: &str| place.own(bounded.connection.execute_batch(how));
        let connection = if read_only {
            let reading = database.generation()?.reader(call, place)?;
            // It sees the moment of its first statement: that is now.
            let how = "BEGIN; SELECT count(*) FROM sqlite_schema";
            begin(reading.bounded(), how)?;
            Led::Reading(reading)
        } else {
            let mut turn = database.writer.take(call)?;
            database.with_writer(&mut turn, |bounded| begin(bounded, "BEGIN IMMEDIATE"))?;
            Led::Writing(turn)
        };
        Ok(Self {
            database,
            call: call.clone(),
            connection,
            open: true,
        })
    }

    /// Works on the connection, unless the transaction is over: a statement can roll all of it back,
    /// and then nothing may pass for a part of it any more.
    fn with<T>(&mut self, work: impl FnOnce(&Bounded) -> StoreResult<T>) -> StoreResult<T> {
        let bounded = match &self.connection {
            Led::Writing(turn) => turn.connection.as_ref(),
            Led::Reading(reading) => Some(reading.bounded()),
        };
        let bounded = bounded.filter(|_| self.open);
        let bounded = bounded.ok_or(SqlError::TransactionEnded)?;
        let done = work(bounded);
        let spoiled = done.as_ref().is_err_and(spoils);
        if spoiled || bounded.connection.is_autocommit() {
            self.open = false;
        }
        match done {
            Err(error) if !self.open && !spoiled && self.call.stop.reason().is_none() => {
                tracing::debug!(%error, "a statement rolled its transaction back");
                Err(SqlError::TransactionEnded.into())
            }
            done => done,
        }
    }

    /// Runs a statement with each set of its parameters; one that fails has no effect, and the
    /// transaction goes on, unless it says that it was ended.
    pub fn execute(&mut self, statement: &Statement) -> StoreResult<Executed> {
        self.run(&statement.sql, statement.runs(), &mut NoRows)
    }

    /// Runs a statement and hands its rows to `rows`.
    pub fn query(
        &mut self,
        sql: &str,
        parameters: &Parameters,
        rows: &mut dyn RowSink,
    ) -> StoreResult<Executed> {
        self.run(sql, std::slice::from_ref(parameters), rows)
    }

    fn run(
        &mut self,
        sql: &str,
        runs: &[Parameters],
        rows: &mut dyn RowSink,
    ) -> StoreResult<Executed> {
        let call = self.call.clone();
        let place = self.database.place();
        let may_write = matches!(self.connection, Led::Writing(_));
        self.with(|bounded| {
            let run = Run {
                bounded,
                call: &call,
                place,
                author: Author::ClientInTransaction,
            };
            run.run(sql, runs, rows, may_write)?.map_err(|Writes| {
                let action = "writing in a transaction that reads".to_owned();
                let instead = "begin one that writes";
                SqlError::Refused { action, instead }.into()
            })
        })
    }

    /// Makes it durable. After an error nothing of it is there, or all of it where the disk failed
    /// in the last moment.
    pub fn commit(mut self) -> StoreResult<()> {
        if let Some(reason) = self.call.stop.reason() {
            return Err(reason.error());
        }
        let place = self.database.place();
        // A transaction that SQLite could not commit is still there: dropping it rolls it back.
        let committed = self.with(|bounded| place.own(bounded.connection.execute_batch("COMMIT")));
        self.database.touch();
        committed
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // A connection that is not rolled back is not used again: see `Turn` and `Reading`.
        let place = self.database.place();
        let rolled_back =
            self.with(|bounded| place.own(bounded.connection.execute_batch("ROLLBACK")));
        if let (Err(error), Led::Writing(turn)) = (rolled_back, &mut self.connection)
            && spoils(&error)
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
            turn.close_connection();
        }
        self.database.touch();
    }
}
