//! Peers that take or send so little at a time that they hardly do.

use bytes::Bytes;
use h2::RecvStream;
use vault_client::Client;
use vault_proto::v1::{DownloadBlobRequest, UploadBlobRequest};

use super::{assert_unhurt, pace, with_store};
use crate::support::{
    Daemon, Home,
    raw::{Raw, framed},
    soon, until,
};

const PEERS: u64 = 64;
/// What a peer that takes nothing may cost, in KiB: what was read ahead for it.
const EACH: u64 = 4 << 10;
const SIZE: usize = 16 << 20;

async fn streams(client: &Client) -> u64 {
    client.stats().await.expect("served").levels.streams
}

async fn blob(client: &Client) -> String {
    let content = "application/octet-stream";
    let stored = client.put_blob("", content, vec![7; SIZE]).await;
    stored.expect("put").blob.reference
}

/// Peers that have begun to read the blob, and have taken a byte each.
async fn takers(daemon: &Daemon, reference: &str) -> Vec<(Raw, RecvStream)> {
    let mut slow = Vec::new();
    for _ in 0..PEERS {
        let mut raw = Raw::connect(&daemon.socket).await;
        let (response, mut body) = raw.call("/vault.v1.Blobs/Download");
        let request = DownloadBlobRequest {
            r#ref: reference.to_owned(),
            ..DownloadBlobRequest::default()
        };
        body.send_data(framed(&request), true).expect("sent");
        let response = soon("the answer's beginning", response).await;
        slow.push((raw, response.expect("an answer").into_body()));
    }
    for (_, body) in &mut slow {
        let data = soon("some of it", body.data()).await;
        assert!(!data.expect("there is more").expect("data").is_empty());
        body.flow_control().release_capacity(1).expect("taken");
    }
    slow
}

#[tokio::test]
async fn sixty_four_peers_that_take_a_byte_at_a_time_cost_no_more_than_what_is_read_ahead() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let reference = blob(&client).await;
    let resident = daemon.memory("VmRSS");
    let slow = takers(&daemon, &reference).await;
    assert_unhurt(quiet, pace(&client).await);
    let cost = daemon.memory("VmRSS").saturating_sub(resident);
    println!("{} KiB for each", cost / PEERS);
    assert!(cost < PEERS * EACH, "{} KiB for each", cost / PEERS);
    drop(slow);
    until("they are gone", async || streams(&client).await == 0).await;
    // What the allocator has kept is used again: nothing else is left of the first ones.
    let slow = takers(&daemon, &reference).await;
    pace(&client).await;
    let again = daemon.memory("VmRSS").saturating_sub(resident);
    assert!(again < cost + cost / 4, "{cost} KiB, then {again}");
    drop(slow);
}

#[tokio::test]
async fn sixty_four_peers_that_send_a_byte_at_a_time_hold_nobody_up() {
    let home = Home::new();
    home.configure("[limits]\nstream_idle_seconds = 5\n");
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let resident = daemon.memory("VmRSS");
    let message = framed(&UploadBlobRequest::default());
    let mut slow = Vec::new();
    for _ in 0..PEERS {
        let mut raw = Raw::connect(&daemon.socket).await;
        let (response, body) = raw.call("/vault.v1.Blobs/Upload");
        slow.push((raw, response, body));
    }
    // The first bytes of what announces a message; the others never come.
    for at in 0..3 {
        for (_, _, body) in &mut slow {
            let byte = Bytes::copy_from_slice(&message[at..=at]);
            body.send_data(byte, false).expect("sent");
        }
    }
    until("all of them are let in", async || {
        streams(&client).await == PEERS
    })
    .await;
    let cost = daemon.memory("VmRSS").saturating_sub(resident) / PEERS;
    println!("{cost} KiB for each");
    assert!(cost < 256, "{cost} KiB for each");
    assert_unhurt(quiet, pace(&client).await);
    until("they are given up", async || streams(&client).await == 0).await;
    drop(slow);
}
