//! A vault that locks itself when nobody uses it.

use std::time::{Duration, Instant};

use vault_client::{Client, KeyState, Mend, NextKey, RotationDepth};

use crate::support::{
    Daemon, Home, reason, soon, until,
    vault::{PASSPHRASE, STORE, fill, found, outcome, read},
};

/// The vault locks itself after a second without use.
async fn with_idle_lock(home: &Home) -> (Daemon, Client) {
    home.configure("idle_lock = \"1s\"\n");
    let (daemon, client) = home.new_light("root").await;
    fill(&client, 1).await;
    (daemon, client)
}

async fn is_locked(client: &Client) -> bool {
    client.status().await.expect("served").key_state == KeyState::Locked
}

#[tokio::test]
async fn an_unused_vault_locks_itself_whoever_looks_at_it() {
    let home = Home::new();
    let (_daemon, client) = with_idle_lock(&home).await;
    let begun = Instant::now();
    let mut looks = 0;
    until("it locked itself", async || {
        client.key_status().await.expect("served");
        client.doctor(Mend::Nothing).await.expect("served");
        client.stats().await.expect("served");
        is_locked(&client).await
    })
    .await;
    let took = begun.elapsed();
    while looks < 10 {
        assert!(is_locked(&client).await, "it stays locked");
        looks += 1;
    }
    println!("locked after {took:?}");
    assert!(took > Duration::from_millis(700), "locked after {took:?}");
    assert!(took < Duration::from_secs(5), "locked after {took:?}");
    assert_eq!(reason(client.get(STORE, "d00000").await), "LOCKED");
    let explanation = client.status().await.expect("served").explanation;
    assert!(explanation.contains("idle_lock"), "{explanation}");
    assert_eq!(found(&client).await, ["locked"]);

    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    read(&client, 0).await;
    until("it locked itself again", async || is_locked(&client).await).await;
}

#[tokio::test]
async fn use_keeps_it_open_and_a_watch_does_not() {
    let home = Home::new();
    let (_daemon, client) = with_idle_lock(&home).await;
    let mut watch = client.watch(STORE, 0).await.expect("a watch");
    let change = soon("a change", watch.next()).await.expect("one");
    assert!(change.is_some());
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_millis(2500) {
        read(&client, 0).await;
        count += 1;
    }
    println!("{count} gets");
    let ended = soon("the end of the watch", watch.next()).await;
    assert_eq!(reason(ended), "LOCKED");
    assert!(is_locked(&client).await);
}

#[tokio::test]
async fn a_rotation_is_not_cut_short() {
    let home = Home::new();
    // Sealing the next key takes longer.
    home.configure("idle_lock = \"300ms\"\n");
    let (_daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    outcome(rotation.await.expect("begun")).await;
    until("it locked itself", async || is_locked(&client).await).await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    let status = client.key_status().await.expect("served");
    assert!(status.rotation.is_none());
}

#[tokio::test]
async fn a_derivation_is_not_cut_short() {
    let home = Home::new();
    let (_daemon, client) = with_idle_lock(&home).await;
    let derived = client.derive_key(&[7; 32], None).await;
    derived.expect("it is at work, though nobody calls");
}

#[test]
fn a_time_that_is_none_is_named() {
    for bad in ["\"soon\"", "\"0s\"", "\"-5m\"", "\"\"", "15", "true"] {
        let home = Home::new();
        home.configure(&format!("idle_lock = {bad}\n"));
        let (code, said) = home.refused("root", &[]);
        assert_eq!(code, Some(78), "{bad}");
        assert!(said.contains("idle_lock"), "{bad}: {said}");
        assert!(!home.path("root").exists(), "nothing was created");
    }
}
