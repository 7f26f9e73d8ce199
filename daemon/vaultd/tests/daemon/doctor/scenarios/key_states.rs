//! States in which a vault is not open, and the one in which nothing is wrong.

use std::fs;

use vault_client::KeyState;

use super::Stage;
use crate::{
    doctor::start,
    support::{
        Home,
        keyring::Session,
        reason, until,
        vault::{KEY_FILE, PASSPHRASE, settled},
    },
};

pub(super) async fn healthy() -> Stage {
    let home = Home::new();
    let served = home.new_light("root").await;
    Stage::of(home, served)
}

/// A keyring that hangs keeps the daemon asking.
pub(super) async fn starting() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    session.pause_keyring();
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    Stage::in_session(session, (daemon, client))
}

pub(super) async fn uninitialized() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let served = start(&session.home, "root", KeyState::Uninitialized).await;
    Stage::in_session(session, served)
}

pub(super) async fn locked() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    client.lock().await.expect("locked");
    Stage::of(home, (daemon, client))
}

pub(super) async fn keyring_locked() -> Stage {
    let home = Home::new();
    home.light_vault("root");
    let served = start(&home, "root", KeyState::KeyringLocked).await;
    Stage::of(home, served)
}

/// No bus, no keyring.
pub(super) async fn keyring_unavailable() -> Stage {
    let home = Home::new();
    let served = start(&home, "root", KeyState::KeyringUnavailable).await;
    Stage::of(home, served)
}

pub(super) async fn keyring_denied() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    session.deny();
    let served = start(&session.home, "root", KeyState::KeyringDenied).await;
    Stage::in_session(session, served)
}

pub(super) async fn keyring_timeout() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    session.home.configure("[limits]\nkeyring_seconds = 1\n");
    session.pause_keyring();
    let served = start(&session.home, "root", KeyState::KeyringTimeout).await;
    Stage::in_session(session, served)
}

pub(super) async fn key_missing() -> Stage {
    let home = Home::new();
    home.light_vault("root");
    fs::remove_file(home.path("root").join(KEY_FILE)).expect("removed");
    let served = start(&home, "root", KeyState::KeyMissing).await;
    Stage::of(home, served)
}

pub(super) async fn wrong_key() -> Stage {
    let home = Home::new();
    home.light_vault("other");
    home.light_vault("root");
    let [other, own] = ["other", "root"].map(|root| home.path(root).join(KEY_FILE));
    fs::copy(other, own).expect("another's key");
    let (daemon, client) = start(&home, "root", KeyState::KeyringLocked).await;
    assert_eq!(reason(client.unlock(Some(PASSPHRASE)).await), "WRONG_KEY");
    Stage::of(home, (daemon, client))
}

pub(super) async fn damaged() -> Stage {
    let home = Home::new();
    home.light_vault("root");
    for name in ["keys.a", "keys.b"] {
        fs::write(home.path("root").join(name), b"damage").expect("damaged");
    }
    let (daemon, client) = start(&home, "root", KeyState::KeyringLocked).await;
    assert_eq!(reason(client.unlock(Some(PASSPHRASE)).await), "CORRUPT");
    until("it is seen", async || {
        settled(&client).await == KeyState::Damaged
    })
    .await;
    Stage::of(home, (daemon, client))
}

pub(super) async fn reset() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    let id = client.status().await.expect("served").vault_id;
    client.reset_key(&id).await.expect("destroyed");
    Stage::of(home, (daemon, client))
}
