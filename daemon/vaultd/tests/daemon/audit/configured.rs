//! What is recorded besides, where the configuration says so.

use vault_client::{AuditOutcome, Client, NewDocument, StoreOptions};

use super::{events, found, search};
use crate::support::{Daemon, Home};

async fn work(home: &Home) -> (Daemon, Client) {
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let options = StoreOptions::default();
    client
        .create_store("notes", &options)
        .await
        .expect("created");
    let note = NewDocument::json("first", r#"{"text":"hello"}"#);
    client.put("notes", note).await.expect("put");
    client.get("notes", "first").await.expect("read");
    // What is recorded of the next call is written with what came before.
    super::set(&client, "a:last").await;
    events(&client, "Secrets/Set", 2).await;
    (daemon, client)
}

#[tokio::test]
async fn by_default_neither_writes_nor_reads_of_documents_are() {
    let home = Home::new();
    let (_daemon, client) = work(&home).await;
    assert!(found(&client, search("Documents/")).await.is_empty());
    let created = events(&client, "Stores/Create", 2).await;
    assert_eq!(created[0].store, "notes");
}

#[tokio::test]
async fn writes_are_with_the_name_of_the_document() {
    let home = Home::new();
    home.configure("[audit]\ncalls = \"writes\"");
    let (_daemon, client) = work(&home).await;
    let written = events(&client, "Documents/", 1).await;
    assert_eq!(written.len(), 1, "{written:?}");
    let (store, object) = (&written[0].store, &written[0].object);
    assert_eq!((store.as_str(), object.as_str()), ("notes", "first"));
}

#[tokio::test]
async fn all_is_all_but_what_says_nothing_of_anybody() {
    let home = Home::new();
    home.configure("[audit]\ncalls = \"all\"");
    let (_daemon, client) = work(&home).await;
    let read = events(&client, "Documents/Get", 1).await;
    assert_eq!(read[0].object, "first");
    assert!(!events(&client, "Vault/Status", 1).await.is_empty());
    assert!(found(&client, search("Health")).await.is_empty());
    let status = client.audit_status().await.expect("served");
    assert_eq!((status.calls, status.policy), ("all", "best-effort"));
}

#[tokio::test]
async fn a_call_that_is_given_up_is_recorded_as_that() {
    let home = Home::new();
    home.configure("[audit]\ncalls = \"all\"");
    let (_daemon, client) = work(&home).await;
    let watch = client.watch("notes", 0).await.expect("begun");
    drop(watch);
    let given_up = events(&client, "Documents/Watch", 1).await;
    assert_eq!(given_up[0].outcome, Some(AuditOutcome::Cancelled));
    assert_eq!(given_up[0].store, "notes");
}
