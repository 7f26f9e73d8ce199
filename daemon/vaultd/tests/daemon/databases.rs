//! The Databases service: statements, typed values, their failures.

mod hostile;
mod import;
mod streams;
mod transactions;
mod values;

use std::collections::HashMap;

use prost::Message as _;
use tonic::{Status, transport::Channel};
use vault_proto::v1::{
    BatchStatementsRequest, ConfigureDatabaseRequest, CreateDatabaseRequest, DatabaseStatsRequest,
    DropDatabaseRequest, ExecuteRequest, ExecuteResponse, ListDatabasesRequest,
    MigrateDatabaseRequest, Parameters, QueryRequest, QueryResponse, Row, SizeClass, Statement,
    Value, databases_client::DatabasesClient, value::Kind,
};

use crate::support::{Daemon, Home, reason};

type Databases = DatabasesClient<Channel>;

const NAME: &str = "chat/history";

/// A client of a daemon with an empty database.
async fn with_database(daemon: &Daemon) -> Databases {
    let mut databases = DatabasesClient::new(daemon.channel().await);
    let request = CreateDatabaseRequest {
        name: NAME.into(),
        ..CreateDatabaseRequest::default()
    };
    databases.create(request).await.expect("created");
    databases
}

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn integer(integer: i64) -> Value {
    value(Kind::Integer(integer))
}

fn text(text: &str) -> Value {
    value(Kind::Text(text.into()))
}

fn positional(values: Vec<Value>) -> Parameters {
    Parameters {
        positional: values,
        ..Parameters::default()
    }
}

fn statement(sql: &str) -> Statement {
    Statement {
        sql: sql.into(),
        runs: Vec::new(),
    }
}

async fn execute(databases: &mut Databases, sql: &str) -> Result<ExecuteResponse, Status> {
    let request = ExecuteRequest {
        database: NAME.into(),
        statement: Some(statement(sql).encode_to_vec().into()),
        timeout_ms: 0,
    };
    Ok(databases.execute(request).await?.into_inner())
}

fn query(sql: &str, parameters: Vec<Value>) -> QueryRequest {
    QueryRequest {
        database: NAME.into(),
        sql: sql.into(),
        parameters: Some(positional(parameters)),
        timeout_ms: 0,
    }
}

/// Every message of an answer.
async fn messages(
    databases: &mut Databases,
    request: QueryRequest,
) -> Result<Vec<QueryResponse>, Status> {
    let mut answer = databases.query(request).await?.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = answer.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

async fn rows(databases: &mut Databases, sql: &str) -> Result<Vec<Row>, Status> {
    let messages = messages(databases, query(sql, Vec::new())).await?;
    Ok(messages
        .iter()
        .flat_map(|message| listed(&message.rows))
        .collect())
}

/// The rows of a message.
fn listed(rows: &vault_proto::Rows) -> Vec<Row> {
    rows.to_messages().expect("well-formed")
}

/// The one integer that a statement answers with.
async fn number(databases: &mut Databases, sql: &str) -> i64 {
    let rows = rows(databases, sql).await.expect("an answer");
    match rows[0].values[0].kind {
        Some(Kind::Integer(number)) => number,
        ref other => panic!("no integer: {}", other.is_some()),
    }
}

/// The daemon's reason for a refusal.
#[track_caller]
fn refused<T>(answer: Result<T, Status>) -> String {
    reason(answer.map_err(vault_client::Error::from))
}

#[tokio::test]
async fn databases_of_plug_ins_are_not_registered_for_upkeep() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let request = |name: &str| CreateDatabaseRequest {
        name: name.into(),
        ..CreateDatabaseRequest::default()
    };
    for name in ["plugins/weather", "plugins-of-mine"] {
        databases.create(request(name)).await.expect("created");
    }
    let mut left_out = async || {
        let list = databases.list(ListDatabasesRequest {}).await;
        let list = list.expect("listed").into_inner().databases.into_iter();
        let names = list.filter(|database| database.without_maintenance);
        names.map(|database| database.name).collect::<Vec<_>>()
    };
    assert_eq!(left_out().await, ["plugins/weather"]);
    let registered = ConfigureDatabaseRequest {
        name: "plugins/weather".into(),
        without_maintenance: Some(false),
        ..ConfigureDatabaseRequest::default()
    };
    let mut client = DatabasesClient::new(daemon.channel().await);
    client.configure(registered).await.expect("configured");
    assert!(left_out().await.is_empty());
}

#[tokio::test]
async fn databases_are_created_listed_configured_and_dropped() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let again = CreateDatabaseRequest {
        name: NAME.into(),
        ..CreateDatabaseRequest::default()
    };
    let again = databases.create(again).await;
    assert_eq!(refused(again), "ALREADY_EXISTS");
    let list = databases.list(ListDatabasesRequest {}).await;
    let list = list.expect("listed").into_inner().databases;
    assert_eq!(list.len(), 1);
    assert_eq!(
        (list[0].name.as_str(), list[0].size_class()),
        (NAME, SizeClass::Chat)
    );
    assert!(list[0].damaged.is_empty() && list[0].bytes > 0);

    execute(&mut databases, "CREATE TABLE t (x)")
        .await
        .expect("created");
    execute(&mut databases, "INSERT INTO t VALUES (1), (2)")
        .await
        .expect("inserted");
    let request = DatabaseStatsRequest {
        database: NAME.into(),
    };
    let stats = databases.stats(request).await.expect("served").into_inner();
    let table = stats.tables.iter().find(|table| table.name == "t");
    assert_eq!(table.expect("it is there").rows, Some(2));

    let request = DropDatabaseRequest { name: NAME.into() };
    databases.drop(request.clone()).await.expect("dropped");
    let gone = databases.drop(request).await;
    assert_eq!(refused(gone), "NOT_FOUND");
    let gone = execute(&mut databases, "SELECT 1").await;
    assert_eq!(refused(gone), "NOT_FOUND");
}

#[tokio::test]
async fn a_batch_is_done_whole_or_not_at_all() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    execute(&mut databases, "CREATE TABLE t (x UNIQUE)")
        .await
        .expect("created");
    let insert = |values: &[i64]| Statement {
        sql: "INSERT INTO t VALUES (?)".into(),
        runs: values
            .iter()
            .map(|x| positional(vec![integer(*x)]))
            .collect(),
    };
    let batch = |statements| BatchStatementsRequest {
        database: NAME.into(),
        statements,
        timeout_ms: 0,
    };
    let statements = vec![insert(&[1, 2, 3]), statement("DELETE FROM t WHERE x = 2")];
    let done = databases.batch(batch(statements)).await.expect("done");
    let changes: Vec<_> = done
        .into_inner()
        .results
        .iter()
        .map(|r| r.changes)
        .collect();
    assert_eq!(changes, [3, 1]);

    let statements = vec![statement("DELETE FROM t"), insert(&[7, 7])];
    let failed = databases.batch(batch(statements)).await;
    assert_eq!(refused(failed), "CONSTRAINT_FAILED");
    assert_eq!(number(&mut databases, "SELECT sum(x) FROM t").await, 4);
}

#[tokio::test]
async fn steps_are_applied_once_and_a_newer_schema_is_named() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let migrate = |steps: &[&str]| MigrateDatabaseRequest {
        database: NAME.into(),
        steps: steps.iter().map(|&step| step.to_owned()).collect(),
        timeout_ms: 0,
    };
    let first = "CREATE TABLE t (x); INSERT INTO t VALUES (1);";
    let second = "ALTER TABLE t ADD COLUMN y";
    for (steps, expected) in [
        (&[first][..], (0, 1)),
        (&[first, second], (1, 2)),
        (&[first, second], (2, 2)),
    ] {
        let done = databases
            .migrate(migrate(steps))
            .await
            .expect("done")
            .into_inner();
        assert_eq!((done.from_version, done.to_version), expected);
    }
    assert_eq!(number(&mut databases, "SELECT count(*) FROM t").await, 1);
    let newer = databases.migrate(migrate(&[first])).await;
    assert_eq!(refused(newer), "SCHEMA_NEWER");
}

#[tokio::test]
async fn what_no_statement_may_is_refused_by_name() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    for (sql, expected) in [
        ("ATTACH '/tmp/x' AS x", "SQL_REFUSED"),
        ("PRAGMA key = 'x'", "SQL_REFUSED"),
        ("SELECT load_extension('x')", "SQL_REFUSED"),
        ("BEGIN", "SQL_REFUSED"),
        ("SELECT 1; SELECT 2", "SQL_INVALID"),
        ("SELEC 1", "SQL_INVALID"),
        ("", "SQL_INVALID"),
    ] {
        let answer = execute(&mut databases, sql).await;
        assert_eq!(refused(answer), expected, "{sql}");
        let answer = rows(&mut databases, sql).await;
        assert_eq!(refused(answer), expected, "{sql}");
    }
    let sum = "SELECT vec_length('[1, 2, 3]')";
    assert_eq!(number(&mut databases, sum).await, 3, "sqlite-vec is there");
}

#[tokio::test]
async fn parameters_stand_by_place_and_by_name() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let sum = QueryRequest {
        parameters: Some(Parameters {
            positional: vec![integer(1)],
            named: HashMap::from([("b".into(), integer(20)), ("c".into(), integer(300))]),
        }),
        ..query("SELECT ? + :b + @c + :b", Vec::new())
    };
    let answer = messages(&mut databases, sum.clone()).await.expect("bound");
    assert_eq!(answer.len(), 1, "columns, rows and end in one message");
    assert!(listed(&answer[0].rows)[0].values == [integer(341)]);
    assert_eq!(answer[0].end.as_ref().map(|end| end.rows), Some(1));
    for (named, values) in [
        (HashMap::new(), vec![integer(1)]),
        (
            HashMap::from([("b".to_owned(), integer(2))]),
            vec![integer(1)],
        ),
        (sum.parameters.clone().expect("set").named, Vec::new()),
        (
            sum.parameters.clone().expect("set").named,
            vec![integer(1); 2],
        ),
    ] {
        let request = QueryRequest {
            parameters: Some(Parameters {
                positional: values,
                named,
            }),
            ..sum.clone()
        };
        let answer = messages(&mut databases, request).await;
        assert_eq!(refused(answer), "SQL_INVALID");
    }
}
