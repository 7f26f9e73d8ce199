//! What every answer says to browsers and caches.

use axum::body::Body;
use http::{StatusCode, uri::Scheme};
use vault_gateway::ingress::Connection;

use crate::support::{Answer, gateway, plain, to};

const HSTS: &str = "strict-transport-security";

fn assert_guarded(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    // Written in two: no other test is to take it for a block of Rust.
    assert!(!policy.contains(concat!("un", "safe")), "{policy}");
    let permissions = answer.header("permissions-policy").expect("a policy");
    assert!(permissions.contains("publickey-credentials-get=(self)"));
}

#[tokio::test]
async fn every_kind_of_answer_is_guarded() {
    let gateway = gateway("");
    for (method, path, status) in [
        ("GET", "/", StatusCode::OK),
        ("GET", "/healthz", StatusCode::OK),
        ("GET", "/nowhere", StatusCode::NOT_FOUND),
        ("PUT", "/api/auth/status", StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/api/auth/status", StatusCode::SERVICE_UNAVAILABLE),
        (
            "POST",
            "/grpc/vault.v1.Vault/Status",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let answer = gateway.ask(to(method, path)).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_guarded(&answer);
        assert_eq!(answer.header(HSTS), None, "never on HTTP");
    }
    let no_host = gateway.ask(http::Request::builder().uri("/")).await;
    assert_eq!(no_host.status, StatusCode::BAD_REQUEST);
    assert_guarded(&no_host);
}

#[tokio::test]
async fn https_is_to_stay_https() {
    let expected = Some("max-age=31536000; includeSubDomains");
    let gateway = gateway("trusted_proxies = '10.0.0.0/8'");
    let secure = Connection {
        scheme: Scheme::HTTPS,
        ..plain()
    };
    let direct = gateway
        .over(secure, to("GET", "/healthz"), Body::empty())
        .await;
    assert_eq!(direct.header(HSTS), expected);
    let says_https = || to("GET", "/healthz").header("x-forwarded-proto", "https");
    let proxy = Connection {
        peer: ([10, 0, 0, 1], 50000).into(),
        ..plain()
    };
    let proxied = gateway.over(proxy, says_https(), Body::empty()).await;
    assert_eq!(proxied.header(HSTS), expected);
    let forged = gateway.ask(says_https()).await;
    assert_eq!(forged.header(HSTS), None);
}

#[tokio::test]
async fn what_is_the_users_stays_in_no_cache() {
    let gateway = gateway("");
    for path in ["/api/auth/status", "/api/nowhere", "/healthz"] {
        let answer = gateway.get(path).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}
