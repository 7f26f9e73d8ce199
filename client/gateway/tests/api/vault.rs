//! The vault as a whole: status, key, export, upkeep, connections.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Gateway;

#[tokio::test]
async fn the_status_says_what_there_is_and_where() {
    let gateway = Gateway::start().await;
    gateway.store("notes", "documents", "chat").await;
    let status = gateway.get("/api/status").await.json();
    assert_eq!(status["key_state"], "open");
    assert_eq!(status["stores"][0]["name"], "notes");
    assert_eq!(status["key"]["rotation"], Value::Null);
    assert_eq!(status["key"]["fingerprint"], status["key_fingerprint"]);
    assert_eq!(status["storage_locations"]["storage_key"], "memory");
    let locations = &status["storage_locations"];
    let root = locations["active_root"].as_str().expect("a path");
    assert!(root.ends_with("/root"));
    assert_eq!(locations["active_root_class"], "test_override");
    assert_eq!(locations["models_root"], format!("{root}/plain/models"));
    assert_eq!(locations["models_root_class"], "test_override");
    for no in ["spec_compliant", "legacy_root_exists", "merge_marker"] {
        assert_eq!(locations[no], false, "{no}");
    }
    assert_eq!(locations["reason_codes"], json!([]));

    gateway.owner().await.lock().await.expect("locked");
    // Who may ask is in the vault.
    for path in ["/api/status", "/api/stores"] {
        let refused = gateway.get(path).await;
        assert_eq!(refused.refusal(), (503, "LOCKED".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_rotation_tells_how_far_it_is() {
    let gateway = Gateway::start().await;
    gateway.store("notes", "documents", "chat").await;
    let before = gateway.get("/api/key").await.json()["fingerprint"].clone();
    let body = r#"{"depth":"reencrypt"}"#;
    let rotated = gateway.json(Method::POST, "/api/key/rotate", body).await;
    assert_eq!(rotated.status, StatusCode::OK);
    let text = String::from_utf8(rotated.body.to_vec()).expect("text");
    assert!(text.contains("event: progress\n"), "{text}");
    let done = text.split("event: done\ndata: ").nth(1).expect("its end");
    let done: Value = serde_json::from_str(done.trim()).expect("JSON");
    let after = gateway.get("/api/key").await.json()["fingerprint"].clone();
    assert_eq!(done["fingerprint"], after);
    assert_ne!(before, after);
    let none = gateway.call(Method::POST, "/api/key/pause", &[], "").await;
    assert_eq!(none.refusal(), (409, "NO_ROTATION".to_owned()));
    let unknown = gateway.json(Method::POST, "/api/key/rotate", r#"{"deep":1}"#);
    assert_eq!(
        unknown.await.refusal(),
        (400, "INVALID_ARGUMENT".to_owned())
    );
}

#[tokio::test]
async fn the_vault_leaves_as_a_file() {
    let gateway = Gateway::start().await;
    gateway.store("notes", "documents", "chat").await;
    let path = "/api/stores/notes/documents/1";
    gateway
        .json(Method::PUT, path, r#"{"text":"needle"}"#)
        .await;
    let export = async |body: &str| gateway.json(Method::POST, "/api/export", body).await;
    let plain = export(r#"{"form":"plaintext"}"#).await;
    assert_eq!(plain.header("content-type"), "application/x-tar");
    let name = "attachment; filename*=UTF-8''vault.tar";
    assert_eq!(plain.header("content-disposition"), name);
    assert!(plain.body.windows(6).any(|bytes| bytes == b"needle"));
    let sealed = export(r#"{"form":"sealed","passphrase":"correct horse battery"}"#).await;
    assert!(sealed.body.starts_with(b"age-encryption.org/v1\n"));
    for unfit in [
        r#"{"form":"sealed"}"#,
        r#"{"form":"sealed","passphrase":"a","recipients":["b"]}"#,
        r#"{"form":"sealed","recipients":["age1nobody"]}"#,
        r#"{"form":"other"}"#,
        r#"{"form":"plaintext","passphrase":"a"}"#,
        "{}",
    ] {
        assert_eq!(
            export(unfit).await.status,
            StatusCode::BAD_REQUEST,
            "{unfit}"
        );
    }
}

#[tokio::test]
async fn a_connection_never_shows_its_key() {
    let gateway = Gateway::start().await;
    let one = "/api/connections/openai";
    let body = r#"{"base_url":"https://api.example/v1","key":"sk-needle","extra":{"n":1},"activate":true}"#;
    let saved = gateway.json(Method::PUT, one, body).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.json());
    let listed = gateway.get("/api/connections").await;
    let got = gateway.get(one).await;
    for answer in [&saved, &listed, &got] {
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains("sk-needle"), "{text}");
    }
    assert_eq!(listed.json()["connections"][0], got.json());
    let connection = got.json();
    assert_eq!(
        (&connection["has_secret"], &connection["active"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(connection["extra"], json!({ "n": 1 }));
    let key = gateway
        .call(Method::DELETE, &format!("{one}?key_only=1"), &[], "")
        .await;
    assert_eq!(key.status, StatusCode::NO_CONTENT);
    assert_eq!(gateway.get(one).await.json()["has_secret"], false);
    let gone = gateway.call(Method::DELETE, one, &[], "").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(gateway.get(one).await.refusal().0, 404);
}

#[tokio::test]
async fn upkeep_says_what_it_did() {
    let gateway = Gateway::start().await;
    gateway.store("facts", "database", "chat").await;
    let status = gateway.get("/api/maintenance").await.json();
    assert_eq!(status["tasks"][0]["store"], "facts");
    let run = gateway.json(
        Method::POST,
        "/api/maintenance",
        r#"{"operation":"optimize"}"#,
    );
    let text = String::from_utf8(run.await.body.to_vec()).expect("text");
    assert!(text.contains("\"operation\":\"optimize\""), "{text}");
    assert!(text.ends_with("event: done\ndata: {}\n\n"), "{text}");
}
