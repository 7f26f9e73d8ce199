//! Attachments of documents, as clients see them.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::mpsc;
use vault_client::{
    AttachmentContent, AttachmentPolicy, BlobCollectionProgress, Change, Client, Error, ImportItem,
    NewDocument, Precondition, StoreOptions, Write, attachments,
};

use crate::support::{Home, reason};

const STORE: &str = "chat/conversations";

/// A body with one image of this size in it, of bytes like no other's, in base64.
pub(crate) fn with_image(seed: u8, size: usize) -> Vec<u8> {
    let data = base64(seed, size);
    format!(r#"{{"n":1.50,"attachments":[{{"kind":"image","data":"{data}"}}]}}"#).into_bytes()
}

/// Base64 of `size` bytes, a multiple of three: any four of its letters are three bytes.
fn base64(seed: u8, size: usize) -> String {
    assert_eq!(size % 3, 0);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |at: usize| letters[(at * 7 + at / 64 + usize::from(seed)) % 64];
    (0..size / 3 * 4).map(|at| char::from(letter(at))).collect()
}

async fn refs(client: &Client, id: &str) -> Vec<String> {
    let document = client.get(STORE, id).await.expect("there");
    let found = attachments(&document.body).expect("found");
    let refs = found.into_iter().map(|one| match one.content {
        AttachmentContent::Blob(reference) => reference,
        AttachmentContent::Inline(_) => panic!("{id} holds its content"),
    });
    let refs: Vec<String> = refs.collect();
    assert_eq!(document.head.blobs, refs, "{id}");
    refs
}

async fn world(home: &Home) -> (crate::support::Daemon, Client) {
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let options = StoreOptions::default();
    client.create_store(STORE, &options).await.expect("created");
    (daemon, client)
}

async fn collect(client: &Client, dry_run: bool, grace: Duration) -> Vec<BlobCollectionProgress> {
    let begun = client.collect_blobs("", dry_run, Some(grace)).await;
    let mut collection = begun.expect("begun");
    let mut reports = Vec::new();
    while let Some(report) = collection.next().await.expect("going on") {
        reports.push(report);
    }
    reports
}

#[tokio::test]
async fn every_call_that_writes_spills() {
    let home = Home::new();
    let (_daemon, client) = world(&home).await;
    let size = 18 << 10;
    // Put, and Upload for what is too large for one message.
    for (id, size) in [("put", size), ("upload", 3 << 20)] {
        let body = with_image(1, size);
        let head = client.put(STORE, NewDocument::json(id, body)).await;
        assert!(head.expect("put").body_bytes < 200);
        assert_eq!(refs(&client, id).await.len(), 1);
    }
    let writes = [2, 3].map(|seed| Write {
        id: format!("batch{seed}"),
        change: Change::PutJson(with_image(seed, size)),
        precondition: Precondition::None,
    });
    client.batch(STORE, writes.to_vec()).await.expect("written");
    client
        .put(STORE, NewDocument::json("patch", "{}"))
        .await
        .expect("put");
    let patch = client
        .patch(STORE, "patch", with_image(4, size), None)
        .await;
    patch.expect("patched");
    for imported in [true, false] {
        let (sender, receiver) = mpsc::channel(2);
        for (id, body) in [("good", with_image(2, size)), ("bad", missing())] {
            let id = id.to_owned();
            sender.send(ImportItem { id, body }).await.expect("taken");
        }
        drop(sender);
        let mut import = client.import(STORE, receiver).await.expect("begun");
        let (mut rejected, mut last) = (Vec::new(), None);
        while let Some(report) = import.next().await.expect("going on") {
            rejected.extend(report.rejected.clone());
            last = Some((report.imported, report.unchanged));
        }
        let wanted = (u64::from(imported), u64::from(!imported));
        assert_eq!(last, Some(wanted), "repeated, nothing changes");
        assert_eq!(rejected.len(), 1);
        assert_eq!(rejected[0].id, "bad");
    }
    let mut seen = BTreeMap::new();
    for id in ["put", "batch2", "batch3", "patch", "good"] {
        let reference = refs(&client, id).await.remove(0);
        let blob = client.stat_blob("", &reference).await.expect("stored");
        assert_eq!(blob.size, size as u64);
        seen.entry(reference).or_insert(Vec::new()).push(id);
    }
    assert_eq!(seen.len(), 4, "what is equal is stored once: {seen:?}");
}

fn missing() -> Vec<u8> {
    format!(r#"{{"attachments":[{{"ref":"{}"}}]}}"#, "0".repeat(64)).into_bytes()
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let home = Home::new();
    let (_daemon, client) = world(&home).await;
    match client.put(STORE, NewDocument::json("a", missing())).await {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.reason, "BLOB_MISSING");
            assert_eq!(refusal.metadata.get("ref"), Some(&"0".repeat(64)));
        }
        other => panic!("{other:?}"),
    }
    let body = with_image(1, 18 << 10);
    client
        .put(STORE, NewDocument::json("a", body))
        .await
        .expect("put");
    let reference = refs(&client, "a").await.remove(0);
    match client.delete_blob("", &reference).await {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.reason, "IN_USE");
            let by = refusal.metadata.get("by").expect("said");
            assert_eq!(by, &format!("document `a` in store `{STORE}`"));
        }
        other => panic!("{other:?}"),
    }
    client.delete(STORE, "a", None).await.expect("deleted");
    client.delete_blob("", &reference).await.expect("deleted");
    assert_eq!(
        reason(client.delete_blob("", &reference).await),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn what_is_declared_of_a_store_is_in_force() {
    let home = Home::new();
    let (_daemon, client) = world(&home).await;
    let listed = client.stores().await.expect("listed").remove(0);
    let default = AttachmentPolicy {
        blobs: "blobs".to_owned(),
        image_bytes: Some(16 << 10),
        document_bytes: Some(16 << 10),
        video_bytes: Some(64 << 10),
        audio_bytes: Some(256 << 10),
    };
    assert_eq!(listed.attachments, Some(default.clone()));
    let policy = AttachmentPolicy {
        blobs: "chat/images".to_owned(),
        image_bytes: Some(1 << 20),
        ..AttachmentPolicy::default()
    };
    let configured = client
        .configure_store(STORE, policy)
        .await
        .expect("configured");
    let wanted = AttachmentPolicy {
        blobs: "chat/images".to_owned(),
        image_bytes: Some(1 << 20),
        ..default
    };
    assert_eq!(configured.attachments, Some(wanted));
    let body = with_image(1, 18 << 10);
    client
        .put(STORE, NewDocument::json("a", body.clone()))
        .await
        .expect("put");
    assert_eq!(client.get(STORE, "a").await.expect("there").body, body);
    let large = with_image(1, 3 << 19);
    client
        .put(STORE, NewDocument::json("a", large))
        .await
        .expect("put");
    let reference = refs(&client, "a").await.remove(0);
    client
        .stat_blob("chat/images", &reference)
        .await
        .expect("stored there");
    let low = AttachmentPolicy {
        audio_bytes: Some(1),
        ..AttachmentPolicy::default()
    };
    assert_eq!(
        reason(client.configure_store(STORE, low).await),
        "INVALID_ARGUMENT"
    );
    let images = client.configure_store("chat/images", AttachmentPolicy::default());
    assert_eq!(reason(images.await), "INVALID_ARGUMENT");
}

#[tokio::test]
async fn collecting_tells_what_it_removes() {
    let home = Home::new();
    let (_daemon, client) = world(&home).await;
    let body = with_image(1, 18 << 10);
    client
        .put(STORE, NewDocument::json("a", body))
        .await
        .expect("put");
    for number in 0..600_u32 {
        let content = number.to_le_bytes().to_vec();
        client
            .put_blob("", "text/plain", content)
            .await
            .expect("put");
    }
    let last = |reports: &[BlobCollectionProgress]| {
        let garbage: usize = reports.iter().map(|report| report.garbage.len()).sum();
        let last = reports.last().expect("a last one");
        assert_eq!(garbage as u64, last.removed, "each is told once");
        (
            last.examined,
            last.named,
            last.waiting,
            last.removed,
            last.removed_bytes,
        )
    };
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(
        last(&collect(&client, false, day).await),
        (601, 1, 600, 0, 0)
    );
    let dry = collect(&client, true, Duration::ZERO).await;
    assert_eq!(last(&dry), (601, 1, 0, 600, 2400));
    let done = collect(&client, false, Duration::ZERO).await;
    assert_eq!(last(&done), (601, 1, 0, 600, 2400));
    assert_eq!(
        last(&collect(&client, false, Duration::ZERO).await),
        (1, 1, 0, 0, 0)
    );
    let unknown = client
        .collect_blobs("no/such", false, None)
        .await
        .expect("begun");
    let mut unknown = unknown;
    assert_eq!(reason(unknown.next().await), "NOT_FOUND");
}
