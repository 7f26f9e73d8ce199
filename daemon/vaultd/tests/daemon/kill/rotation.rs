//! Rotations, readers, and stores of other sorts beside the workers.

use std::collections::BTreeMap;

use vault_client::{
    AdoptFile, Client, Error, NewDocument, NextKey, OpenWith, RotationDepth, RotationEvent,
    SealFor, StoreOptions,
};

use super::worker::{SHARED, STORE};
use crate::support::{random::Random, reason, until, vault::outcome};

/// Keys of this test and of nothing else.
const RECIPIENT: &str = "age1xygtq0zfgrp5rshxm9dnhz4x8jqd888r74dqznpv76tejwycdaws5q6g5x";
const IDENTITY: &[u8] =
    b"AGE-SECRET-KEY-1H7TSTJ608K76DT0TQ2ZJ6W67TC9843MUM6WMCMUYT2R328RYDQFS4SVGEJ";

const PLAIN: &str = "plain";
const ADOPTED: &str = "adopted";
const COUNT: usize = 5;

/// Stores that nobody writes to, and an export of the key that is to open nothing in the end.
pub(super) async fn prepare(client: &Client) -> Vec<u8> {
    let plain = StoreOptions {
        plain: true,
        ..StoreOptions::default()
    };
    client.create_store(PLAIN, &plain).await.expect("created");
    for number in 0..COUNT {
        let document = NewDocument::json(format!("d{number}"), body(number));
        client.put(PLAIN, document).await.expect("put");
    }
    let (sender, files) = tokio::sync::mpsc::channel(COUNT);
    for number in 0..COUNT {
        let (path, body) = (format!("d{number}.json"), body(number));
        sender.try_send(Ok(AdoptFile { path, body })).expect("room");
    }
    drop(sender);
    client.adopt(ADOPTED, files).await.expect("adopted");
    let recipients = [RECIPIENT.to_owned()];
    let seal = SealFor::Recipients(&recipients);
    client.export_key(seal).await.expect("exported").file
}

fn body(number: usize) -> Vec<u8> {
    format!(r#"{{"number":{number}}}"#).into_bytes()
}

/// The stores that nobody writes to are what they were.
pub(super) async fn verify(client: &Client) {
    for store in [PLAIN, ADOPTED] {
        let mut found = BTreeMap::new();
        for number in 0..COUNT {
            let id = format!("d{number}");
            let document = client.get(store, &id).await.expect("readable");
            found.insert(number, document.body);
        }
        assert!(found.iter().all(|(number, found)| *found == body(*number)));
    }
}

/// The connection broke: a refusal would have a reason.
fn broke(error: &Error) -> bool {
    error.reason().is_none_or(str::is_empty)
}

/// Rotates until the daemon is gone; answers how many rotations ended.
pub(super) async fn rotate(client: Client, mut random: Random) -> u64 {
    let mut ended = 0;
    loop {
        let depth = match random.below(2) {
            0 => RotationDepth::Rewrap,
            _ => RotationDepth::Reencrypt,
        };
        let begun = client.rotate_key(depth, NextKey::AsBefore).await;
        let outcome = match begun {
            Ok(mut rotation) => loop {
                match rotation.next().await {
                    Ok(Some(RotationEvent::Progress(_))) => {}
                    Ok(Some(RotationEvent::Done(done))) => {
                        assert!(done.kept_keys.is_empty() && !done.paused);
                        ended += 1;
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            },
            Err(error) => Err(error),
        };
        match outcome {
            // One of the other depth goes on since the start.
            Err(error) if error.reason() == Some("ROTATION_RUNNING") => {}
            Err(error) if broke(&error) => return ended,
            Err(error) => panic!("refused: {error:?}"),
            Ok(()) => {}
        }
        tokio::task::yield_now().await;
    }
}

/// Rotates once to the full depth, and follows it to its end.
pub(super) async fn reencrypt(client: &Client) {
    let begun = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let done = outcome(begun.await.expect("begun")).await;
    assert!(done.kept_keys.is_empty() && !done.paused);
}

/// Reads until the daemon is gone.
pub(super) async fn read(client: Client) -> u64 {
    loop {
        match client.get(STORE, SHARED).await {
            Ok(document) => assert_eq!(document.head.body_bytes, document.body.len() as u64),
            Err(error) if error.reason() == Some("NOT_FOUND") => {}
            Err(error) if broke(&error) => return 0,
            Err(error) => panic!("refused: {error:?}"),
        }
    }
}

/// Nothing stays half done, and the key of the first round opens nothing any more.
pub(super) async fn conclude(client: &Client, exported: &[u8]) {
    until("the rotation that was killed last has ended", || async {
        let status = client.key_status().await.expect("served");
        assert!(status.kept_keys.is_empty());
        status.rotation.is_none()
    })
    .await;
    let old = client
        .import_key(exported, OpenWith::Identity(IDENTITY), None)
        .await;
    assert_eq!(reason(old), "WRONG_KEY");
    verify(client).await;
}
