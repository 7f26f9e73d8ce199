//! Where the storage key lies: moved between backends, sealed under another passphrase, destroyed.

use std::{fs, path::PathBuf};

use vault_client::{
    Client, Error, KeyState, NextKey, OpenWith, RotationDepth, SealFor, StoreOptions,
};

use crate::{
    doctor::assert_all_answer,
    support::{
        Home, files,
        keyring::Session,
        reason, soon, until,
        vault::{
            KEY_FILE, PASSPHRASE, STORE, amid, assert_filled, fill, fingerprint, found, outcome,
            read, settled,
        },
    },
};

const OTHER_PASSPHRASE: &[u8] = b"quite another passphrase";

async fn assert_backend(client: &Client, backend: &str) {
    let status = client.key_status().await.expect("served");
    assert_eq!(status.keyring_backend, backend);
    assert_eq!(status.moving_to, "");
    assert_eq!(found(client).await, ["healthy"]);
}

#[tokio::test]
async fn a_key_moves_to_a_keyring_and_back() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    client.derive_key(&[7; 32], None).await.expect("derived");
    let key = fingerprint(&client).await;
    let file = home.path("root").join(KEY_FILE);

    let moved = client.move_key("os", None).await.expect("moved");
    assert_eq!(moved.keyring_backend, "os");
    assert_eq!(moved.left_behind, "");
    assert!(moved.credential.is_none());
    assert!(!file.exists(), "the old backend's copy is gone");
    assert_eq!(session.entries(), 2, "the key and its salt");
    assert_backend(&client, "os").await;
    assert_eq!(fingerprint(&client).await, key);
    assert_eq!(reason(client.move_key("os", None).await), "ALREADY_EXISTS");
    daemon.kill();
    daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::Open);
    assert_filled(&client, 10).await;
    assert_backend(&client, "os").await;

    let refused = client.move_key("passphrase", None).await;
    assert_eq!(reason(refused), "UNFIT_SECRET");
    let refused = client.move_key("passphrase", Some(b"short")).await;
    assert_eq!(reason(refused), "UNFIT_SECRET");
    for (backend, refusal) in [("memory", "INVALID_ARGUMENT"), ("mind", "INVALID_ARGUMENT")] {
        assert_eq!(reason(client.move_key(backend, None).await), refusal);
    }
    assert_backend(&client, "os").await;
    let moved = client.move_key("passphrase", Some(PASSPHRASE)).await;
    let moved = moved.expect("moved");
    assert_eq!(moved.keyring_backend, "passphrase");
    assert_eq!(moved.left_behind, "");
    assert_eq!(session.entries(), 0, "all of it moved");
    assert!(home.storage_key("root").expose() != &[0; 32]);
    assert_backend(&client, "passphrase").await;
    // The keyring in use is the new one.
    let rotation = client.rotate_key(RotationDepth::Rewrap, NextKey::Derived(&[7; 32]));
    outcome(rotation.await.expect("begun")).await;
    assert_eq!(session.entries(), 0);
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    assert_filled(&client, 10).await;
    assert_backend(&client, "passphrase").await;
}

#[tokio::test]
async fn a_move_to_the_same_backend_changes_the_passphrase() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let key = fingerprint(&client).await;
    let moved = client.move_key("passphrase", Some(OTHER_PASSPHRASE)).await;
    assert_eq!(moved.expect("changed").keyring_backend, "passphrase");
    assert_eq!(fingerprint(&client).await, key);
    assert_backend(&client, "passphrase").await;
    client.lock().await.expect("locked");
    let before = client.unlock(Some(PASSPHRASE)).await;
    assert_eq!(reason(before), "WRONG_PASSPHRASE");
    client
        .unlock(Some(OTHER_PASSPHRASE))
        .await
        .expect("unlocked");
    // What seals from now on is the new passphrase.
    let rotation = client.rotate_key(RotationDepth::Rewrap, NextKey::AsBefore);
    outcome(rotation.await.expect("begun")).await;
    daemon.kill();
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    client
        .unlock(Some(OTHER_PASSPHRASE))
        .await
        .expect("unlocked");
    assert_filled(&client, 10).await;
}

#[tokio::test]
async fn a_move_that_fails_leaves_the_vault_as_it_was() {
    let home = Home::new();
    let (_daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let refused = client.move_key("os", None).await;
    assert_eq!(reason(refused), "KEYRING_UNAVAILABLE");
    assert_filled(&client, 10).await;
    client.lock().await.expect("locked");
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    let status = client.key_status().await.expect("served");
    assert_eq!(status.keyring_backend, "passphrase");
    // Nothing is half done that only a keyring which is not there could end.
    let rotation = client
        .rotate_key(RotationDepth::Rewrap, NextKey::AsBefore)
        .await;
    outcome(rotation.expect("begun")).await;
    assert_backend(&client, "passphrase").await;
}

/// Everything in the data root that a call does not change by being recorded.
fn files_but_audit(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let audit = home.path("root/audit");
    let found = files(&home.path("root")).into_iter();
    found
        .filter(|(path, _)| !path.starts_with(&audit))
        .collect()
}

fn bytes_of(home: &Home) -> u64 {
    let found = files(&home.path("root"));
    found.iter().map(|(_, content)| content.len() as u64).sum()
}

#[tokio::test]
async fn a_reset_tells_asks_destroys_and_is_explained() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let options = StoreOptions::default();
    client
        .create_store("more", &options)
        .await
        .expect("created");
    let exported = client.export_key(SealFor::Passphrase(PASSPHRASE)).await;
    let exported = exported.expect("exported").file;
    let id = client.status().await.expect("served").vault_id;
    let before = files_but_audit(&home);

    let least = bytes_of(&home);
    let loss = client.key_loss().await.expect("told");
    assert_eq!(loss.vault_id, id);
    assert_eq!(loss.stores, ["more", STORE]);
    assert_eq!(loss.store_count, 2);
    assert_eq!(loss.files, files(&home.path("root")).len() as u64);
    // The audit log grows by this very call.
    assert!((least..=bytes_of(&home)).contains(&loss.bytes), "{loss:?}");
    assert!(loss.removed.is_empty());
    for wrong in ["yes", &id[1..], &"0".repeat(32), &id.to_uppercase()] {
        let refused = client.reset_key(wrong).await;
        assert_eq!(reason(refused), "INVALID_ARGUMENT", "{wrong}");
    }
    assert!(matches!(client.reset_key("").await, Err(Error::Local(_))));
    assert!(files_but_audit(&home) == before, "something was done");
    assert_filled(&client, 10).await;

    let reset = client.reset_key(&id).await.expect("destroyed");
    assert_eq!(reset.stores, ["more", STORE]);
    assert_eq!(reset.removed.len(), 1, "{:?}", reset.removed);
    assert!(!home.path("root").join(KEY_FILE).exists());
    assert_is_reset(&client, Some(PASSPHRASE)).await;
    daemon.kill();
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_is_reset(&client, Some(PASSPHRASE)).await;
    let loss = client.key_loss().await.expect("told");
    assert_eq!((loss.store_count, loss.stores.len()), (2, 0));
    let again = client.reset_key(&id).await.expect("nothing is left");
    assert!(again.removed.is_empty(), "{:?}", again.removed);
    assert_is_reset(&client, Some(PASSPHRASE)).await;
    assert_all_answer(&client).await;
    // A failed import makes the next one wait, for as long as the daemon runs.
    drop(daemon);
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;

    let opened = OpenWith::Passphrase(PASSPHRASE);
    let imported = client.import_key(&exported, opened, None).await;
    imported.expect("imported");
    assert_filled(&client, 10).await;
    let status = client.key_status().await.expect("served");
    assert!(status.reset_ms.is_none());
    assert_eq!(found(&client).await, ["healthy"]);
}

async fn assert_is_reset(client: &Client, passphrase: Option<&[u8]>) {
    assert_eq!(settled(client).await, KeyState::KeyMissing);
    let explanation = client.status().await.expect("served").explanation;
    assert!(explanation.contains("on purpose"), "{explanation}");
    let status = client.key_status().await.expect("served");
    assert!(status.reset_ms.is_some());
    assert_eq!(found(client).await, ["key_missing", "reset"]);
    assert_eq!(reason(client.get(STORE, "d00000").await), "KEY_MISSING");
    assert_eq!(reason(client.unlock(passphrase).await), "KEY_MISSING");
    let init = client.init(Some("passphrase"), Some(PASSPHRASE)).await;
    assert_eq!(reason(init), "ALREADY_EXISTS");
}

#[tokio::test]
async fn a_reset_needs_no_passphrase_and_no_open_vault() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let (mut daemon, client) = home.new_light("light").await;
    fill(&client, 1).await;
    daemon.kill();
    let daemon = home.start("light", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyringLocked);
    let id = client.key_loss().await.expect("told").vault_id;
    client.reset_key(&id).await.expect("destroyed");
    assert_is_reset(&client, Some(PASSPHRASE)).await;

    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 1).await;
    client.derive_key(&[7; 32], None).await.expect("derived");
    client.lock().await.expect("locked");
    assert_eq!(session.entries(), 2);
    let id = client.key_loss().await.expect("told").vault_id;
    let reset = client.reset_key(&id).await.expect("destroyed");
    assert_eq!(session.labels(), Vec::<String>::new(), "nothing of it");
    assert!(!home.path("root/derivation.json").exists());
    assert_eq!(reset.removed.len(), 4, "{:?}", reset.removed);
    assert_is_reset(&client, None).await;
}

/// The rotation must not bring a key back behind the reset.
#[tokio::test]
async fn a_reset_amid_a_rotation_leaves_no_key() {
    let home = Home::new();
    for (root, depth) in [
        ("one", RotationDepth::Rewrap),
        ("two", RotationDepth::Rewrap),
        ("three", RotationDepth::Reencrypt),
    ] {
        let (mut daemon, client) = home.new_light(root).await;
        fill(&client, 300).await;
        let id = client.status().await.expect("served").vault_id;
        let other = daemon.client().await;
        let rotation = tokio::spawn(async move {
            let mut rotation = other.rotate_key(depth, NextKey::AsBefore).await?;
            if depth == RotationDepth::Reencrypt {
                amid(&mut rotation).await;
            }
            Ok::<_, Error>(rotation)
        });
        until("the rotation was staged", async || {
            let status = client.key_status().await.expect("served");
            status.rotation.is_some_and(|rotation| {
                depth == RotationDepth::Rewrap || rotation.progress.objects_done > 0
            })
        })
        .await;
        read(&client, 7).await;
        let reset = soon("the reset", client.reset_key(&id)).await;
        reset.expect("destroyed");
        // However the rotation ends.
        let _ = soon("the answer", rotation).await;
        daemon.kill();
        for file in [KEY_FILE, "storage-key.next.age"] {
            assert!(
                !home.path(root).join(file).exists(),
                "{root}: {file} is there"
            );
        }
        let daemon = home.start(root, &[]);
        assert_is_reset(&daemon.client().await, Some(PASSPHRASE)).await;
        let left = fs::read_dir(home.path(root)).expect("listed");
        let left: Vec<_> = left.map(|entry| entry.expect("one").file_name()).collect();
        assert!(!left.iter().any(|name| name == "rotation.json"), "{left:?}");
    }
}
