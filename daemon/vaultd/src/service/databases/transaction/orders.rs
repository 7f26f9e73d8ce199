//! What the client of a transaction says, put together.

use tonic::Status;
use vault_proto::v1::{
    self, TransactRequest,
    transact_request::{Part, Run},
};
use vault_store::databases::Statement;

use crate::{
    error::receive_error,
    service::{
        databases::{
            long::{self, Incoming},
            values,
        },
        out_of_turn,
    },
};

/// What is to be done in a transaction.
pub(super) enum Command {
    /// Runs a statement; its rows are wanted or not.
    Run(Statement, bool),
    /// Answers that a statement's parameters are not acceptable.
    Refuse(String),
    /// Keeps what was done.
    Commit,
    /// Does not.
    RollBack,
}

/// Makes commands of messages.
pub(super) struct Orders {
    limit: u64,
    /// A statement that waits for the chunks of its parameters.
    open: Option<(v1::Statement, bool, Incoming)>,
}

impl Orders {
    /// Orders whose parameters are of at most `limit` bytes in one message.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, open: None }
    }

    /// Takes what came, and returns the command that it completes.
    pub(super) fn take(
        &mut self,
        said: Result<Option<TransactRequest>, Status>,
    ) -> Result<Option<Command>, Status> {
        let Some(message) = said.map_err(receive_error)? else {
            // It ended without a Commit.
            return Ok(Some(Command::RollBack));
        };
        match (message.part, self.open.take()) {
            (Some(Part::Run(Run { statement, rows })), None) => {
                let statement =
                    statement.ok_or_else(|| out_of_turn("a run without a statement"))?;
                let incoming = Incoming::of(long::in_order(&statement), self.limit)?;
                Ok(self.complete(statement, rows, incoming))
            }
            (Some(Part::Chunk(chunk)), Some((statement, rows, mut incoming))) => {
                incoming.add(&chunk)?;
                Ok(self.complete(statement, rows, incoming))
            }
            (Some(Part::Commit(_)), None) => Ok(Some(Command::Commit)),
            (Some(Part::Rollback(_)), None) => Ok(Some(Command::RollBack)),
            (_, Some(_)) => Err(out_of_turn("a run whose chunks did not all come")),
            _ => Err(out_of_turn(
                "after its begin come a transaction's runs, and then commit or rollback",
            )),
        }
    }

    fn complete(
        &mut self,
        statement: v1::Statement,
        rows: bool,
        incoming: Incoming,
    ) -> Option<Command> {
        if !incoming.is_complete() {
            self.open = Some((statement, rows, incoming));
            return None;
        }
        let statement = values::statement_with(statement, &mut incoming.into_values());
        Some(match statement {
            Ok(statement) if rows && statement.runs.len() > 1 => {
                Command::Refuse("rows are sent of one run only".to_owned())
            }
            Ok(statement) => Command::Run(statement, rows),
            Err(status) => Command::Refuse(status.message().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use vault_proto::v1::{LongValue, Parameters, transact_request::Commit, value::Kind};
    use vault_store::databases::Value;

    use super::*;

    fn run(kinds: Vec<Kind>) -> Part {
        let values = kinds.into_iter().map(|kind| v1::Value { kind: Some(kind) });
        let parameters = Parameters {
            positional: values.collect(),
            ..Parameters::default()
        };
        Part::Run(Run {
            statement: Some(v1::Statement {
                sql: "SELECT ?".into(),
                runs: vec![parameters],
            }),
            rows: true,
        })
    }

    fn say(orders: &mut Orders, part: Part) -> Result<Option<Command>, Status> {
        orders.take(Ok(Some(TransactRequest { part: Some(part) })))
    }

    fn long(size: u64) -> Kind {
        Kind::Long(LongValue { text: true, size })
    }

    #[test]
    fn a_statement_runs_once_its_chunks_are_there() {
        let mut orders = Orders::new(9);
        assert!(
            say(&mut orders, run(vec![long(4)]))
                .expect("fine")
                .is_none()
        );
        assert!(
            say(&mut orders, Part::Chunk(b"ab".to_vec()))
                .expect("fine")
                .is_none()
        );
        let command = say(&mut orders, Part::Chunk(b"cd".to_vec())).expect("fine");
        let Some(Command::Run(statement, true)) = command else {
            panic!("it is complete");
        };
        assert_eq!(statement.runs[0].positional, [Value::Text("abcd".into())]);
        assert!(matches!(
            say(&mut orders, Part::Commit(Commit {})),
            Ok(Some(Command::Commit))
        ));
        assert!(matches!(orders.take(Ok(None)), Ok(Some(Command::RollBack))));
    }

    #[test]
    fn values_that_are_not_acceptable_fail_their_statement_only() {
        let mut orders = Orders::new(9);
        let invalid = say(&mut orders, run(vec![Kind::InvalidText(vec![255])]));
        assert!(matches!(invalid, Ok(Some(Command::Refuse(_)))));
        say(&mut orders, run(vec![long(1)])).expect("fine");
        let broken = say(&mut orders, Part::Chunk(vec![255]));
        assert!(matches!(broken, Ok(Some(Command::Refuse(_)))));
    }

    #[test]
    fn what_is_out_of_turn_ends_the_transaction() {
        assert!(
            say(&mut Orders::new(9), run(vec![long(10)])).is_err(),
            "too large"
        );
        assert!(say(&mut Orders::new(9), Part::Chunk(vec![1])).is_err());
        let mut orders = Orders::new(9);
        say(&mut orders, run(vec![long(2)])).expect("fine");
        assert!(say(&mut orders, Part::Commit(Commit {})).is_err());
        assert!(orders.take(Ok(Some(TransactRequest::default()))).is_err());
    }
}
