//! The daemon's memory stays flat, whatever is streamed and however slowly.

use vault_client::{ContentRange, NewBlob};
use vault_proto::v1::{DownloadBlobRequest, ListBlobsRequest};

use super::{BLOBS, MIB, content, put, refs};
use crate::support::{
    Home,
    raw::{Raw, framed},
    soon,
};

/// What streams may leave behind: batches, and caches of the allocator.
const MORE_KIB: u64 = 24 << 10;

#[tokio::test]
async fn a_large_blob_goes_through_in_flat_memory() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let large = content(1, 160 * MIB);
    put(&client, &large[..2 * MIB]).await;
    let before = daemon.memory("VmHWM");
    let new = NewBlob {
        size: Some(large.len() as u64),
        ..NewBlob::default()
    };
    let stored = client.upload_blob(BLOBS, new, &*large, |_| {}).await;
    let reference = stored.expect("put").blob.reference;
    let put_at = daemon.memory("VmHWM");
    assert!(put_at < before + MORE_KIB, "{before} KiB, then {put_at}");
    let download = client.download_blob(BLOBS, &reference, ContentRange::default());
    let mut download = download.await.expect("begun");
    let mut at = 0;
    while let Some(chunk) = download.next().await.expect("a chunk") {
        assert!(chunk == large[at..at + chunk.len()], "at {at}");
        at += chunk.len();
    }
    assert_eq!(at, large.len());
    let got_at = daemon.memory("VmHWM");
    assert!(got_at < before + MORE_KIB, "{before} KiB, then {got_at}");
}

#[tokio::test]
async fn readers_that_read_nothing_hurt_nobody() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let large = content(1, 64 * MIB);
    let reference = put(&client, &large).await.blob.reference;
    for seed in 10..20 {
        put(&client, &content(seed, 10)).await;
    }
    let request = DownloadBlobRequest {
        r#ref: reference,
        ..DownloadBlobRequest::default()
    };
    // More than there are threads for the disk.
    let mut raw = Raw::connect(&daemon.socket).await;
    let before = daemon.memory("VmRSS");
    let mut unread = Vec::new();
    for _ in 0..100 {
        let (response, mut body) = raw.call("/vault.v1.Blobs/Download");
        body.send_data(framed(&request), true).expect("sent");
        let (listing, mut body) = raw.call("/vault.v1.Blobs/List");
        let list = ListBlobsRequest::default();
        body.send_data(framed(&list), true).expect("sent");
        unread.push((response, listing));
    }
    for (response, _) in unread.iter_mut().take(20) {
        soon("the answer's beginning", response)
            .await
            .expect("begun");
    }
    soon("others", async {
        put(&client, &content(2, 3 * MIB)).await;
        refs(&client).await;
    })
    .await;
    let now = daemon.memory("VmRSS");
    // Two batches of four chunks, and what HTTP/2 has taken: each of them flat.
    let bound = before + 100 * (4 << 10);
    assert!(now < bound, "{before} KiB, then {now}");
}
