//! SIGHUP: the configuration is read anew, all of it or nothing.

use vault_client::{Client, KeyState};

use super::{Manager, connected, is_ready};
use crate::support::{Daemon, Home, signal, until};

async fn reloaded(manager: &Manager, daemon: &Daemon) {
    signal("-HUP", daemon.pid());
    let begun = manager
        .wait_for("the beginning", |message| message.contains("RELOADING=1"))
        .await;
    let lines: Vec<&str> = begun.lines().collect();
    let time = lines[1].strip_prefix("MONOTONIC_USEC=");
    assert!(
        lines.len() == 2 && time.is_some_and(|time| time.parse::<u64>().is_ok()),
        "both in one message: {lines:?}"
    );
    manager.wait_for("the end", is_ready).await;
}

async fn says(manager: &Manager, text: &str) {
    let fits = |message: &str| message.starts_with("STATUS=") && message.contains(text);
    manager.wait_for(text, fits).await;
}

fn last_line<'a>(log: &'a str, text: &str) -> &'a str {
    let line = log.lines().rev().find(|line| line.contains(text));
    line.unwrap_or_else(|| panic!("{text} is not in the log:\n{log}"))
}

#[tokio::test]
async fn what_can_change_does_and_what_needs_a_restart_is_named() {
    let (manager, home) = Manager::new(Home::new());
    home.configure("[limits]\nconnections = 1\n");
    let daemon = home.ephemeral("root");
    let client = connected(&daemon).await;
    client.stores().await.expect("served");
    assert!(Client::connect(&daemon.options()).await.is_err());

    let toml = "log = \"vaultd=debug\"\nidle_lock = \"1s\"\nkeyring = \"os\"\n\
                [limits]\nconnections = 9\nstatements = 2\n";
    home.configure(toml);
    reloaded(&manager, &daemon).await;
    daemon
        .client()
        .await
        .status()
        .await
        .expect("there is room now");
    until("it locked itself", async || {
        client.status().await.expect("served").key_state == KeyState::Locked
    })
    .await;
    let log = daemon.log();
    let told = last_line(&log, "restart vaultd for");
    assert!(told.contains("keyring, limits.statements"), "{told}");
    let told = last_line(&log, "read anew; changed");
    assert!(
        told.contains("idle_lock, limits.connections, log"),
        "{told}"
    );
    // The filter, too.
    client.unlock(None).await.expect("unlocked");
    let _ = client.get("nothing", "x").await;
    until("debug lines are written", async || {
        daemon.log().contains("DEBUG vaultd")
    })
    .await;

    // What waits for a restart is said each time, what is in force only once.
    reloaded(&manager, &daemon).await;
    let log = daemon.log();
    assert!(
        log.matches("keyring, limits.statements").count() >= 2,
        "{log}"
    );
    assert!(
        !last_line(&log, "read anew; changed").contains("idle_lock"),
        "{log}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing_and_is_named() {
    let (manager, home) = Manager::new(Home::new());
    home.configure("[limits]\nconnections = 2\n");
    let daemon = home.ephemeral("root");
    let client = connected(&daemon).await;
    client.stores().await.expect("served");
    for (bad, named) in [
        (
            "idle_lock = \"1s\"\n[limits]\nconections = 9\n",
            "conections",
        ),
        ("idle_lock = \"soon\"\n", "idle_lock"),
        ("idle_lock = \"1s\"\nlog = \"vaultd=nonsense=x\"\n", "log"),
        ("idle_lock = \"1s", "config.toml"),
    ] {
        home.configure(bad);
        reloaded(&manager, &daemon).await;
        says(&manager, "not read anew: ").await;
        let log = daemon.log();
        let told = last_line(&log, "the configuration before stays in force");
        assert!(told.contains(named), "{named}: {told}");
    }
    let second = connected(&daemon).await;
    second.stores().await.expect("served");
    assert!(
        Client::connect(&daemon.options()).await.is_err(),
        "two, as before"
    );
    home.configure("");
    reloaded(&manager, &daemon).await;
    let fits = |message: &str| message.starts_with("STATUS=open") && !message.contains("anew");
    manager.wait_for("no complaint", fits).await;
    let state = client.status().await.expect("served").key_state;
    assert_eq!(state, KeyState::Open);
}

#[tokio::test]
async fn without_a_service_manager_it_is_read_anew_all_the_same() {
    let home = Home::new();
    let mut daemon = home.ephemeral("root");
    daemon.client().await.stores().await.expect("served");
    home.configure("idle_lock = \"50ms\"\n");
    signal("-HUP", daemon.pid());
    until("it is read", async || {
        daemon.log().contains("changed: idle_lock")
    })
    .await;
    let client = daemon.client().await;
    until("it locked itself", async || {
        client.status().await.expect("served").key_state == KeyState::Locked
    })
    .await;
    drop(client);
    assert!(daemon.terminate().await.success());
}
