//! kill -9 at random moments while every database gets another key: the next start goes on by
//! itself, and in the end one key is in force.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use vault_client::{Client, Parameters, Statement, Value};

use super::{
    ledger::{self, Writer},
    rotation, rounds, setting, spin,
};
use crate::support::{
    Daemon,
    keyring::Session,
    random::Random,
    soon,
    vault::{assert_filled, fill},
};

const SMALL: &str = "kills/small";
const LARGE: &str = "kills/large";
/// Nobody writes to it.
const STILL: &str = "kills/still";
const DOCUMENTS: usize = 20;
/// Rows of 64 KiB in the large one, so that copying it takes time.
const ROWS: u64 = 64;
/// By when a rotation of all this has ended, mostly.
const MICROSECONDS: u64 = 300_000;

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_under_one_key_after_kills_amid_rekeying() {
    let Some(session) = Session::start() else {
        return;
    };
    let (rounds, seed) = (rounds(), setting("VAULTD_KILL_SEED", 1));
    let mut random = Random::new(seed);
    let mut writers: Vec<Writer> = [SMALL, LARGE, STILL]
        .into_iter()
        .zip(0..)
        .map(|(database, number)| Writer::new(number, database, random.fork()))
        .collect();
    let begun = Instant::now();
    let (mut exported, mut rotations, mut resumed) = (Vec::new(), 0, 0);
    for round in 0..rounds {
        println!("seed {seed}, round {round}");
        let mut daemon = session.home.start("root", &["--log", "warn"]);
        let client = daemon.client().await;
        if round == 0 {
            exported = prepare(&client).await;
        }
        let status = client.key_status().await.expect("served");
        resumed += u64::from(status.rotation.is_some());
        for database in [SMALL, LARGE, STILL] {
            ledger::verify(&client, database, &mut writers).await;
        }

        let acks = Arc::new(Semaphore::new(0));
        let mut running = JoinSet::new();
        let still = writers.pop().expect("three");
        for writer in writers.drain(..) {
            running.spawn(writer.run(daemon.client().await, Arc::clone(&acks)));
        }
        let rotating = tokio::spawn(rotation::rotate(daemon.client().await, random.fork()));
        let reader = tokio::spawn(ledger::read(client, LARGE));
        let moment = Duration::from_micros(random.below(MICROSECONDS));
        tokio::task::block_in_place(|| spin(moment));
        daemon.kill();
        writers = soon("noticing the kill", running.join_all()).await;
        writers.push(still);
        writers.sort_by_key(|writer| writer.number);
        rotations += soon("noticing the kill", rotating).await.expect("whole");
        soon("noticing the kill", reader).await.expect("whole");
    }
    let daemon = session.home.start("root", &["--log", "warn"]);
    conclude(&daemon, &exported, &mut writers).await;
    end(&session, daemon, &mut writers).await;
    println!(
        "{rounds} kills, {resumed} amid rotations that went on, {rotations} rotations ended, in {:?}",
        begun.elapsed()
    );
    assert!(resumed > 0 || rounds < 10, "no kill struck a rotation");
}

/// Three databases, a store of documents, and an export of the first key.
async fn prepare(client: &Client) -> Vec<u8> {
    for database in [SMALL, LARGE, STILL] {
        ledger::create(client, database).await;
    }
    let create = "CREATE TABLE filling (id INTEGER PRIMARY KEY, bytes BLOB)";
    let fill_it = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?)
                   INSERT INTO filling SELECT i, randomblob(65536) FROM n";
    let rows = Parameters::positional([Value::Integer(ROWS.cast_signed())]);
    let statements = vec![Statement::new(create), Statement::new(fill_it).with(rows)];
    let filled = client.execute_batch(LARGE, statements, None).await;
    filled.expect("filled");
    fill(client, DOCUMENTS).await;
    rotation::prepare(client).await
}

/// The rotation that was killed last ends; everything is there; the first key opens nothing.
async fn conclude(daemon: &Daemon, exported: &[u8], writers: &mut [Writer]) {
    let client = daemon.client().await;
    rotation::conclude(&client, exported).await;
    whole(&client, writers).await;
    // Whichever depth came last, this one leaves no data key that was there before.
    rotation::reencrypt(&client).await;
    whole(&client, writers).await;
}

async fn whole(client: &Client, writers: &mut [Writer]) {
    for database in [SMALL, LARGE, STILL] {
        ledger::verify(client, database, writers).await;
    }
    let rows = ledger::integers(
        client,
        LARGE,
        "SELECT count(*), sum(length(bytes)) FROM filling",
    );
    let rows = rows.await.expect("rows");
    assert_eq!(rows, [[ROWS.cast_signed(), (ROWS << 16).cast_signed()]]);
    assert_filled(client, DOCUMENTS).await;
}

/// Opened again, every database is one file under the one key.
async fn end(session: &Session, mut daemon: Daemon, writers: &mut [Writer]) {
    daemon.terminate().await;
    let daemon = session.home.start("root", &["--log", "warn"]);
    let client = daemon.client().await;
    whole(&client, writers).await;
    let status = client.key_status().await.expect("served");
    assert!(status.kept_keys.is_empty() && status.rotation.is_none());
    let mut databases = 0;
    for store in fs::read_dir(daemon.root.join("stores")).expect("listed") {
        let files = files(&store.expect("an entry").path());
        if !files.contains(&"head".to_owned()) {
            continue;
        }
        databases += 1;
        // One file, what SQLite keeps beside it, and the head that names it.
        let file = &files[0];
        let belongs = |name: &String| name == "head" || name.starts_with(file);
        assert!(
            file.ends_with("db") && files.iter().all(belongs),
            "{files:?}"
        );
    }
    assert_eq!(databases, 3);
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("listed");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}
