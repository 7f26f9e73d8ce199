//! Peers that greet, and say nothing more.

use std::{io::Write as _, os::unix::net::UnixStream};

use super::{assert_unhurt, crowd, pace, with_store};
use crate::support::{
    Home,
    frames::{
        ACK, CONTINUATION, HEADERS, PING, SETTINGS, connect, frame, greeting, headers, next, send,
    },
    reason, soon, until,
};

const PEERS: u64 = 1000;
/// What one of them may cost, in KiB.
const EACH: u64 = 64;

async fn connections(client: &vault_client::Client) -> u64 {
    client.stats().await.expect("served").levels.connections
}

#[tokio::test]
async fn a_thousand_peers_that_have_greeted_cost_little_each() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let (resident, files) = (daemon.memory("VmRSS"), open_files(&client).await);
    let Some(mut idle) = crowd(&daemon, PEERS) else {
        return;
    };
    for stream in &mut idle {
        stream.write_all(&greeting()).expect("sent");
    }
    let greeted = tokio::task::spawn_blocking(move || {
        for stream in &mut idle {
            let frame = next(stream).expect("it is let in");
            assert_eq!(frame.kind, SETTINGS);
        }
        idle
    });
    let idle = soon("their greeting", greeted).await.expect("greeted");
    assert_eq!(connections(&client).await, PEERS + 1);
    let each = daemon.memory("VmRSS").saturating_sub(resident) / PEERS;
    println!("{each} KiB for each");
    assert!(each < EACH, "{each} KiB for each");
    assert_unhurt(quiet, pace(&client).await);
    drop(idle);
    until("they are gone", async || connections(&client).await == 1).await;
    assert!(open_files(&client).await <= files, "their descriptors are");
}

async fn open_files(client: &vault_client::Client) -> u64 {
    let levels = client.stats().await.expect("served").levels;
    levels.open_files.expect("Linux tells")
}

/// Reads until the server ends the connection: how often it asked whether anybody is there.
fn pings_until_the_end(mut stream: UnixStream) -> usize {
    let frames = std::iter::from_fn(|| next(&mut stream));
    frames
        .filter(|frame| frame.kind == PING && frame.flags & ACK == 0)
        .count()
}

#[tokio::test]
async fn whoever_does_not_answer_is_hung_up_on() {
    let home = Home::new();
    home.configure("[limits]\nkeepalive_seconds = 1\n");
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let mut silent = connect(&daemon.socket);
    send(&mut silent, &greeting());
    // Headers that never end: nothing else may come between, not even the answer to a ping.
    let mut endless = connect(&daemon.socket);
    let block = headers("/vault.v1.Documents/Get");
    send(&mut endless, &greeting());
    send(&mut endless, &frame(HEADERS, 0, 1, &block));
    send(&mut endless, &frame(CONTINUATION, 0, 1, &[]));
    for stream in [silent, endless] {
        let asked = tokio::task::spawn_blocking(move || pings_until_the_end(stream));
        let asked = soon("the end", asked).await.expect("it ended");
        assert!(asked >= 1, "it was asked {asked} times");
    }
    // Which its library did by itself.
    assert_eq!(reason(client.get("notes", "n1").await), "NOT_FOUND");
    assert_eq!(connections(&client).await, 1);
}
