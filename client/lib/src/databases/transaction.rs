//! Transactions that the client leads.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::v1::{
    self, QueryResponse, Reason, TransactRequest, TransactResponse,
    transact_request::{Begin, Commit, Part, Rollback, Run},
    transact_response::{Failed, Part as Answer},
};

use super::{
    rows::Rows,
    statement::{Executed, Statement},
    value::{Packing, Parameters},
};
use crate::{Client, Error, Refusal};

/// Bytes of parameters that are sent in one message.
const MESSAGE: usize = vault_proto::CHUNK_LIMIT;

/// A transaction. Dropped without `commit`, it is rolled back.
pub struct Transaction {
    requests: mpsc::Sender<TransactRequest>,
    answers: tonic::Streaming<TransactResponse>,
    /// Rows of the statement before may still come.
    unread: bool,
    /// It has ended, or the connection has.
    over: bool,
}

impl Transaction {
    pub(super) async fn begin(client: &Client, begin: Begin) -> Result<Self, Error> {
        let (requests, receiver) = mpsc::channel(4);
        let mut databases = client.services.databases();
        // The channel is empty and its other end is here: this neither waits nor fails.
        let first = TransactRequest {
            part: Some(Part::Begin(begin)),
        };
        requests.send(first).await.map_err(|_| ended())?;
        let answers = databases.transact(ReceiverStream::new(receiver)).await?;
        let mut transaction = Self {
            requests,
            answers: answers.into_inner(),
            unread: false,
            over: false,
        };
        match transaction.answer().await? {
            Answer::Begun(_) => Ok(transaction),
            _ => Err(unexpected()),
        }
    }

    async fn send(&mut self, part: Part) -> Result<(), Error> {
        let request = TransactRequest { part: Some(part) };
        if self.requests.send(request).await.is_ok() {
            return Ok(());
        }
        // The daemon has ended it; its last answer says why.
        self.over = true;
        Err(match self.answers.message().await {
            Err(status) => status.into(),
            Ok(_) => ended(),
        })
    }

    async fn answer(&mut self) -> Result<Answer, Error> {
        loop {
            let message = self.answers.message().await;
            self.over = !matches!(message, Ok(Some(_)));
            // Without a part: an answer of a later version.
            if let Some(answer) = message?.ok_or_else(ended)?.part {
                return Ok(answer);
            }
        }
    }

    /// Whether it has ended, so that nothing more can be run in it: after a failure that is not the
    /// statement's own.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Reads what is left of the statement before.
    async fn settle(&mut self) -> Result<(), Error> {
        while self.unread {
            match self.rows().await {
                // It failed, which is of no interest any more: the transaction goes on.
                Ok(_) | Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a statement with what its long values consist of.
    async fn run(&mut self, sql: &str, runs: Vec<Parameters>, rows: bool) -> Result<(), Error> {
        self.settle().await?;
        let mut packing = Packing::default();
        let mut pack = |value| packing.pack(value);
        let runs = runs.into_iter().map(|run| run.pack(&mut pack)).collect();
        let statement = Some(v1::Statement {
            sql: sql.to_owned(),
            runs,
        });
        self.send(Part::Run(Run { statement, rows })).await?;
        for chunk in packing.chunks() {
            self.send(Part::Chunk(chunk)).await?;
        }
        Ok(())
    }

    /// Runs a statement; rows it returns are left unread. One that fails has no effect, and the
    /// transaction goes on.
    pub async fn execute(&mut self, statement: Statement) -> Result<Executed, Error> {
        self.run(&statement.sql, statement.runs, false).await?;
        match self.answer().await? {
            Answer::Executed(executed) => Ok(executed.into()),
            Answer::Failed(failed) => Err(refused(failed)),
            _ => Err(unexpected()),
        }
    }

    /// The same for any number of runs, as many at once as one message takes. Where one fails,
    /// those sent before it stay: for a transaction that then ends.
    pub(super) async fn execute_all(&mut self, statement: Statement) -> Result<Executed, Error> {
        let Statement { sql, runs } = statement;
        let mut done = Executed::default();
        for runs in parts(runs) {
            let sql = sql.clone();
            let executed = self.execute(Statement { sql, runs }).await?;
            done.changes += executed.changes;
            done.last_insert_rowid = executed.last_insert_rowid;
        }
        Ok(done)
    }

    /// Runs a statement and hands out its rows.
    pub async fn query(&mut self, sql: &str, parameters: Parameters) -> Result<Rows<'_>, Error> {
        self.ask(sql, parameters).await?;
        Rows::within(self).await
    }

    /// Runs a statement whose rows are to be read.
    pub(super) async fn ask(&mut self, sql: &str, parameters: Parameters) -> Result<(), Error> {
        let runs = if parameters.is_empty() {
            Vec::new()
        } else {
            vec![parameters]
        };
        self.run(sql, runs, true).await?;
        self.unread = true;
        Ok(())
    }

    /// The next message of an answer with rows.
    pub(super) async fn rows(&mut self) -> Result<QueryResponse, Error> {
        let answer = match self.answer().await {
            Ok(answer) => answer,
            Err(error) => {
                self.unread = false;
                return Err(error);
            }
        };
        match answer {
            Answer::Rows(rows) => {
                self.unread = rows.end.is_none();
                Ok(rows)
            }
            Answer::Failed(failed) => {
                self.unread = false;
                Err(refused(failed))
            }
            _ => {
                self.unread = false;
                Err(unexpected())
            }
        }
    }

    /// Makes it durable.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.settle().await?;
        self.end(true).await
    }

    /// Undoes it.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.settle().await?;
        self.end(false).await
    }

    pub(super) async fn end(&mut self, commit: bool) -> Result<(), Error> {
        let part = if commit {
            Part::Commit(Commit {})
        } else {
            Part::Rollback(Rollback {})
        };
        self.send(part).await?;
        match self.answer().await? {
            Answer::Ended(ended) if ended.committed == commit => Ok(()),
            Answer::Failed(failed) => Err(refused(failed)),
            _ => Err(unexpected()),
        }
    }
}

/// Runs, as many together as one message takes.
fn parts(runs: Vec<Parameters>) -> Vec<Vec<Parameters>> {
    let mut parts = vec![Vec::new()];
    let mut size = 0;
    for run in runs {
        size += run.size();
        if size > MESSAGE && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(Vec::new());
            size = run.size();
        }
        if let Some(part) = parts.last_mut() {
            part.push(run);
        }
    }
    parts
}

fn refused(failed: Failed) -> Error {
    let reason = match failed.reason() {
        Reason::Unspecified => "",
        reason => reason.wire_name(),
    };
    Error::Refused(Box::new(Refusal {
        reason: reason.to_owned(),
        metadata: std::collections::HashMap::new(),
        message: failed.message,
    }))
}

fn ended() -> Error {
    Error::Local("the daemon ended the transaction; nothing of it was kept".to_owned())
}

fn unexpected() -> Error {
    Error::Local("the daemon answered something that was not asked for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn runs_are_sent_in_as_few_messages_as_take_them() {
        assert_eq!(
            parts(Vec::new()).len(),
            1,
            "a statement without runs runs once"
        );
        let run = |size| Parameters::positional([Value::Blob(vec![0; size])]);
        let lengths = |sizes: &[usize]| -> Vec<usize> {
            let parts = parts(sizes.iter().copied().map(run).collect());
            parts.iter().map(Vec::len).collect()
        };
        assert_eq!(lengths(&[10, 10, 10]), [3]);
        assert_eq!(lengths(&[MESSAGE - 100, 200, 10]), [1, 2]);
        assert_eq!(lengths(&[2 * MESSAGE, 2 * MESSAGE]), [1, 1]);
    }
}
