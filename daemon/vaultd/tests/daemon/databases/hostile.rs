//! Statements that ask for what nobody gets: each is refused or bounded with its reason, while the
//! daemon's memory stays flat and other clients are answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use prost::Message as _;
use tonic::Status;
use vault_client::Error;
use vault_proto::v1::{CreateDatabaseRequest, ExecuteRequest, QueryRequest, Statement};

use super::{Databases, NAME, execute, integer, positional, query, statement, with_database};
use crate::support::{Daemon, Home, soon};

const BYSTANDERS: &str = "app/bystanders";
/// What a statement may leave behind: caches of its connection, and of the allocator.
const LEFT_KIB: u64 = 48 << 10;
/// What it may take is 256 MiB. A growing value is met at twice that at worst, and SQLite copies
/// some once more.
const MORE_KIB: u64 = 700 << 10;
/// What all statements together may take: SQLite's own limit on its heap, and some.
const ALL_KIB: u64 = 1100 << 10;
/// A point select takes a millisecond; a machine that works for others takes its time.
const ANSWERED: Duration = Duration::from_secs(5);

/// Begins every statement below that counts without end.
const N: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) ";

const REFUSED: &str = "SQL_REFUSED";
const INVALID: &str = "SQL_INVALID";
const TIME: &str = "BUDGET_EXCEEDED time";
const MEMORY: &str = "BUDGET_EXCEEDED memory";
const ROW: &str = "BUDGET_EXCEEDED row";

/// Statements, and why each is not answered. Those with `n` count without end.
const STATEMENTS: &[(&str, &str)] = &[
    // What could leave the file, or change how the daemon keeps it.
    ("ATTACH '/etc/passwd' AS other", REFUSED),
    ("VACUUM INTO '/tmp/copy'", REFUSED),
    ("SELECT load_extension('/tmp/x.so')", REFUSED),
    (
        "CREATE VIRTUAL TABLE v USING csv(filename = '/etc/passwd')",
        REFUSED,
    ),
    ("SELECT data FROM sqlite_dbpage", REFUSED),
    ("PRAGMA key = 'x'", REFUSED),
    ("PRAGMA writable_schema = ON", REFUSED),
    ("PRAGMA cache_size = -100000000", REFUSED),
    ("PRAGMA mmap_size = 100000000000", REFUSED),
    ("PRAGMA hard_heap_limit = 0", REFUSED),
    ("PRAGMA temp_store = FILE", REFUSED),
    ("PRAGMA journal_mode = OFF", REFUSED),
    ("PRAGMA wal_autocheckpoint = 0", REFUSED),
    // What has no end.
    ("SELECT x FROM n WHERE x < 0", TIME),
    ("SELECT count(*) FROM n", TIME),
    ("SELECT count(*) FROM n a, n b, n c", TIME),
    ("INSERT INTO t SELECT randomblob(1000) FROM n", TIME),
    ("SELECT max(x) OVER (ORDER BY -x) FROM n LIMIT 1", TIME),
    // What would be kept until it ends.
    ("SELECT x || b AS v FROM n, big ORDER BY v", MEMORY),
    (
        "SELECT x || b AS v, count(*) FROM n, big GROUP BY v",
        MEMORY,
    ),
    (
        "SELECT count(*) FROM (SELECT DISTINCT x || b FROM n, big)",
        TIME,
    ),
    ("SELECT x || b FROM n, big UNION SELECT 1", MEMORY),
    ("SELECT count(DISTINCT x || b) FROM n, big", TIME),
    ("SELECT lag(x || b, 1000000) OVER () FROM n, big", TIME),
    // Values without end, and giants.
    ("SELECT group_concat(hex(zeroblob(100000))) FROM n", TIME),
    (
        "SELECT json_group_array(hex(zeroblob(100000))) FROM n",
        MEMORY,
    ),
    (
        "SELECT json_group_object(x, hex(zeroblob(100000))) FROM n",
        MEMORY,
    ),
    (
        "SELECT max(s) FROM (WITH RECURSIVE d(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM d) SELECT s FROM d)",
        ROW,
    ),
    ("SELECT randomblob(2000000000)", ROW),
    ("SELECT zeroblob(2000000000)", ROW),
    ("SELECT zeroblob(30000000)", ROW),
    ("SELECT hex(zeroblob(30000000))", ROW),
    ("SELECT printf('%2000000000d', 1)", ROW),
    (
        "SELECT replace(hex(zeroblob(10000)), '0', hex(zeroblob(10000)))",
        ROW,
    ),
];

fn with_counting(sql: &str) -> String {
    if !sql.contains("FROM n") {
        return sql.to_owned();
    }
    format!("{N}{sql}")
}

/// Statements too long to be written down.
fn generated() -> Vec<(String, &'static str)> {
    let many = |count, part: &str| part.repeat(count);
    let json = format!("'{}{}'", many(100_000, "["), many(100_000, "]"));
    let terms: Vec<_> = (0..20_000).map(|n| format!("w{n}")).collect();
    vec![
        (format!("SELECT {}1", many(40_000, "?,")), INVALID),
        (
            format!("SELECT {}1{}", many(9000, "("), many(9000, ")")),
            INVALID,
        ),
        (format!("SELECT {}1", many(9000, "1+")), INVALID),
        (
            format!("SELECT 1{}", many(5000, " UNION SELECT 1")),
            INVALID,
        ),
        (format!("SELECT 1{}", many(5000, ", 1")), INVALID),
        (format!("SELECT 'a' LIKE '{}'", many(5000, "%a")), INVALID),
        (format!("SELECT json({json})"), INVALID),
        (
            format!(
                "SELECT count(*) FROM f WHERE f MATCH '{}'",
                many(20_000, "(")
            ),
            INVALID,
        ),
        (
            format!(
                "SELECT count(*) FROM f WHERE f MATCH '{}'",
                terms.join(" NOT ")
            ),
            INVALID,
        ),
        (format!("SELECT * FROM t{}", many(100, ", t")), INVALID),
    ]
}

/// The reason, and of which budget there was not enough.
fn told(error: Error) -> String {
    let Error::Refused(refusal) = error else {
        panic!("refused without a reason: {error:?}")
    };
    match refusal.metadata.get("budget") {
        Some(budget) => format!("{} {budget}", refusal.reason),
        None => refusal.reason,
    }
}

/// Runs a statement and lets its rows go; the reason why it did not end well.
async fn outcome(databases: &mut Databases, sql: &str, timeout_ms: u32) -> String {
    let request = QueryRequest {
        timeout_ms,
        ..query(sql, Vec::new())
    };
    let read = async {
        let mut answer = databases.query(request).await?.into_inner();
        while answer.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    match soon("an answer", read).await {
        Ok(()) => "nothing".to_owned(),
        Err(status) => told(status.into()),
    }
}

/// Somebody else, with a database of their own; asks for one row again and again.
struct Bystander {
    over: Arc<AtomicBool>,
    asking: tokio::task::JoinHandle<(u64, Duration)>,
}

impl Bystander {
    async fn start(daemon: &Daemon) -> Self {
        let mut databases = Databases::new(daemon.channel().await);
        let request = CreateDatabaseRequest {
            name: BYSTANDERS.into(),
            ..CreateDatabaseRequest::default()
        };
        databases.create(request).await.expect("created");
        for sql in [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
            "INSERT INTO t VALUES (7, 11)",
        ] {
            let request = ExecuteRequest {
                database: BYSTANDERS.into(),
                statement: Some(statement(sql).encode_to_vec().into()),
                timeout_ms: 0,
            };
            databases.execute(request).await.expect("executed");
        }
        let over = Arc::new(AtomicBool::new(false));
        let asking = tokio::spawn(ask(databases, Arc::clone(&over)));
        Self { over, asking }
    }

    /// How often it was answered, and how long it waited at most.
    async fn end(self) -> (u64, Duration) {
        self.over.store(true, Ordering::Release);
        soon("the last answer", self.asking)
            .await
            .expect("answered")
    }
}

async fn ask(mut databases: Databases, over: Arc<AtomicBool>) -> (u64, Duration) {
    let (mut times, mut slowest) = (0, Duration::ZERO);
    while !over.load(Ordering::Acquire) {
        let request = QueryRequest {
            database: BYSTANDERS.into(),
            ..query("SELECT x FROM t WHERE id = ?", vec![integer(7)])
        };
        let begun = Instant::now();
        let mut answer = databases.query(request).await.expect("served").into_inner();
        let first = answer.message().await.expect("goes on").expect("a message");
        assert!(super::listed(&first.rows)[0].values == [integer(11)]);
        slowest = slowest.max(begun.elapsed());
        times += 1;
    }
    (times, slowest)
}

async fn with_tables(daemon: &Daemon) -> Databases {
    let mut databases = with_database(daemon).await;
    for sql in [
        "CREATE TABLE t (x)",
        "CREATE VIRTUAL TABLE f USING fts5(text)",
        "INSERT INTO f VALUES ('w1 w2')",
        "INSERT INTO t VALUES (1)",
        // What grows quickly, so that it is its memory and not its time that is over.
        "CREATE TABLE big AS SELECT hex(zeroblob(400000)) AS b",
    ] {
        execute(&mut databases, sql).await.expect(sql);
    }
    databases
}

/// An answer of giant size whose client has read the first of it and reads no more.
async fn unread(databases: &mut Databases) -> tonic::Streaming<vault_proto::v1::QueryResponse> {
    let giant = format!("{N}SELECT x, hex(randomblob(100000)) FROM n");
    let answer = databases.query(query(&giant, Vec::new())).await;
    let mut answer = answer.expect("begun").into_inner();
    let first = soon("a message", answer.message()).await;
    first.expect("it has begun").expect("a message");
    answer
}

fn assert_bounded(daemon: &Daemon, before: u64, more: u64) {
    let highest = daemon.memory("VmHWM");
    println!("memory: {before} KiB, at most {highest} KiB");
    assert!(
        highest < before + more,
        "{before} KiB, at most {highest} KiB"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_too_much_is_stopped_and_nobody_else_hears_of_it() {
    let home = Home::new();
    let daemon = home.start("root", &["--ephemeral", "--log", "warn"]);
    let mut databases = with_tables(&daemon).await;
    let bystander = Bystander::start(&daemon).await;
    let before = daemon.memory("VmRSS");
    let slow = unread(&mut databases).await;

    let mut otherwise = Vec::new();
    for (sql, expected) in STATEMENTS {
        // What is to meet another bound has the time to.
        let timeout = if *expected == TIME { 100 } else { 10_000 };
        let told = outcome(&mut databases, &with_counting(sql), timeout).await;
        let left = daemon.memory("VmRSS");
        assert!(left < before + LEFT_KIB, "{before} KiB, then {left}: {sql}");
        if told != *expected {
            otherwise.push(format!("{told}, not {expected}: {sql}"));
        }
    }
    for (sql, expected) in generated() {
        let told = outcome(&mut databases, &sql, 10_000).await;
        if told != expected {
            otherwise.push(format!("{told}, not {expected}: {}", &sql[..60]));
        }
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
    let insert = Statement {
        sql: "INSERT INTO t VALUES (?)".into(),
        runs: vec![positional(vec![super::value(
            vault_proto::v1::value::Kind::Blob(vec![1; 8 << 20]),
        )])],
    };
    let giant = ExecuteRequest {
        database: NAME.into(),
        statement: Some(insert.encode_to_vec().into()),
        timeout_ms: 0,
    };
    let refused = databases.execute(giant).await.expect_err("too large");
    assert_eq!(told(refused.into()), "TOO_LARGE");

    drop(slow);
    assert_eq!(
        super::number(&mut databases, "SELECT sum(x) FROM t").await,
        1
    );
    let (times, slowest) = bystander.end().await;
    println!("bystander: {times} answers, the slowest in {slowest:?}");
    assert!(slowest < ANSWERED, "{slowest:?}");
    assert!(times > 100, "only {times} answers");
    assert_bounded(&daemon, before, MORE_KIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_are_bounded_too() {
    let home = Home::new();
    let daemon = home.start("root", &["--ephemeral", "--log", "warn"]);
    let mut databases = with_tables(&daemon).await;
    let bystander = Bystander::start(&daemon).await;
    let before = daemon.memory("VmRSS");
    let mut running = Vec::new();
    for (sql, _) in STATEMENTS.iter().filter(|(_, met)| *met == MEMORY) {
        let mut databases = databases.clone();
        let sql = with_counting(sql);
        running.push(tokio::spawn(async move {
            // Whichever bound is met first: they share processors as well.
            let told = outcome(&mut databases, &sql, 10_000).await;
            assert!(told == TIME || told == MEMORY, "{told}: {sql}");
        }));
    }
    for outcome in running {
        soon("the end", outcome).await.expect("bounded");
    }
    assert_eq!(
        super::number(&mut databases, "SELECT sum(x) FROM t").await,
        1
    );
    let (_, slowest) = bystander.end().await;
    assert!(slowest < ANSWERED, "{slowest:?}");
    assert_bounded(&daemon, before, ALL_KIB);
}
