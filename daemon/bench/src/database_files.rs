//! What is done to a database file as a whole: opening it, and changing its key.

use std::{path::Path, time::Instant};

use vault_client::{Client, DatabaseOptions, Statement};

use crate::{
    Result,
    daemon::{Daemon, Key, PASSPHRASE},
    databases::in_process,
    measure::{Blocks, millis, rate},
    report::{Bar, Figure},
    rotation::{RotationDepth, rotate},
};

const NAME: &str = "bench/file";
const SCHEMA: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB NOT NULL)";

/// Fills a table with so many rows of 1 KiB.
fn filling(rows: usize) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows})
         INSERT INTO t(v) SELECT randomblob(1024) FROM n"
    )
}

async fn filled(client: &Client, rows: usize) -> Result<()> {
    client
        .create_database(NAME, DatabaseOptions::default())
        .await?;
    for sql in [SCHEMA.to_owned(), filling(rows)] {
        client.execute(NAME, Statement::new(sql), None).await?;
    }
    Ok(())
}

pub(crate) async fn files(quick: bool) -> Result<()> {
    opening(quick).await?;
    rekey(quick).await
}

/// From a locked vault's unlock to the first row: what is more than without a database.
async fn opening(quick: bool) -> Result<()> {
    let daemon = Daemon::start(Key::Memory).await?;
    let client = daemon.client().await?;
    filled(&client, 1000).await?;
    let beside = daemon.beside("sqlcipher")?.join("bench.db");
    let other = in_process(&beside)?;
    other.execute_batch(SCHEMA)?;
    other.execute_batch(&filling(1000))?;
    drop(other);
    let (mut value, mut floor) = (Blocks::default(), Blocks::default());
    for round in 0..=if quick { 5 } else { 25 } {
        client.lock().await?;
        client.unlock(None).await?;
        let first = first_row(&client).await?;
        let again = first_row(&client).await?;
        let own = open_in_process(&beside)?;
        if round > 0 {
            value.single(first - again);
            floor.single(own);
        }
    }
    let figure = Figure {
        name: "sql_open",
        value: value.median(),
        unit: "ms",
        floor: 2.0,
        floor_what: "two milliseconds, the bar itself; the figure is the first select after an \
                     unlock, which opens the database for writing and for reading, less the second",
        bar: Bar::AtMost(1.0),
    };
    figure.print();
    Figure {
        name: "sql_open_over_in_process",
        floor: floor.median(),
        floor_what: "open, key and first select of SQLCipher in process, once",
        bar: Bar::None,
        ..figure
    }
    .print();
    Ok(())
}

async fn first_row(client: &Client) -> Result<f64> {
    let begun = Instant::now();
    let sql = "SELECT id FROM t WHERE id = 1";
    let mut rows = client
        .query(NAME, sql, vault_client::Parameters::default(), None)
        .await?;
    rows.next_row().await?.ok_or("no row")?;
    rows.end().await?;
    Ok(millis(begun.elapsed()))
}

fn open_in_process(path: &Path) -> Result<f64> {
    let begun = Instant::now();
    let connection = in_process(path)?;
    let _: i64 = connection.query_row("SELECT id FROM t WHERE id = 1", (), |row| row.get(0))?;
    Ok(millis(begun.elapsed()))
}

/// A re-encryption of a vault that holds one database, against SQLCipher's own change of a key.
async fn rekey(quick: bool) -> Result<()> {
    let (rows, rounds) = if quick { (8_000, 2) } else { (60_000, 5) };
    let daemon = Daemon::start(Key::Passphrase).await?;
    let client = daemon.client().await?;
    client.init(None, Some(PASSPHRASE)).await?;
    filled(&client, rows).await?;
    let beside = in_process(&daemon.beside("sqlcipher")?.join("bench.db"))?;
    beside.execute_batch(SCHEMA)?;
    beside.execute_batch(&filling(rows))?;
    let (mut value, mut floor) = (Blocks::default(), Blocks::default());
    for round in 0..rounds {
        let span = rotate(&client, RotationDepth::Reencrypt).await?;
        value.single(rate(rows, span.ok_or("no progress was told")?));
        let key = if round % 2 == 0 { "6b" } else { "5a" }.repeat(32);
        let begun = Instant::now();
        beside.execute_batch(&format!("PRAGMA rekey = \"x'{key}'\""))?;
        beside.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        floor.single(rate(rows, begun.elapsed()));
    }
    Figure {
        name: &format!("sql_rekey_{rows}_kib"),
        value: value.median(),
        unit: "KiB/s",
        floor: floor.median(),
        floor_what: "PRAGMA rekey in process, and its log written back; the figure also reads every \
                     page back under the new key",
        bar: Bar::AtLeast(0.8),
    }
    .print();
    Ok(())
}
