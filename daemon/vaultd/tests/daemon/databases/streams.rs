//! Answers that are long, that nobody reads, that nobody waits for any more.

use std::time::Duration;

use tokio::task::JoinSet;
use tonic::Request;
use vault_proto::v1::{QueryRequest, databases_client::DatabasesClient};

use super::{Databases, execute, integer, messages, number, query, refused, rows, with_database};
use crate::support::{Home, soon, until};

/// Never ends, and never has a row.
const ENDLESS: &str = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n)
                       SELECT x FROM n WHERE x < 0";
/// Never ends, and has rows all the time.
const FLOOD: &str = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n)
                     SELECT x, 'something to read' FROM n";

#[tokio::test]
async fn a_hundred_thousand_rows_stream_in_flat_memory() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    execute(
        &mut databases,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)",
    )
    .await
    .expect("created");
    let fill = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 100000)
                INSERT INTO t SELECT x, printf('%0500d', x) FROM n";
    let filled = execute(&mut databases, fill).await.expect("filled");
    assert_eq!(filled.changes, 100_000);
    number(&mut databases, "SELECT count(body) FROM t").await;

    let before = daemon.memory("VmHWM");
    let mut answer = databases
        .query(query("SELECT id, body FROM t ORDER BY id", Vec::new()))
        .await
        .expect("begun")
        .into_inner();
    let (mut next, mut ended) = (1, false);
    while let Some(message) = answer.message().await.expect("a message") {
        for row in super::listed(&message.rows) {
            assert!(row.values[0] == integer(next));
            next += 1;
        }
        ended = message.end.is_some_and(|end| end.rows == 100_000);
    }
    assert!(ended && next == 100_001);
    // The rows are 50 MB.
    let after = daemon.memory("VmHWM");
    assert!(after < before + (16 << 10), "{before} KiB, then {after}");
}

/// Whether a statement does not get its turn at once.
async fn is_busy(mut databases: Databases, sql: &str) -> bool {
    let request = QueryRequest {
        timeout_ms: 1,
        ..query(sql, Vec::new())
    };
    let answer = messages(&mut databases, request).await;
    answer.is_err() && refused(answer) == "DATABASE_BUSY"
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_statement_at_once() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    execute(&mut databases, "CREATE TABLE t (x)")
        .await
        .expect("created");
    // As many as there are readers; and the writer. Abandoned once all of them are at work.
    let mut calls = Vec::new();
    for _ in 0..4 {
        let mut reader = databases.clone();
        calls.push(tokio::spawn(async move {
            let _ = messages(&mut reader, query(ENDLESS, Vec::new())).await;
        }));
    }
    let mut writer = databases.clone();
    let write = format!("INSERT INTO t {ENDLESS}");
    calls.push(tokio::spawn(async move {
        let _ = execute(&mut writer, &write).await;
    }));
    for sql in ["SELECT 1", "DELETE FROM t"] {
        until("every turn is taken", || is_busy(databases.clone(), sql)).await;
    }
    for call in calls {
        call.abort();
    }
    for sql in ["SELECT 1", "DELETE FROM t"] {
        until("it is free", || async {
            !is_busy(databases.clone(), sql).await
        })
        .await;
    }
    let mut flood = databases
        .query(query(FLOOD, Vec::new()))
        .await
        .expect("begun")
        .into_inner();
    assert!(flood.message().await.expect("a message").is_some());
    drop(flood);
    // All have their turn again, long before a statement's time is over.
    soon(
        "the writer",
        execute(&mut databases, "INSERT INTO t VALUES (1)"),
    )
    .await
    .expect("written");
    let mut readers = Vec::new();
    for _ in 0..4 {
        let mut reader = databases.clone();
        readers.push(tokio::spawn(async move {
            number(&mut reader, "SELECT count(*) FROM t").await
        }));
    }
    for reader in readers {
        assert_eq!(soon("a reader", reader).await.expect("it ends well"), 1);
    }
}

#[tokio::test]
async fn a_statement_works_for_as_long_as_it_may() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let request = QueryRequest {
        timeout_ms: 50,
        ..query(ENDLESS, Vec::new())
    };
    let over = soon("the end", messages(&mut databases, request)).await;
    assert_eq!(refused(over), "BUDGET_EXCEEDED");
    let request = QueryRequest {
        timeout_ms: u32::MAX,
        ..query("SELECT 1", Vec::new())
    };
    let answer = messages(&mut databases, request).await;
    assert_eq!(refused(answer), "INVALID_ARGUMENT");

    // The transport's own deadline, once the answer has begun.
    let mut request = Request::new(query(FLOOD, Vec::new()));
    request.set_timeout(Duration::from_millis(300));
    let mut answer = databases.query(request).await.expect("begun").into_inner();
    let over = loop {
        match soon("the end", answer.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended well"),
            Err(status) => break status,
        }
    };
    assert!(
        matches!(
            over.code(),
            tonic::Code::DeadlineExceeded | tonic::Code::Cancelled
        ),
        "{over:?}"
    );
    soon("a reader", rows(&mut databases, "SELECT 1"))
        .await
        .expect("its turn");
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_its_turn() {
    let home = Home::new();
    home.configure("[limits]\nstream_idle_seconds = 1\n");
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let mut unread = Vec::new();
    for _ in 0..4 {
        let answer = databases
            .query(query(FLOOD, Vec::new()))
            .await
            .expect("begun");
        unread.push(answer.into_inner());
    }
    // Elsewhere: what is not read fills this connection.
    let mut other = DatabasesClient::new(daemon.channel().await);
    let read = soon("a reader", rows(&mut other, "SELECT 1")).await;
    assert_eq!(read.expect("its turn").len(), 1);
    // One of them gave way. Which one is not known, and those that did not go on as they are read.
    let mut readers = JoinSet::new();
    for mut answer in unread {
        readers.spawn(async move {
            loop {
                let message = answer.message().await;
                if !matches!(message, Ok(Some(_))) {
                    return message;
                }
            }
        });
    }
    let first = soon("the end", readers.join_next()).await.expect("four");
    let ended = first.expect("it ends well");
    assert_eq!(refused(ended), "TIMED_OUT");
}

#[tokio::test]
async fn an_answer_ends_after_its_time_however_well_it_is_read() {
    let home = Home::new();
    home.configure("[limits]\nquery_seconds = 1\n");
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    // Nobody takes a message of these; whoever does not is given much longer elsewhere.
    let mut unread = Vec::new();
    for _ in 0..3 {
        let answer = databases.query(query(FLOOD, Vec::new())).await;
        unread.push(answer.expect("begun").into_inner());
    }
    let mut other = DatabasesClient::new(daemon.channel().await);
    let answer = other.query(query(FLOOD, Vec::new())).await;
    let mut answer = answer.expect("begun").into_inner();
    let over = loop {
        match soon("the end", answer.message()).await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert_eq!(refused(over), "TIMED_OUT");
    let read = soon("a reader", rows(&mut other, "SELECT 1")).await;
    assert_eq!(read.expect("its turn").len(), 1);
    // Where no row ever comes, it is the same.
    let over = soon("the end", messages(&mut other, query(ENDLESS, Vec::new()))).await;
    assert_eq!(refused(over), "TIMED_OUT");
}
