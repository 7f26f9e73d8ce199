//! The value of a secret is in the daemon's memory while it passes through, and no longer.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use vault_client::{Client, NewConnection, NewSecret, Secret};

use super::{
    is_root,
    scan::{Needles, scan},
};
use crate::support::{Daemon, Home, keyring::Session};

/// How long a value may be found after its use.
const LINGER: Duration = Duration::from_secs(1);

/// No text of it stands in any program.
fn value() -> Vec<u8> {
    (0..96_u8)
        .map(|number| number.wrapping_mul(37).wrapping_add(number >> 3) ^ 0x5B)
        .collect()
}

fn needles() -> Needles {
    let mut needles = Needles::default();
    needles.add("value", &value());
    // As the keyring is given it.
    needles.add("value in base64", BASE64.encode(&value()).as_bytes());
    needles
}

/// Sets or reads the secret by a client that stays connected, and waits until nothing of the value
/// is to be found. Returns what is found after [`LINGER`] still.
async fn lingering(daemon: &Daemon, client: &Client, use_it: &str) -> usize {
    match use_it {
        "set" => {
            let new = NewSecret {
                name: "connection:memory",
                value: Secret::new(value()),
                label: None,
                create: false,
            };
            client.set_secret(new).await.expect("set");
        }
        "save" => {
            let new = NewConnection {
                id: "memory".into(),
                base_url: "https://memory.example/".into(),
                key: Some(Secret::new(value())),
                ..NewConnection::default()
            };
            client.save_connection(new).await.expect("saved");
        }
        _ => {
            let read = client.secret("connection:memory").await.expect("read");
            assert!(read.value.expose() == value(), "another value");
        }
    }
    let (begun, needles) = (Instant::now(), needles());
    loop {
        // As of a moment within the second, or after it.
        let within = begun.elapsed() < LINGER;
        let hits = scan(daemon.pid(), &needles);
        if hits.is_empty() || !within {
            for hit in &hits {
                println!("after {use_it}: {hit}");
            }
            return hits.len();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn assert_nothing_lingers(daemon: &Daemon, client: &Client) {
    let mut found = 0;
    for use_it in ["save", "set", "get"] {
        found += lingering(daemon, client, use_it).await;
    }
    assert_eq!(found, 0, "runs of the value, listed above");
}

#[tokio::test]
async fn a_secret_of_the_keyring_is_not_in_memory_a_second_after_its_use() {
    if !is_root() {
        return;
    }
    let Some(session) = Session::start() else {
        return;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    assert_nothing_lingers(&daemon, &client).await;
}

#[tokio::test]
async fn a_secret_of_the_vault_is_not_in_memory_a_second_after_its_use() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    assert_nothing_lingers(&daemon, &client).await;
}
