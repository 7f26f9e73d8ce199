//! Secrets over the wire, in a real desktop keyring and sealed in the vault.

use vault_client::{Client, NewSecret, Secret, SecretPlace, StoreKind, StoreOptions};

use crate::support::{
    Daemon, Home, files,
    keyring::Session,
    reason,
    vault::{PASSPHRASE, assert_advises, finding, found, mended},
};

const VALUE: &[u8] = b"sk-live-nobody-else-is-to-see-this";

async fn set(client: &Client, name: &str, value: &[u8]) {
    let new = NewSecret {
        name,
        value: Secret::new(value.to_vec()),
        label: Some("for the tests"),
        create: false,
    };
    client.set_secret(new).await.expect("set");
}

async fn get(client: &Client, name: &str) -> Vec<u8> {
    let secret = client.secret(name).await.expect("read");
    secret.value.expose().to_vec()
}

async fn places(client: &Client) -> Vec<(String, SecretPlace, bool)> {
    let listed = client.secrets("").await.expect("listed").into_iter();
    listed
        .map(|secret| (secret.name, secret.place, secret.value_missing))
        .collect()
}

fn all_bytes() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(8 << 10).collect()
}

/// What a daemon at its most talkative wrote, and every file of the vault.
fn assert_nowhere(home: &Home, daemon: &Daemon, value: &[u8]) {
    let holds = |bytes: &[u8]| bytes.windows(value.len()).any(|run| run == value);
    for (path, content) in files(&home.path("root")) {
        assert!(!holds(&content), "it is in {}", path.display());
    }
    assert!(!holds(daemon.log().as_bytes()), "it is in the log");
}

#[tokio::test]
async fn a_secret_lies_in_the_keyring_under_a_name_that_people_can_read() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &["--log", "trace"]);
    let client = daemon.client().await;
    set(&client, "connection:openai", VALUE).await;
    set(&client, "image:all", &all_bytes()).await;
    assert_eq!(get(&client, "connection:openai").await, VALUE);
    assert_eq!(get(&client, "image:all").await, all_bytes());
    assert_nowhere(home, &daemon, VALUE);
    let status = client.status().await.expect("served");
    assert_eq!(
        (status.secret_place, status.secrets),
        (SecretPlace::Keyring, 2)
    );
    let id = &status.vault_id;
    let shown = session.search(&format!("{id}/secret/connection:openai"));
    assert!(shown.contains(&format!(
        "label = vaultd secret connection:openai ({})",
        &id[..8]
    )));
    assert_eq!(session.entries(), 3, "the storage key and two secrets");
    assert_eq!(found(&client).await, ["healthy"]);
    daemon.kill();
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(get(&client, "image:all").await, all_bytes());
    client.delete_secret("image:all").await.expect("deleted");
    assert_eq!(reason(client.secret("image:all").await), "NOT_FOUND");
    assert_eq!(session.entries(), 2);

    // What goes for the vault goes for its secrets.
    client.reset_key(id).await.expect("destroyed");
    assert_eq!(session.entries(), 0);
}

#[tokio::test]
async fn a_locked_keyring_is_told_apart_and_unlocked() {
    let Some(session) = Session::start() else {
        return;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    set(&client, "connection:openai", VALUE).await;
    session.lock_keyring();
    assert_eq!(
        reason(client.secret("connection:openai").await),
        "KEYRING_LOCKED"
    );
    assert_eq!(
        reason(client.delete_secret("connection:openai").await),
        "KEYRING_LOCKED"
    );
    let new = NewSecret {
        name: "connection:another",
        value: Secret::new(VALUE.to_vec()),
        label: None,
        create: false,
    };
    assert_eq!(reason(client.set_secret(new).await), "KEYRING_LOCKED");
    assert_eq!(reason(client.secret("connection:none").await), "NOT_FOUND");
    let listed = places(&client).await;
    assert_eq!(
        listed,
        [("connection:openai".to_owned(), SecretPlace::Keyring, false)]
    );
    let unchecked = finding(&client, "secrets_unchecked").await;
    assert_advises(&unchecked, "vaultctl unlock");
    session.unlock_keyring();
    assert_eq!(get(&client, "connection:openai").await, VALUE);
}

#[tokio::test]
async fn the_doctor_finds_what_only_one_side_knows() {
    let Some(session) = Session::start() else {
        return;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    set(&client, "a:gone", VALUE).await;
    set(&client, "a:fine", VALUE).await;
    let id = client.status().await.expect("served").vault_id;
    session.clear_entry(&id, "secret/a:gone");
    session.store(&format!("{id}/secret/a:stray"), "c3RyYXk=");
    assert_eq!(
        reason(client.secret("a:gone").await),
        "SECRET_VALUE_MISSING"
    );
    let listed = places(&client).await;
    assert_eq!(listed[1], ("a:gone".to_owned(), SecretPlace::Keyring, true));
    let missing = finding(&client, "secret_value_missing").await;
    assert_advises(&missing, "vaultctl secret set a:gone");
    let stray = finding(&client, "secret_unlisted").await;
    assert_advises(&stray, "vaultctl secret rm a:stray");
    let mended = mended(&client).await;
    let mended = mended
        .into_iter()
        .find(|found| found.reason_code == "secret_unlisted");
    assert!(mended.is_some_and(|found| found.fixed));
    assert_eq!(get(&client, "a:stray").await, b"stray");
    client.delete_secret("a:gone").await.expect("deleted");
    assert_eq!(found(&client).await, ["healthy"]);
}

#[tokio::test]
async fn secrets_are_sealed_where_the_backend_holds_no_more_than_the_key() {
    let home = Home::new();
    home.light_vault("root");
    let daemon = home.start("root", &["--log", "trace"]);
    let client = daemon.client().await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    set(&client, "connection:openai", VALUE).await;
    set(&client, "image:all", &all_bytes()).await;
    let listed = places(&client).await;
    assert!(
        listed
            .iter()
            .all(|(_, place, missing)| *place == SecretPlace::Vault && !missing)
    );
    let status = client.status().await.expect("served");
    assert_eq!(
        (status.secret_place, status.secrets),
        (SecretPlace::Vault, 2)
    );
    assert_nowhere(&home, &daemon, VALUE);
    // No keyring is asked for anything.
    assert_eq!(found(&client).await, ["healthy"]);
    client.lock().await.expect("locked");
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_eq!(get(&client, "connection:openai").await, VALUE);
    assert_eq!(get(&client, "image:all").await, all_bytes());
    let second = StoreOptions {
        kind: StoreKind::Secrets,
        ..StoreOptions::default()
    };
    assert_eq!(
        reason(client.create_store("second", &second).await),
        "ALREADY_EXISTS"
    );
    assert_eq!(reason(client.secret("no name").await), "INVALID_ID");
}

#[tokio::test]
async fn secrets_move_with_the_storage_key() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let (mut daemon, client) = home.new_light("root").await;
    set(&client, "connection:openai", VALUE).await;
    set(&client, "image:all", &all_bytes()).await;
    let moved = client.move_key("os", None).await.expect("moved");
    assert_eq!(moved.left_behind, "");
    assert_eq!(session.entries(), 3);
    assert_eq!(get(&client, "connection:openai").await, VALUE);
    assert_eq!(get(&client, "image:all").await, all_bytes());
    let listed = places(&client).await;
    assert!(
        listed
            .iter()
            .all(|(_, place, _)| *place == SecretPlace::Keyring)
    );
    assert_eq!(found(&client).await, ["healthy"]);
    daemon.kill();
    daemon = home.start("root", &[]);
    let client = daemon.client().await;
    assert_eq!(get(&client, "connection:openai").await, VALUE);

    let moved = client.move_key("passphrase", Some(PASSPHRASE)).await;
    assert_eq!(moved.expect("moved").left_behind, "");
    assert_eq!(session.entries(), 0, "all of it moved");
    let listed = places(&client).await;
    assert!(
        listed
            .iter()
            .all(|(_, place, missing)| *place == SecretPlace::Vault && !missing)
    );
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    assert_eq!(get(&client, "connection:openai").await, VALUE);
    assert_eq!(get(&client, "image:all").await, all_bytes());
    assert_eq!(found(&client).await, ["healthy"]);
}
