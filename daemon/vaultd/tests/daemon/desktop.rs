//! Key states over the wire with a real desktop keyring, which locks, unlocks, hangs and ends by
//! itself.

use std::time::{Duration, Instant};

use vault_client::{Client, KeyState, NewDocument, StoreOptions};

use crate::support::{files, keyring::Session, reason, soon, until};

async fn fill(client: &Client) {
    client
        .create_store("notes", &StoreOptions::default())
        .await
        .expect("created");
    client
        .put("notes", NewDocument::json("a", r#"{"n":1}"#))
        .await
        .expect("put");
}

async fn settled(client: &Client) -> KeyState {
    let client = &client;
    until("the first look for the key ended", || async move {
        client.status().await.expect("served").key_state != KeyState::Starting
    })
    .await;
    client.status().await.expect("served").key_state
}

#[tokio::test]
async fn a_keyring_unlocked_later_brings_the_vault_to_life() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let mut daemon = session.home.start("root", &[]);
    fill(&daemon.client().await).await;
    assert_eq!(session.entries(), 1, "the storage key");
    assert!(daemon.terminate().await.success());
    // A new login.
    session.end_keyring();
    session.start_locked_keyring();
    let before = files(&session.home.path("root"));

    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyringLocked);
    assert_eq!(reason(client.get("notes", "a").await), "KEYRING_LOCKED");
    assert_eq!(
        reason(client.put("notes", NewDocument::json("b", "{}")).await),
        "KEYRING_LOCKED"
    );
    assert!(
        files(&session.home.path("root")) == before,
        "nothing was minted"
    );
    session.unlock_keyring();
    until("the vault came to life", || async {
        client
            .get("notes", "a")
            .await
            .is_ok_and(|document| document.body == br#"{"n":1}"#)
    })
    .await;
    assert_eq!(settled(&client).await, KeyState::Open);
    // An open vault does not need the keyring any more.
    session.lock_keyring();
    client
        .put("notes", NewDocument::json("b", "{}"))
        .await
        .expect("open");
}

#[tokio::test]
async fn a_keyring_started_later_brings_a_new_vault_to_life() {
    let Some(mut session) = Session::start() else {
        return;
    };
    // Its files are there, and nothing answers.
    session.end_keyring();
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyringUnavailable);
    let create = client.create_store("notes", &StoreOptions::default()).await;
    assert_eq!(reason(create), "KEYRING_UNAVAILABLE");
    session.start_locked_keyring();
    until("the locked keyring was found", || async {
        client
            .stores()
            .await
            .is_err_and(|error| error.reason() == Some("KEYRING_LOCKED"))
    })
    .await;
    assert_eq!(session.entries(), 0);
    session.unlock_keyring();
    until("the vault came to life", || async {
        client.stores().await.is_ok()
    })
    .await;
    fill(&client).await;
    assert_eq!(session.entries(), 1);
}

#[tokio::test]
async fn an_entry_that_is_gone_is_never_replaced() {
    let Some(session) = Session::start() else {
        return;
    };
    let mut daemon = session.home.start("root", &[]);
    fill(&daemon.client().await).await;
    daemon.kill();
    session.clear();
    assert_eq!(session.entries(), 0);
    let before = files(&session.home.path("root"));
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyMissing);
    assert_eq!(reason(client.get("notes", "a").await), "KEY_MISSING");
    assert_eq!(
        reason(client.put("notes", NewDocument::json("b", "{}")).await),
        "KEY_MISSING"
    );
    assert_eq!(reason(client.unlock(None).await), "KEY_MISSING");
    assert_eq!(reason(client.init(None, None).await), "ALREADY_EXISTS");
    assert_eq!(session.entries(), 0, "no key was minted");
    assert!(
        files(&session.home.path("root")) == before,
        "and nothing written"
    );
}

#[tokio::test]
async fn locked_on_purpose_stays_locked_though_the_keyring_would_open_it() {
    let Some(session) = Session::start() else {
        return;
    };
    session.home.configure("[limits]\nkeyring_seconds = 1\n");
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client).await;
    client.lock().await.expect("locked");
    assert_eq!(reason(client.get("notes", "a").await), "LOCKED");
    // A try that failed for the keyring's sake must not make the vault open by itself later.
    session.pause_keyring();
    assert_eq!(reason(client.unlock(None).await), "KEYRING_TIMEOUT");
    assert_eq!(reason(client.get("notes", "a").await), "LOCKED");
    session.resume_keyring();
    assert_eq!(reason(client.get("notes", "a").await), "LOCKED");
    client.unlock(None).await.expect("unlocked");
    client.get("notes", "a").await.expect("open");
}

#[tokio::test]
async fn a_keyring_that_hangs_holds_up_nobody_who_does_not_need_it() {
    let Some(session) = Session::start() else {
        return;
    };
    session.home.configure("[limits]\nkeyring_seconds = 2\n");
    let mut daemon = session.home.start("root", &[]);
    fill(&daemon.client().await).await;
    daemon.kill();
    session.pause_keyring();
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    // More calls than there are threads for calls that work on the disk.
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get("notes", "a").await.map(drop) })
        })
        .collect();
    let begun = Instant::now();
    for _ in 0..20 {
        client.status().await.expect("served");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "status took {:?}",
        begun.elapsed()
    );
    for call in calls {
        let refusal = reason(soon("giving up", call).await.expect("ended"));
        assert!(
            ["KEYRING_TIMEOUT", "KEYRING_UNAVAILABLE"].contains(&refusal.as_str()),
            "{refusal}"
        );
    }
    assert_eq!(
        client.status().await.expect("served").key_state,
        KeyState::KeyringTimeout
    );
    session.resume_keyring();
    until("the vault came to life", || async {
        client.get("notes", "a").await.is_ok()
    })
    .await;
}
