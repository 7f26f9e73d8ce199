//! The thread of a transaction.

use tokio::{runtime::Handle, sync::mpsc};
use tonic::Status;
use vault_proto::v1::{
    TransactResponse,
    transact_response::{Begun, Failed, Part},
};
use vault_store::{
    StoreError, StoreResult,
    databases::{Call, Database, Parameters, SqlError, Statement, Transaction},
};

use super::{message, orders::Command};
use crate::{
    error::store_reason,
    keeper::Keeper,
    service::databases::{
        Place, executed,
        outlet::{Outlet, Unsent},
        rows::{Failure, Rows},
    },
};

/// How a transaction ended that nothing was wrong with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Committed,
    RolledBack,
}

/// Does what its client says.
pub(super) struct Worker {
    pub(super) call: Call,
    pub(super) read_only: bool,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) outlet: Outlet<TransactResponse>,
}

/// What ends a transaction before its time, rolled back.
enum Broken {
    Store(StoreError),
    Unsent(Unsent),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unsent> for Broken {
    fn from(unsent: Unsent) -> Self {
        Self::Unsent(unsent)
    }
}

impl Worker {
    /// Holds a place at the database for one transaction, from its beginning to its end.
    pub(super) fn work(mut self, keeper: &Keeper, place: Place) -> Result<Ending, Box<Status>> {
        let ended = place.work(keeper, |database| match self.transact(database) {
            Ok(ending) => Ok(Ok(ending)),
            Err(Broken::Unsent(unsent)) => Ok(Err(unsent)),
            Err(Broken::Store(error)) => Err(error),
        })?;
        ended.map_err(|unsent| Box::new(unsent.status(keeper)))
    }

    fn transact(&mut self, database: &Database) -> Result<Ending, Broken> {
        let mut transaction = database.begin(&self.call, self.read_only)?;
        self.answer(Part::Begun(Begun {}))?;
        loop {
            match self.next_command()? {
                Command::Run(statement, rows) => {
                    match self.run(&mut transaction, statement, rows) {
                        Err(Broken::Store(error)) => self.fail(error)?,
                        ran => ran?,
                    }
                }
                Command::Refuse(text) => self.fail(StoreError::InvalidArgument(text))?,
                Command::Commit => {
                    transaction.commit()?;
                    return Ok(Ending::Committed);
                }
                Command::RollBack => return Ok(Ending::RolledBack),
            }
        }
    }

    /// Waits for what is to be done next, and no longer than the transaction lasts.
    fn next_command(&mut self) -> StoreResult<Command> {
        let halt = self.outlet.halt();
        Handle::current().block_on(async {
            tokio::select! {
                biased;
                reason = halt.stopped() => Err(reason.error()),
                command = self.commands.recv() => Ok(command.unwrap_or(Command::RollBack)),
            }
        })
    }

    fn run(
        &self,
        transaction: &mut Transaction<'_>,
        mut statement: Statement,
        rows: bool,
    ) -> Result<(), Broken> {
        if !rows {
            let done = transaction.execute(&statement)?;
            return Ok(self.answer(Part::Executed(executed(done)))?);
        }
        let parameters: Parameters = statement.runs.pop().unwrap_or_default();
        let mut sink = Rows::new(&self.outlet, |rows| message(Part::Rows(rows)));
        let queried = transaction.query(&statement.sql, &parameters, &mut sink);
        match sink.failure() {
            Some(Failure::Unsent(unsent)) => Err(unsent.into()),
            Some(Failure::Refused(error)) => Err(error.into()),
            None => Ok(sink.finish(queried?)?),
        }
    }

    /// Answers that a statement failed; goes on where the transaction is as it was before it.
    fn fail(&self, error: StoreError) -> Result<(), Broken> {
        let goes_on = match &error {
            StoreError::Sql(error) => *error != SqlError::TransactionEnded,
            StoreError::TooLarge { .. } | StoreError::InvalidArgument(_) => true,
            _ => false,
        };
        if !goes_on || self.call.stop.reason().is_some() {
            return Err(error.into());
        }
        let failed = Failed {
            reason: store_reason(&error).into(),
            message: error.to_string(),
        };
        Ok(self.answer(Part::Failed(failed))?)
    }

    fn answer(&self, part: Part) -> Result<(), Unsent> {
        self.outlet.send(message(part))
    }
}
