//! Rotations: a rewrap of much data against one of none, a re-encryption against doing the same to
//! the same files in process, and what gets cost meanwhile.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

pub(crate) use vault_client::RotationDepth;
use vault_client::{Client, NextKey, RotationEvent};
use vault_crypto::DataKey;

use crate::{
    Result,
    bulk::import_all,
    daemon::{Daemon, Key, PASSPHRASE},
    dataset::kibibyte,
    in_process::InProcess,
    measure::{Blocks, micros, millis, rate},
    report::{Bar, Figure},
};

const STORE: &str = "bench/rotation";

async fn fill(client: &Client, daemon: &Daemon, count: usize) -> Result<()> {
    let documents = (0..count).map(|number| (format!("document-{number:06}"), kibibyte()));
    import_all(client, STORE, documents.collect()).await?;
    daemon.settled().await
}

/// Rotates; the time from the first word of progress to the last, none where there was none.
pub(crate) async fn rotate(client: &Client, depth: RotationDepth) -> Result<Option<Duration>> {
    let mut rotation = client.rotate_key(depth, NextKey::AsBefore).await?;
    let mut span: Option<(Instant, Instant)> = None;
    while let Some(event) = rotation.next().await? {
        match event {
            RotationEvent::Progress(_) => {
                let now = Instant::now();
                span = Some((span.map_or(now, |(first, _)| first), now));
            }
            RotationEvent::Done(done) => {
                if done.paused || done.rolled_back || !done.kept_keys.is_empty() {
                    return Err("the rotation did not end".into());
                }
            }
        }
    }
    Ok(span.map(|(first, last)| last - first))
}

/// A new storage key over much data and over none.
async fn rewrap(quick: bool) -> Result<()> {
    let (count, rounds) = if quick { (2_000, 5) } else { (100_000, 25) };
    let (full, empty) = (
        Daemon::start(Key::Memory).await?,
        Daemon::start(Key::Memory).await?,
    );
    let (much, none) = (full.client().await?, empty.client().await?);
    fill(&much, &full, count).await?;
    none.create_store(STORE, &vault_client::StoreOptions::default())
        .await?;
    let (mut value, mut floor) = (Blocks::default(), Blocks::default());
    for round in 0..=rounds {
        for (client, blocks) in [(&much, &mut value), (&none, &mut floor)] {
            let begun = Instant::now();
            rotate(client, RotationDepth::Rewrap).await?;
            if round > 0 {
                blocks.single(millis(begun.elapsed()));
            }
        }
    }
    Figure {
        name: &format!("rewrap_{count}_documents"),
        value: value.median(),
        unit: "ms",
        floor: floor.median(),
        floor_what: "the same of an empty vault",
        bar: Bar::AtMost(2.0),
    }
    .print();
    Ok(())
}

/// Every object under new keys, and the floor: the same files read, opened, sealed and durably
/// written in process.
async fn reencrypt(quick: bool) -> Result<()> {
    let (count, rounds) = if quick { (300, 2) } else { (5_000, 5) };
    let daemon = Daemon::start(Key::Passphrase).await?;
    let client = daemon.client().await?;
    client.init(None, Some(PASSPHRASE)).await?;
    fill(&client, &daemon, count).await?;
    let beside = daemon.beside("resealed")?;
    let key = DataKey::generate()?;
    let (mut value, mut floor) = (Blocks::default(), Blocks::default());
    for _ in 0..rounds {
        let in_process = InProcess::unlock(&daemon.root())?;
        let begun = Instant::now();
        let resealed = in_process.reseal(&beside, &key)?;
        floor.single(rate(resealed, begun.elapsed()));
        if resealed != count {
            return Err(format!("{resealed} of {count} files").into());
        }
        let span = rotate(&client, RotationDepth::Reencrypt).await?;
        value.single(rate(count, span.ok_or("no progress was told")?));
    }
    Figure {
        name: &format!("reencrypt_{count}_documents"),
        value: value.median(),
        unit: "1/s",
        floor: floor.median(),
        floor_what: "read, open, seal and durably write the same files in process; the figure \
                     reads all of them once more, to verify",
        bar: Bar::AtLeast(0.7),
    }
    .print();
    Ok(())
}

/// The time that all but one in a hundred stay under.
fn p99(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    let at = times.len() * 99 / 100;
    times.get(at).copied().unwrap_or_default()
}

/// Gets from one document after the other until `ended`, in microseconds each.
async fn gets(client: &Client, count: usize, ended: impl Fn(usize) -> bool) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    while !ended(times.len()) {
        let id = format!("document-{:06}", times.len() * 7 % count);
        let begun = Instant::now();
        client.get(STORE, &id).await?;
        times.push(micros(begun.elapsed()));
    }
    Ok(times)
}

/// What a reader notices of a re-encryption.
async fn gets_meanwhile(quick: bool) -> Result<()> {
    let (count, rounds) = if quick { (500, 2) } else { (10_000, 5) };
    let daemon = Daemon::start(Key::Memory).await?;
    let client = daemon.client().await?;
    fill(&client, &daemon, count).await?;
    let (mut busy, mut quiet) = (Blocks::default(), Blocks::default());
    for _ in 0..rounds {
        let mut alone = gets(&client, count, |made| made >= count).await?;
        quiet.single(p99(&mut alone));
        let done = Cell::new(false);
        let rotation = async {
            let rotated = rotate(&client, RotationDepth::Reencrypt).await;
            done.set(true);
            rotated
        };
        let (rotated, meanwhile) = tokio::join!(rotation, gets(&client, count, |_| done.get()));
        rotated?;
        busy.single(p99(&mut meanwhile?));
    }
    Figure {
        name: "get_1kib_p99_while_reencrypting",
        value: busy.median(),
        unit: "us",
        floor: quiet.median(),
        floor_what: "the same gets with nothing else going on",
        bar: Bar::AtMost(3.0),
    }
    .print();
    Ok(())
}

/// All three.
pub(crate) async fn rotation(quick: bool) -> Result<()> {
    reencrypt(quick).await?;
    gets_meanwhile(quick).await?;
    rewrap(quick).await
}
