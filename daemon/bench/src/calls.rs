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
    processors::OneProcessor,
    report::{Bar, Figure},
};

const STORE: &str = "bench/calls";

/// What single calls and their floors took, block by block.
#[derive(Default)]
struct Latencies {
    gets: Blocks,
    checks: Blocks,
    empty_beside_gets: Blocks,
    puts: Blocks,
    files: Blocks,
    empty_beside_puts: Blocks,
}

/// Get and durable put of 1 KiB, one after the other on one connection.
///
/// Whether the scheduler keeps a server beside its caller or across from it moves each of its calls
/// by a half, and it may treat two servers differently for as long as they live. So the get is
/// judged with everybody on one processor, and shown as it comes beside that; every round has
/// processes of its own.
pub(crate) async fn latencies(quick: bool) -> Result<()> {
    let rounds = if quick { 2 } else { 7 };
    let (mut together, mut anywhere) = (Latencies::default(), Latencies::default());
    for _ in 0..rounds {
        // With the servers.
        let processor = OneProcessor::take()?;
        let servers = Servers::start().await;
        let measured = async { together.get(quick, &mut servers?).await };
        let measured = measured.await;
        processor.give_back()?;
        measured?;

        let mut servers = Servers::start().await?;
        anywhere.get(quick, &mut servers).await?;
        anywhere.put(quick, &mut servers).await?;
    }
    together.print_get("get_1k_p50", "all on one processor", Bar::AtMost(1.5));
    anywhere.print_get(
        "get_1k_p50_anywhere",
        "wherever the scheduler puts them",
        Bar::None,
    );
    anywhere.print_put();
    Ok(())
}

/// A daemon with a store and a client, and the empty server.
struct Servers {
    daemon: Daemon,
    client: Client,
    empty: EmptyServer,
}

impl Servers {
    async fn start() -> Result<Self> {
        let daemon = Daemon::start(Key::Memory).await?;
        let client = daemon.client().await?;
        client.create_store(STORE, &StoreOptions::default()).await?;
        Ok(Self {
            daemon,
            client,
            empty: EmptyServer::start().await?,
        })
    }
}

impl Latencies {
    fn print_get(&self, name: &str, place: &str, bar: Bar) {
        let bare = format!(
            "empty unary call of a bare tonic server, its own process and Unix socket; {place}"
        );
        let layered = format!(
            "grpc.health.v1.Health/Check of the same daemon, through the same layers; {place}"
        );
        let figure = Figure {
            name,
            value: self.gets.median(),
            unit: "us",
            floor: self.empty_beside_gets.median(),
            floor_what: &bare,
            bar,
        };
        figure.print();
        Figure {
            name: &format!("{name}_over_health_check"),
            floor: self.checks.median(),
            floor_what: &layered,
            bar: Bar::None,
            ..figure
        }
        .print();
    }

    fn print_put(&self) {
        Figure {
            name: "put_1k_p50",
            value: self.puts.median(),
            unit: "us",
            floor: self.files.median() + self.empty_beside_puts.median(),
            floor_what: "create, write, fsync, rename, fsync of the folder in process + an empty \
                         call",
            bar: Bar::AtMost(1.3),
        }
        .print();
    }

    async fn get(&mut self, quick: bool, servers: &mut Servers) -> Result<()> {
        let Servers {
            daemon,
            client,
            empty,
        } = servers;
        let ids: Vec<String> = (0..64).map(|number| format!("get-{number}")).collect();
        for id in &ids {
            let document = NewDocument::json(id, kibibyte());
            client.put(STORE, document).await?;
        }
        let mut health = HealthClient::new(channel(&daemon.socket()).await?);
        let (blocks, count) = if quick { (3, 50) } else { (8, 300) };
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
                self.empty_beside_gets.block(empty_times);
                self.gets.block(get_times);
                self.checks.block(check_times);
            }
        }
        Ok(())
    }

    async fn put(&mut self, quick: bool, servers: &mut Servers) -> Result<()> {
        let Servers {
            daemon,
            client,
            empty,
        } = servers;
        let folder = daemon.beside("bare")?;
        let body = kibibyte();
        let (blocks, count) = if quick { (2, 20) } else { (8, 40) };
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
                self.files.block(file_times);
                self.puts.block(put_times);
                self.empty_beside_puts.block(call_times);
            }
        }
        Ok(())
    }
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
