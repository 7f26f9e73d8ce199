//! Storage keys that are derived from a master key: made, computed anew elsewhere, given up.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use vault_client::{Client, KeyState, NextKey, RotationDepth};

use crate::{
    doctor::assert_all_answer,
    support::{
        Daemon, Home,
        keyring::Session,
        private, reason,
        vault::{
            KEY_FILE, PASSPHRASE, amid, assert_advises, assert_filled, fill, finding, fingerprint,
            found, outcome, rotated, settled,
        },
    },
};

const MASTER: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];
const SIDECAR: &str = "derivation.json";

/// Copies what a person would carry to another device: everything but the key and what belongs to
/// the daemon that serves the original.
fn carry(from: &Path, to: &Path) {
    private(to);
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        if name == KEY_FILE || name == "vault.lock" {
            continue;
        }
        if entry.file_type().expect("its type").is_dir() {
            carry(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).expect("copied");
        }
    }
    let mode = fs::metadata(to).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// A vault whose key is derived, with ten documents.
async fn derived(home: &Home) -> (Daemon, Client) {
    let (daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let derived = client.derive_key(&MASTER, None).await.expect("derived");
    assert!(!derived.recovered && derived.credential.is_none());
    (daemon, client)
}

async fn missing(home: &Home, root: &str) -> (Daemon, Client) {
    let daemon = home.start(root, &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyMissing);
    (daemon, client)
}

#[tokio::test]
async fn a_derived_key_is_computed_anew_on_another_device() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let before = fingerprint(&client).await;
    assert!(!client.key_status().await.expect("served").derived);
    let derived = client.derive_key(&MASTER, None).await.expect("derived");
    assert!(!derived.recovered && derived.credential.is_none());
    assert_ne!(derived.fingerprint, before);
    let status = client.key_status().await.expect("served");
    assert!(status.derived && status.rotation.is_none());
    assert_eq!(status.salt_problem, "");
    assert_eq!(status.fingerprint, derived.fingerprint);
    assert_eq!(found(&client).await, ["healthy"]);
    assert!(daemon.terminate().await.success());

    carry(&home.path("root"), &home.path("device"));
    let (mut device, client) = missing(&home, "device").await;
    let refused = client.derive_key(&OTHER, Some(PASSPHRASE)).await;
    assert_eq!(reason(refused), "WRONG_KEY");
    let refused = client.derive_key(&MASTER, None).await;
    assert_eq!(reason(refused), "UNFIT_SECRET", "a passphrase is needed");
    let refused = client.derive_key(&MASTER, Some(b"short")).await;
    assert_eq!(reason(refused), "UNFIT_SECRET");
    assert_eq!(settled(&client).await, KeyState::KeyMissing);
    assert!(!home.path("device").join(KEY_FILE).exists());

    let recovered = client.derive_key(&MASTER, Some(PASSPHRASE)).await;
    let recovered = recovered.expect("recovered");
    assert!(recovered.recovered);
    assert_eq!(recovered.fingerprint, derived.fingerprint);
    assert_filled(&client, 10).await;
    assert_eq!(found(&client).await, ["healthy"]);
    device.kill();
    let (_device, client) = home.unlocked("device").await;
    assert_filled(&client, 10).await;
    // The original opens as before.
    let (_daemon, client) = home.unlocked("root").await;
    assert_filled(&client, 10).await;
}

#[tokio::test]
async fn without_a_salt_nothing_is_derived() {
    let home = Home::new();
    let (mut daemon, _) = derived(&home).await;
    daemon.kill();
    let root = home.path("root");
    fs::remove_file(root.join(KEY_FILE)).expect("removed");
    fs::remove_file(root.join(SIDECAR)).expect("removed");
    let (_daemon, client) = missing(&home, "root").await;
    let refused = client.derive_key(&MASTER, Some(PASSPHRASE)).await;
    assert_eq!(reason(refused), "SALT_UNUSABLE");
    assert!(!root.join(KEY_FILE).exists());
}

#[tokio::test]
async fn a_rotation_keeps_the_derivation_or_gives_it_up_as_asked() {
    let home = Home::new();
    let (mut daemon, client) = derived(&home).await;
    let first = fingerprint(&client).await;
    let sidecar = home.path("root").join(SIDECAR);
    let salt = fs::read(&sidecar).expect("a salt");
    for depth in [RotationDepth::Rewrap, RotationDepth::Reencrypt] {
        let refused = client.rotate_key(depth, NextKey::AsBefore).await;
        assert_eq!(reason(refused.map(drop)), "MASTER_NEEDED");
    }
    assert_eq!(fingerprint(&client).await, first);
    assert!(
        client
            .key_status()
            .await
            .expect("served")
            .rotation
            .is_none()
    );

    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::Derived(&MASTER));
    let second = outcome(rotation.await.expect("begun")).await.fingerprint;
    assert_ne!(second, first, "the salt is new");
    assert_ne!(fs::read(&sidecar).expect("a salt"), salt);
    let status = client.key_status().await.expect("served");
    assert!(status.derived && status.salt_problem.is_empty());
    daemon.kill();
    carry(&home.path("root"), &home.path("device"));
    let (_device, client) = missing(&home, "device").await;
    let recovered = client.derive_key(&MASTER, Some(PASSPHRASE)).await;
    assert_eq!(recovered.expect("recovered").fingerprint, second);
    assert_filled(&client, 10).await;

    let (_daemon, client) = home.unlocked("root").await;
    let rotation = client.rotate_key(RotationDepth::Rewrap, NextKey::Random);
    outcome(rotation.await.expect("begun")).await;
    assert!(!sidecar.exists(), "the salt is of no use any more");
    let status = client.key_status().await.expect("served");
    assert!(!status.derived && status.salt_problem.is_empty());
    assert_eq!(found(&client).await, ["healthy"]);
    assert_filled(&client, 10).await;
}

#[tokio::test]
async fn a_kill_amid_a_derived_rotation_leaves_a_vault_that_can_be_derived() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 800).await;
    client.derive_key(&MASTER, None).await.expect("derived");
    let other = client.rotate_key(RotationDepth::Reencrypt, NextKey::Derived(&OTHER));
    assert_eq!(reason(other.await.map(drop)), "WRONG_KEY");
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::Derived(&MASTER));
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    let to = client.key_status().await.expect("served").rotation;
    let to = to.expect("under way").to;
    daemon.kill();
    // Both the key and the one staged are gone.
    let root = home.path("root");
    for file in [KEY_FILE, "storage-key.next.age"] {
        fs::remove_file(root.join(file)).expect("removed");
    }
    let (_daemon, client) = missing(&home, "root").await;
    let recovered = client.derive_key(&MASTER, Some(PASSPHRASE)).await;
    let recovered = recovered.expect("what wraps the keys is derived");
    assert!(recovered.recovered);
    assert_eq!(recovered.fingerprint, to);
    assert_filled(&client, 800).await;
    rotated(&client).await;
    assert_eq!(fingerprint(&client).await, to);
    assert_eq!(found(&client).await, ["healthy"]);
}

#[tokio::test]
async fn each_copy_of_the_salt_mends_the_other() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 10).await;
    client.derive_key(&MASTER, None).await.expect("derived");
    let id = client.status().await.expect("served").vault_id;
    assert_eq!(session.entries(), 2, "the key and the salt");
    let sidecar = home.path("root").join(SIDECAR);
    let whole = fs::read(&sidecar).expect("a salt");
    for damage in [None, Some(&b"{}"[..]), Some(b"")] {
        daemon.kill();
        match damage {
            None => fs::remove_file(&sidecar).expect("removed"),
            Some(bytes) => fs::write(&sidecar, bytes).expect("damaged"),
        }
        daemon = home.start("root", &[]);
        let client = daemon.client().await;
        assert_eq!(settled(&client).await, KeyState::Open);
        let status = client.key_status().await.expect("served");
        assert!(status.derived);
        assert_eq!(status.salt_problem, "");
        assert_eq!(fs::read(&sidecar).expect("a salt"), whole, "{damage:?}");
        assert_eq!(found(&client).await, ["healthy"]);
    }
    daemon.kill();
    session.clear_entry(&id, "salt");
    assert_eq!(session.entries(), 1);
    daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::Open);
    assert_eq!(session.entries(), 2, "put back");

    // A salt that makes another key.
    daemon.kill();
    let text = String::from_utf8(whole).expect("text");
    let (_, rest) = text.split_once("\"salt\": \"").expect("a salt");
    let other = text.replace(&rest[..64], &"ab".repeat(32));
    fs::write(&sidecar, &other).expect("changed");
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::Open);
    let status = client.key_status().await.expect("served");
    assert!(
        status.salt_problem.contains(SIDECAR),
        "{}",
        status.salt_problem
    );
    let mismatch = finding(&client, "salt_mismatch").await;
    assert_advises(&mismatch, "vaultctl key derive");
    assert_advises(&mismatch, "vaultctl key rotate --random");
    assert_all_answer(&client).await;
    assert_eq!(
        fs::read_to_string(&sidecar).expect("read"),
        other,
        "for a person"
    );
    client.derive_key(&MASTER, None).await.expect("a new salt");
    let status = client.key_status().await.expect("served");
    assert_eq!(status.salt_problem, "");
    assert_eq!(found(&client).await, ["healthy"]);
    assert_filled(&client, 10).await;
}
