//! Statements over the socket against the same statements in process, by SQLCipher as the daemon
//! uses it.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Instant,
};

use rusqlite::Connection;
use vault_client::{Client, DatabaseOptions, Parameters, Statement, Value};

use crate::{
    Result,
    daemon::{Daemon, Key},
    empty::EmptyServer,
    measure::{Blocks, rate, times},
    processors::OneProcessor,
    report::{Bar, Figure},
};

const NAME: &str = "bench/database";
const SCHEMA: &str =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight REAL, text TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO t(name, weight, text) VALUES (?, ?, ?)";
const SCAN: &str = "SELECT id, name, weight, text FROM t";
const POINT: &str = "SELECT id, name, weight, text FROM t WHERE id = ?";

/// Opens a database as the daemon does, under a key of its own.
pub(crate) fn in_process(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!("PRAGMA key = \"x'{}'\"", "5a".repeat(32)))?;
    let _: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
    Ok(connection)
}

fn texts(number: usize) -> (String, f64, String) {
    let weight = f64::from(u32::try_from(number).unwrap_or_default()) / 7.0;
    (format!("name {number}"), weight, "words ".repeat(16))
}

fn parameters(number: usize) -> Parameters {
    let (name, weight, text) = texts(number);
    Parameters::positional([name.into(), weight.into(), text.into()])
}

fn insert_in_process(connection: &Connection, from: usize, count: usize) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for number in from..from + count {
        connection.prepare_cached(INSERT)?.execute(texts(number))?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

async fn insert(client: &Client, from: usize, count: usize) -> Result<()> {
    let statement = Statement {
        sql: INSERT.to_owned(),
        runs: (from..from + count).map(parameters).collect(),
    };
    let done = client.execute(NAME, statement, None).await?;
    if done.changes == count as u64 {
        Ok(())
    } else {
        Err(format!("{} of {count} inserted", done.changes).into())
    }
}

/// Reads every row; returns how many, and bytes of their values.
fn scan_in_process(connection: &Connection) -> Result<(usize, usize)> {
    let mut statement = connection.prepare_cached(SCAN)?;
    let mut rows = statement.query(())?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        let (_id, _weight): (i64, f64) = (row.get(0)?, row.get(2)?);
        bytes += 16 + row.get_ref(1)?.as_str()?.len() + row.get_ref(3)?.as_str()?.len();
        count += 1;
    }
    Ok((count, bytes))
}

async fn scan(client: &Client) -> Result<(usize, usize)> {
    let mut rows = client
        .query(NAME, SCAN, Parameters::default(), None)
        .await?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next_row().await? {
        let [
            Value::Integer(_),
            Value::Text(name),
            Value::Real(_),
            Value::Text(text),
        ] = &row[..]
        else {
            return Err("another row was expected".into());
        };
        bytes += 16 + name.len() + text.len();
        count += 1;
    }
    Ok((count, bytes))
}

/// How long so many bytes take over a bare socket, in chunks as the daemon sends them.
fn bare_stream(bytes: usize) -> Result<f64> {
    const CHUNK: usize = 64 << 10;
    let (mut near, mut far) = UnixStream::pair()?;
    let begun = Instant::now();
    let sender = std::thread::spawn(move || -> std::io::Result<()> {
        let chunk = vec![7; CHUNK];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(CHUNK);
            far.write_all(&chunk[..part])?;
            left -= part;
        }
        Ok(())
    });
    let mut buffer = vec![0; CHUNK];
    while near.read(&mut buffer)? > 0 {}
    sender.join().map_err(|_| "the sender failed")??;
    Ok(begun.elapsed().as_secs_f64())
}

pub(crate) async fn databases(quick: bool) -> Result<()> {
    let daemon = Daemon::start(Key::Memory).await?;
    let client = daemon.client().await?;
    let beside = in_process(&daemon.beside("sqlcipher")?.join("bench.db"))?;
    client
        .create_database(NAME, DatabaseOptions::default())
        .await?;
    client.execute(NAME, Statement::new(SCHEMA), None).await?;
    beside.execute_batch(SCHEMA)?;
    inserts(quick, &client, &beside).await?;
    scans(quick, &client, &beside).await?;
    drop((client, daemon));
    points(quick).await
}

async fn inserts(quick: bool, client: &Client, beside: &Connection) -> Result<()> {
    let (count, rounds) = (1000, if quick { 5 } else { 25 });
    let (mut value, mut floor) = (Blocks::default(), Blocks::default());
    for round in 0..=rounds {
        let begun = Instant::now();
        insert(client, round * count, count).await?;
        let there = rate(count, begun.elapsed());
        let begun = Instant::now();
        insert_in_process(beside, round * count, count)?;
        if round > 0 {
            value.single(there);
            floor.single(rate(count, begun.elapsed()));
        }
    }
    Figure {
        name: "sql_1000_inserts_in_one_call",
        value: value.median(),
        unit: "rows/s",
        floor: floor.median(),
        floor_what: "the same rows in one transaction of SQLCipher in process",
        bar: Bar::AtLeast(0.8),
    }
    .print();
    Ok(())
}

async fn scans(quick: bool, client: &Client, beside: &Connection) -> Result<()> {
    let (rows, rounds) = if quick { (20_000, 3) } else { (100_000, 9) };
    client
        .execute(NAME, Statement::new("DELETE FROM t"), None)
        .await?;
    beside.execute_batch("DELETE FROM t")?;
    for from in (0..rows).step_by(1000) {
        insert(client, from, 1000).await?;
    }
    insert_in_process(beside, 0, rows)?;
    let (mut value, mut floor, mut stream) =
        (Blocks::default(), Blocks::default(), Blocks::default());
    for round in 0..=rounds {
        let begun = Instant::now();
        let (count, bytes) = scan(client).await?;
        let there = rate(count, begun.elapsed());
        let begun = Instant::now();
        if scan_in_process(beside)? != (count, bytes) || count != rows {
            return Err("other rows were expected".into());
        }
        let here = rate(count, begun.elapsed());
        let bare = f64::from(u32::try_from(rows)?) / bare_stream(bytes)?;
        if round > 0 {
            value.single(there);
            floor.single(here);
            stream.single(bare);
        }
    }
    Figure {
        name: &format!("sql_scan_{rows}_rows"),
        value: value.median(),
        unit: "rows/s",
        floor: floor.median().min(stream.median()),
        floor_what: "the slower of the same scan of SQLCipher in process and the same bytes over a \
                     bare Unix socket",
        bar: Bar::AtLeast(0.6),
    }
    .print();
    Ok(())
}

/// One row by its key. Judged with everybody on one processor, as a get is: see `calls`.
async fn points(quick: bool) -> Result<()> {
    let rounds = if quick { 2 } else { 7 };
    let mut together = Points::default();
    let mut anywhere = Points::default();
    for _ in 0..rounds {
        let processor = OneProcessor::take()?;
        let measured = together.measure(quick).await;
        processor.give_back()?;
        measured?;
        anywhere.measure(quick).await?;
    }
    together.print(
        "sql_point_select_p50",
        "all on one processor",
        Bar::AtMost(1.5),
    );
    let place = "wherever the scheduler puts them";
    anywhere.print("sql_point_select_p50_anywhere", place, Bar::None);
    Ok(())
}

#[derive(Default)]
struct Points {
    selects: Blocks,
    in_process: Blocks,
    empty: Blocks,
}

impl Points {
    async fn measure(&mut self, quick: bool) -> Result<()> {
        const ROWS: usize = 1000;
        let daemon = Daemon::start(Key::Memory).await?;
        let client = daemon.client().await?;
        let mut empty = EmptyServer::start().await?;
        let beside = in_process(&daemon.beside("sqlcipher")?.join("bench.db"))?;
        client
            .create_database(NAME, DatabaseOptions::default())
            .await?;
        client.execute(NAME, Statement::new(SCHEMA), None).await?;
        insert(&client, 0, ROWS).await?;
        beside.execute_batch(SCHEMA)?;
        insert_in_process(&beside, 0, ROWS)?;
        let (blocks, count) = if quick { (3, 50) } else { (8, 300) };
        let mut id = 0;
        for block in 0..=blocks {
            let empty_times = times!(count, empty.call().await?);
            let select_times = times!(count, {
                id = id % 1000 + 1;
                let parameters = Parameters::positional([Value::Integer(id)]);
                let mut rows = client.query(NAME, POINT, parameters, None).await?;
                let row = rows.next_row().await?.ok_or("no row")?;
                assert!(row[0] == Value::Integer(id));
                rows.end().await?;
            });
            let own_times = times!(count, {
                id = id % 1000 + 1;
                let mut statement = beside.prepare_cached(POINT)?;
                let found: (i64, String, f64, String) = statement.query_row([id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?;
                assert_eq!(found.0, id);
            });
            if block > 0 {
                self.empty.block(empty_times);
                self.selects.block(select_times);
                self.in_process.block(own_times);
            }
        }
        Ok(())
    }

    fn print(&self, name: &str, place: &str, bar: Bar) {
        Figure {
            name,
            value: self.selects.median(),
            unit: "us",
            floor: self.empty.median() + self.in_process.median(),
            floor_what: &format!(
                "empty unary call of a bare tonic server + the select in process; {place}"
            ),
            bar,
        }
        .print();
    }
}
