//! Streams that are cut off: by their client, by a failure of its source, by a lock.

use std::{
    cell::Cell,
    io::{self, Cursor, SeekFrom},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use vault_client::{Client, ContentRange, Error, NewBlob, StoredBlob};
use vault_proto::{CHUNK_LIMIT, v1::upload_blob_request::Start};

use super::{BLOBS, MIB, Upload, chunk, content, finish, put, reference, refs};
use crate::support::{Home, files, reason, soon, until, vault::PASSPHRASE};

const KEY: &[u8] = b"a source";

/// A source that cannot be read beyond some point.
struct Broken {
    content: Cursor<Vec<u8>>,
    at: u64,
    read: u64,
}

impl Broken {
    fn new(content: &[u8], at: usize) -> Self {
        Self {
            content: Cursor::new(content.to_vec()),
            at: at as u64,
            read: 0,
        }
    }
}

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.content.position() >= self.at {
            return Poll::Ready(Err(io::Error::other("the cable was pulled")));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.content).poll_read(context, buffer);
        self.read += (buffer.filled().len() - before) as u64;
        polled
    }
}

impl AsyncSeek for Broken {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.content).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.content).poll_complete(context)
    }
}

fn new(content: &[u8]) -> NewBlob {
    NewBlob {
        size: Some(content.len() as u64),
        resume_key: KEY.to_vec(),
        ..NewBlob::default()
    }
}

async fn resume(client: &Client, content: &[u8]) -> Result<StoredBlob, Error> {
    let source = Cursor::new(content.to_vec());
    let resumed = client.resume_blob(BLOBS, new(content), source, |_| {});
    soon("the rest", resumed).await
}

#[tokio::test]
async fn an_upload_that_broke_off_is_taken_up_again() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    let content = content(1, 20 * MIB + 3);
    let breaks = 12 * MIB;
    let source = Broken::new(&content, breaks);
    let broken = client
        .resume_blob(BLOBS, new(&content), source, |_| {})
        .await;
    assert!(matches!(broken, Err(Error::Local(_))));
    assert!(refs(client).await.is_empty(), "half of it is no blob");

    // What the daemon keeps is known once it has noticed.
    let kept = Cell::new(0);
    until("something was kept", async || {
        let start = Start {
            resume_key: KEY.to_vec(),
            ..Start::default()
        };
        kept.set(Upload::new(&daemon, start).await.1.offset);
        kept.get() > 0
    })
    .await;
    let kept = kept.get();
    assert!(kept <= breaks as u64, "{kept}");
    let mut positions = Vec::new();
    let source = Cursor::new(content.clone());
    let resumed = client.resume_blob(BLOBS, new(&content), source, |at| positions.push(at));
    let stored = soon("the rest", resumed).await.expect("put");
    assert!(stored.resumed > 0 && stored.resumed >= kept);
    assert_eq!(
        positions.first(),
        Some(&stored.resumed),
        "it was not sent again"
    );
    assert_eq!(stored.blob.reference, reference(&content));
    let (_, read) = client
        .get_blob(BLOBS, &stored.blob.reference)
        .await
        .expect("read");
    assert!(read == content);
}

#[tokio::test]
async fn what_was_kept_of_another_content_is_not_taken_for_this_one() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    let mut content = content(1, 9 * MIB);
    let source = Broken::new(&content, 6 * MIB);
    let broken = client
        .resume_blob(BLOBS, new(&content), source, |_| {})
        .await;
    assert!(broken.is_err());
    content[2 * MIB] ^= 1;
    let stored = resume(client, &content).await.expect("put");
    assert_eq!(stored.resumed, 0);
    assert_eq!(stored.blob.reference, reference(&content));
    assert_eq!(refs(client).await, [reference(&content)]);
}

#[tokio::test]
async fn an_upload_without_a_key_leaves_nothing_when_its_client_goes() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    put(client, b"the store is there").await;
    let paths = || files(&daemon.root).len();
    let before = paths();
    let (upload, ready) = Upload::new(&daemon, Start::default()).await;
    assert_eq!(ready.offset, 0);
    let content = content(1, 8 * MIB);
    for part in content.chunks(CHUNK_LIMIT) {
        upload.send(chunk(part)).await;
    }
    until("some of it is on the disk", async || paths() > before).await;
    drop(upload);
    until("nothing is left", async || paths() == before).await;
    assert_eq!(refs(client).await.len(), 1);
}

#[tokio::test]
async fn a_lock_ends_streams_and_a_resumable_upload_goes_on_afterwards() {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    let content = content(1, 24 * MIB);
    let stored = put(&client, &content[..16 * MIB]).await;
    let whole = ContentRange::default();
    let download = client.download_blob(BLOBS, &stored.blob.reference, whole);
    let mut download = download.await.expect("begun");
    download.next().await.expect("a chunk").expect("one");
    let start = Start {
        resume_key: KEY.to_vec(),
        size: Some(content.len() as u64),
        ..Start::default()
    };
    let (mut upload, _) = Upload::new(&daemon, start).await;
    for part in content[..8 * MIB].chunks(CHUNK_LIMIT) {
        upload.send(chunk(part)).await;
    }
    let (mut idle, _) = Upload::new(&daemon, Start::default()).await;

    soon("the lock", client.lock()).await.expect("locked");
    for upload in [&mut upload, &mut idle] {
        let ended = upload.answer().await.map_err(Error::from);
        assert_eq!(reason(ended), "LOCKED");
    }
    let ended = loop {
        match soon("the end", download.next()).await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert_eq!(reason(ended), "LOCKED");
    assert_eq!(reason(client.list_blobs(BLOBS).await.map(drop)), "LOCKED");

    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    let stored = resume(&client, &content).await.expect("put");
    assert_eq!(stored.blob.reference, reference(&content));
}

#[tokio::test]
async fn the_same_content_put_by_many_at_once_is_one_blob() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let content = content(1, 4 * MIB);
    let mut puts = Vec::new();
    for _ in 0..8 {
        let client = daemon.client().await;
        let content = content.clone();
        puts.push(tokio::spawn(async move {
            client.put_blob(BLOBS, "", content).await.expect("put")
        }));
    }
    let mut new = 0;
    for put in puts {
        let stored = put.await.expect("it ends well");
        assert_eq!(stored.blob.reference, reference(&content));
        new += u32::from(!stored.existed);
    }
    assert!(new >= 1);
    assert_eq!(refs(&daemon.client().await).await.len(), 1);
    let (mut upload, _) = Upload::new(&daemon, Start::default()).await;
    upload.send(finish(&reference(b""))).await;
    assert!(
        upload.answer().await.expect("stored").is_some(),
        "of no bytes"
    );
}
