//! A client that reaches its vault through a gateway.

mod server;

use tokio::sync::mpsc;
use vault_client::{ArchiveForm, BaseUrl, Client, Error, ExportPart, Options, Secret};

use server::{CHUNK, CHUNKS, TOKEN};

async fn client(base: BaseUrl, token: Option<&str>) -> Client {
    let options = Options {
        base_url: Some(base),
        token: token.map(|token| Secret::new(token.into())),
        ..Options::default()
    };
    let shown = format!("{options:?}");
    let client = Client::connect(&options).await.expect("nothing is asked");
    let shown = format!("{shown} {client:?}");
    assert!(!shown.contains(TOKEN), "{shown}");
    client
}

const PLAINTEXT: ArchiveForm<'_> = ArchiveForm::Plaintext { zstd: false };

#[tokio::test]
async fn content_streams_both_ways() {
    let client = client(server::gateway().await, Some(TOKEN)).await;
    let mut export = client
        .export_archive(PLAINTEXT, false)
        .await
        .expect("begun");
    let (mut bytes, mut whole) = (0, false);
    while let Some(part) = export.next().await.expect("a part") {
        match part {
            ExportPart::Chunk(chunk) => bytes += chunk.len(),
            ExportPart::Summary(_) => whole = true,
            ExportPart::Progress(_) => {}
        }
    }
    assert_eq!((bytes, whole), (CHUNKS * CHUNK, true));

    let (sender, file) = mpsc::channel(1);
    let sent = tokio::spawn(async move {
        for _ in 0..CHUNKS {
            sender.send(Ok(vec![7; CHUNK])).await.expect("taken");
        }
    });
    let summary = client.verify_archive(None, file).await.expect("verified");
    sent.await.expect("sent");
    assert_eq!(summary.bytes, (CHUNKS * CHUNK) as u64);
}

/// What a call that is refused ends with: its reason and its text.
async fn refused(client: &Client) -> (String, String) {
    match client.export_archive(PLAINTEXT, false).await {
        Err(Error::Refused(refusal)) => (refusal.reason, refusal.message),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn the_daemon_refuses_through_the_gateway() {
    let base = server::gateway().await;
    for token in [None, Some("vaultd_other"), Some("no\nheader")] {
        let client = client(base.clone(), token).await;
        let expected = ("UNAUTHENTICATED".to_owned(), "sign in".to_owned());
        assert_eq!(refused(&client).await, expected);
    }
}

fn answer(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{fields}content-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (target, never) = server::other(String::new()).await;
    let location = format!("location: {target}\r\n");
    let (base, asked) = server::other(answer("307 Temporary Redirect", &location, "")).await;
    let client = client(base, Some(TOKEN)).await;
    let (reason, message) = refused(&client).await;
    assert_eq!(reason, "");
    assert!(message.contains("sends on to"), "{message}");
    assert!(!never.is_finished(), "nobody went there");
    let head = asked.await.expect("asked");
    assert!(
        head.starts_with("POST /vault/grpc/vault.v1.Archives/Export HTTP/1.1"),
        "{head}"
    );
    assert!(
        head.contains(&format!("authorization: Bearer {TOKEN}\r\n")),
        "{head}"
    );
}

#[tokio::test]
async fn what_a_gateway_says_of_its_own_accord_is_a_refusal() {
    let body = r#"{"error":{"reason":"RATE_LIMITED","message":"too many","metadata":{}}}"#;
    let (base, _asked) = server::other(answer("429 Too Many Requests", "", body)).await;
    let expected = ("RATE_LIMITED".to_owned(), "too many".to_owned());
    assert_eq!(refused(&client(base, None).await).await, expected);
}

#[tokio::test]
async fn what_is_no_gateway_is_told_apart() {
    let fields = "content-type: text/html\r\n";
    for status in ["200 OK", "404 Not Found"] {
        let (base, _asked) = server::other(answer(status, fields, "<p>hello</p>")).await;
        let (reason, message) = refused(&client(base, None).await).await;
        assert_eq!(reason, "");
        assert!(
            message.contains(status) && message.contains("no gateway"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_told() {
    let (base, asked) = server::other(String::new()).await;
    asked.abort();
    assert!(asked.await.expect_err("stopped").is_cancelled());
    let (reason, message) = refused(&client(base, None).await).await;
    assert_eq!(reason, "");
    assert!(message.contains("refused"), "{message}");
}
