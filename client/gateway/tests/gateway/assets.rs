//! The console's files.

use http::StatusCode;

use crate::support::{gateway, to};

#[tokio::test]
async fn the_page_stands_at_each_of_its_addresses() {
    let gateway = gateway("");
    let page = gateway.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(!page.body.is_empty());
    for address in ["/authorize?state=x", "/device", "/index.html"] {
        assert_eq!(gateway.get(address).await.body, page.body, "{address}");
    }
    let head = gateway.ask(to("HEAD", "/")).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_not_sent_it_again() {
    let gateway = gateway("");
    let page = gateway.get("/").await;
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let tag = page.header("etag").expect("a tag");
    for known in [tag.to_owned(), format!("\"other\", W/{tag}")] {
        let again = gateway
            .ask(to("GET", "/").header("if-none-match", known))
            .await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        assert!(again.body.is_empty());
        assert_eq!(again.header("etag"), Some(tag));
    }
    let other = gateway
        .ask(to("GET", "/").header("if-none-match", "\"other\""))
        .await;
    assert_eq!(other.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_but_files_of_the_page_is_served() {
    let gateway = gateway("");
    for address in [
        "/.hidden.js",
        "/.git/config",
        "/js/.hidden.js",
        "/../Cargo.toml",
        "/%2e%2e/src/main.js",
        "//etc/passwd",
        "/js/",
        "/index",
        "/README.md",
        "/index.html/",
    ] {
        let answer = gateway.get(address).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{address}");
        assert_eq!(answer.reason(), "NOT_FOUND");
    }
    let written = gateway.ask(to("POST", "/")).await;
    assert_eq!(written.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(written.header("allow"), Some("GET, HEAD"));
}
