//! A database of transactions that are whole or not there, and a client that writes them. Each is a
//! row of `ledger` and as many rows of `entry` as that one says, with their words in a full-text
//! index.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Semaphore;
use vault_client::{
    Client, DatabaseOptions, Error, Parameters, Statement, TransactionOptions, Value,
};

use crate::support::{random::Random, soon};

/// Most entries of one transaction. As many rows are in `number`, for the trigger.
const ENTRIES: u64 = 12;

const SCHEMA: [&str; 7] = [
    "CREATE TABLE ledger (writer INTEGER, tx INTEGER, entries INTEGER, complete INTEGER,
        PRIMARY KEY (writer, tx))",
    "CREATE TABLE entry (writer INTEGER, tx INTEGER, n INTEGER, word TEXT UNIQUE, pad BLOB,
        PRIMARY KEY (writer, tx, n), FOREIGN KEY (writer, tx) REFERENCES ledger)",
    "CREATE VIRTUAL TABLE words USING fts5(word)",
    "CREATE TRIGGER indexed AFTER INSERT ON entry BEGIN
        INSERT INTO words(rowid, word) VALUES (new.rowid, new.word);
     END",
    "CREATE TABLE number (n INTEGER PRIMARY KEY)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 12)
     INSERT INTO number SELECT i FROM n",
    // One statement can be a transaction of many rows, too.
    "CREATE TRIGGER completed AFTER INSERT ON ledger WHEN new.complete BEGIN
        INSERT INTO entry SELECT new.writer, new.tx, n,
            'w' || new.writer || 't' || new.tx || 'n' || n, zeroblob(100 * n)
        FROM number WHERE n <= new.entries;
     END",
];

/// Transactions of which there is not all, or too much: as of any moment, none.
const TORN: &str = "SELECT count(*) FROM ledger FULL JOIN
        (SELECT writer, tx, count(*) AS there FROM entry GROUP BY writer, tx) USING (writer, tx)
    WHERE entries IS NOT coalesce(there, 0)";

/// The same with every word, and what is indexed of it.
const ALL: &str = "SELECT l.writer, l.tx, l.entries, count(w.rowid),
        coalesce(sum(e.word = 'w' || l.writer || 't' || l.tx || 'n' || e.n AND w.word = e.word), 0)
    FROM ledger l LEFT JOIN entry e USING (writer, tx) LEFT JOIN words w ON w.rowid = e.rowid
    GROUP BY l.writer, l.tx";

/// The connection broke: a refusal would have a reason.
pub(super) fn broke(error: &Error) -> bool {
    error.reason().is_none_or(str::is_empty)
}

pub(super) async fn create(client: &Client, database: &str) {
    let options = DatabaseOptions::default();
    let created = client.create_database(database, options).await;
    created.expect("created");
    let schema = SCHEMA.map(Statement::new).into();
    let made = client.execute_batch(database, schema, None).await;
    made.expect("a schema");
}

/// Rows of integers.
pub(super) async fn integers(
    client: &Client,
    database: &str,
    sql: &str,
) -> Result<Vec<Vec<i64>>, Error> {
    let none = Parameters::default();
    let mut rows = client.query(database, sql, none, None).await?;
    let mut all = Vec::new();
    while let Some(row) = rows.next_row().await? {
        let integers = row.into_iter().map(|value| match value {
            Value::Integer(integer) => integer,
            _ => panic!("no integer"),
        });
        all.push(integers.collect());
    }
    Ok(all)
}

/// How a transaction is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Execute,
    Batch,
    Transact,
}

/// One client that writes to one database, and what it knows for certain.
pub(super) struct Writer {
    pub(super) number: i64,
    pub(super) database: &'static str,
    random: Random,
    next: i64,
    /// Every transaction there is of its own, with its entries.
    committed: BTreeMap<i64, i64>,
    /// The one under way.
    pub(super) pending: Option<(Way, i64, i64)>,
}

impl Writer {
    pub(super) fn new(number: i64, database: &'static str, random: Random) -> Self {
        Self {
            number,
            database,
            random,
            next: 0,
            committed: BTreeMap::new(),
            pending: None,
        }
    }

    /// Writes until the daemon is gone.
    pub(super) async fn run(mut self, client: Client, acks: Arc<Semaphore>) -> Self {
        loop {
            let way = [Way::Execute, Way::Batch, Way::Transact][self.random.index(3)];
            let entries = self.random.below(ENTRIES + 1).cast_signed();
            self.next += 1;
            self.pending = Some((way, self.next, entries));
            match self.write(&client, way, entries).await {
                Ok(committed) => {
                    if committed {
                        self.committed.insert(self.next, entries);
                        acks.add_permits(1);
                    }
                    self.pending = None;
                }
                Err(error) if broke(&error) => return self,
                // Nothing of it is kept.
                Err(error) if error.reason() == Some("TRANSACTION_ENDED") => self.pending = None,
                Err(error) => panic!("refused: {error:?}"),
            }
        }
    }

    /// Whether it was committed, and not rolled back.
    async fn write(&mut self, client: &Client, way: Way, entries: i64) -> Result<bool, Error> {
        let ledger = |complete| self.ledger(entries, complete);
        match way {
            Way::Execute => {
                client.execute(self.database, ledger(1), None).await?;
                Ok(true)
            }
            Way::Batch => {
                let mut statements = vec![ledger(0)];
                // A statement without runs would run once, without its parameters.
                if entries > 0 {
                    statements.push(self.entries(1..=entries));
                }
                client
                    .execute_batch(self.database, statements, None)
                    .await?;
                Ok(true)
            }
            Way::Transact => {
                let options = TransactionOptions::default();
                let begun = client.transaction(self.database, options).await;
                let mut transaction = begun?;
                transaction.execute(ledger(0)).await?;
                for n in 1..=entries {
                    transaction.execute(self.entries(n..=n)).await?;
                }
                if self.random.below(5) == 0 {
                    transaction.rollback().await?;
                    return Ok(false);
                }
                transaction.commit().await?;
                Ok(true)
            }
        }
    }

    fn ledger(&self, entries: i64, complete: i64) -> Statement {
        let values = [self.number, self.next, entries, complete].map(Value::Integer);
        Statement::new("INSERT INTO ledger VALUES (?, ?, ?, ?)")
            .with(Parameters::positional(values))
    }

    fn entries(&self, numbers: std::ops::RangeInclusive<i64>) -> Statement {
        let (writer, tx) = (self.number, self.next);
        let runs = numbers.map(|n| {
            let word = Value::Text(format!("w{writer}t{tx}n{n}"));
            // Some go to pages of their own.
            let size = (tx * 997 + n * 131).rem_euclid(6000);
            let pad = Value::Blob(vec![7; usize::try_from(size).unwrap_or_default()]);
            let [writer, tx, n] = [writer, tx, n].map(Value::Integer);
            Parameters::positional([writer, tx, n, word, pad])
        });
        Statement {
            sql: "INSERT INTO entry VALUES (?, ?, ?, ?, ?)".to_owned(),
            runs: runs.collect(),
        }
    }
}

/// Reads until the daemon is gone: no moment shows half a transaction. Answers how often.
pub(super) async fn read(client: Client, database: &'static str) -> u64 {
    let mut times = 0;
    loop {
        match integers(&client, database, TORN).await {
            Ok(torn) => assert_eq!(torn, [[0]], "transactions that are not whole"),
            Err(error) if broke(&error) => return times,
            Err(error) => panic!("refused: {error:?}"),
        }
        times += 1;
    }
}

/// Compares a database with what its writers know, and makes the outcome of what was under way
/// known to them.
pub(super) async fn verify(client: &Client, database: &str, writers: &mut [Writer]) {
    // Read as the kill left it, its log included, before anything is written back.
    let mut found: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for row in integers(client, database, ALL).await.expect("rows") {
        let [writer, tx, entries, indexed, right] = row[..] else {
            panic!("five columns")
        };
        let context = format!("{database}: transaction {tx} of writer {writer}");
        assert_eq!(
            (indexed, right),
            (entries, entries),
            "{context} is not whole"
        );
        found.insert((writer, tx), entries);
    }
    let torn = integers(client, database, TORN).await.expect("a row");
    assert_eq!(torn, [[0]], "{database}: entries of no transaction");
    for writer in writers.iter_mut().filter(|it| it.database == database) {
        writer.settle(&mut found);
    }
    assert!(found.is_empty(), "{database}: nobody committed {found:?}");
    check(client, database).await;
}

/// Every check of a database, and none finds anything.
pub(super) async fn check(client: &Client, database: &str) {
    let checks = client.check_database(database, None).await;
    let mut checks = checks.expect("begun");
    let mut ran = 0;
    while let Some(check) = soon("a check", checks.next()).await.expect("it goes on") {
        assert_eq!(check.problems, [""; 0], "{database}: {}", check.check);
        ran += 1;
    }
    assert_eq!(ran, 3, "page codes, structure, foreign keys");
}

impl Writer {
    /// Takes its transactions out of what was found.
    fn settle(&mut self, found: &mut BTreeMap<(i64, i64), i64>) {
        for (tx, entries) in &self.committed {
            let there = found.remove(&(self.number, *tx));
            let context = format!("transaction {tx} of writer {}", self.number);
            assert_eq!(there, Some(*entries), "{context} was acknowledged");
        }
        let Some((way, tx, entries)) = self.pending.take() else {
            return;
        };
        if let Some(there) = found.remove(&(self.number, tx)) {
            assert_eq!(there, entries, "{way:?} of writer {}", self.number);
            self.committed.insert(tx, entries);
        }
    }

    /// How many of its transactions are there.
    pub(super) fn count(&self) -> usize {
        self.committed.len()
    }
}
