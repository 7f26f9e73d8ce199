//! Rotations of the storage key while others read and write: what is seen of them, and who may
//! begin one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use vault_client::{
    Client, NewDocument, NextKey, RotationDepth, RotationProgress, RotationState, SealFor,
};

use crate::support::{
    Home, reason, soon,
    vault::{
        PASSPHRASE, STORE, amid, assert_filled, ended, fill, fingerprint, found, outcome, read,
        rotated,
    },
};

const DOCUMENTS: usize = 800;
const WRITERS: usize = 3;

/// Writes documents of its own over and over; returns what was acknowledged last, and how many
/// writes.
async fn write(
    client: Client,
    number: usize,
    stop: Arc<AtomicBool>,
) -> (BTreeMap<String, Vec<u8>>, usize) {
    let mut acknowledged = BTreeMap::new();
    let mut count = 0;
    while !stop.load(Ordering::Acquire) {
        let id = format!("w{number}-{}", count % 20);
        let body = format!(r#"{{"writer":{number},"count":{count}}}"#).into_bytes();
        let document = NewDocument::json(id.as_str(), body.as_slice());
        client.put(STORE, document).await.expect("acknowledged");
        acknowledged.insert(id, body);
        count += 1;
    }
    (acknowledged, count)
}

/// Reads over and over; returns how often, and the longest wait.
async fn watch(client: Client, mut at: usize, stop: Arc<AtomicBool>) -> (usize, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Acquire) {
        at = (at + 617) % DOCUMENTS;
        let begun = Instant::now();
        read(&client, at).await;
        longest = longest.max(begun.elapsed());
        count += 1;
    }
    (count, longest)
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_go_on_meanwhile() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let mut known = BTreeMap::new();
    for depth in [RotationDepth::Rewrap, RotationDepth::Reencrypt] {
        let before = fingerprint(&client).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        let mut readers = Vec::new();
        for number in 0..WRITERS {
            let (client, stop) = (daemon.client().await, Arc::clone(&stop));
            writers.push(tokio::spawn(write(client, number, stop)));
        }
        for number in 0..2 {
            let (client, stop) = (daemon.client().await, Arc::clone(&stop));
            readers.push(tokio::spawn(watch(client, number, stop)));
        }
        let rotation = client.rotate_key(depth, NextKey::AsBefore).await;
        let ended = outcome(rotation.expect("begun")).await;
        stop.store(true, Ordering::Release);
        assert_ne!(ended.fingerprint, before);
        assert_eq!(fingerprint(&client).await, ended.fingerprint);
        assert!(ended.kept_keys.is_empty(), "{:?}", ended.kept_keys);
        for writer in writers {
            let (acknowledged, count) = soon("stopping", writer).await.expect("all writes");
            println!("{depth:?}: {count} writes");
            assert!(count > 20, "writers went on");
            known.extend(acknowledged);
        }
        for reader in readers {
            let (count, longest) = soon("stopping", reader).await.expect("every get answers");
            println!("{depth:?}: {count} reads, the longest {longest:?}");
            assert!(count > 20, "readers went on");
            assert!(longest < Duration::from_secs(2), "one waited {longest:?}");
        }
        assert_eq!(found(&client).await, ["healthy"]);
    }
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    assert_filled(&client, DOCUMENTS).await;
    for (id, body) in known {
        let document = client.get(STORE, &id).await.expect("acknowledged");
        assert!(document.body == body, "{id} is not what was acknowledged");
    }
}

/// How many records the audit log has.
async fn records(client: &Client) -> u64 {
    let status = client.audit_status().await.expect("served");
    status.last + 1 - status.first
}

#[tokio::test]
async fn progress_arrives_and_the_outcome_comes_last() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    fill(&client, 500).await;
    let exported = client.export_key(SealFor::Passphrase(PASSPHRASE)).await;
    let exported = exported.expect("exported").fingerprint;
    let before = fingerprint(&client).await;
    assert_eq!(exported, before);
    let export = client.key_status().await.expect("served").last_export;
    assert!(export.expect("noted").opens);

    let recorded = records(&client).await;
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let (reports, outcome) = ended(rotation.await.expect("begun")).await;
    let outcome = outcome.expect("it ends well");
    assert!(outcome.exports_outdated);
    assert!(!outcome.paused && !outcome.rolled_back && outcome.credential.is_none());
    assert_ne!(outcome.fingerprint, before);
    let status = client.key_status().await.expect("served");
    assert_eq!(status.fingerprint, outcome.fingerprint);
    assert!(status.rotation.is_none());
    let export = status.last_export.expect("noted");
    assert_eq!((export.fingerprint, export.opens), (exported, false));
    assert_eq!(found(&client).await, ["export_outdated"]);
    assert!(reports.len() > 2, "{reports:?}");
    // The records of the audit log come after the documents.
    let all = reports.first().expect("one").objects_total;
    assert!(
        (500 + recorded..=500 + records(&client).await).contains(&all),
        "{all}"
    );
    for report in &reports {
        assert_eq!(report.state, RotationState::Rewriting);
        assert_eq!(report.objects_total, all);
    }
    let sealed = |report: &RotationProgress| report.store == STORE && report.objects_done == 500;
    assert!(reports.iter().any(sealed), "{reports:?}");
    // Read back, in the end.
    let last = reports.last().expect("one");
    assert_eq!((last.objects_done, last.store.as_str()), (all, STORE));
    assert_eq!(last.bytes_done, last.bytes_total);
    assert!(
        reports.is_sorted_by_key(|report| (report.objects_done, report.bytes_done)),
        "{reports:?}"
    );

    // Nobody listens, and it comes to its end all the same.
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    drop(rotation.await.expect("begun"));
    rotated(&client).await;
    assert_ne!(fingerprint(&client).await, outcome.fingerprint);
    assert_filled(&client, 500).await;
}

#[tokio::test]
async fn a_second_request_joins_or_is_refused() {
    let home = Home::new();
    let (_daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let depth = RotationDepth::Reencrypt;
    let mut first = client
        .rotate_key(depth, NextKey::AsBefore)
        .await
        .expect("begun");
    amid(&mut first).await;
    let joined = client.rotate_key(depth, NextKey::AsBefore).await;
    let joined = joined.expect("joined");
    let status = client.key_status().await.expect("served");
    let rotation = status.rotation.expect("under way");
    assert!(rotation.running && !rotation.paused && !rotation.back);
    assert_eq!(rotation.depth, Some(depth));
    assert_eq!(rotation.state, RotationState::Rewriting);
    let documents = DOCUMENTS as u64;
    let most = documents + records(&client).await;
    let total = rotation.progress.objects_total;
    assert!((documents..=most).contains(&total), "{total}");
    assert_eq!(found(&client).await, ["rotating"]);

    let other = client.rotate_key(RotationDepth::Rewrap, NextKey::AsBefore);
    let other = soon("the refusal", other).await.map(drop);
    let still = client.key_status().await.expect("served").rotation;
    let (first, joined) = (outcome(first).await, outcome(joined).await);
    assert_eq!(reason(other), "ROTATION_RUNNING");
    assert!(still.is_some_and(|rotation| rotation.running), "at once");
    assert_eq!(first.fingerprint, rotation.to);
    assert_eq!(joined.fingerprint, rotation.to);
    assert_eq!(fingerprint(&client).await, rotation.to, "one rotation");
}

#[tokio::test]
async fn no_move_and_no_derivation_while_a_rotation_runs() {
    let home = Home::new();
    let (_daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    let moved = client.move_key("passphrase", Some(b"another passphrase"));
    let moved = soon("the refusal", moved).await;
    let derived = soon("the refusal", client.derive_key(&[7; 32], None)).await;
    let still = client.key_status().await.expect("served").rotation;
    let ended = outcome(rotation).await;
    assert_eq!(reason(moved), "ROTATION_RUNNING");
    assert_eq!(reason(derived), "ROTATION_RUNNING");
    assert!(still.is_some_and(|rotation| rotation.running), "at once");
    assert_eq!(fingerprint(&client).await, ended.fingerprint);
}

#[tokio::test]
async fn where_there_is_no_rotation_there_is_none_to_change() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    fill(&client, 1).await;
    assert_eq!(reason(client.pause_rotation().await), "NO_ROTATION");
    let resumed = client.resume_rotation().await;
    assert_eq!(reason(resumed.map(drop)), "NO_ROTATION");
    let rolled = client.roll_back_rotation().await;
    assert_eq!(reason(rolled.map(drop)), "NO_ROTATION");
    let rotation = client.rotate_key(RotationDepth::Rewrap, NextKey::AsBefore);
    outcome(rotation.await.expect("begun")).await;
    assert_eq!(reason(client.pause_rotation().await), "NO_ROTATION");
    let rolled = client.roll_back_rotation().await;
    assert_eq!(reason(rolled.map(drop)), "NO_ROTATION");
    read(&client, 0).await;
}
