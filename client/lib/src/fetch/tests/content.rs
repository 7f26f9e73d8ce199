//! What a server sends.

use std::time::Duration;

use super::{CONTENT, Internet, LIMIT, Server, fetched, refused, sends};
use crate::FetchError;

const URL: &str = "http://93.184.216.34/some/picture%20one.png?key=word#part";

fn internet(server: Server) -> Internet {
    Internet::default().server("93.184.216.34", server)
}

#[tokio::test(start_paused = true)]
async fn the_content_comes_with_what_is_said_of_it() {
    let (head, content) = fetched(&internet(sends(CONTENT)), URL).await;
    assert_eq!(content, b"hello");
    let url = "http://93.184.216.34/some/picture%20one.png?key=word";
    assert_eq!(head.url, url);
    assert_eq!(head.content_type, "image/png");
    assert_eq!(head.size, Some(5));
    assert_eq!(head.file_name.as_deref(), Some("picture one.png"));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
                   Content-Disposition: attachment; filename=\"../../other.png\"\r\n\r\n\
                   2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    let (head, content) = fetched(&internet(sends(chunked)), URL).await;
    assert_eq!((content.as_slice(), head.size), (&b"hello"[..], None));
    assert_eq!(head.content_type, "");
    assert_eq!(head.file_name.as_deref(), Some("other.png"));
    let tab = CONTENT.replace("image/png", "image/png;\tq=1");
    let (head, content) = fetched(&internet(sends(&tab)), URL).await;
    assert_eq!(
        (content.as_slice(), &*head.content_type),
        (&b"hello"[..], "")
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_says_what_it_wants_and_no_more() {
    let echo = "HTTP/1.1 200 OK\r\n\r\n{request}";
    let (_, request) = fetched(&internet(sends(echo)), URL).await;
    let request = String::from_utf8(request).expect("text");
    let mut lines: Vec<String> = request.lines().map(str::to_ascii_lowercase).collect();
    assert_eq!(
        lines.remove(0),
        "get /some/picture%20one.png?key=word http/1.1"
    );
    lines.retain(|line| !line.is_empty());
    lines.sort();
    let agent = concat!("user-agent: vaultd/", env!("CARGO_PKG_VERSION"));
    let expected = [
        "accept-encoding: identity",
        "accept: */*",
        "connection: close",
        "host: 93.184.216.34",
        agent,
    ];
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_is_taken() {
    let whole = "x".repeat(LIMIT);
    let fits = format!("HTTP/1.1 200 OK\r\nContent-Length: {LIMIT}\r\n\r\n{whole}");
    let (_, content) = fetched(&internet(sends(&fits)), URL).await;
    assert_eq!(content.len(), LIMIT);
    let more = format!("{whole}x");
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n3e9\r\n{more}\r\n0");
    for server in [
        // It says so: nothing of it is waited for.
        Server::FallsSilent("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".into()),
        sends(&format!("HTTP/1.1 200 OK\r\n\r\n{more}")),
        sends(&format!("HTTP/1.1 200 OK\r\n{chunked}\r\n\r\n")),
        Server::GoesOn("HTTP/1.1 200 OK\r\n\r\n".into(), Duration::ZERO),
    ] {
        let error = refused(&internet(server), URL).await;
        assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_left() {
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
    for sent in ["", "HTTP/1.1 200", begun] {
        let started = tokio::time::Instant::now();
        let error = refused(&internet(Server::FallsSilent(sent.into())), URL).await;
        assert!(
            matches!(error, FetchError::Silent { .. }),
            "{sent}: {error}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(31),
            "{:?}",
            started.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dribbles_is_left_at_the_deadline() {
    let started = tokio::time::Instant::now();
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n";
    let server = Server::GoesOn(begun.into(), Duration::from_secs(10));
    let error = refused(&internet(server), URL).await;
    assert!(matches!(error, FetchError::Deadline { .. }), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(1801),
        "{:?}",
        started.elapsed()
    );
    // A head has no longer than a silence may be.
    let started = tokio::time::Instant::now();
    let server = Server::GoesOn("HTTP/1.1 200 OK\r\nName: ".into(), Duration::from_secs(10));
    let error = refused(&internet(server), URL).await;
    assert!(matches!(error, FetchError::Silent { .. }), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(31),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn content_that_is_cut_short_is_an_error() {
    for sent in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6",
        "",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let error = refused(&internet(sends(sent)), URL).await;
        assert!(
            matches!(error, FetchError::Broken { .. }),
            "{sent}: {error}"
        );
        assert!(!error.to_string().contains("key=word"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_without_end_is_an_error() {
    let field = format!("Name: {}\r\n", "x".repeat(1000));
    for fields in [field.repeat(200), "Name: x\r\n".repeat(1000)] {
        let sent = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
        let error = refused(&internet(sends(&sent)), URL).await;
        assert!(matches!(error, FetchError::Broken { .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_content_itself_is_taken() {
    for status in [
        "404 Not Found",
        "206 Partial Content",
        "500 Oh",
        "304 Not Modified",
        "302 Found",
    ] {
        let sent = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        let error = refused(&internet(sends(&sent)), URL).await;
        assert!(
            matches!(error, FetchError::Answered { .. }),
            "{status}: {error}"
        );
    }
    for coding in ["Content-Encoding: gzip", "Transfer-Encoding: gzip, chunked"] {
        let sent = format!("HTTP/1.1 200 OK\r\n{coding}\r\n\r\n0\r\n\r\n");
        let error = refused(&internet(sends(&sent)), URL).await;
        assert!(
            matches!(error, FetchError::Encoded { .. }),
            "{coding}: {error}"
        );
    }
}
