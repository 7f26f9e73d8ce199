//! The table of routes.

use std::collections::BTreeSet;

use http::StatusCode;
use vault_gateway::routes;

use crate::support::{gateway, to};

/// An address that a path of the table stands for.
fn example(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "x" } else { part }.to_owned();
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_row_is_served_and_says_that_no_daemon_answers() {
    let gateway = gateway("");
    let mut seen = BTreeSet::new();
    for route in routes::all() {
        assert!(
            seen.insert((route.path, route.method)),
            "{} stands twice",
            route.path
        );
        if !route.path.starts_with("/api/") {
            continue;
        }
        let answer = gateway
            .ask(to(route.method.name(), &example(route.path)))
            .await;
        // Some look at what they were sent before they ask the daemon.
        let expected = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::BAD_REQUEST,
            StatusCode::OK,
        ];
        let status = answer.status;
        assert!(
            expected.contains(&status),
            "{} {}: {status}",
            route.method.name(),
            route.path
        );
    }
    assert!(seen.len() > 20, "the table was read");
}

#[tokio::test]
async fn no_daemon_is_no_reason_to_tell_where_it_would_be() {
    let gateway = gateway("");
    let answer = gateway.get("/api/auth/status").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.reason(), "NO_DAEMON");
    let body = String::from_utf8(answer.body).expect("text");
    assert!(!body.contains(".sock") && !body.contains("/tmp"), "{body}");
}

#[tokio::test]
async fn the_gateway_is_well_and_says_no_more() {
    let gateway = gateway("");
    let answer = gateway.get("/healthz").await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (StatusCode::OK, &b"ok"[..])
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_as_json() {
    let gateway = gateway("");
    for path in [
        "/api",
        "/api/",
        "/api/nowhere",
        "/api/auth/passkeys/a/b",
        "/grpc",
        "/grpc/other",
    ] {
        let answer = gateway.ask(to("POST", path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.reason(), "NOT_FOUND");
    }
    let wrong = gateway.ask(to("PUT", "/api/auth/token")).await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(wrong.reason(), "METHOD_NOT_ALLOWED");
    let allowed: BTreeSet<&str> = wrong.header("allow").expect("methods").split(',').collect();
    assert_eq!(allowed, BTreeSet::from(["DELETE", "GET", "HEAD", "POST"]));
}

#[tokio::test]
async fn one_host_is_asked_for() {
    let gateway = gateway("");
    let several = to("GET", "/healthz").header("host", "example.org");
    let answer = gateway.ask(several).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.reason(), "HOST_INVALID");
}

#[tokio::test]
async fn only_calls_of_the_contract_are_passed_on() {
    let gateway = gateway("");
    let call = |path: &str| to("POST", path).header("content-type", "application/grpc-web+proto");
    let answer = gateway.ask(call("/grpc/vault.v1.Vault/Status")).await;
    assert_eq!(answer.reason(), "NO_DAEMON");
    for other in [
        "application/grpc",
        "application/grpc-web+json",
        "application/grpc-webs",
        "application/grpc-web-text+thrift",
    ] {
        let request = to("POST", "/grpc/vault.v1.Vault/Status").header("content-type", other);
        let answer = gateway.ask(request).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{other}");
        assert_eq!(answer.reason(), "UNSUPPORTED_MEDIA_TYPE");
    }
    for service in [
        "grpc.health.v1.Health/Check",
        "grpc.reflection.v1.ServerReflection/X",
    ] {
        let answer = gateway.ask(call(&format!("/grpc/{service}"))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{service}");
    }
    let read = to("GET", "/grpc/vault.v1.Vault/Status");
    assert_eq!(
        gateway.ask(read).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
