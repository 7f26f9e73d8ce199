//! Key states over the wire, where the key lies in a file under a passphrase or nowhere.

use std::fs;

use vault_client::{Client, KeyState, NewDocument, StoreOptions};

use crate::support::{Daemon, Home, files, reason, soon};

const PASSPHRASE: &[u8] = b"correct horse battery staple";

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

/// Every kind of call that needs an open vault is refused for this reason.
async fn assert_refused(client: &Client, wanted: &str) {
    let put = client.put("notes", NewDocument::json("b", "{}")).await;
    assert_eq!(reason(put), wanted);
    assert_eq!(reason(client.get("notes", "a").await), wanted);
    assert_eq!(
        reason(client.patch("notes", "a", b"{}".to_vec(), None).await),
        wanted
    );
    assert_eq!(reason(client.delete("notes", "a", None).await), wanted);
    assert_eq!(reason(client.batch("notes", Vec::new()).await), wanted);
    assert_eq!(
        reason(client.list("notes", "", false).await.map(drop)),
        wanted
    );
    assert_eq!(reason(client.watch("notes", 0).await.map(drop)), wanted);
    assert_eq!(reason(client.stores().await), wanted);
    assert_eq!(
        reason(client.create_store("new", &StoreOptions::default()).await),
        wanted
    );
    assert_eq!(reason(client.remove_store("notes").await), wanted);
    assert_eq!(reason(client.migrate("notes").await.map(drop)), wanted);
    let (_, files) = tokio::sync::mpsc::channel(1);
    assert_eq!(reason(client.adopt("old", files).await), wanted);
    let (sender, items) = tokio::sync::mpsc::channel(1);
    drop(sender);
    assert_eq!(
        reason(client.import("notes", items).await.map(drop)),
        wanted
    );
}

async fn state_of(daemon: &Daemon) -> KeyState {
    let client = daemon.client().await;
    // Opening the passphrase's file takes about a second.
    let settled = async {
        loop {
            let state = client
                .status()
                .await
                .expect("served in every state")
                .key_state;
            if state != KeyState::Starting {
                return state;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("asking for the key", settled).await
}

#[tokio::test]
async fn without_a_keyring_everything_says_so_and_a_passphrase_helps() {
    let home = Home::new();
    let mut daemon = home.start("root", &[]);
    assert_eq!(state_of(&daemon).await, KeyState::KeyringUnavailable);
    let client = daemon.client().await;
    let status = client.status().await.expect("served");
    assert_eq!(status.remedies.len(), 3, "{:?}", status.remedies);
    for way in ["Secret Service", "init --keyring passphrase", "--ephemeral"] {
        assert!(
            status.remedies.iter().any(|remedy| remedy.contains(way)),
            "{way}"
        );
    }
    assert!(!status.explanation.is_empty());
    assert_refused(&client, "KEYRING_UNAVAILABLE").await;
    assert_eq!(reason(client.init(None, None).await), "KEYRING_UNAVAILABLE");
    assert_refused(&client, "KEYRING_UNAVAILABLE").await;

    let backend = client
        .init(Some("passphrase"), Some(PASSPHRASE))
        .await
        .expect("set up");
    assert_eq!(backend, "passphrase");
    fill(&client).await;
    let again = client.init(Some("passphrase"), Some(PASSPHRASE)).await;
    assert_eq!(reason(again), "ALREADY_EXISTS");

    daemon.kill();
    let daemon = home.start("root", &[]);
    assert_eq!(state_of(&daemon).await, KeyState::KeyringLocked);
    let client = daemon.client().await;
    assert_refused(&client, "KEYRING_LOCKED").await;
    assert_eq!(
        reason(client.unlock(Some(b"a guess")).await),
        "WRONG_PASSPHRASE"
    );
    assert_refused(&client, "KEYRING_LOCKED").await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_eq!(state_of(&daemon).await, KeyState::Open);
    assert_eq!(
        client.get("notes", "a").await.expect("there").body,
        br#"{"n":1}"#
    );
}

#[tokio::test]
async fn lock_means_locked_until_unlock() {
    let home = Home::new();
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    client
        .init(Some("passphrase"), Some(PASSPHRASE))
        .await
        .expect("set up");
    fill(&client).await;
    let mut watch = client.watch("notes", 0).await.expect("a watch");
    assert_eq!(watch.next().await.expect("a change").expect("one").id, "a");

    client.lock().await.expect("locked");
    assert_eq!(
        reason(soon("ending the watch", watch.next()).await),
        "LOCKED"
    );
    assert_eq!(state_of(&daemon).await, KeyState::Locked);
    assert_refused(&client, "LOCKED").await;
    client.lock().await.expect("locked already");
    // A failed try leaves it locked, and locked on purpose: nothing but `unlock` opens it.
    assert_eq!(
        reason(client.unlock(Some(b"a guess")).await),
        "WRONG_PASSPHRASE"
    );
    assert_eq!(state_of(&daemon).await, KeyState::Locked);
    assert_refused(&client, "LOCKED").await;
    assert_eq!(reason(client.unlock(None).await), "KEYRING_LOCKED");
    assert_refused(&client, "LOCKED").await;

    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_eq!(
        client.get("notes", "a").await.expect("there").body,
        br#"{"n":1}"#
    );
    client.unlock(Some(PASSPHRASE)).await.expect("open already");
}

#[tokio::test]
async fn a_passphrase_file_opens_the_vault_at_the_start() {
    let home = Home::new();
    let file = home.path("passphrase");
    fs::write(&file, [PASSPHRASE, b"\n"].concat()).expect("written");
    let arguments = [
        "--keyring",
        "passphrase",
        "--passphrase-file",
        file.to_str().expect("UTF-8"),
    ];
    let mut daemon = home.start("root", &arguments);
    fill(&daemon.client().await).await;
    assert!(daemon.terminate().await.success());

    let mut daemon = home.start("root", &arguments);
    assert_eq!(state_of(&daemon).await, KeyState::Open);
    let client = daemon.client().await;
    client.lock().await.expect("locked");
    assert_refused(&client, "LOCKED").await;
    client.unlock(None).await.expect("unlocked by the file");
    assert_eq!(
        client.get("notes", "a").await.expect("there").body,
        br#"{"n":1}"#
    );
    assert!(daemon.terminate().await.success());

    fs::write(&file, "another").expect("written");
    let mut daemon = home.start("root", &arguments);
    assert_eq!(state_of(&daemon).await, KeyState::KeyringLocked);
    assert_eq!(
        reason(daemon.client().await.unlock(None).await),
        "WRONG_PASSPHRASE"
    );
    assert!(daemon.terminate().await.success());

    fs::remove_file(&file).expect("removed");
    let daemon = home.start("root", &arguments);
    assert_eq!(state_of(&daemon).await, KeyState::KeyringUnavailable);
    let status = daemon.client().await.status().await.expect("served");
    assert!(
        status.explanation.contains("passphrase file"),
        "{}",
        status.explanation
    );
}

#[tokio::test]
async fn a_key_that_is_gone_is_never_replaced() {
    let home = Home::new();
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    client
        .init(Some("passphrase"), Some(PASSPHRASE))
        .await
        .expect("set up");
    fill(&client).await;
    daemon.kill();
    let key = home.path("root/storage-key.age");
    let kept = fs::read(&key).expect("the key file");
    fs::remove_file(&key).expect("removed");
    let before = files(&home.path("root"));

    let mut daemon = home.start("root", &[]);
    assert_eq!(state_of(&daemon).await, KeyState::KeyMissing);
    let client = daemon.client().await;
    assert_refused(&client, "KEY_MISSING").await;
    let init = client.init(Some("passphrase"), Some(PASSPHRASE)).await;
    assert_eq!(reason(init), "ALREADY_EXISTS");
    assert_refused(&client, "KEY_MISSING").await;
    let unlocked = client.unlock(Some(PASSPHRASE)).await;
    assert_eq!(reason(unlocked), "KEY_MISSING");
    assert_refused(&client, "KEY_MISSING").await;
    assert!(daemon.terminate().await.success());
    assert!(
        files(&home.path("root")) == before,
        "nothing was minted and nothing written"
    );

    fs::write(&key, kept).expect("brought back");
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_eq!(
        client.get("notes", "a").await.expect("there").body,
        br#"{"n":1}"#
    );
}

#[tokio::test]
async fn another_vaults_key_is_named_as_wrong() {
    let home = Home::new();
    for root in ["one", "two"] {
        let daemon = home.start(root, &[]);
        let client = daemon.client().await;
        client
            .init(Some("passphrase"), Some(PASSPHRASE))
            .await
            .expect("set up");
        fill(&client).await;
    }
    let foreign = fs::read(home.path("two/storage-key.age")).expect("a key file");
    fs::write(home.path("one/storage-key.age"), foreign).expect("swapped");
    let before = files(&home.path("one"));
    let daemon = home.start("one", &[]);
    let client = daemon.client().await;
    let refusal = reason(client.unlock(Some(PASSPHRASE)).await);
    // The file names its vault, so it may hold no key for this one.
    assert!(
        ["WRONG_KEY", "KEY_MISSING"].contains(&refusal.as_str()),
        "{refusal}"
    );
    assert_refused(&client, &refusal).await;
    assert!(
        files(&home.path("one")) == before,
        "nothing was minted and nothing written"
    );
}

#[tokio::test]
async fn a_configured_backend_that_is_not_the_vaults_is_named() {
    let home = Home::new();
    let mut daemon = home.start("root", &[]);
    daemon
        .client()
        .await
        .init(Some("passphrase"), Some(PASSPHRASE))
        .await
        .expect("set up");
    assert!(daemon.terminate().await.success());
    let before = files(&home.path("root"));
    for arguments in [&["--keyring", "os"][..], &["--ephemeral"]] {
        let mut daemon = home.start("root", arguments);
        assert_eq!(state_of(&daemon).await, KeyState::KeyringUnavailable);
        let client = daemon.client().await;
        let status = client.status().await.expect("served");
        assert!(
            status.explanation.contains("`passphrase`"),
            "{}",
            status.explanation
        );
        assert_refused(&client, "KEYRING_UNAVAILABLE").await;
        assert!(daemon.terminate().await.success());
    }
    assert!(
        files(&home.path("root")) == before,
        "nothing was minted and nothing written"
    );
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_ends_the_start() {
    let home = Home::new();
    home.configure("kering = \"os\"\n");
    let (code, said) = home.refused("root", &[]);
    assert_eq!(code, Some(78));
    assert!(said.contains("kering"), "{said}");
    let home = Home::new().with("VAULTD_KEYRING", "memory");
    let (code, said) = home.refused("root", &[]);
    assert_eq!(code, Some(78));
    assert!(said.contains("--ephemeral"), "{said}");
    assert!(!home.path("root").exists(), "nothing was created");
}
