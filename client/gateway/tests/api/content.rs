//! Blobs and files: any size, any part.

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::support::Gateway;

#[tokio::test]
async fn a_blob_is_read_whole_or_in_part() {
    let gateway = Gateway::start().await;
    let content: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let put = gateway
        .call(Method::PUT, "/api/blobs", &[], content.clone())
        .await;
    assert_eq!(put.status, StatusCode::CREATED);
    let again = gateway
        .call(Method::POST, "/api/blobs", &[], content.clone())
        .await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json()["existed"], true);
    let reference = put.json()["ref"].as_str().expect("a ref").to_owned();
    let one = format!("/api/blobs/{reference}");

    let whole = gateway.get(&one).await;
    assert!(whole.body == content);
    assert_eq!(whole.header("etag"), format!("\"{reference}\""));
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert_eq!(whole.header("content-disposition"), "attachment");
    let shown = gateway.get(&format!("{one}?type=image/png")).await;
    assert_eq!(shown.header("content-type"), "image/png");
    assert_eq!(shown.header("x-content-type-options"), "nosniff");
    for kind in ["text/html", "image/svg+xml"] {
        let refused = gateway.get(&format!("{one}?type={kind}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }

    let range = async |range: &str| {
        gateway
            .call(Method::GET, &one, &[("range", range)], "")
            .await
    };
    let part = range("bytes=300000-300009").await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header("content-range"), "bytes 300000-300009/700000");
    assert_eq!(part.body, content[300_000..300_010]);
    let last = range("bytes=-5").await;
    assert_eq!(last.body, content[699_995..]);
    let behind = range("bytes=700000-").await;
    assert_eq!(behind.refusal(), (416, "INVALID_ARGUMENT".to_owned()));
    assert_eq!(behind.header("content-range"), "bytes */700000");
    let head = gateway.call(Method::HEAD, &one, &[], "").await;
    assert_eq!(head.header("content-length"), "700000");
    let tag = format!("\"{reference}\"");
    let known = [("if-none-match", &*tag)];
    let known = gateway.call(Method::GET, &one, &known, "").await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);

    let deleted = gateway.call(Method::DELETE, &one, &[], "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(gateway.get(&one).await.refusal().0, 404);
    let tag = format!("\"{}\"", "0".repeat(64));
    let missing = format!("/api/blobs/{}", "0".repeat(64));
    let known = [("if-none-match", &*tag)];
    let missing = gateway.call(Method::GET, &missing, &known, "").await;
    assert_eq!(missing.refusal().0, 404, "there is nothing that is known");
}

#[tokio::test]
async fn blobs_are_listed_in_pages() {
    let gateway = Gateway::start().await;
    let mut references = Vec::new();
    for content in ["1", "2", "3", "4", "5"] {
        let put = gateway.call(Method::PUT, "/api/blobs", &[], content).await;
        references.push(put.json()["ref"].as_str().expect("a ref").to_owned());
    }
    references.sort();
    let mut listed = Vec::new();
    let mut next = String::new();
    for page in 0..3 {
        let path = format!("/api/blobs?limit=2&after={next}");
        let entries = gateway.get(&path).await.json();
        let blobs = entries["blobs"].as_array().expect("blobs");
        listed.extend(
            blobs
                .iter()
                .map(|blob| blob["ref"].as_str().expect("a ref").to_owned()),
        );
        assert_eq!(entries["next"].is_null(), page == 2);
        next = entries["next"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(listed, references);
}

/// More than fits into any buffer on the way, of unknown length.
#[tokio::test]
async fn content_of_unknown_length_is_taken_as_it_comes() {
    let gateway = Gateway::start().await;
    let chunk = Bytes::from(vec![7; 1 << 20]);
    let frames = (0..24).map(move |_| Ok::<_, std::io::Error>(Frame::data(chunk.clone())));
    let request = Request::put("/api/blobs")
        .body(StreamBody::new(stream::iter(frames)))
        .expect("a request");
    let put = gateway.send(request).await;
    assert_eq!(put.status, StatusCode::CREATED);
    assert_eq!(put.json()["size"], 24 << 20);
    let reference = put.json()["ref"].as_str().expect("a ref").to_owned();
    let got = gateway.get(&format!("/api/blobs/{reference}")).await;
    assert_eq!(got.body.len(), 24 << 20);
    assert!(got.body.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn half_of_a_body_is_not_kept() {
    let gateway = Gateway::start().await;
    gateway.store("cards", "files", "any").await;
    for path in ["/api/blobs", "/api/files/cards/a.png"] {
        let frames = [
            Ok(Frame::data(Bytes::from(vec![1; 200_000]))),
            Err(std::io::Error::other("gone")),
        ];
        let request = Request::put(path)
            .body(StreamBody::new(stream::iter(frames)))
            .expect("a request");
        let io = hyper_util::rt::TokioIo::new(gateway.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        let (mut head, body) = request.into_parts();
        head.headers
            .insert("host", gateway.host().parse().expect("a header"));
        let sent = sender.send_request(Request::from_parts(head, body)).await;
        assert!(sent.is_err(), "the connection broke");
    }
    let blobs = gateway.get("/api/blobs").await;
    assert!(
        blobs.status == StatusCode::NOT_FOUND || blobs.json()["blobs"] == serde_json::json!([])
    );
    let files = gateway.get("/api/files/cards").await.json();
    assert_eq!(files["files"], serde_json::json!([]));
}

#[tokio::test]
async fn what_has_no_revision_takes_no_condition() {
    let gateway = Gateway::start().await;
    gateway.store("cards", "files", "any").await;
    let file = "/api/files/cards/a.png";
    let put = gateway.call(Method::PUT, file, &[], "a").await;
    assert_eq!(put.status, StatusCode::CREATED);
    let put = gateway.call(Method::PUT, "/api/blobs", &[], "a").await;
    let reference = put.json()["ref"].as_str().expect("a ref").to_owned();
    let blob = format!("/api/blobs/{reference}");
    let connection = "/api/connections/one";
    let body = r#"{"base_url":"https://api.example/v1"}"#;
    let saved = gateway.json(Method::PUT, connection, body).await;
    assert_eq!(saved.status, StatusCode::OK);
    for (method, path) in [
        (Method::DELETE, file),
        (Method::DELETE, &*blob),
        (Method::DELETE, connection),
        (Method::PUT, "/api/blobs"),
        (Method::POST, "/api/blobs"),
    ] {
        for condition in ["if-match", "if-none-match"] {
            let headers = [(condition, "*")];
            let refused = gateway.call(method.clone(), path, &headers, "").await;
            let expected = (400, "INVALID_ARGUMENT".to_owned());
            assert_eq!(refused.refusal(), expected, "{method} {path}");
        }
    }
    for path in [file, &*blob, connection] {
        assert_eq!(gateway.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn files_have_names_with_folders_in_them() {
    let gateway = Gateway::start().await;
    gateway.store("cards", "files", "any").await;
    let one = "/api/files/cards/people/Ada.png";
    let only_new = [("if-none-match", "*")];
    let put = gateway
        .call(Method::PUT, one, &only_new, "0123456789")
        .await;
    assert_eq!(put.status, StatusCode::CREATED);
    assert_eq!(put.json()["name"], "people/Ada.png");
    let again = gateway.call(Method::PUT, one, &only_new, "x").await;
    assert_eq!(again.refusal(), (412, "ALREADY_EXISTS".to_owned()));
    let got = gateway.get("/api/files/cards/people%2FAda.png").await;
    assert_eq!(
        (got.header("content-type"), &*got.body),
        ("image/png", &b"0123456789"[..])
    );
    let part = gateway
        .call(Method::GET, one, &[("range", "bytes=2-3")], "")
        .await;
    assert_eq!((part.status.as_u16(), &*part.body), (206, &b"23"[..]));
    let page = gateway
        .call(Method::PUT, "/api/files/cards/x.html", &[], "<b>")
        .await;
    assert_eq!(page.status, StatusCode::CREATED);
    let page = gateway
        .call(Method::PUT, "/api/files/cards/x.html", &[], "<i>")
        .await;
    assert_eq!(page.status, StatusCode::OK, "it was there");
    let stores = gateway.get("/api/files").await.json();
    assert_eq!(stores["stores"][0]["name"], "cards");
    assert_eq!(stores["stores"][1], serde_json::Value::Null);
    let page = gateway.get("/api/files/cards/x.html").await;
    assert_eq!(page.header("content-type"), "application/octet-stream");
    let first = gateway.get("/api/files/cards?limit=1").await.json();
    assert_eq!(first["files"][0]["name"], "people/Ada.png");
    let second = gateway
        .get("/api/files/cards?after=people/Ada.png")
        .await
        .json();
    assert_eq!(second["files"][0]["name"], "x.html");
    let deleted = gateway.call(Method::DELETE, one, &[], "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(gateway.get(one).await.refusal().0, 404);
}
