//! The key before the profile, whatever ends the call in between.

use std::{
    fs,
    path::{Path, PathBuf},
};

use vault_client::Client;

use super::{KEY, Served, active, key, new, serve, with_key};
use crate::support::{keyring::Session, reason, until};

/// Waits until a daemon that was started anew has its key.
async fn open(client: &Client) {
    until("the vault is open", || async {
        client.connections().await.is_ok()
    })
    .await;
}

/// Where the only store of documents lies.
fn only_store(root: &Path) -> PathBuf {
    let stores = fs::read_dir(root.join("stores")).expect("a folder");
    let folders = stores.map(|store| store.expect("a store").path());
    let found: Vec<PathBuf> = folders
        .filter(|folder| folder.join("journal").is_dir())
        .collect();
    let [store] = found.as_slice() else {
        panic!("{found:?}")
    };
    store.clone()
}

async fn has_secret(client: &Client, id: &str) -> Option<bool> {
    match client.connection(id).await {
        Ok(connection) => Some(connection.has_secret),
        Err(error) => {
            assert_eq!(error.reason(), Some("NOT_FOUND"), "{error}");
            None
        }
    }
}

#[tokio::test]
async fn a_daemon_killed_before_the_key_was_kept_leaves_no_profile() {
    let Some(session) = Session::start() else {
        return;
    };
    let mut daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    open(&client).await;
    session.pause_keyring();
    let saving = {
        let client = client.clone();
        tokio::spawn(async move { client.save_connection(with_key("a")).await })
    };
    until("the key is on its way", || async {
        let stores = client.stores().await.expect("listed");
        stores.iter().any(|store| store.kind == "secrets")
    })
    .await;
    daemon.kill();
    let saved = saving.await.expect("no panic");
    assert!(saved.is_err(), "it was never acknowledged");
    session.resume_keyring();

    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    open(&client).await;
    assert_eq!(has_secret(&client, "a").await, None);
    client.save_connection(with_key("a")).await.expect("saved");
    assert_eq!(key(&client, "a").await.as_deref(), Some(KEY));
}

#[tokio::test]
async fn a_profile_that_was_not_kept_leaves_its_key() {
    let Served {
        client,
        _daemon: daemon,
        ..
    } = &serve().await;
    client.save_connection(new("a")).await.expect("saved");
    let store = only_store(&daemon.root);
    let aside = store.with_extension("aside");
    fs::rename(&store, &aside).expect("moved");
    let failed = client.save_connection(with_key("b")).await;
    assert_eq!(reason(failed), "STORAGE_FAILED");
    fs::rename(&aside, &store).expect("moved back");

    assert_eq!(has_secret(client, "b").await, None, "no profile");
    assert_eq!(key(client, "b").await.as_deref(), Some(KEY), "its key");
    // The same call again does the rest, and so does its opposite.
    client.save_connection(with_key("b")).await.expect("saved");
    assert_eq!(has_secret(client, "b").await, Some(true));
    client.delete_connection("b", false).await.expect("deleted");
    client
        .set_secret(vault_client::NewSecret {
            name: "connection:c",
            value: vault_client::Secret::new(KEY.to_vec()),
            label: None,
            create: true,
        })
        .await
        .expect("a key that a call left");
    client.delete_connection("c", false).await.expect("deleted");
    assert_eq!(key(client, "c").await, None);
}

#[tokio::test]
async fn a_key_that_was_not_kept_leaves_the_profile_as_it_was() {
    let Some(session) = Session::start() else {
        return;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    open(&client).await;
    client.save_connection(with_key("a")).await.expect("saved");
    let before = client.connection("a").await.expect("read");
    session.lock_keyring();

    let changed = vault_client::NewConnection {
        name: "changed".into(),
        activate: true,
        ..with_key("a")
    };
    assert_eq!(
        reason(client.save_connection(changed).await),
        "KEYRING_LOCKED"
    );
    assert_eq!(
        reason(client.save_connection(with_key("b")).await),
        "KEYRING_LOCKED"
    );
    // Nor is a profile deleted whose key cannot be.
    for key_only in [false, true] {
        let deleted = client.delete_connection("a", key_only).await;
        assert_eq!(reason(deleted), "KEYRING_LOCKED");
    }
    assert_eq!(client.connection("a").await.expect("read"), before);
    assert_eq!(has_secret(&client, "b").await, None);
    assert_eq!(active(&client).await, [""; 0]);
    // What needs no key goes on.
    client.save_connection(new("c")).await.expect("saved");
    client.activate_connection("a").await.expect("activated");

    session.unlock_keyring();
    assert_eq!(key(&client, "a").await.as_deref(), Some(KEY));
    client.delete_connection("a", false).await.expect("deleted");
    assert_eq!(session.entries(), 1, "the storage key alone");
}
