//! A legacy root moved in: whole, or object by object; once, and leaving it as it was.

use std::fs;

use vault_client::{
    Client, Error, KeyState, MoveInConflicts, MoveInEvent, MoveInStep, NewDocument, NewSecret,
    Secret, StoreOptions,
};

use super::scenarios::{move_in, tree};
use crate::support::{
    Home,
    keyring::Session,
    reason, soon,
    vault::{PASSPHRASE, STORE, assert_filled, fill, finding, found, of_every_kind, settled},
};

const LEGACY: &str = "home/.vaultd";
const DOCUMENTS: usize = 12;

/// A legacy root under [`PASSPHRASE`] with something of every kind in it, which nobody serves any more.
/// Returns its vault's id.
async fn filled_legacy(home: &Home) -> String {
    let (mut daemon, client) = home.new_light(LEGACY).await;
    fill(&client, DOCUMENTS).await;
    of_every_kind(&client).await;
    let id = client.status().await.expect("served").vault_id;
    assert!(daemon.terminate().await.success());
    id
}

async fn assert_arrived(client: &Client) {
    assert_filled(client, DOCUMENTS).await;
    let secret = client.secret("kinds:secret").await.expect("read");
    assert_eq!(secret.value.expose(), b"a value");
    assert_eq!(
        client.get("kinds/plain", "a").await.expect("read").body,
        b"{}"
    );
    let tables = client
        .database_stats("kinds/database")
        .await
        .expect("open")
        .tables;
    assert!(tables.iter().any(|table| table.name == "note"));
}

/// What is refused, once the stream has begun.
async fn refused(client: &Client, conflicts: MoveInConflicts, passphrase: Option<&[u8]>) -> String {
    let mut stream = client.move_in(conflicts, passphrase).await.expect("begun");
    loop {
        match soon("an answer", stream.next()).await {
            Ok(Some(MoveInEvent::Progress(..))) => {}
            other => return reason(other),
        }
    }
}

#[tokio::test]
async fn an_empty_root_takes_the_whole_tree() {
    let home = Home::new();
    let id = filled_legacy(&home).await;
    let before = tree(&home.path(LEGACY));
    // A first use would make a vault of its own: the doctor comes before.
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    settled(&client).await;
    finding(&client, "legacy_root_found").await;
    let moved = move_in(&client, MoveInConflicts::Refuse).await;
    assert!(moved.whole && moved.files > 10, "{moved:?}");
    assert_eq!(
        (moved.source, moved.vault_id.as_str()),
        (home.path(LEGACY), id.as_str())
    );
    let status = client.status().await.expect("served");
    assert_eq!((status.key_state, status.vault_id), (KeyState::Open, id));
    assert!(status.storage_locations.merge_marker);
    assert_arrived(&client).await;
    assert_eq!(found(&client).await, ["healthy", "legacy_root_moved_in"]);
    assert_eq!(tree(&home.path(LEGACY)), before, "it was touched");
    let root = home.path("root");
    assert!(!root.join("moving-in").exists() && !root.join("moving-in.json").exists());
    let again = refused(&client, MoveInConflicts::Replace, Some(PASSPHRASE)).await;
    assert_eq!(again, "ALREADY_EXISTS");

    // What becomes of it afterwards is nobody's business.
    daemon.kill();
    fs::write(home.path(LEGACY).join("vault.json"), b"{}").expect("damaged");
    let (_daemon, client) = home.unlocked("root").await;
    assert_arrived(&client).await;
    fs::remove_dir_all(home.path(LEGACY)).expect("removed");
    assert_eq!(found(&client).await, ["healthy"]);
}

#[tokio::test]
async fn a_vault_in_use_takes_the_objects() {
    let home = Home::new();
    let legacy = filled_legacy(&home).await;
    let before = tree(&home.path(LEGACY));
    let (mut daemon, client) = home.new_light("root").await;
    let own = client.status().await.expect("served").vault_id;
    client
        .create_store("own", &StoreOptions::default())
        .await
        .expect("created");
    client
        .put("own", NewDocument::json("a", "1"))
        .await
        .expect("put");
    for (passphrase, refusal) in [
        (None, "UNFIT_SECRET"),
        (Some(&b"quite another passphrase"[..]), "WRONG_PASSPHRASE"),
    ] {
        let told = refused(&client, MoveInConflicts::Refuse, passphrase).await;
        assert_eq!(told, refusal);
        assert!(
            !home.path("root/moving-in").exists(),
            "nothing is left of it"
        );
    }
    let moved = move_in(&client, MoveInConflicts::Refuse).await;
    assert!(!moved.whole);
    assert_eq!(
        (moved.vault_id, moved.unchanged, moved.kept),
        (legacy, 0, 0)
    );
    let all = DOCUMENTS as u64 + 4;
    assert_eq!(moved.objects, all, "and one of each other kind");
    assert_arrived(&client).await;
    assert_eq!(client.get("own", "a").await.expect("read").body, b"1");
    assert_eq!(client.status().await.expect("served").vault_id, own);
    assert_eq!(found(&client).await, ["healthy", "legacy_root_moved_in"]);
    assert_eq!(tree(&home.path(LEGACY)), before, "it was touched");
    assert!(!home.path("root/moving-in").exists());
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    assert_arrived(&client).await;
}

#[tokio::test]
async fn what_both_have_is_kept_or_replaced_as_somebody_says() {
    for (conflicts, body, kept) in [
        (MoveInConflicts::Keep, &b"\"present\""[..], 1),
        (MoveInConflicts::Replace, b"\"legacy\"", 0),
    ] {
        let home = Home::new();
        for (root, body) in [(LEGACY, "\"legacy\""), ("root", "\"present\"")] {
            let (mut daemon, client) = home.new_light(root).await;
            fill(&client, 2).await;
            client
                .put(STORE, NewDocument::json("both", body))
                .await
                .expect("put");
            assert!(daemon.terminate().await.success());
        }
        let (_daemon, client) = home.unlocked("root").await;
        let refusal = refused(&client, MoveInConflicts::Refuse, Some(PASSPHRASE)).await;
        assert_eq!(refusal, "REVISION_CONFLICT");
        let present = client.get(STORE, "both").await.expect("read").body;
        assert_eq!(present, b"\"present\"", "nothing was written");
        let moved = move_in(&client, conflicts).await;
        // The documents of `fill` differ in their times.
        assert_eq!(moved.kept, kept * 3);
        assert_eq!(client.get(STORE, "both").await.expect("read").body, body);
    }
}

#[tokio::test]
async fn a_legacy_root_that_is_served_is_left_alone() {
    let home = Home::new();
    let (mut legacy, _client) = home.new_light(LEGACY).await;
    let (_daemon, client) = home.new_light("root").await;
    let refusal = refused(&client, MoveInConflicts::Refuse, Some(PASSPHRASE)).await;
    assert_eq!(refusal, "IN_USE");
    legacy.kill();
    move_in(&client, MoveInConflicts::Refuse).await;

    let home = Home::new();
    let (_daemon, client) = home.new_light("root").await;
    let refusal = refused(&client, MoveInConflicts::Refuse, None).await;
    assert_eq!(refusal, "NOT_FOUND");
}

/// Values of secrets that lie in the keyring get entries of the present vault.
#[tokio::test]
async fn secrets_in_the_keyring_come_along() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut legacy = home.start(LEGACY, &[]);
    let secret = NewSecret {
        name: "connection:openai",
        value: Secret::new(b"sk-live".to_vec()),
        label: None,
        create: false,
    };
    legacy.client().await.set_secret(secret).await.expect("set");
    assert!(legacy.terminate().await.success());
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 1).await;
    let mut stream = client
        .move_in(MoveInConflicts::Refuse, None)
        .await
        .expect("begun");
    let mut steps = Vec::new();
    let moved = loop {
        match soon("a report", stream.next()).await {
            Ok(Some(MoveInEvent::Progress(step, ..))) => steps.push(step),
            Ok(Some(MoveInEvent::Done(moved))) => break moved,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((moved.whole, moved.objects), (false, 1));
    assert_eq!(steps.first(), Some(&MoveInStep::Copying));
    let read = client.secret("connection:openai").await.expect("read");
    assert_eq!(read.value.expose(), b"sk-live");
    assert_eq!(session.entries(), 4, "two keys, two values");
    assert_eq!(found(&client).await, ["healthy", "legacy_root_moved_in"]);
}

/// A daemon that is killed while a legacy root takes its place completes that when it starts.
#[tokio::test]
async fn a_start_completes_what_was_decided() {
    let home = Home::new();
    let id = filled_legacy(&home).await;
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    move_in(&client, MoveInConflicts::Refuse).await;
    daemon.kill();
    // As it was a moment before the end: the last files have no name yet, and the record is there.
    let root = home.path("root");
    let marker = fs::read_to_string(root.join("moved-in.json")).expect("a marker");
    let marker: serde_json::Value = serde_json::from_str(&marker).expect("JSON");
    let mut record = marker["moved"][0].clone();
    record["format"] = 1.into();
    fs::write(root.join("moving-in.json"), record.to_string()).expect("written");
    fs::remove_file(root.join("moved-in.json")).expect("removed");
    crate::support::private(&root.join("moving-in"));
    for name in ["vault.json", "keys.b", "storage-key.age"] {
        fs::rename(root.join(name), root.join("moving-in").join(name)).expect("renamed");
    }
    let (_daemon, client) = home.unlocked("root").await;
    let status = client.status().await.expect("served");
    assert_eq!(status.vault_id, id);
    assert!(status.storage_locations.merge_marker);
    assert_arrived(&client).await;
    assert!(!root.join("moving-in").exists() && !root.join("moving-in.json").exists());
    let gone = refused(&client, MoveInConflicts::Refuse, None).await;
    assert_eq!(gone, "ALREADY_EXISTS");
}

#[tokio::test]
async fn a_stream_that_is_dropped_leaves_nothing_behind() {
    let home = Home::new();
    let id = filled_legacy(&home).await;
    let (_daemon, client) = home.new_light("root").await;
    drop(
        client
            .move_in(MoveInConflicts::Refuse, Some(PASSPHRASE))
            .await
            .expect("begun"),
    );
    // Whether it was stopped or had come to its end: another call does the rest, or has none to do.
    crate::support::until("it ended", async || {
        let stream = client
            .move_in(MoveInConflicts::Refuse, Some(PASSPHRASE))
            .await;
        let mut stream = stream.expect("begun");
        loop {
            match stream.next().await {
                Ok(Some(MoveInEvent::Progress(..))) => {}
                Ok(Some(MoveInEvent::Done(moved))) => return moved.vault_id == id,
                Ok(None) => return false,
                Err(Error::Refused(refusal)) => return refusal.reason == "ALREADY_EXISTS",
                Err(other) => panic!("{other:?}"),
            }
        }
    })
    .await;
    assert_arrived(&client).await;
}
