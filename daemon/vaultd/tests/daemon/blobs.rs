//! The Blobs service: content of any size, called by its hash.

mod hostile;
mod interrupted;
mod memory;

use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};
use vault_client::{
    Client, ContentRange, Error, ListedBlob, NewBlob, SizeClass, StoreKind, StoreOptions,
};
use vault_crypto::ContentHash;
use vault_proto::v1::{
    UploadBlobRequest, UploadBlobResponse,
    blobs_client::BlobsClient,
    upload_blob_request::{Finish, Part, Start},
    upload_blob_response::{Part as Answered, Ready},
};

use crate::support::{Daemon, Home, files, random::Random, reason, soon};

const MIB: usize = 1 << 20;
const BLOBS: &str = "";

/// Content that nothing compresses, the same for the same seed.
fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut content = Vec::with_capacity(len + 8);
    while content.len() < len {
        content.extend_from_slice(&random.below(u64::MAX).to_le_bytes());
    }
    content.truncate(len);
    content
}

/// The ref it must have.
fn reference(content: &[u8]) -> String {
    ContentHash::of(content).to_string()
}

async fn put(client: &Client, content: &[u8]) -> vault_client::StoredBlob {
    let put = client.put_blob(BLOBS, "image/png", content.to_vec());
    soon("a put", put).await.expect("put")
}

async fn refs(client: &Client) -> Vec<String> {
    let mut list = client.list_blobs(BLOBS).await.expect("begun");
    let mut refs = Vec::new();
    while let Some(entry) = list.next().await.expect("listed") {
        match entry {
            ListedBlob::Blob(blob) => refs.push(blob.reference),
            ListedBlob::Damaged(damaged) => panic!("{damaged:?}"),
        }
    }
    refs.sort();
    refs
}

/// An upload led by hand.
struct Upload {
    requests: mpsc::Sender<UploadBlobRequest>,
    answers: Streaming<UploadBlobResponse>,
}

impl Upload {
    async fn begin(blobs: &mut BlobsClient<Channel>, start: Start) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(64);
        let upload = Part::Start(start);
        let first = UploadBlobRequest { part: Some(upload) };
        requests.send(first).await.expect("room");
        let answers = blobs.upload(ReceiverStream::new(receiver)).await?;
        Ok(Self {
            requests,
            answers: answers.into_inner(),
        })
    }

    /// One of a client that sends no more than a start.
    async fn new(daemon: &Daemon, start: Start) -> (Self, Ready) {
        let mut blobs = BlobsClient::new(daemon.channel().await);
        let mut upload = Self::begin(&mut blobs, start).await.expect("begun");
        let ready = upload.ready().await.expect("ready");
        (upload, ready)
    }

    async fn send(&self, part: Part) {
        // One that has ended takes no more.
        let _ = self
            .requests
            .send(UploadBlobRequest { part: Some(part) })
            .await;
    }

    async fn answer(&mut self) -> Result<Option<Answered>, Status> {
        let answer = soon("an answer", self.answers.message()).await?;
        Ok(answer.and_then(|answer| answer.part))
    }

    async fn ready(&mut self) -> Result<Ready, Status> {
        match self.answer().await? {
            Some(Answered::Ready(ready)) => Ok(ready),
            _ => panic!("it is not ready"),
        }
    }
}

fn chunk(bytes: &[u8]) -> Part {
    Part::Chunk(bytes.to_vec().into())
}

fn finish(reference: &str) -> Part {
    let r#ref = reference.to_owned();
    Part::Finish(Finish { r#ref })
}

/// The sealed file of the one blob there is.
fn sealed_file(daemon: &Daemon, at_least: usize) -> PathBuf {
    let found = files(&daemon.root);
    let mut large = found
        .into_iter()
        .filter(|(_, content)| content.len() >= at_least);
    let (path, _) = large.next().expect("a file of its size");
    assert!(large.next().is_none(), "one file of that size");
    path
}

#[tokio::test]
async fn content_of_any_size_comes_back_and_is_stored_once() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    let mut expected = Vec::new();
    let sizes = [
        0,
        1,
        65_535,
        65_536,
        65_537,
        262_145,
        MIB,
        MIB + 1,
        5 * MIB + 7,
    ];
    for (seed, size) in (1..).zip(sizes) {
        let content = content(seed, size);
        let stored = put(client, &content).await;
        assert_eq!(stored.blob.reference, reference(&content), "{size}");
        assert_eq!(stored.blob.size, size as u64);
        assert_eq!(stored.blob.content_type, "image/png");
        assert!(!stored.existed);
        let again = client.put_blob(BLOBS, "text/plain", content.clone()).await;
        let again = again.expect("put");
        assert!(again.existed, "{size}");
        assert_eq!(again.blob, stored.blob, "as first put");
        let (blob, read) = client
            .get_blob(BLOBS, &stored.blob.reference)
            .await
            .expect("read");
        assert_eq!(blob, stored.blob);
        assert!(read == content, "{size}");
        let stat = client.stat_blob(BLOBS, &stored.blob.reference).await;
        assert_eq!(stat.expect("known"), stored.blob);
        expected.push(stored.blob.reference);
    }
    expected.sort();
    assert_eq!(refs(client).await, expected);
    let stores = client.stores().await.expect("listed");
    assert_eq!((&*stores[0].name, stores[0].kind), ("blobs", "blobs"));
}

#[tokio::test]
async fn ranges_are_the_bytes_asked_for() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    let content = content(3, 3 * MIB + 11);
    let stored = put(client, &content).await;
    let read = async |offset: u64, length: Option<u64>| {
        let range = ContentRange { offset, length };
        let begun = client.download_blob(BLOBS, &stored.blob.reference, range);
        let mut read = Vec::new();
        begun.await?.write_to(&mut read, |_| {}).await?;
        Ok::<_, Error>(read)
    };
    let mut random = Random::new(7);
    for _ in 0..60 {
        let offset = random.index(content.len());
        let length = random.index(content.len() - offset) + 1;
        let found = read(offset as u64, Some(length as u64)).await;
        assert!(
            found.expect("read") == content[offset..offset + length],
            "{length} from {offset}"
        );
    }
    let end = content.len() - 5;
    let found = read(end as u64, Some(1000)).await.expect("read");
    assert_eq!(found, content[end..], "no more than there is");
    let found = read(end as u64, None).await.expect("read");
    assert_eq!(found, content[end..], "to the end");
    let behind = read(content.len() as u64 + 1, None).await;
    assert_eq!(reason(behind), "INVALID_ARGUMENT");
    assert_eq!(
        reason(read(u64::MAX, Some(u64::MAX)).await),
        "INVALID_ARGUMENT"
    );
}

#[tokio::test]
async fn what_is_not_there_or_is_no_ref_is_told_apart() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    let absent = reference(b"never put");
    assert!(refs(client).await.is_empty(), "no store, no blobs");
    let get = client.get_blob(BLOBS, &absent).await;
    assert_eq!(reason(get), "NOT_FOUND");
    let stored = put(client, b"a blob").await;
    assert_eq!(reason(client.stat_blob(BLOBS, &absent).await), "NOT_FOUND");
    let whole = ContentRange::default();
    let download = client.download_blob(BLOBS, &absent, whole).await;
    assert_eq!(reason(download.map(drop)), "NOT_FOUND");
    let listed = client.list_blobs("other").await;
    assert_eq!(reason(listed.map(drop)), "NOT_FOUND");
    let capitals = absent.to_uppercase();
    for bad in [&absent[..8], &capitals, "../../etc/passwd", ""] {
        let got = client.get_blob(BLOBS, bad).await;
        assert_eq!(reason(got), "INVALID_ID", "{bad}");
    }
    client
        .create_store("notes", &StoreOptions::default())
        .await
        .expect("created");
    let put = client.put_blob("notes", "", b"x".to_vec()).await;
    assert_eq!(reason(put), "INVALID_ARGUMENT");

    let removed = client.delete_blob(BLOBS, &stored.blob.reference).await;
    removed.expect("removed");
    let again = client.delete_blob(BLOBS, &stored.blob.reference).await;
    assert_eq!(reason(again), "NOT_FOUND");
    assert!(refs(client).await.is_empty());
}

#[tokio::test]
async fn a_stores_class_bounds_what_it_takes_however_it_comes() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    let options = StoreOptions {
        kind: StoreKind::Blobs,
        size_class: Some(SizeClass::Card),
        ..StoreOptions::default()
    };
    client
        .create_store("small", &options)
        .await
        .expect("created");
    let limit = 2 * MIB;
    let most = content(1, limit);
    let put = client.put_blob("small", "", most.clone()).await;
    assert_eq!(put.expect("at the limit").blob.size, limit as u64);
    let more = content(2, limit + 1);
    let announced = client.put_blob("small", "", more.clone()).await;
    assert_eq!(reason(announced), "TOO_LARGE");
    let unannounced = client
        .upload_blob("small", NewBlob::default(), &*more, |_| {})
        .await;
    assert_eq!(reason(unannounced), "TOO_LARGE");
    let mut list = client.list_blobs("small").await.expect("begun");
    let mut count = 0;
    while list.next().await.expect("listed").is_some() {
        count += 1;
    }
    assert_eq!(count, 1);
}

#[tokio::test]
async fn verifying_finds_what_was_changed_on_disk() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = &daemon.client().await;
    for seed in 1..=300 {
        put(client, &content(seed, 100)).await;
    }
    let large = content(9, 3 * MIB);
    let stored = put(client, &large).await;
    let verify = async || {
        let mut reports = client.verify_blobs(BLOBS).await.expect("begun");
        let (mut last, mut damaged) = (None, Vec::new());
        while let Some(mut report) = reports.next().await.expect("a report") {
            damaged.append(&mut report.damaged);
            last = Some(report);
        }
        (last.expect("one"), damaged)
    };
    let (last, damaged) = verify().await;
    assert!(damaged.is_empty(), "{damaged:?}");
    assert_eq!((last.verified, last.total), (301, 301));
    assert_eq!(last.bytes, large.len() as u64 + 300 * 100);
    assert_eq!(last.bytes, last.total_bytes);

    let path = sealed_file(&daemon, 3 * MIB);
    let mut sealed = std::fs::read(&path).expect("read");
    sealed[2 * MIB] ^= 1;
    std::fs::write(&path, &sealed).expect("written");
    let (last, damaged) = verify().await;
    assert_eq!((last.verified, last.total), (300, 301));
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].object, stored.blob.reference);
    let got = client.get_blob(BLOBS, &stored.blob.reference).await;
    assert_eq!(reason(got), "CORRUPT");
}

#[tokio::test]
async fn vaults_and_stores_do_not_know_each_others_blobs() {
    let home = Home::new();
    let (one, two) = (home.ephemeral("one"), home.ephemeral("two"));
    let content = content(1, MIB);
    let mut paths = Vec::new();
    for daemon in [&one, &two] {
        let client = daemon.client().await;
        let stored = put(&client, &content).await;
        let path = sealed_file(daemon, MIB);
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(!name.contains(&stored.blob.reference[..16]), "{name}");
        paths.push(name.into_owned());
        let options = StoreOptions {
            kind: StoreKind::Blobs,
            ..StoreOptions::default()
        };
        client
            .create_store("other", &options)
            .await
            .expect("created");
        let there = client.stat_blob("other", &stored.blob.reference).await;
        assert_eq!(reason(there), "NOT_FOUND");
        for (path, bytes) in files(&daemon.root) {
            let clear = bytes.windows(32).any(|part| part == &content[..32]);
            assert!(!clear, "{}", path.display());
        }
    }
    assert_ne!(paths[0], paths[1], "a name confirms nothing");
}
