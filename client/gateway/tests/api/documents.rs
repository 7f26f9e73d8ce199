//! Documents, their conditions, and pages of them.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Gateway;

const NOTES: &str = "/api/stores/chat%2Fconversations/documents";

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    gateway
        .store("chat/conversations", "documents", "chat")
        .await;
    gateway
}

#[tokio::test]
async fn a_document_is_written_read_changed_and_deleted() {
    let gateway = gateway().await;
    let one = format!("{NOTES}/a%2Fb%20%C3%A4");
    let put = gateway.json(Method::PUT, &one, r#"{"a":1,"b":2}"#).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let head = put.json();
    assert_eq!(head["id"], "a/b ä");
    assert_eq!(put.header("etag"), format!("\"{}\"", head["revision"]));

    let got = gateway.get(&one).await;
    assert_eq!(got.body, r#"{"a":1,"b":2}"#);
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("etag"), put.header("etag"));
    assert_eq!(got.header("x-content-type-options"), "nosniff");
    assert_eq!(got.header("cache-control"), "no-store");

    let asked = gateway.call(Method::HEAD, &one, &[], "").await;
    assert_eq!((asked.status, asked.body.len()), (StatusCode::OK, 0));
    assert_eq!(asked.header("content-length"), "13");
    assert_eq!(asked.header("etag"), put.header("etag"));

    let merge = [("content-type", "application/merge-patch+json")];
    let patched = gateway
        .call(Method::PATCH, &one, &merge, r#"{"b":null}"#)
        .await;
    assert_eq!(patched.status, StatusCode::OK);
    assert_eq!(gateway.get(&one).await.body, r#"{"a":1}"#);

    let deleted = gateway.call(Method::DELETE, &one, &[], "").await;
    assert_eq!(deleted.json()["id"], "a/b ä");
    let gone = gateway.get(&one).await;
    assert_eq!(gone.refusal(), (404, "NOT_FOUND".to_owned()));
    let gone = gateway.call(Method::HEAD, &one, &[], "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_write_goes_over_another() {
    let gateway = gateway().await;
    let one = format!("{NOTES}/1");
    let call = async |method, header, tag: &str| {
        let headers = [(header, tag), ("content-type", "application/json")];
        gateway.call(method, &one, &headers, "{}").await
    };
    let first = call(Method::PUT, "if-none-match", "*").await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = call(Method::PUT, "if-none-match", "*").await;
    assert_eq!(again.refusal(), (412, "REVISION_CONFLICT".to_owned()));

    let old = first.header("etag");
    let second = call(Method::PUT, "if-match", old).await;
    assert_eq!(second.status, StatusCode::OK);
    let new = second.header("etag");
    assert_ne!(old, new);
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        for tag in [old, "\"0\"", "W/\"1\"", "\"x\""] {
            let refused = call(method.clone(), "if-match", tag).await;
            assert_eq!(refused.refusal(), (412, "REVISION_CONFLICT".to_owned()));
        }
    }
    let known = call(Method::GET, "if-none-match", new).await;
    assert_eq!(
        (known.status, known.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    assert_eq!(known.header("etag"), new);
    let unknown = call(Method::GET, "if-none-match", old).await;
    assert_eq!(unknown.status, StatusCode::OK);
    let deleted = call(Method::DELETE, "if-match", new).await;
    assert_eq!(deleted.status, StatusCode::OK);
    let gone = call(Method::PUT, "if-match", "*").await;
    assert_eq!(gone.status, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn no_browser_runs_what_a_document_holds() {
    let gateway = gateway().await;
    let one = format!("{NOTES}/page");
    let labels = r#"{"folder":"inbox"}"#;
    for (given, served) in [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("text/javascript", "application/octet-stream"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("image/png", "image/png"),
    ] {
        let headers = [("content-type", given), ("vault-labels", labels)];
        let put = gateway.call(Method::PUT, &one, &headers, "<script>").await;
        assert!(put.status.is_success(), "{given}");
        let got = gateway.get(&one).await;
        assert_eq!(got.header("content-type"), served);
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        let policy = got.header("content-security-policy");
        assert!(policy.starts_with("sandbox;"), "{policy}");
        assert_eq!(got.header("vault-labels"), labels);
        if served != given {
            assert_eq!(got.header("vault-content-type"), given);
            assert_eq!(got.header("content-disposition"), "attachment");
        }
    }
}

#[tokio::test]
async fn a_listing_comes_in_pages_with_bodies_or_without() {
    let gateway = gateway().await;
    for id in ["a", "b1", "b2", "b3", "c"] {
        let path = format!("{NOTES}/{id}");
        let body = format!(r#"{{"id": "{id}"}}"#);
        let put = gateway.json(Method::PUT, &path, &body).await;
        assert_eq!(put.status, StatusCode::CREATED);
    }
    let ids = |page: &Value| -> Vec<String> {
        let documents = page["documents"].as_array().expect("documents").iter();
        let ids = documents.map(|document| document["id"].as_str().expect("an id").to_owned());
        ids.collect()
    };
    let first = gateway
        .get(&format!("{NOTES}?prefix=b&limit=2"))
        .await
        .json();
    assert_eq!(ids(&first), ["b1", "b2"]);
    assert_eq!(first["next"], "b2");
    assert_eq!(first["documents"][0]["body"], Value::Null);
    let rest = format!("{NOTES}?prefix=b&limit=2&after=b2");
    let rest = gateway.get(&rest).await.json();
    assert_eq!(ids(&rest), ["b3"]);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(rest["damaged"], json!([]));

    // The address an application has always used.
    let full = gateway.get("/api/conversations?full=1").await.json();
    assert_eq!(ids(&full), ["a", "b1", "b2", "b3", "c"]);
    assert_eq!(full["documents"][4]["body"], json!({ "id": "c" }));
    let heads = gateway.get("/api/conversations").await.json();
    assert_eq!(heads["documents"][4]["body"], Value::Null);
    assert_eq!(
        gateway.get("/api/conversations/a").await.body,
        r#"{"id": "a"}"#
    );

    for unfit in ["limit=0", "limit=1001", "limit=x", "full=2"] {
        let refused = gateway.get(&format!("{NOTES}?{unfit}")).await;
        assert_eq!(refused.refusal(), (400, "INVALID_ARGUMENT".to_owned()));
    }
    let missing = gateway.get("/api/stores/nothing/documents").await;
    assert_eq!(missing.refusal(), (404, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn a_document_of_any_size_goes_through() {
    let gateway = gateway().await;
    let one = format!("{NOTES}/large");
    let large = format!("\"{}\"", "x".repeat(5 << 20));
    let put = gateway.json(Method::PUT, &one, &large).await;
    assert_eq!(put.json()["body_bytes"], large.len());
    let got = gateway.get(&one).await;
    assert_eq!(got.header("content-length"), large.len().to_string());
    assert!(got.body == large, "the body came as it was put");
    let page = gateway.get(&format!("{NOTES}?full=1")).await.json();
    assert!(page["documents"][0]["body"] == large.trim_matches('"'));
}

#[tokio::test]
async fn attachments_are_put_back_into_the_body() {
    let gateway = gateway().await;
    let one = format!("{NOTES}/picture");
    let data = "QUJD".repeat(8 << 10);
    let body = json!({ "attachments": [{ "kind": "image", "data": data }] });
    let put = gateway.json(Method::PUT, &one, &body.to_string()).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let attachment = gateway.get(&one).await.json()["attachments"][0].clone();
    assert_eq!(attachment["data"], Value::Null);
    assert!(attachment["ref"].is_string());
    let inlined = gateway.get(&format!("{one}?inline=1")).await;
    assert_eq!(inlined.json()["attachments"][0]["data"], data);
    assert_eq!(
        inlined.header("etag"),
        "",
        "other bytes than the revision's"
    );
}
