//! Bytes that are no HTTP/2, or break its rules (RFC 9113, RFC 7541).

mod corpus;
mod mutations;

use std::{net::Shutdown, os::unix::net::UnixStream, path::Path};

use self::corpus::{Ends, corpus};
use super::{assert_unhurt, pace, with_store};
use crate::support::{
    Home,
    frames::{ACK, PING, connect, frame, next, send},
    random::Random,
    soon, until,
};

/// Room for what an allocator keeps, in KiB.
const ROOM: u64 = 16 << 10;

/// Whether the connection goes on: it answers a ping.
fn goes_on(stream: &mut UnixStream) -> bool {
    const TOKEN: [u8; 8] = *b"go on?..";
    send(stream, &frame(PING, 0, 0, &TOKEN));
    let mut frames = std::iter::from_fn(|| next(stream));
    frames.any(|frame| frame.kind == PING && frame.flags & ACK != 0 && frame.content == TOKEN)
}

/// What comes of a connection on which these bytes are sent.
fn ends(socket: &Path, bytes: &[u8]) -> Ends {
    let mut stream = connect(socket);
    send(&mut stream, bytes);
    if goes_on(&mut stream) {
        Ends::Nothing
    } else {
        Ends::Connection
    }
}

#[tokio::test]
async fn every_broken_rule_ends_its_connection_and_nothing_else() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let peak = daemon.memory("VmHWM");
    let socket = daemon.socket.clone();
    let tried = tokio::task::spawn_blocking(move || {
        let wrong = corpus().into_iter().filter_map(|case| {
            let found = ends(&socket, &case.bytes);
            (found != case.ends).then(|| format!("{}: {found:?}", case.name))
        });
        wrong.collect::<Vec<_>>()
    });
    let wrong = tried.await.expect("the server ends what it must");
    assert!(wrong.is_empty(), "{wrong:#?}");
    let peak_now = daemon.memory("VmHWM");
    assert!(peak_now < peak + ROOM, "{peak} KiB, then {peak_now}");
    assert_unhurt(quiet, pace(&client).await);
    until("none of them is left", async || {
        let levels = client.stats().await.expect("served").levels;
        (levels.connections, levels.streams, levels.unary_calls) == (1, 0, 1)
    })
    .await;
}

#[tokio::test]
async fn conversations_with_random_mistakes_come_to_an_end_and_change_nothing() {
    const CASES: usize = 3000;
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let before = client.get("notes", "n1").await.expect("got");
    let peak = daemon.memory("VmHWM");
    let socket = daemon.socket.clone();
    let tried = tokio::task::spawn_blocking(move || {
        let mut random = Random::new(7);
        for _ in 0..CASES {
            let bytes = mutations::mutated(&mut random);
            let mut stream = connect(&socket);
            send(&mut stream, &bytes);
            // What is left of it is nothing the server could wait for.
            let _ = stream.shutdown(Shutdown::Write);
            while next(&mut stream).is_some() {}
        }
    });
    tried.await.expect("each comes to an end");
    let peak_now = daemon.memory("VmHWM");
    assert!(peak_now < peak + ROOM, "{peak} KiB, then {peak_now}");
    let after = soon("an answer", client.get("notes", "n1")).await;
    assert_eq!(after.expect("got").body, before.body);
    assert_unhurt(quiet, pace(&client).await);
}
