//! Keys on their way, and the salt of derived ones.

use std::{fs, os::unix::fs::PermissionsExt as _};

use vault_client::{Client, NextKey, RotationDepth, SealFor};

use super::Stage;
use crate::support::{
    Daemon, Home,
    keyring::Session,
    private, reason, settled_open,
    vault::{PASSPHRASE, amid, assert_filled, ended, fill, outcome},
};

const MASTER: [u8; 32] = [7; 32];
const SIDECAR: &str = "derivation.json";
/// Enough to be met amid a rotation of them.
const DOCUMENTS: usize = 1200;

pub(super) async fn rotating() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    Stage::of(home, (daemon, client)).busy_with(rotation)
}

/// A vault whose key systemd would present: its credential is handed out, and put where the daemon
/// looks.
async fn with_credential(home: &Home) -> (Daemon, Client) {
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 3).await;
    let moved = client.move_key("systemd-creds", None).await.expect("begun");
    let credential = moved.credential.expect("handed out");
    fs::write(home.path("creds/vaultd.storage-key"), credential.expose()).expect("written");
    daemon.kill();
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    settled_open(&client).await;
    // Opens the store, whose journal then moves on.
    assert_filled(&client, 3).await;
    (daemon, client)
}

pub(super) async fn rotation_awaits_credential() -> Stage {
    let home = Home::new();
    let folder = home.path("creds");
    private(&folder);
    let home = home.with("CREDENTIALS_DIRECTORY", folder);
    let (daemon, client) = with_credential(&home).await;
    let rotation = client.rotate_key(RotationDepth::Rewrap, NextKey::AsBefore);
    let handed_out = outcome(rotation.await.expect("begun")).await;
    assert!(handed_out.credential.is_some());
    Stage::of(home, (daemon, client))
}

/// The keyring went away amid it, and is back.
pub(super) async fn rotation_half_done() -> Stage {
    let Some(mut session) = Session::start() else {
        return Stage::Skipped;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 400).await;
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    session.end_keyring();
    let (_, stopped) = ended(rotation).await;
    assert_eq!(reason(stopped), "KEYRING_UNAVAILABLE");
    session.start_locked_keyring();
    session.unlock_keyring();
    Stage::in_session(session, (daemon, client))
}

pub(super) async fn move_half_done() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    let moved = client.move_key("systemd-creds", None).await.expect("begun");
    assert!(moved.credential.is_some());
    Stage::of(home, (daemon, client))
}

pub(super) async fn export_outdated() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    let exported = client.export_key(SealFor::Passphrase(PASSPHRASE)).await;
    exported.expect("exported");
    let rotation = client.rotate_key(RotationDepth::Rewrap, NextKey::AsBefore);
    outcome(rotation.await.expect("begun")).await;
    Stage::of(home, (daemon, client))
}

/// A rotation that was paused replaces the salt.
pub(super) async fn salt_unchecked() -> Stage {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    client.derive_key(&MASTER, None).await.expect("derived");
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::Derived(&MASTER));
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    client.pause_rotation().await.expect("asked to pause");
    assert!(outcome(rotation).await.paused);
    daemon.kill();
    let served = home.unlocked("root").await;
    // Opens the store, whose journals then move on.
    assert_filled(&served.1, DOCUMENTS).await;
    Stage::of(home, served)
}

pub(super) async fn salt_copy_missing() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 3).await;
    client.derive_key(&MASTER, None).await.expect("derived");
    fs::remove_file(session.home.path("root").join(SIDECAR)).expect("removed");
    Stage::in_session(session, (daemon, client))
}

/// Where the backend holds no salt, the file is the only copy.
pub(super) async fn salt_mismatch() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    client.derive_key(&MASTER, None).await.expect("derived");
    let sidecar = home.path("root").join(SIDECAR);
    let mode = fs::metadata(&sidecar).expect("there").permissions().mode();
    assert_eq!(mode & 0o077, 0);
    fs::remove_file(sidecar).expect("removed");
    Stage::of(home, (daemon, client))
}
