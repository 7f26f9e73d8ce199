//! Single calls: get, durable put, and putters side by side.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    time::Instant,
};

use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use vault_client::{Client, NewDocument, StoreOptions};

use crate::{
    Result,
    daemon::{Daemon, Key, channel},
    dataset::kibibyte,
    empty::EmptyServer,
    measure::{Blocks, rate, times},
    report::{Bar, Figure},
};

const STORE: &str = "bench/calls";

/// Get and durable put of 1 KiB, one after the other on one connection.
pub(crate) async fn latencies(quick: bool) -> Result<()> {
    let daemon = Daemon::start(Key::Memory).await?;
    let client = daemon.client().await?;
    client.create_store(STORE, &StoreOptions::default()).await?;
    let mut empty = EmptyServer::start().await?;
    get(quick, &daemon, &client, &mut empty).await?;
    put(quick, &daemon, &client, &mut empty).await
}

async fn get(quick: bool, daemon: &Daemon, client: &Client, empty: &mut EmptyServer) -> Result<()> {
    let ids: Vec<String> = (0..64).map(|number| format!("get-{number}")).collect();
    for id in &ids {
        client.put(STORE, NewDocument::json(id, kibibyte())).await?;
    }
    let mut health = HealthClient::new(channel(&daemon.socket()).await?);
    let (mut gets, mut bare, mut checks) =
        (Blocks::default(), Blocks::default(), Blocks::default());
    let (blocks, count) = if quick { (5, 50) } else { (60, 300) };
    let mut next = ids.iter().cycle();
    for block in 0..=blocks {
        let empty_times = times!(count, empty.call().await?);
        let get_times = times!(count, {
            let id = next.next().expect("a cycle has no end");
            let found = client.get(STORE, id).await?;
            assert_eq!(found.body.len(), 1024);
        });
        let check_times = times!(count, health.check(HealthCheckRequest::default()).await?);
        // The first block warms caches and branches.
        if block > 0 {
            bare.block(empty_times);
            gets.block(get_times);
            checks.block(check_times);
        }
    }
    let (value, bare, checks) = (gets.median(), bare.median(), checks.median());
    let name = "get_1k_p50";
    let floor_what = "empty unary call of a bare tonic server, its own process and Unix socket";
    let figure = Figure {
        name,
        value,
        unit: "us",
        floor: bare,
        floor_what,
        bar: Bar::AtMost(1.5),
    };
    figure.print();
    let name = "get_1k_p50_over_health_check";
    let floor_what = "grpc.health.v1.Health/Check of the same daemon, through the same layers";
    Figure {
        name,
        floor: checks,
        floor_what,
        bar: Bar::None,
        ..figure
    }
    .print();
    Ok(())
}

/// The bare file protocol: create, write, `fsync`, rename, `fsync` of the directory.
fn bare_put(folder: &Path, number: usize, body: &[u8]) -> Result<()> {
    let temporary = folder.join(format!(".tmp-{number:016x}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)?;
    file.write_all(body)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, folder.join(format!("{number:064x}")))?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

async fn put(quick: bool, daemon: &Daemon, client: &Client, empty: &mut EmptyServer) -> Result<()> {
    let folder = daemon.beside("bare")?;
    let body = kibibyte();
    let (mut puts, mut files, mut calls) =
        (Blocks::default(), Blocks::default(), Blocks::default());
    let (blocks, count) = if quick { (5, 20) } else { (60, 50) };
    let mut number = 0;
    for block in 0..=blocks {
        let file_times = times!(count, {
            bare_put(&folder, number, &body)?;
            number += 1;
        });
        let put_times = times!(count, {
            let document = NewDocument::json(format!("put-{number}"), body.clone());
            client.put(STORE, document).await?;
            number += 1;
        });
        let call_times = times!(count, empty.call().await?);
        if block > 0 {
            files.block(file_times);
            puts.block(put_times);
            calls.block(call_times);
        }
    }
    Figure {
        name: "put_1k_p50",
        value: puts.median(),
        unit: "us",
        floor: files.median() + calls.median(),
        floor_what: "create, write, fsync, rename, fsync of the folder in process + an empty call",
        bar: Bar::AtMost(1.3),
    }
    .print();
    Ok(())
}

/// Puts `count` documents one after the other.
async fn put_many(client: Client, body: Vec<u8>, from: usize, count: usize) -> Result<()> {
    for number in from..from + count {
        let document = NewDocument::json(format!("many-{number}"), body.clone());
        client.put(STORE, document).await?;
    }
    Ok(())
}

const PUTTERS: usize = 16;

/// Sixteen putters, each on its own connection, against one.
pub(crate) async fn putters(quick: bool) -> Result<()> {
    let daemon = Daemon::start(Key::Memory).await?;
    let mut clients = Vec::new();
    for _ in 0..PUTTERS {
        clients.push(daemon.client().await?);
    }
    clients[0]
        .create_store(STORE, &StoreOptions::default())
        .await?;
    let body = kibibyte();
    let (mut together, mut alone) = (Blocks::default(), Blocks::default());
    let (blocks, each) = if quick { (3, 10) } else { (20, 60) };
    let mut number = 0;
    for block in 0..=blocks {
        let begun = Instant::now();
        put_many(clients[0].clone(), body.clone(), number, 2 * each).await?;
        let one = rate(2 * each, begun.elapsed());
        number += 2 * each;
        let begun = Instant::now();
        let local = tokio::task::LocalSet::new();
        let tasks: Vec<_> = (0..PUTTERS)
            .map(|putter| {
                let from = number + putter * each;
                let work = put_many(clients[putter].clone(), body.clone(), from, each);
                local.spawn_local(work)
            })
            .collect();
        local.await;
        for task in tasks {
            task.await??;
        }
        let sixteen = rate(PUTTERS * each, begun.elapsed());
        number += PUTTERS * each;
        // Neither shall pay for what the other left to do.
        daemon.settled().await?;
        if block > 0 {
            alone.single(one);
            together.single(sixteen);
        }
    }
    Figure {
        name: "put_1k_16_putters",
        value: together.median(),
        unit: "puts/s",
        floor: alone.median(),
        floor_what: "one putter",
        bar: Bar::AtLeast(4.0),
    }
    .print();
    Ok(())
}
