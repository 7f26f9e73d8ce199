//! The Documents service.

use std::collections::BTreeMap;

use vault_client::{
    Change, Client, Error, Head, Heads, Listed, NewDocument, Precondition, StoreOptions, Write,
};

use crate::support::{Daemon, Home, reason, soon};

const STORE: &str = "chat/conversations";

struct Served {
    _home: Home,
    daemon: Daemon,
    client: Client,
}

async fn serve() -> Served {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    client
        .create_store(STORE, &StoreOptions::default())
        .await
        .expect("created");
    Served {
        _home: home,
        daemon,
        client,
    }
}

async fn collect(mut heads: Heads) -> Vec<(Head, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    while let Some(listed) = soon("a listing", heads.next()).await.expect("listed") {
        match listed {
            Listed::Document(head, body) => all.push((head, body)),
            Listed::Damaged(text) => panic!("{text}"),
        }
    }
    all
}

fn conditional(id: &str, precondition: Precondition) -> NewDocument {
    NewDocument {
        precondition,
        ..NewDocument::json(id, r#"{"n":2}"#)
    }
}

/// The metadata of a refusal, whose reason is as expected.
#[track_caller]
fn metadata<T>(
    answer: Result<T, Error>,
    reason: &str,
) -> std::collections::HashMap<String, String> {
    match answer {
        Err(Error::Refused(refusal)) if refusal.reason == reason => refusal.metadata,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn documents_are_put_read_changed_and_deleted() {
    let Served { client, .. } = &serve().await;
    let labels = BTreeMap::from([("topic".to_owned(), "tea".to_owned())]);
    let first = NewDocument {
        labels: labels.clone(),
        ..NewDocument::json("a", r#"{"n":1,"m":2}"#)
    };
    let head = client.put(STORE, first).await.expect("put");
    assert_eq!(
        (head.id.as_str(), head.revision, head.body_bytes),
        ("a", 1, 13)
    );
    assert_eq!(
        (head.content_type.as_str(), &head.labels),
        ("application/json", &labels)
    );
    assert!(head.stored_bytes > head.body_bytes && head.created_ms > 0 && !head.deleted);
    let read = client.get(STORE, "a").await.expect("read");
    assert_eq!(
        (&read.head, read.body.as_slice()),
        (&head, &br#"{"n":1,"m":2}"#[..])
    );

    let patched = client
        .patch(STORE, "a", br#"{"m":null,"k":[1]}"#.to_vec(), Some(1))
        .await;
    let patched = patched.expect("patched");
    assert_eq!((patched.revision, patched.created_ms), (2, head.created_ms));
    assert_eq!(patched.labels, labels, "a patch keeps them");
    let body = client.get(STORE, "a").await.expect("read").body;
    let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(value, serde_json::json!({"n": 1, "k": [1]}));

    let text = NewDocument {
        content_type: "text/plain".into(),
        ..NewDocument::json("b", "{no JSON")
    };
    client
        .put(STORE, text)
        .await
        .expect("any bytes of another type");
    assert_eq!(
        client.delete(STORE, "a", Some(2)).await.expect("deleted"),
        4
    );
    assert_eq!(
        metadata(client.get(STORE, "a").await, "NOT_FOUND")["id"],
        "a"
    );
    assert_eq!(
        client
            .put(STORE, NewDocument::json("a", "{}"))
            .await
            .expect("again")
            .revision,
        5
    );
}

#[tokio::test]
async fn preconditions_hold_or_the_write_does_not_happen() {
    let Served { client, .. } = &serve().await;
    let put = async |precondition| client.put(STORE, conditional("a", precondition)).await;
    assert_eq!(
        metadata(put(Precondition::Present).await, "REVISION_CONFLICT")["current"],
        "0"
    );
    assert_eq!(
        metadata(put(Precondition::Revision(1)).await, "REVISION_CONFLICT")["current"],
        "0"
    );
    put(Precondition::Absent).await.expect("created");
    assert_eq!(
        metadata(put(Precondition::Absent).await, "REVISION_CONFLICT")["current"],
        "1"
    );
    put(Precondition::Present).await.expect("replaced");
    assert_eq!(
        metadata(put(Precondition::Revision(1)).await, "REVISION_CONFLICT")["current"],
        "2"
    );
    put(Precondition::Revision(2)).await.expect("replaced");
    let stale = client.delete(STORE, "a", Some(2)).await;
    assert_eq!(metadata(stale, "REVISION_CONFLICT")["current"], "3");
    let stale = client.patch(STORE, "a", b"{}".to_vec(), Some(1)).await;
    assert_eq!(metadata(stale, "REVISION_CONFLICT")["id"], "a");
}

#[tokio::test]
async fn what_is_not_acceptable_is_named() {
    let Served { client, .. } = &serve().await;
    for id in ["", "a\nb", &"x".repeat(201)] {
        let put = client.put(STORE, NewDocument::json(id, "{}")).await;
        assert_eq!(reason(put), "INVALID_ID");
        assert_eq!(reason(client.get(STORE, id).await), "INVALID_ID");
    }
    assert_eq!(reason(client.get("../up", "a").await), "INVALID_ID");
    assert_eq!(
        metadata(client.get("none", "a").await, "NOT_FOUND")["store"],
        "none"
    );
    for body in ["", "{", r#"{"a":1}x"#, "\u{feff}{}"] {
        let put = client.put(STORE, NewDocument::json("a", body)).await;
        assert_eq!(reason(put), "INVALID_ARGUMENT", "{body:?}");
    }
    client
        .put(STORE, NewDocument::json("a", "[1]"))
        .await
        .expect("put");
    assert_eq!(
        reason(client.patch(STORE, "a", b"{".to_vec(), None).await),
        "INVALID_ARGUMENT"
    );
    assert_eq!(
        reason(client.patch(STORE, "none", b"{}".to_vec(), None).await),
        "NOT_FOUND"
    );
    assert_eq!(
        reason(client.delete(STORE, "none", None).await),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn a_batch_is_made_whole_or_not_at_all() {
    let Served { client, .. } = &serve().await;
    client
        .put(STORE, NewDocument::json("old", "{}"))
        .await
        .expect("put");
    let write = |id: &str, change, precondition| Write {
        id: id.into(),
        change,
        precondition,
    };
    let put = || Change::PutJson(b"{}".to_vec());
    let good = vec![
        write("a", put(), Precondition::Absent),
        write("b", put(), Precondition::None),
        write("old", Change::Delete, Precondition::Revision(1)),
    ];
    let mut bad = good.clone();
    bad.push(write("c", put(), Precondition::Present));
    assert_eq!(
        metadata(client.batch(STORE, bad).await, "REVISION_CONFLICT")["id"],
        "c"
    );
    let listed = collect(client.list(STORE, "", false).await.expect("listed")).await;
    assert_eq!(
        listed
            .iter()
            .map(|(head, _)| head.id.as_str())
            .collect::<Vec<_>>(),
        ["old"]
    );

    assert_eq!(client.batch(STORE, good).await.expect("made"), [2, 3, 4]);
    let listed = collect(client.list(STORE, "", false).await.expect("listed")).await;
    assert_eq!(
        listed
            .iter()
            .map(|(head, _)| head.id.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(reason(client.get(STORE, "old").await), "NOT_FOUND");
}

#[tokio::test]
async fn five_megabytes_go_up_and_come_down() {
    let Served { client, .. } = &serve().await;
    let body = format!("\"{}\"", "tea ".repeat(5 << 18)).into_bytes();
    assert!(body.len() > 5 << 20);
    let head = client
        .put(STORE, NewDocument::json("big", body.clone()))
        .await
        .expect("uploaded");
    assert_eq!(head.body_bytes, body.len() as u64);
    let read = client.get(STORE, "big").await.expect("downloaded");
    assert_eq!(read.head, head);
    assert!(read.body == body);
    let stale = NewDocument {
        precondition: Precondition::Absent,
        ..NewDocument::json("big", body)
    };
    assert_eq!(reason(client.put(STORE, stale).await), "REVISION_CONFLICT");
    let limit =
        usize::try_from(client.stores().await.expect("listed")[0].max_body_bytes).expect("fits");
    let over = NewDocument::json("over", vec![b' '; limit + 1]);
    assert_eq!(reason(client.put(STORE, over).await), "TOO_LARGE");
}

#[tokio::test]
async fn a_listing_is_ordered_filtered_and_as_large_as_it_needs_to_be() {
    let Served { client, .. } = &serve().await;
    // Heads alone are over any message's limit; pages count their bytes.
    let labels = BTreeMap::from([("long".to_owned(), "x".repeat(60 << 10))]);
    for number in 0..40 {
        let labels = labels.clone();
        let document = NewDocument {
            labels,
            ..NewDocument::json(format!("a{number:02}"), "{}")
        };
        client.put(STORE, document).await.expect("put");
    }
    let large = format!("\"{}\"", "x".repeat(300 << 10)).into_bytes();
    client
        .put(STORE, NewDocument::json("b-large", large.clone()))
        .await
        .expect("put");
    client
        .put(STORE, NewDocument::json("b-small", "{}"))
        .await
        .expect("put");

    let all = collect(client.list(STORE, "", false).await.expect("listed")).await;
    let ids: Vec<&str> = all.iter().map(|(head, _)| head.id.as_str()).collect();
    assert_eq!(ids.len(), 42);
    assert!(ids.is_sorted());
    assert!(all.iter().all(|(_, body)| body.is_none()));

    let bodies = collect(client.list(STORE, "b-", true).await.expect("listed")).await;
    let [(_, Some(first)), (_, Some(second))] = &bodies[..] else {
        panic!("two with bodies")
    };
    assert!(
        *first == large,
        "what is left out of a page is fetched by itself"
    );
    assert_eq!(second, b"{}");
    assert!(
        collect(client.list(STORE, "zzz", true).await.expect("listed"))
            .await
            .is_empty()
    );

    // A watch sends the same heads, and as many.
    let mut watch = client.watch(STORE, 0).await.expect("a watch");
    for number in 1..=42 {
        let change = soon("a change", watch.next())
            .await
            .expect("served")
            .expect("one");
        assert_eq!(change.revision, number);
    }
}

#[tokio::test]
async fn a_lock_ends_a_listing_and_blames_no_document() {
    let Served { client, .. } = &serve().await;
    let body = format!("\"{}\"", "x".repeat(200 << 10)).into_bytes();
    for number in 0..60 {
        client
            .put(STORE, NewDocument::json(format!("{number}"), body.clone()))
            .await
            .expect("put");
    }
    let mut heads = client.list(STORE, "", true).await.expect("listed");
    heads.next().await.expect("listed").expect("one");
    client.lock().await.expect("locked");
    let ended = async {
        loop {
            match heads.next().await {
                Ok(Some(Listed::Document(..))) => {}
                Ok(Some(Listed::Damaged(text))) => panic!("blamed: {text}"),
                other => return other.map(drop),
            }
        }
    };
    assert_eq!(reason(soon("the end", ended).await), "LOCKED");
}

#[tokio::test]
async fn watches_see_every_change_once_and_go_on_where_they_broke_off() {
    let Served { daemon, client, .. } = &serve().await;
    for id in ["a", "b", "a"] {
        client
            .put(STORE, NewDocument::json(id, "{}"))
            .await
            .expect("put");
    }
    let other = daemon.client().await;
    let mut from_start = other.watch(STORE, 0).await.expect("a watch");
    let mut from_two = client.watch(STORE, 2).await.expect("a watch");
    // A document that changed twice is sent once, as it is now.
    let mut seen = Vec::new();
    for _ in 0..2 {
        let head = soon("a change", from_start.next())
            .await
            .expect("served")
            .expect("one");
        seen.push((head.id, head.revision));
    }
    assert_eq!(seen, [("b".to_owned(), 2), ("a".to_owned(), 3)]);
    let head = soon("a change", from_two.next())
        .await
        .expect("served")
        .expect("one");
    assert_eq!((head.id.as_str(), head.revision), ("a", 3));

    client
        .put(STORE, NewDocument::json("c", "{}"))
        .await
        .expect("put");
    client.delete(STORE, "b", None).await.expect("deleted");
    for watch in [&mut from_start, &mut from_two] {
        let head = soon("a change", watch.next())
            .await
            .expect("served")
            .expect("one");
        assert_eq!(
            (head.id.as_str(), head.revision, head.deleted),
            ("c", 4, false)
        );
        let head = soon("a change", watch.next())
            .await
            .expect("served")
            .expect("one");
        assert_eq!(
            (head.id.as_str(), head.revision, head.deleted),
            ("b", 5, true)
        );
    }
    // A store that goes takes its watches along.
    client.remove_store(STORE).await.expect("removed");
    assert_eq!(
        reason(soon("the end", from_start.next()).await),
        "NOT_FOUND"
    );
    assert_eq!(reason(client.watch(STORE, 0).await.map(drop)), "NOT_FOUND");
}
