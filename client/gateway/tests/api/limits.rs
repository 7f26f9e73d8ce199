//! Bodies that are too large are refused by what their heads say.

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::Gateway;

/// Sends the head of a request and nothing of its body; what is answered.
async fn head_only(gateway: &Gateway, method: &str, path: &str, size: u64) -> String {
    let mut stream = gateway.connect().await;
    let host = gateway.host();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\
         Content-Type: application/json\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while !answer.ends_with(b"}}") {
        let read = stream.read(&mut chunk).await.expect("an answer");
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn what_is_over_the_class_of_a_store_is_refused_before_it_is_read() {
    let gateway = Gateway::start().await;
    gateway.store("small", "documents", "auth").await;
    gateway.store("pictures", "blobs", "auth").await;
    gateway.store("cards", "files", "auth").await;
    let over = (64 << 10) + 1;
    for (method, path, size) in [
        ("PUT", "/api/stores/small/documents/1", over),
        ("PUT", "/api/stores/small/documents/1", 1 << 40),
        ("PUT", "/api/blobs?store=pictures", over),
        ("POST", "/api/blobs?store=pictures", 1 << 40),
        ("PUT", "/api/files/cards/a.png", over),
        ("PATCH", "/api/stores/small/documents/1", 1 << 40),
        ("POST", "/api/stores", over),
    ] {
        let answer = head_only(&gateway, method, path, size).await;
        assert!(
            answer.starts_with("HTTP/1.1 413 "),
            "{method} {path}: {answer}"
        );
        assert!(answer.contains("TOO_LARGE"), "{answer}");
    }
}

#[tokio::test]
async fn a_large_document_says_its_length() {
    let gateway = Gateway::start().await;
    gateway.store("notes", "documents", "chat").await;
    let put = async |bytes: usize| {
        let mut stream = gateway.connect().await;
        let head = format!(
            "PUT /api/stores/notes/documents/1 HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\
             Connection: close\r\n\r\n",
            gateway.host()
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        let body = "x".repeat(bytes);
        let body = format!("{bytes:x}\r\n{body}\r\n0\r\n\r\n");
        // It may be answered before all was sent.
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    let answer = put(100_000).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let answer = put(1_100_000).await;
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
    let read = gateway
        .call(Method::GET, "/api/stores/notes/documents/1", &[], "")
        .await;
    assert_eq!(read.status, StatusCode::OK);
    assert_eq!(read.body.len(), 100_000);
}
