//! The Stores service, and Import.

use std::{fs, path::Path};

use tokio::sync::mpsc;
use vault_client::{
    AdoptFile, Client, ImportItem, ImportProgress, NewDocument, Rejection, SizeClass, StoreOptions,
};
use vault_proto::v1::{
    AdoptStoreRequest,
    adopt_store_request::{File, Part},
    stores_client::StoresClient,
};

use crate::support::{Daemon, Home, files, reason, soon};

#[tokio::test]
async fn stores_are_created_listed_and_removed() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    assert!(client.stores().await.expect("listed").is_empty());
    let options = StoreOptions {
        plain: true,
        size_class: Some(SizeClass::Auth),
        ..StoreOptions::default()
    };
    let store = client
        .create_store("settings", &options)
        .await
        .expect("created");
    assert_eq!(
        (store.name.as_str(), store.kind, store.plain),
        ("settings", "documents", true)
    );
    assert_eq!(
        (store.max_body_bytes, store.documents, store.revision),
        (64 << 10, 0, 0)
    );
    let again = client.create_store("settings", &options).await;
    assert_eq!(reason(again), "ALREADY_EXISTS");
    client
        .create_store("chat/a", &StoreOptions::default())
        .await
        .expect("created");
    for bad in ["", "..", "a b", "/a", ".hidden"] {
        let refused = client.create_store(bad, &StoreOptions::default()).await;
        assert_eq!(reason(refused), "INVALID_ID", "{bad:?}");
    }
    client
        .put("settings", NewDocument::json("a", r#"{"n":1}"#))
        .await
        .expect("put");
    let over = NewDocument::json("b", vec![b' '; (64 << 10) + 1]);
    assert_eq!(reason(client.put("settings", over).await), "TOO_LARGE");

    let stores = client.stores().await.expect("listed");
    let names: Vec<&str> = stores.iter().map(|store| store.name.as_str()).collect();
    assert_eq!(names, ["chat/a", "settings"]);
    assert_eq!(
        (
            stores[1].documents,
            stores[1].body_bytes,
            stores[1].revision
        ),
        (1, 7, 1)
    );
    assert!(stores.iter().all(|store| store.damaged.is_empty()));
    let plain = fs::read(home.path("root/plain/settings/a.json")).expect("an ordinary file");
    assert_eq!(plain, br#"{"n":1}"#);

    client.remove_store("settings").await.expect("removed");
    assert_eq!(reason(client.remove_store("settings").await), "NOT_FOUND");
    assert_eq!(reason(client.get("settings", "a").await), "NOT_FOUND");
    assert!(!home.path("root/plain/settings/a.json").exists());
    client
        .create_store("settings", &StoreOptions::default())
        .await
        .expect("the name is free");
    assert_eq!(reason(client.get("settings", "a").await), "NOT_FOUND");
}

async fn adopt(client: &Client, files: Vec<(&str, Vec<u8>)>) -> Result<u64, vault_client::Error> {
    let (sender, receiver) = mpsc::channel(1);
    let files: Vec<AdoptFile> = files
        .into_iter()
        .map(|(path, body)| AdoptFile {
            path: path.into(),
            body,
        })
        .collect();
    tokio::spawn(async move {
        for file in files {
            if sender.send(Ok(file)).await.is_err() {
                return;
            }
        }
    });
    soon("an adoption", client.adopt("old/chats", receiver)).await
}

/// A stream may end in the middle, as if all had come.
async fn assert_adopted_only_when_finished(daemon: &Daemon, client: &Client) {
    let file = Part::File(File {
        path: "a.json".into(),
        size: 2,
    });
    let parts = [
        Part::Store("old/chats".into()),
        file,
        Part::Chunk(b"{}".to_vec()),
    ];
    let requests = parts.map(|part| AdoptStoreRequest { part: Some(part) });
    let mut service = StoresClient::new(daemon.channel().await);
    let answer = service.adopt(tokio_stream::iter(requests)).await;
    let answer = answer.map_err(vault_client::Error::from);
    assert_eq!(reason(answer), "INVALID_ARGUMENT");
    let stores = client.stores().await.expect("listed");
    assert!(stores.iter().all(|store| store.documents == 0));
}

fn holds(folder: &Path, text: &str) -> bool {
    let text = text.as_bytes();
    files(folder)
        .iter()
        .any(|(_, content)| content.windows(text.len()).any(|part| part == text))
}

#[tokio::test]
async fn files_are_adopted_as_they_are_and_sealed_by_a_migration() {
    const MARK: &str = "an adopted sentence";
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let body = |number: usize| format!(r#"{{"n":{number},"text":"{MARK}"}}"#).into_bytes();
    let large = format!("\"{}\"", "x".repeat(600 << 10)).into_bytes();

    let bad = vec![("a.json", body(0)), ("b.txt", body(1))];
    assert_eq!(reason(adopt(&client, bad).await), "INVALID_ARGUMENT");
    assert_adopted_only_when_finished(&daemon, &client).await;
    let files = vec![
        ("a.json", body(0)),
        ("sub/b.json", body(1)),
        ("large.json", large.clone()),
    ];
    assert_eq!(adopt(&client, files).await.expect("adopted"), 3);
    let store = &client.stores().await.expect("listed")[0];
    assert_eq!((store.documents, store.awaiting_migration), (3, 3));
    assert!(client.get("old/chats", "a").await.expect("read").body == body(0));
    assert!(client.get("old/chats", "large").await.expect("read").body == large);
    assert!(holds(&daemon.root, MARK), "plaintext until migrated");

    let mut migration = client.migrate("old/chats").await.expect("begun");
    let mut last = None;
    while let Some(report) = soon("a migration", migration.next())
        .await
        .expect("going on")
    {
        assert!(report.failed.is_none(), "{report:?}");
        last = Some(report);
    }
    let last = last.expect("a report");
    assert_eq!((last.done, last.total), (3, 3));
    assert_eq!(
        client.stores().await.expect("listed")[0].awaiting_migration,
        0
    );
    assert!(client.get("old/chats", "sub/b").await.expect("read").body == body(1));
    assert!(!holds(&daemon.root, MARK), "sealed");
    assert_eq!(reason(client.migrate("none").await.map(drop)), "NOT_FOUND");
}

#[tokio::test]
async fn a_planted_file_is_refused_and_named() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    assert_eq!(
        adopt(&client, vec![("a.json", b"{\"n\":1}".to_vec())])
            .await
            .expect("adopted"),
        1
    );
    let adopted = files(&daemon.root)
        .into_iter()
        .find(|(_, content)| content == b"{\"n\":1}");
    let (path, _) = adopted.expect("the adopted file");
    fs::write(path, "{\"n\":2}").expect("changed behind the daemon's back");
    match client.get("old/chats", "a").await {
        Err(vault_client::Error::Refused(refusal)) => {
            assert_eq!(refusal.reason, "PLAINTEXT_REFUSED");
            assert!(
                refusal.metadata["object"].contains('a'),
                "{:?}",
                refusal.metadata
            );
        }
        other => panic!("{:?}", other.map(|document| document.head)),
    }
}

async fn import(client: &Client, items: Vec<(String, Vec<u8>)>) -> ImportProgress {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for (id, body) in items {
            if sender.send(ImportItem { id, body }).await.is_err() {
                return;
            }
        }
    });
    let mut reports = client.import("imported", receiver).await.expect("begun");
    let mut sum = ImportProgress::default();
    while let Some(report) = soon("an import", reports.next()).await.expect("going on") {
        sum.rejected.extend(report.rejected);
        (sum.imported, sum.unchanged) = (report.imported, report.unchanged);
    }
    sum
}

#[tokio::test]
async fn an_import_takes_what_it_can_and_names_the_rest() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let large = format!("\"{}\"", "x".repeat(700 << 10)).into_bytes();
    let items = || {
        let mut items: Vec<(String, Vec<u8>)> = (0..700)
            .map(|n| (format!("good{n}"), format!("{{\"n\":{n}}}").into_bytes()))
            .collect();
        items.insert(3, ("bad\nid".to_owned(), b"{}".to_vec()));
        items.insert(5, ("broken".to_owned(), b"{\"n\":".to_vec()));
        items.insert(600, ("huge".to_owned(), vec![b' '; (16 << 20) + 1]));
        items.push(("large".to_owned(), large.clone()));
        items.push((String::new(), b"{}".to_vec()));
        items
    };
    let done = import(&client, items()).await;
    assert_eq!((done.imported, done.unchanged), (701, 0));
    let mut rejected = done.rejected;
    rejected.sort_by_key(|rejection| rejection.index);
    let named: Vec<(u64, &str)> = rejected
        .iter()
        .map(|rejection| (rejection.index, rejection.id.as_str()))
        .collect();
    assert_eq!(
        named,
        [(3, "bad\nid"), (5, "broken"), (600, "huge"), (704, "")]
    );
    assert!(
        rejected
            .iter()
            .all(|Rejection { message, .. }| !message.is_empty())
    );
    assert!(client.get("imported", "large").await.expect("there").body == large);
    assert_eq!(client.stores().await.expect("listed")[0].documents, 701);

    // Once more changes nothing; a changed item is written, and of one given twice the last stays.
    let again = import(&client, items()).await;
    assert_eq!(
        (again.imported, again.unchanged, again.rejected.len()),
        (0, 701, 4)
    );
    let twice = [("good1", "1"), ("good1", "2"), ("good2", "{\"n\":2}")];
    let twice = twice.map(|(id, body)| (id.to_owned(), body.as_bytes().to_vec()));
    let done = import(&client, twice.to_vec()).await;
    assert_eq!(
        (done.imported, done.unchanged, done.rejected.len()),
        (2, 1, 0)
    );
    assert_eq!(
        client.get("imported", "good1").await.expect("there").body,
        b"2"
    );
}

#[tokio::test]
async fn an_import_of_nothing_but_rubbish_reports_all_of_it() {
    let home = Home::new();
    home.configure("[size_classes]\nchat = 1\n");
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let before = daemon.memory("VmHWM");
    // Ids that are long, bodies over the limit, and too many rejections for one message.
    let long = (0..3000).map(|n| (format!("{n}{}", "x".repeat(10_000)), b"1".to_vec()));
    let large = (0..6000).map(|n| (format!("{n:0>200}"), b"{}".to_vec()));
    let done = import(&client, long.chain(large).collect()).await;
    assert_eq!((done.imported, done.rejected.len()), (0, 9000));
    let rejected = done.rejected;
    assert!(rejected.iter().all(|rejection| rejection.id.len() <= 200));
    let used = daemon.memory("VmHWM").saturating_sub(before);
    println!("{used} KiB for 30 MB of ids");
    assert!(used < 24 << 10, "{used} KiB for 30 MB of ids");
}
