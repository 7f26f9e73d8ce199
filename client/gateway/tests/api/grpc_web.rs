//! Calls of gRPC-Web that are not complete.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::support::Gateway;

const STATUS: &str = "/grpc/vault.v1.Auth/Status";
/// More than a connection to the daemon has room for.
const IDLE: usize = 140;
/// Longer than anything here takes on a slow machine, shorter than what the gateway waits for.
const SOON: Duration = Duration::from_secs(20);

/// Whoever sends the head of a call, and nothing of its message, takes nobody's place.
#[tokio::test]
async fn half_a_call_keeps_nobody_waiting() {
    let gateway = Gateway::start().await;
    let head = format!(
        "POST {STATUS} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/grpc-web+proto\r\n\
         expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
        gateway.host()
    );
    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut stream = gateway.connect().await;
        stream.write_all(head.as_bytes()).await.expect("sent");
        // Its body is being waited for: it takes whatever place it is going to take.
        let mut go_on = [0; 25];
        let read = timeout(SOON, stream.read_exact(&mut go_on)).await;
        read.unwrap_or_else(|_| panic!("call {number} waits for another"))
            .expect("100");
        idle.push(stream);
    }
    let asked = timeout(SOON, gateway.get("/api/auth/status")).await;
    assert_eq!(asked.expect("soon").status, StatusCode::OK);
    let headers = [("content-type", "application/grpc-web+proto")];
    let whole = gateway.call(Method::POST, STATUS, &headers, vec![0; 5]);
    let answer = timeout(SOON, whole).await.expect("soon");
    assert_eq!(answer.status, StatusCode::OK);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("grpc-status:0"), "{text}");
}

#[tokio::test]
async fn messages_are_taken_as_they_are_or_as_text() {
    let gateway = Gateway::start().await;
    for (kind, message) in [
        ("application/grpc-web", &[0; 5][..]),
        ("application/grpc-web+proto", &[0; 5]),
        ("application/grpc-web-text", b"AAAAAAA="),
        ("application/grpc-web-text+proto", b"AAAAAAA="),
    ] {
        let headers = [("content-type", kind)];
        let answer = gateway.call(Method::POST, STATUS, &headers, message.to_vec());
        let answer = answer.await;
        assert_eq!(answer.status, StatusCode::OK, "{kind}");
        assert!(!answer.body.is_empty(), "{kind}");
    }
}
