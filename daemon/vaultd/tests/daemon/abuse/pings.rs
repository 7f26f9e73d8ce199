//! Frames that say nothing, as fast as they can be sent.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{assert_unhurt, pace, with_store};
use crate::support::{
    Home,
    frames::{ACK, PING, SETTINGS, WINDOW_UPDATE, connect, frame, greeting, next, send},
    soon,
};

/// Room for what an allocator keeps, in KiB.
const ROOM: u64 = 8 << 10;
const MIB: usize = 1 << 20;

fn many(frame: &[u8], bytes: usize) -> Vec<u8> {
    frame.repeat(bytes / frame.len())
}

/// Sends until the server takes no more, at most so many bytes.
fn send_until_stuck(mut stream: UnixStream, bytes: &[u8]) -> usize {
    let patience = Some(Duration::from_millis(500));
    stream.set_write_timeout(patience).expect("set");
    send(&mut stream, &greeting());
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                break;
            }
        }
    }
    sent
}

#[tokio::test]
async fn answers_that_are_not_read_are_not_heaped_up() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let peak = daemon.memory("VmHWM");
    for asked in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])] {
        let stream = connect(&daemon.socket);
        let kept = stream.try_clone().expect("the same");
        let flood = move || send_until_stuck(stream, &many(&asked, 64 * MIB));
        let sent = tokio::task::spawn_blocking(flood).await.expect("sent");
        println!("it took {sent} bytes");
        assert!(sent < 16 * MIB, "it took {sent} bytes");
        assert_unhurt(quiet, pace(&client).await);
        drop(kept);
    }
    let peak_now = daemon.memory("VmHWM");
    assert!(peak_now < peak + ROOM, "{peak} KiB, then {peak_now}");
}

#[tokio::test]
async fn every_ping_is_answered_and_whoever_else_calls_is_served_between_them() {
    const PINGS: usize = 400_000;
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let peak = daemon.memory("VmHWM");
    let mut stream = connect(&daemon.socket);
    let mut sending = stream.try_clone().expect("the same");
    let flood = std::thread::spawn(move || {
        send(&mut sending, &greeting());
        send(&mut sending, &frame(PING, 0, 0, &[7; 8]).repeat(PINGS));
    });
    let reading = tokio::task::spawn_blocking(move || {
        let mut answered = 0;
        while answered < PINGS {
            let frame = next(&mut stream).expect("it goes on");
            answered += usize::from(frame.kind == PING && frame.flags & ACK != 0);
        }
    });
    let mut served = 0;
    let mut finished = false;
    while !finished {
        client.stats().await.expect("served");
        served += 1;
        finished = reading.is_finished();
    }
    soon("the answers", reading).await.expect("all of them");
    flood.join().expect("all sent");
    println!("{served} calls meanwhile");
    assert!(served > 50, "{served} calls meanwhile");
    let peak_now = daemon.memory("VmHWM");
    assert!(peak_now < peak + ROOM, "{peak} KiB, then {peak_now}");
}

#[tokio::test]
async fn what_is_only_taken_in_costs_no_memory_and_nobody_waits() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let peak = daemon.memory("VmHWM");
    let unknown = frame(0xBB, 0, 0, b"of a later version");
    for said in [frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), unknown] {
        let mut stream = connect(&daemon.socket);
        let flood = std::thread::spawn(move || {
            send(&mut stream, &greeting());
            send(&mut stream, &many(&said, 8 * MIB));
            // Until the last of it is looked at.
            send(&mut stream, &frame(PING, 0, 0, &[7; 8]));
            let mut frames = std::iter::from_fn(|| next(&mut stream));
            let answered = frames.any(|frame| frame.kind == PING && frame.flags & ACK != 0);
            assert!(answered, "the connection goes on");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        assert_unhurt(quiet, pace(&client).await);
        let joined = tokio::task::spawn_blocking(move || flood.join());
        soon("the end of it", joined)
            .await
            .expect("waited for")
            .expect("all sent");
    }
    let peak_now = daemon.memory("VmHWM");
    assert!(peak_now < peak + ROOM, "{peak} KiB, then {peak_now}");
}
