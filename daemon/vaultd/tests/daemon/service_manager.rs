//! Under a service manager: a test that plays systemd. How it goes under a real one,
//! `.ci/systemd-service` shows.

mod activation;
mod journal;
mod reload;
mod watchdog;

use std::time::Duration;

use tokio::net::UnixDatagram;
use vault_client::{Client, NewSecret, Secret, StoreOptions};

use crate::support::{Daemon, Home, PATIENCE, soon};

/// The end of the socket that a service talks to (`sd_notify(3)`).
struct Manager(UnixDatagram);

impl Manager {
    /// A manager, and the home whose daemons report to it.
    fn new(home: Home) -> (Self, Home) {
        let path = home.path("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        (Self(socket), home.with("NOTIFY_SOCKET", path))
    }

    /// The next message: lines of `NAME=VALUE`.
    async fn next(&self) -> String {
        soon("a message", self.receive()).await
    }

    async fn receive(&self) -> String {
        let mut buffer = vec![0; 64 << 10];
        let read = self.0.recv(&mut buffer).await.expect("received");
        buffer.truncate(read);
        String::from_utf8(buffer).expect("UTF-8")
    }

    /// The first message that `fits`; those before it are passed over.
    async fn wait_for(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let mut others = Vec::new();
        let found = async {
            loop {
                let message = self.receive().await;
                if fits(&message) {
                    return message;
                }
                others.push(message);
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("{what} does not come: {others:?}"))
    }

    /// Whether nothing that `fits` comes for so long.
    async fn is_silent(&self, time: Duration, fits: impl Fn(&str) -> bool) -> bool {
        let heard = async { while !fits(&self.receive().await) {} };
        tokio::time::timeout(time.min(PATIENCE), heard)
            .await
            .is_err()
    }
}

/// A connection, once there is room for one.
async fn connected(daemon: &Daemon) -> Client {
    let options = daemon.options();
    let connected = async {
        loop {
            if let Ok(client) = Client::connect(&options).await {
                return client;
            }
        }
    };
    soon("room for a connection", connected).await
}

fn is_ready(message: &str) -> bool {
    message.lines().any(|line| line == "READY=1")
}

#[tokio::test]
async fn it_says_when_it_is_ready_in_which_state_it_is_and_that_it_stops() {
    let (manager, home) = Manager::new(Home::new());
    let mut daemon = home.ephemeral("root");
    assert_eq!(manager.next().await, "READY=1\n");
    let client = daemon.client().await;
    client
        .create_store("notes", &StoreOptions::default())
        .await
        .expect("created");
    let says = |text: &'static str| {
        let line = format!("STATUS={text}\n");
        manager.wait_for(text, move |message| message == line)
    };
    says("open: 1 store, 0 secrets; 1 connection").await;
    let secret = NewSecret {
        name: "connection:openai",
        value: Secret::new(b"sk-1".to_vec()),
        label: None,
        create: true,
    };
    client.set_secret(secret).await.expect("kept");
    says("open: 2 stores, 1 secret; 1 connection").await;
    client.lock().await.expect("locked");
    says("locked: the vault was locked; 1 connection").await;
    client.unlock(None).await.expect("unlocked");
    let another = daemon.client().await;
    says("open: 2 stores, 1 secret; 2 connections").await;
    drop((client, another));
    says("open: 2 stores, 1 secret; 0 connections").await;
    daemon.ask_to_stop();
    manager
        .wait_for("the end", |message| message == "STOPPING=1\n")
        .await;
    assert!(daemon.stopped().await.success());
}

#[tokio::test]
async fn a_vault_without_a_keyring_is_ready_too() {
    let (manager, home) = Manager::new(Home::new());
    let _daemon = home.start("root", &[]);
    assert!(is_ready(&manager.next().await));
    let said = manager
        .wait_for("why", |message| {
            message.starts_with("STATUS=keyring unavailable: ")
        })
        .await;
    assert_eq!(said.lines().count(), 1, "one line: {said}");
}
