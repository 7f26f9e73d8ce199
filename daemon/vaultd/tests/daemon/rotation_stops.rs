//! Rotations of the storage key that are stopped: paused, rolled back, killed, locked out. And how
//! they go on.

use std::fs;

use vault_client::{
    Client, KeyState, NextKey, OpenWith, Rotation, RotationDepth, RotationState, RotationStream,
    SealFor,
};

use crate::{
    doctor::assert_all_answer,
    support::{
        Home,
        keyring::Session,
        reason, soon, until,
        vault::{
            KEY_FILE, PASSPHRASE, amid, assert_advises, assert_filled, ended, fill, finding,
            fingerprint, found, mended, outcome, read, rotated, settled,
        },
    },
};

const DOCUMENTS: usize = 800;
const DEPTHS: [RotationDepth; 2] = [RotationDepth::Rewrap, RotationDepth::Reencrypt];

/// A re-encryption, met amid its work.
async fn begun(client: &Client) -> RotationStream {
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    rotation
}

async fn pause(client: &Client, rotation: RotationStream) {
    client.pause_rotation().await.expect("asked to pause");
    let paused = outcome(rotation).await;
    assert!(paused.paused && !paused.rolled_back);
}

async fn under_way(client: &Client) -> Rotation {
    let status = client.key_status().await.expect("served");
    status.rotation.expect("a rotation")
}

/// A rotation that stands still, as it was left.
fn assert_rests(rotation: &Rotation, paused: bool) {
    assert_eq!(rotation.depth, Some(RotationDepth::Reencrypt));
    assert_eq!(rotation.state, RotationState::Rewriting);
    assert_eq!((rotation.paused, rotation.running), (paused, false));
    assert!(!rotation.back && !rotation.awaits_credential);
    assert_eq!(rotation.error, "");
}

#[tokio::test]
async fn a_pause_lasts_over_restarts_until_it_is_resumed() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let before = fingerprint(&client).await;
    let rotation = begun(&client).await;
    pause(&client, rotation).await;
    assert_rests(&under_way(&client).await, true);
    client.pause_rotation().await.expect("paused already");
    assert!(daemon.terminate().await.success());

    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyringLocked);
    // Its public files tell, though nobody has the key.
    let rests = under_way(&client).await;
    assert_rests(&rests, true);
    assert_eq!(rests.from, before);
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_eq!(under_way(&client).await, rests);
    assert_eq!(fingerprint(&client).await, rests.to, "what wraps the keys");
    for depth in DEPTHS {
        let again = client.rotate_key(depth, NextKey::AsBefore).await;
        assert_eq!(reason(again.map(drop)), "ROTATION_RUNNING");
    }
    let found = finding(&client, "rotation_half_done").await;
    assert_advises(&found, "vaultctl key rotate --resume");
    assert_advises(&found, "vaultctl key rotate --rollback");
    assert_all_answer(&client).await;
    // Mending is no reason to go on with what a person has stopped.
    mended(&client).await;
    assert_rests(&under_way(&client).await, true);
    assert_filled(&client, DOCUMENTS).await;

    let resumed = client.resume_rotation().await.expect("resumed");
    let done = outcome(resumed).await;
    assert!(!done.paused && !done.rolled_back && done.kept_keys.is_empty());
    assert_eq!(done.fingerprint, rests.to);
    assert!(
        client
            .key_status()
            .await
            .expect("served")
            .rotation
            .is_none()
    );
    assert_filled(&client, DOCUMENTS).await;
}

#[tokio::test]
async fn a_pause_that_was_acknowledged_holds_however_early_it_comes() {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let asking = client.clone();
    let rotation = tokio::spawn(async move {
        let depth = RotationDepth::Reencrypt;
        asking.rotate_key(depth, NextKey::AsBefore).await
    });
    // Sealing the next key takes about a second, and the rotation is known before.
    let known = daemon.client().await;
    until("the rotation was staged", async || {
        known.key_status().await.expect("served").rotation.is_some()
    })
    .await;
    known.pause_rotation().await.expect("asked to pause");
    let rotation = soon("an answer", rotation).await.expect("no panic");
    let ended = outcome(rotation.expect("begun")).await;
    assert!(ended.paused, "it went on: {ended:?}");
    assert!(under_way(&client).await.paused);
}

#[tokio::test]
async fn a_rollback_leaves_the_key_as_it_was() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let before = fingerprint(&client).await;
    let exported = client.export_key(SealFor::Passphrase(PASSPHRASE)).await;
    let exported = exported.expect("exported").file;
    // Once from a pause, once out of the midst of it.
    for paused in [true, false] {
        let rotation = begun(&client).await;
        let listening = if paused {
            pause(&client, rotation).await;
            None
        } else {
            Some(rotation)
        };
        let rolled = client.roll_back_rotation().await.expect("turned round");
        let rolled = outcome(rolled).await;
        assert!(rolled.rolled_back && !rolled.paused, "{rolled:?}");
        assert_eq!(rolled.fingerprint, before);
        assert!(rolled.kept_keys.is_empty(), "{:?}", rolled.kept_keys);
        assert!(!rolled.exports_outdated);
        if let Some(rotation) = listening {
            outcome(rotation).await;
        }
        let status = client.key_status().await.expect("served");
        assert!(status.rotation.is_none());
        assert_eq!(status.fingerprint, before);
        assert!(status.last_export.expect("noted").opens);
        assert_eq!(found(&client).await, ["healthy"]);
    }
    assert!(!home.path("root/storage-key.next.age").exists());
    assert_filled(&client, DOCUMENTS).await;

    daemon.kill();
    fs::remove_file(home.path("root").join(KEY_FILE)).expect("removed");
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyMissing);
    let opened = OpenWith::Passphrase(PASSPHRASE);
    let imported = client.import_key(&exported, opened, None).await;
    assert_eq!(imported.expect("it fits").fingerprint, before);
    assert_filled(&client, DOCUMENTS).await;
}

#[tokio::test]
async fn kills_amid_a_reencryption_do_not_keep_it_from_its_end() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, DOCUMENTS).await;
    let before = fingerprint(&client).await;
    begun(&client).await;
    let to = under_way(&client).await.to;
    let mut goes_on = 0;
    for _ in 0..4 {
        daemon.kill();
        daemon = home.start("root", &[]);
        let client = daemon.client().await;
        assert_eq!(settled(&client).await, KeyState::Open);
        // Unasked; it may be at its end already.
        let status = client.key_status().await.expect("served");
        if let Some(rotation) = status.rotation {
            assert!(rotation.running && !rotation.paused, "{rotation:?}");
            assert_eq!((&rotation.from, &rotation.to), (&before, &to));
            assert_eq!(found(&client).await, ["rotating"]);
            goes_on += 1;
            // Some of the rest, so that it gets on.
            let mut joined = client.resume_rotation().await.expect("joined");
            for _ in 0..10 {
                let _ = soon("a report", joined.next()).await;
            }
        }
        read(&client, 7).await;
    }
    assert!(goes_on > 0, "it was never met again");
    let client = daemon.client().await;
    rotated(&client).await;
    assert_eq!(fingerprint(&client).await, to);
    assert_eq!(session.entries(), 1, "the old key and the staged one went");
    assert_eq!(found(&client).await, ["healthy"]);
    assert_filled(&client, DOCUMENTS).await;
}

#[tokio::test]
async fn a_lock_stops_it_and_the_unlock_goes_on() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let rotation = begun(&client).await;
    let to = under_way(&client).await.to;
    soon("locking", client.lock()).await.expect("locked");
    let (_, stopped) = ended(rotation).await;
    assert_eq!(reason(stopped), "LOCKED");
    assert_rests(&under_way(&client).await, false);
    let refused = client.resume_rotation().await.map(drop);
    assert_eq!(reason(refused), "LOCKED");
    assert_eq!(reason(client.pause_rotation().await), "LOCKED");
    assert_eq!(
        reason(client.roll_back_rotation().await.map(drop)),
        "LOCKED"
    );
    assert_eq!(found(&client).await, ["locked"]);

    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    let rotation = under_way(&client).await;
    assert!(rotation.running && rotation.to == to, "{rotation:?}");
    read(&client, 7).await;
    rotated(&client).await;
    assert_eq!(fingerprint(&client).await, to);
    assert_filled(&client, DOCUMENTS).await;
    // Nothing of it is left to go on with.
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    assert_eq!(fingerprint(&client).await, to);
    assert_eq!(found(&client).await, ["healthy"]);
}
