//! Transactions that a client leads.

use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use vault_proto::v1::{
    ExecuteRequest, Reason, TransactRequest, TransactResponse,
    transact_request::{Begin, Commit, Part, Rollback, Run},
    transact_response::{Ended, Part as Answer},
};

use super::{Databases, NAME, execute, number, refused, statement, with_database};
use crate::support::{Home, soon};

/// A transaction, from its client's side.
struct Led {
    requests: mpsc::Sender<TransactRequest>,
    answers: Streaming<TransactResponse>,
}

impl Led {
    /// Asks for one, and does not wait for its turn.
    async fn ask(databases: &mut Databases, begin: Begin) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(4);
        let part = Some(Part::Begin(begin));
        requests.send(TransactRequest { part }).await.expect("room");
        let answers = databases.transact(ReceiverStream::new(receiver)).await?;
        Ok(Self {
            requests,
            answers: answers.into_inner(),
        })
    }

    async fn begin(databases: &mut Databases, timeout_ms: u32) -> Self {
        let begin = Begin {
            database: NAME.into(),
            timeout_ms,
            read_only: false,
        };
        let mut led = Self::ask(databases, begin).await.expect("asked for");
        assert!(matches!(led.answer().await, Ok(Answer::Begun(_))));
        led
    }

    async fn say(&self, part: Part) {
        let part = Some(part);
        self.requests
            .send(TransactRequest { part })
            .await
            .expect("sent");
    }

    async fn answer(&mut self) -> Result<Answer, Status> {
        let answer = soon("an answer", self.answers.message()).await?;
        Ok(answer.and_then(|answer| answer.part).expect("a part"))
    }

    async fn run(&mut self, sql: &str, rows: bool) -> Result<Answer, Status> {
        let statement = Some(statement(sql));
        self.say(Part::Run(Run { statement, rows })).await;
        self.answer().await
    }

    async fn end(mut self, part: Part) -> Result<bool, Status> {
        self.say(part).await;
        match self.answer().await? {
            Answer::Ended(Ended { committed }) => {
                let rest = soon("the end", self.answers.message()).await?;
                assert!(rest.is_none(), "Ended is the last message");
                Ok(committed)
            }
            _ => panic!("it did not end"),
        }
    }
}

const COUNT: &str = "SELECT count(*) FROM t";

async fn with_table(databases: &mut Databases) {
    execute(databases, "CREATE TABLE t (x UNIQUE)")
        .await
        .expect("created");
}

#[tokio::test]
async fn what_is_committed_is_there_and_what_is_not_is_not() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    with_table(&mut databases).await;
    let mut led = Led::begin(&mut databases, 0).await;
    let done = led
        .run("INSERT INTO t VALUES (1), (2)", false)
        .await
        .expect("ran");
    assert!(matches!(done, Answer::Executed(done) if done.changes == 2));
    let rows = led
        .run("SELECT x FROM t ORDER BY x", true)
        .await
        .expect("ran");
    let Answer::Rows(rows) = rows else {
        panic!("no rows")
    };
    assert_eq!(
        (rows.columns.len(), rows.rows.len(), rows.end.is_some()),
        (1, 2, true)
    );
    assert_eq!(
        number(&mut databases, COUNT).await,
        0,
        "nobody else sees it yet"
    );
    assert!(led.end(Part::Commit(Commit {})).await.expect("ended"));
    assert_eq!(number(&mut databases, COUNT).await, 2);

    let mut led = Led::begin(&mut databases, 0).await;
    led.run("DELETE FROM t", false).await.expect("ran");
    assert!(!led.end(Part::Rollback(Rollback {})).await.expect("ended"));
    let mut led = Led::begin(&mut databases, 0).await;
    led.run("DELETE FROM t", false).await.expect("ran");
    // The stream ends without a word.
    let Led {
        requests,
        mut answers,
    } = led;
    drop(requests);
    let last = soon("the end", answers.message()).await.expect("ended");
    assert!(
        matches!(last.and_then(|last| last.part), Some(Answer::Ended(ended)) if !ended.committed)
    );
    assert_eq!(number(&mut databases, COUNT).await, 2);
}

#[tokio::test]
async fn a_statement_that_fails_leaves_the_transaction_as_it_was() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    with_table(&mut databases).await;
    let mut led = Led::begin(&mut databases, 0).await;
    led.run("INSERT INTO t VALUES (1)", false)
        .await
        .expect("ran");
    for (sql, expected) in [
        ("INSERT INTO t VALUES (2), (1)", Reason::ConstraintFailed),
        ("INSERT INTO nowhere VALUES (1)", Reason::SqlInvalid),
        ("COMMIT", Reason::SqlRefused),
    ] {
        for rows in [false, true] {
            match led.run(sql, rows).await.expect("it goes on") {
                Answer::Failed(failed) => assert_eq!(failed.reason(), expected, "{sql}"),
                _ => panic!("{sql} did not fail"),
            }
        }
    }
    led.run("INSERT INTO t VALUES (3)", false)
        .await
        .expect("ran");
    assert!(led.end(Part::Commit(Commit {})).await.expect("ended"));
    assert_eq!(number(&mut databases, "SELECT sum(x) FROM t").await, 4);
}

#[tokio::test]
async fn a_client_that_vanishes_loses_its_transaction_at_once() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    with_table(&mut databases).await;
    let mut led = Led::begin(&mut databases, 0).await;
    led.run("INSERT INTO t VALUES (1)", false)
        .await
        .expect("ran");
    drop(led);
    // Long before the transaction's time is over.
    let next = soon(
        "the next writer",
        execute(&mut databases, "INSERT INTO t VALUES (2)"),
    )
    .await;
    next.expect("its turn");
    assert_eq!(number(&mut databases, COUNT).await, 1);
}

#[tokio::test]
async fn a_transaction_is_rolled_back_when_its_time_is_over() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    with_table(&mut databases).await;
    let mut led = Led::begin(&mut databases, 200).await;
    led.run("INSERT INTO t VALUES (1)", false)
        .await
        .expect("ran");
    let over = led.answer().await;
    assert_eq!(refused(over), "TIMED_OUT");
    assert_eq!(number(&mut databases, COUNT).await, 0);
    soon(
        "the writer",
        execute(&mut databases, "INSERT INTO t VALUES (1)"),
    )
    .await
    .expect("its turn");
}

#[tokio::test]
async fn writers_wait_for_each_other_and_not_for_ever() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    with_table(&mut databases).await;
    let mut first = Led::begin(&mut databases, 0).await;
    first
        .run("INSERT INTO t VALUES (1)", false)
        .await
        .expect("ran");

    let hurried = ExecuteRequest {
        database: NAME.into(),
        statement: Some(statement("INSERT INTO t VALUES (2)").encode_to_vec().into()),
        timeout_ms: 50,
    };
    let busy = soon("the answer", databases.execute(hurried)).await;
    assert_eq!(refused(busy), "DATABASE_BUSY");
    // A hundred who wait are in nobody's way.
    let mut waiting = Vec::new();
    for x in 0..100 {
        let mut databases = databases.clone();
        waiting.push(tokio::spawn(async move {
            let insert = format!("INSERT INTO t VALUES ({})", 100 + x);
            execute(&mut databases, &insert).await
        }));
    }
    let begin = Begin {
        database: NAME.into(),
        ..Begin::default()
    };
    let mut second = Led::ask(&mut databases, begin.clone())
        .await
        .expect("asked for");
    let reader = Begin {
        read_only: true,
        ..begin
    };
    let mut reader = Led::ask(&mut databases, reader).await.expect("asked for");
    assert!(matches!(reader.answer().await, Ok(Answer::Begun(_))));
    assert!(matches!(
        reader.run("INSERT INTO t VALUES (9)", false).await,
        Ok(Answer::Failed(_))
    ));
    assert_eq!(number(&mut databases, COUNT).await, 0);
    daemon
        .client()
        .await
        .stores()
        .await
        .expect("others are served");

    assert!(first.end(Part::Commit(Commit {})).await.expect("ended"));
    assert!(matches!(second.answer().await, Ok(Answer::Begun(_))));
    assert!(second.end(Part::Commit(Commit {})).await.expect("ended"));
    for insert in waiting {
        soon("an insert", insert)
            .await
            .expect("it ends well")
            .expect("inserted");
    }
    assert_eq!(number(&mut databases, COUNT).await, 101);
    let Ok(Answer::Rows(rows)) = reader.run(COUNT, true).await else {
        panic!("no rows")
    };
    assert!(
        super::listed(&rows.rows)[0].values == [super::integer(0)],
        "as of the moment it began"
    );
}
