//! The watchdog is fed by answers.

use std::{fs, time::Duration};

use vault_client::KeyState;

use super::{Manager, connected};
use crate::support::{Home, vault::PASSPHRASE};

/// As short as a loaded machine allows: an answer may take half of it.
const INTERVAL: Duration = Duration::from_secs(2);

fn watched() -> (Manager, Home) {
    let (manager, home) = Manager::new(Home::new());
    let interval = INTERVAL.as_micros().to_string();
    (manager, home.with("WATCHDOG_USEC", interval))
}

fn is_fed(message: &str) -> bool {
    message == "WATCHDOG=1\n"
}

/// Neither one that was on its way may be taken for a new one, nor silence within one interval.
async fn has_stopped(manager: &Manager) -> bool {
    let _ = manager.is_silent(INTERVAL, is_fed).await;
    manager.is_silent(INTERVAL * 2, is_fed).await
}

#[tokio::test]
async fn a_locked_vault_is_healthy() {
    let (manager, home) = watched();
    home.light_vault("root");
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    client.lock().await.expect("locked");
    let state = client.status().await.expect("served").key_state;
    assert_eq!(state, KeyState::Locked);
    for _ in 0..3 {
        manager.wait_for("the watchdog's food", is_fed).await;
    }
}

#[tokio::test]
async fn a_daemon_that_clients_cannot_reach_does_not_feed_it() {
    let (manager, home) = watched();
    let daemon = home.ephemeral("root");
    manager.wait_for("the watchdog's food", is_fed).await;
    let aside = home.path("aside");
    fs::rename(&daemon.socket, &aside).expect("moved");
    assert!(
        has_stopped(&manager).await,
        "it runs, and nobody reaches it"
    );
    fs::rename(&aside, &daemon.socket).expect("moved back");
    manager.wait_for("the watchdog's food", is_fed).await;
    assert!(daemon.log().contains("does not answer itself"));
}

#[tokio::test]
async fn peers_that_take_every_connection_do_not_make_it_look_stuck() {
    let (manager, home) = watched();
    home.configure("[limits]\nconnections = 1\n");
    let daemon = home.ephemeral("root");
    let client = connected(&daemon).await;
    client.status().await.expect("it holds the only one");
    let refused = vault_client::Client::connect(&daemon.options()).await;
    assert!(refused.is_err(), "there is no other");
    for _ in 0..3 {
        manager.wait_for("the watchdog's food", is_fed).await;
    }
    client.status().await.expect("served");
}
