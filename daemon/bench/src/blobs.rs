//! Blobs of a gigabyte, put and got through the socket, beside what bounds them: a bare stream of
//! the same size over such a socket, SHA-256 on one thread, the disk.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::io::{AsyncRead, ReadBuf};
use vault_client::{Client, ContentRange, NewBlob};
use vault_crypto::ContentHash;

use crate::{
    Result, bare,
    daemon::{Daemon, Key},
    empty::EmptyServer,
    measure::Blocks,
    report::{Bar, Figure},
};

const MIB: usize = 1 << 20;
const MESSAGE: usize = vault_client::CHUNK_LIMIT;

/// Content that no round has in common with another, and that costs nothing to make.
struct Pattern {
    block: Vec<u8>,
    left: usize,
    number: u64,
}

impl Pattern {
    fn new(round: u64, size: usize) -> Self {
        let mut word = round + 1;
        let mut block = Vec::with_capacity(MESSAGE);
        while block.len() < MESSAGE {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            block.extend_from_slice(&word.to_be_bytes());
        }
        let (left, number) = (size, 0);
        Self {
            block,
            left,
            number,
        }
    }
}

impl AsyncRead for Pattern {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.number += 1;
        let number = self.number.to_be_bytes();
        self.block[..8].copy_from_slice(&number);
        let count = self.left.min(buffer.remaining()).min(MESSAGE);
        buffer.put_slice(&self.block[..count]);
        self.left -= count;
        Poll::Ready(Ok(()))
    }
}

/// Megabytes a second.
fn speed(bytes: usize, begun: Instant) -> f64 {
    let mib = u32::try_from(bytes / MIB).unwrap_or(u32::MAX);
    f64::from(mib) / begun.elapsed().as_secs_f64()
}

/// One direction: the figure, and what bounds it.
#[derive(Default)]
struct Direction {
    figure: Blocks,
    stream: Blocks,
    hash: Blocks,
    disk: Blocks,
}

impl Direction {
    fn print(&self, name: &str, disk_what: &str) {
        let floors = [
            (
                self.stream.median(),
                "a bare tonic stream of the same size, messages of 256 KiB",
            ),
            (self.hash.median(), "SHA-256 on one thread"),
            (self.disk.median(), disk_what),
        ];
        let figure = |floor, floor_what, bar| {
            let (value, unit) = (self.figure.median(), "MiB/s");
            Figure {
                name,
                value,
                unit,
                floor,
                floor_what,
                bar,
            }
            .print();
        };
        for (floor, what) in floors {
            figure(floor, what, Bar::None);
        }
        let slowest = floors.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((floor, what)) = slowest {
            figure(
                floor,
                &format!("the slowest of these: {what}"),
                Bar::AtLeast(0.7),
            );
        }
    }
}

/// Puts and gets, in turns with their floors.
pub(crate) async fn blobs(quick: bool) -> Result<()> {
    let (size, rounds) = if quick {
        (64 * MIB, 3)
    } else {
        (1024 * MIB, 5)
    };
    let daemon = Daemon::start(Key::Memory).await?;
    let client = daemon.client().await?;
    let bare = EmptyServer::start().await?;
    let beside = daemon.beside("floor")?;
    // Nothing is measured cold.
    round(
        &client,
        &bare,
        &beside,
        (0, 16 * MIB),
        &mut Default::default(),
    )
    .await?;
    let mut both = (Direction::default(), Direction::default());
    for number in 1..=rounds {
        round(&client, &bare, &beside, (number, size), &mut both).await?;
    }
    let name = |what: &str| format!("blob_{what}_{}_mib", size / MIB);
    both.0
        .print(&name("put"), "writing a file of the same size, and fsync");
    both.1.print(
        &name("get"),
        "reading a file of the same size, cached as the blob is",
    );
    messages(&bare, size, rounds).await
}

async fn round(
    client: &Client,
    bare: &EmptyServer,
    beside: &Path,
    (number, size): (u64, usize),
    (put, get): &mut (Direction, Direction),
) -> Result<()> {
    let begun = Instant::now();
    let new = NewBlob {
        size: Some(size as u64),
        ..NewBlob::default()
    };
    let stored = client.upload_blob("", new, Pattern::new(number, size), |_| {});
    let blob = stored.await?.blob;
    put.figure.single(speed(size, begun));

    let begun = Instant::now();
    bare::upload(bare.blobs(), size, MESSAGE).await?;
    put.stream.single(speed(size, begun));

    let file = beside.join("file");
    let begun = Instant::now();
    write(&file, size)?;
    put.disk.single(speed(size, begun));

    let begun = Instant::now();
    hash(size);
    put.hash.single(speed(size, begun));
    get.hash.single(speed(size, begun));

    let begun = Instant::now();
    let download = client.download_blob("", &blob.reference, ContentRange::default());
    let mut download = download.await?;
    while download.next().await?.is_some() {}
    get.figure.single(speed(size, begun));

    let begun = Instant::now();
    bare::download(bare.blobs(), size, MESSAGE).await?;
    get.stream.single(speed(size, begun));

    let begun = Instant::now();
    read(&file)?;
    get.disk.single(speed(size, begun));
    std::fs::remove_file(&file)?;
    client.delete_blob("", &blob.reference).await?;
    Ok(())
}

fn write(path: &Path, size: usize) -> Result<()> {
    let mut file = File::create(path)?;
    let block = vec![7; MIB];
    for _ in 0..size / MIB {
        file.write_all(&block)?;
    }
    Ok(file.sync_all()?)
}

fn read(path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    let mut block = vec![0; MIB];
    while file.read(&mut block)? > 0 {}
    Ok(())
}

fn hash(size: usize) {
    let block = vec![7; MIB];
    for _ in 0..size / MIB {
        std::hint::black_box(ContentHash::of(std::hint::black_box(&block)));
    }
}

/// Bare streams by the size of their messages.
async fn messages(bare: &EmptyServer, size: usize, rounds: u64) -> Result<()> {
    for (name, up) in [("stream_up", true), ("stream_down", false)] {
        let (mut small, mut large) = (Blocks::default(), Blocks::default());
        for _ in 0..rounds {
            for (blocks, message) in [(&mut small, MESSAGE), (&mut large, MIB)] {
                let begun = Instant::now();
                if up {
                    bare::upload(bare.blobs(), size, message).await?;
                } else {
                    bare::download(bare.blobs(), size, message).await?;
                }
                blocks.single(speed(size, begun));
            }
        }
        Figure {
            name: &format!("{name}_of_256_kib_messages"),
            value: small.median(),
            unit: "MiB/s",
            floor: large.median(),
            floor_what: "the same in messages of 1 MiB",
            bar: Bar::None,
        }
        .print();
    }
    Ok(())
}
