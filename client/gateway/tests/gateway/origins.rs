//! Pages of other origins.

use http::StatusCode;

use crate::support::{Answer, gateway, to};

const CONFIGURED: &str = "cors_origins = ['https://app.example.org']";

fn from(method: &str, origin: &str) -> http::request::Builder {
    to(method, "/healthz").header("origin", origin)
}

fn assert_nothing_is_allowed(answer: &Answer) {
    let allowed = answer
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control"));
    assert_eq!(allowed.count(), 0, "{answer:?}");
}

#[tokio::test]
async fn a_configured_origin_may_read_answers_and_asks_beforehand() {
    let gateway = gateway(CONFIGURED);
    let answer = gateway.ask(from("GET", "https://app.example.org")).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.example.org")
    );
    assert_eq!(answer.header("vary"), Some("origin"));
    let asked = from("OPTIONS", "https://app.example.org")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization");
    let beforehand = gateway.ask(asked).await;
    assert_eq!(beforehand.status, StatusCode::NO_CONTENT);
    let methods = beforehand
        .header("access-control-allow-methods")
        .expect("methods");
    assert!(methods.contains("PUT"), "{methods}");
    let headers = beforehand
        .header("access-control-allow-headers")
        .expect("headers");
    assert!(headers.contains("authorization"), "{headers}");
    // With it, a page could use the session of whoever is signed in.
    assert_eq!(beforehand.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn nobody_else_may() {
    let gateway = gateway(CONFIGURED);
    for origin in [
        "https://app.example.org:8443",
        "http://app.example.org",
        "https://app.example.org.evil.example",
        "https://evil.example",
        "null",
    ] {
        assert_nothing_is_allowed(&gateway.ask(from("GET", origin)).await);
        let asked = from("OPTIONS", origin).header("access-control-request-method", "PUT");
        assert_nothing_is_allowed(&gateway.ask(asked).await);
    }
    let unconfigured = crate::support::gateway("");
    assert_nothing_is_allowed(
        &unconfigured
            .ask(from("GET", "https://app.example.org"))
            .await,
    );
}
