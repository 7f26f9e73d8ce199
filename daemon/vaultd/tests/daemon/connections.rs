//! The Connections service: profiles as documents, keys as secrets.

mod order;

use vault_client::{Client, Connection, NewConnection, NewDocument, Secret};

use crate::support::{Daemon, Home, reason};

const KEY: &[u8] = b"sk-0123456789abcdef";

struct Served {
    _home: Home,
    _daemon: Daemon,
    client: Client,
}

async fn serve() -> Served {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    Served {
        _home: home,
        _daemon: daemon,
        client,
    }
}

fn new(id: &str) -> NewConnection {
    NewConnection {
        id: id.into(),
        name: format!("The {id}"),
        base_url: format!("https://{id}.example/v1"),
        ..NewConnection::default()
    }
}

fn with_key(id: &str) -> NewConnection {
    NewConnection {
        key: Some(Secret::new(KEY.to_vec())),
        ..new(id)
    }
}

async fn ids(client: &Client) -> Vec<String> {
    let (connections, damaged) = client.connections().await.expect("listed");
    assert_eq!(damaged, [""; 0]);
    connections.into_iter().map(|one| one.id).collect()
}

/// The ids of those that are active.
async fn active(client: &Client) -> Vec<String> {
    let (connections, _) = client.connections().await.expect("listed");
    let active = connections.into_iter().filter(|one| one.active);
    active.map(|one| one.id).collect()
}

async fn key(client: &Client, id: &str) -> Option<Vec<u8>> {
    let read = client.secret(&format!("connection:{id}")).await;
    match read {
        Ok(secret) => Some(secret.value.expose().to_vec()),
        Err(error) => {
            assert_eq!(error.reason(), Some("NOT_FOUND"), "{error}");
            None
        }
    }
}

#[tokio::test]
async fn a_profile_is_saved_read_changed_and_deleted_with_its_key() {
    let Served { client, .. } = &serve().await;
    assert_eq!(ids(client).await, [""; 0], "before there is a store");
    let given = NewConnection {
        compatibility: "openai".into(),
        extra: br#"{"model":"x"}"#.to_vec(),
        create: true,
        ..with_key("open-ai")
    };
    let saved = client.save_connection(given).await.expect("saved");
    let expected = Connection {
        id: "open-ai".into(),
        name: "The open-ai".into(),
        base_url: "https://open-ai.example/v1".into(),
        compatibility: "openai".into(),
        extra: br#"{"model":"x"}"#.to_vec(),
        has_secret: true,
        active: false,
        created_ms: saved.created_ms,
        modified_ms: saved.modified_ms,
        revision: 1,
    };
    assert_eq!(saved, expected);
    assert!(saved.created_ms > 0);
    assert_eq!(client.connection("open-ai").await.expect("read"), saved);
    assert_eq!(key(client, "open-ai").await.as_deref(), Some(KEY));

    // The profile is a document without the key in it.
    let document = client
        .get("connections", "open-ai")
        .await
        .expect("a document");
    let text = String::from_utf8(document.body).expect("JSON");
    assert!(
        text.contains("open-ai.example") && !text.contains("sk-"),
        "{text}"
    );
    let stores = client.stores().await.expect("listed");
    let store = stores.iter().find(|store| store.name == "connections");
    let store = store.expect("created");
    assert_eq!((store.kind, store.plain), ("documents", false));
    assert_eq!(store.max_body_bytes, 64 << 10, "the class `auth`");

    // Without a key, the one before stays.
    let changed = client.save_connection(new("open-ai")).await.expect("saved");
    assert_eq!(
        (changed.revision, changed.created_ms),
        (2, saved.created_ms)
    );
    assert!(changed.has_secret && changed.extra.is_empty());
    assert_eq!(key(client, "open-ai").await.as_deref(), Some(KEY));

    client
        .delete_connection("open-ai", true)
        .await
        .expect("its key");
    let kept = client
        .connection("open-ai")
        .await
        .expect("the profile stays");
    assert!(!kept.has_secret);
    assert_eq!(key(client, "open-ai").await, None);
    client
        .save_connection(with_key("open-ai"))
        .await
        .expect("saved");
    client
        .delete_connection("open-ai", false)
        .await
        .expect("both");
    assert_eq!(ids(client).await, [""; 0]);
    assert_eq!(key(client, "open-ai").await, None);
    for key_only in [false, true] {
        let again = client.delete_connection("open-ai", key_only).await;
        assert_eq!(reason(again), "NOT_FOUND");
    }
    assert_eq!(reason(client.connection("open-ai").await), "NOT_FOUND");
}

#[tokio::test]
async fn at_most_one_profile_is_active() {
    let Served { client, .. } = &serve().await;
    assert_eq!(reason(client.active_connection().await), "NOT_FOUND");
    assert_eq!(reason(client.activate_connection("a").await), "NOT_FOUND");
    for id in ["a", "b", "c"] {
        client.save_connection(new(id)).await.expect("saved");
    }
    assert_eq!(ids(client).await, ["a", "b", "c"]);
    assert_eq!(active(client).await, [""; 0]);
    for id in ["b", "c", "c", "a"] {
        let activated = client.activate_connection(id).await.expect("activated");
        assert_eq!((activated.id.as_str(), activated.active), (id, true));
        assert_eq!(active(client).await, [id]);
        assert_eq!(client.active_connection().await.expect("active").id, id);
    }
    // By saving it, and it stays active where it is saved again.
    let save = NewConnection {
        activate: true,
        ..new("d")
    };
    client.save_connection(save).await.expect("saved");
    assert_eq!(active(client).await, ["d"]);
    client.save_connection(new("d")).await.expect("saved");
    client.save_connection(new("a")).await.expect("saved");
    assert_eq!(active(client).await, ["d"]);
    client.delete_connection("d", false).await.expect("deleted");
    assert_eq!(active(client).await, [""; 0]);
    assert_eq!(reason(client.active_connection().await), "NOT_FOUND");
}

#[tokio::test]
async fn calls_at_once_leave_one_active_and_every_key_with_its_profile() {
    let Served { client, .. } = &serve().await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..24 {
        let (client, id) = (client.clone(), format!("c{}", n % 4));
        calls.spawn(async move {
            if n % 3 == 0 {
                // Of one that is there, or not yet.
                let _ = client.delete_connection(&id, false).await;
                return;
            }
            let save = NewConnection {
                activate: true,
                ..with_key(&id)
            };
            client.save_connection(save).await.expect("saved");
        });
    }
    while let Some(done) = calls.join_next().await {
        done.expect("no call failed");
    }
    assert!(active(client).await.len() <= 1);
    let (connections, _) = client.connections().await.expect("listed");
    assert!(
        connections.iter().all(|one| one.has_secret),
        "{connections:?}"
    );
    let secrets = client.secrets("connection:").await.expect("listed");
    assert_eq!(secrets.len(), connections.len());
}

#[tokio::test]
async fn what_is_no_profile_is_refused_and_changes_nothing() {
    let Served { client, .. } = &serve().await;
    client.save_connection(with_key("a")).await.expect("saved");
    let before = client.connection("a").await.expect("read");
    let other = || Some(Secret::new(b"another key".to_vec()));
    let extra = |text: &str| NewConnection {
        extra: text.into(),
        ..new("a")
    };
    let url = |text: &str| NewConnection {
        base_url: text.into(),
        ..new("a")
    };
    for (bad, expected) in [
        (new("a/b"), "INVALID_ID"),
        (new(""), "INVALID_ID"),
        (url("ftp://a.example"), "INVALID_ARGUMENT"),
        (url("https://name:word@a.example"), "INVALID_ARGUMENT"),
        (url("https://a.example/?key=word"), "INVALID_ARGUMENT"),
        (extra("[]"), "INVALID_ARGUMENT"),
        (extra(r#"{"base_url":"x"}"#), "INVALID_ARGUMENT"),
        (extra(r#"{"api_key":"x"}"#), "INVALID_ARGUMENT"),
        (
            extra(r#"{"headers":{"Authorization":"x"}}"#),
            "INVALID_ARGUMENT",
        ),
        (
            extra(&format!(r#"{{"text":"{}"}}"#, "x".repeat(64 << 10))),
            "TOO_LARGE",
        ),
    ] {
        let bad = NewConnection {
            key: other(),
            ..bad
        };
        let shown = format!("{bad:?}");
        assert_eq!(
            reason(client.save_connection(bad).await),
            expected,
            "{shown}"
        );
    }
    let exists = NewConnection {
        create: true,
        key: other(),
        ..new("a")
    };
    assert_eq!(
        reason(client.save_connection(exists).await),
        "ALREADY_EXISTS"
    );
    let empty = NewConnection {
        key: Some(Secret::new(Vec::new())),
        ..new("a")
    };
    assert_eq!(
        reason(client.save_connection(empty).await),
        "INVALID_ARGUMENT"
    );
    assert_eq!(client.connection("a").await.expect("read"), before);
    assert_eq!(key(client, "a").await.as_deref(), Some(KEY), "not touched");
    assert_eq!(ids(client).await, ["a"]);
}

#[tokio::test]
async fn profiles_written_as_documents_are_shown_without_what_looks_like_a_key() {
    let Served { client, .. } = &serve().await;
    client.save_connection(new("a")).await.expect("saved");
    let body = r#"{"name":"B","base_url":"http://b.example","apiKey":"k","model":"m"}"#;
    for document in [
        NewDocument::json("b", body),
        NewDocument::json("of/another kind", "{}"),
        NewDocument::json("z", "[]"),
    ] {
        client.put("connections", document).await.expect("put");
    }
    let shown = client.connection("b").await.expect("read");
    assert_eq!(shown.extra, br#"{"model":"m"}"#);
    let (connections, damaged) = client.connections().await.expect("listed");
    assert_eq!(connections.len(), 3);
    assert!(
        damaged.len() == 1 && damaged[0].contains("connection z"),
        "{damaged:?}"
    );
    assert_eq!(reason(client.connection("z").await), "CORRUPT");
    client
        .save_connection(new("z"))
        .await
        .expect("written anew");
    assert!(client.connections().await.expect("listed").1.is_empty());
}
