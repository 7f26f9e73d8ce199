//! Listing heads against opening the same files in process.

use std::time::Instant;

use vault_client::{Client, Listed};

use crate::{
    Result,
    bulk::import_all,
    daemon::{Daemon, Key, PASSPHRASE},
    dataset::kibibyte,
    in_process::InProcess,
    measure::{Blocks, millis},
    report::{Bar, Figure},
};

const STORE: &str = "bench/list";

async fn list(client: &Client) -> Result<usize> {
    let mut heads = client.list(STORE, "", false).await?;
    let mut count = 0;
    while let Some(entry) = heads.next().await? {
        match entry {
            Listed::Document(..) => count += 1,
            Listed::Damaged(what) => return Err(what.into()),
        }
    }
    Ok(count)
}

/// Cold (the first after an unlock: the index is built from the files) and warm.
pub(crate) async fn listing(quick: bool) -> Result<()> {
    let (count, rounds) = if quick { (500, 2) } else { (10_000, 9) };
    let daemon = Daemon::start(Key::Passphrase).await?;
    let client = daemon.client().await?;
    client.init(None, Some(PASSPHRASE)).await?;
    let documents = (0..count).map(|number| (format!("document-{number:05}"), kibibyte()));
    import_all(&client, STORE, documents.collect()).await?;
    daemon.settled().await?;
    let in_process = InProcess::unlock(&daemon.root())?;
    let (mut cold, mut warm, mut floor) = (Blocks::default(), Blocks::default(), Blocks::default());
    for round in 0..=rounds {
        let begun = Instant::now();
        let opened = in_process.list()?;
        let floor_time = millis(begun.elapsed());
        client.lock().await?;
        client.unlock(Some(PASSPHRASE)).await?;
        let begun = Instant::now();
        let first = list(&client).await?;
        let cold_time = millis(begun.elapsed());
        let begun = Instant::now();
        let second = list(&client).await?;
        let warm_time = millis(begun.elapsed());
        if [opened, first, second] != [count; 3] {
            return Err(format!("{opened}, {first}, {second} of {count} heads").into());
        }
        if round > 0 {
            floor.single(floor_time);
            cold.single(cold_time);
            warm.single(warm_time);
        }
    }
    let floor = floor.median();
    let name = format!("list_{count}_heads_cold");
    let figure = Figure {
        name: &name,
        value: cold.median(),
        unit: "ms",
        floor,
        floor_what: "open, read and decrypt the same heads in process, one thread; files cached",
        bar: Bar::AtMost(2.0),
    };
    figure.print();
    let name = format!("list_{count}_heads_warm");
    Figure {
        name: &name,
        value: warm.median(),
        ..figure
    }
    .print();
    let name = format!("list_{count}_heads_cold_goal");
    Figure {
        name: &name,
        floor: 150.0,
        floor_what: "the goal",
        bar: Bar::AtMost(1.0),
        ..figure
    }
    .print();
    Ok(())
}
