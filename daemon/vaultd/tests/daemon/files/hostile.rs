//! Uploads that do not keep to the protocol, and readers that do not read.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        DownloadFileRequest, UploadFileRequest,
        files_client::FilesClient,
        upload_file_request::{Finish, Part, Start},
    },
};

use super::{MIB, STORE, content, listed, new, put};
use crate::support::{
    Daemon, Home, files,
    raw::{Raw, framed},
    reason, soon, until,
};

fn start(size: Option<u64>) -> Part {
    Part::Start(Start {
        store: STORE.to_owned(),
        name: "deep/upload".to_owned(),
        size,
        create: false,
    })
}

fn chunk(bytes: &[u8]) -> Part {
    Part::Chunk(bytes.to_vec().into())
}

fn paths(daemon: &Daemon) -> Vec<std::path::PathBuf> {
    let found = files(&daemon.root);
    found.into_iter().map(|(path, _)| path).collect()
}

#[tokio::test]
async fn an_upload_out_of_turn_is_refused_and_leaves_nothing() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    put(&client, new("kept"), b"kept").await.expect("put");
    let before = paths(&daemon);
    let mut service = FilesClient::new(daemon.channel().await);
    let some = content(1, CHUNK_LIMIT);
    let finish = Part::Finish(Finish {});
    let many = |size| {
        let chunks = std::iter::repeat_n(chunk(&some), 12);
        let parts = std::iter::once(start(size)).chain(chunks);
        parts.chain([finish.clone()]).collect()
    };
    let exact = Some(some.len() as u64);
    let over = vec![0; CHUNK_LIMIT + 1];
    let cases: Vec<(&str, Vec<Part>, &str)> = vec![
        ("nothing", vec![], "INVALID_ARGUMENT"),
        ("no start", vec![chunk(b"1")], "INVALID_ARGUMENT"),
        (
            "two starts",
            vec![start(None), start(None)],
            "INVALID_ARGUMENT",
        ),
        (
            "an empty chunk",
            vec![start(None), chunk(b"")],
            "INVALID_ARGUMENT",
        ),
        (
            "a large chunk",
            vec![start(None), chunk(&over)],
            "INVALID_ARGUMENT",
        ),
        ("too much", many(Some(11 << 18)), "INVALID_ARGUMENT"),
        ("too little", many(Some(13 << 18)), "INVALID_ARGUMENT"),
        ("endless", vec![start(Some(u64::MAX))], "TOO_LARGE"),
        (
            "a seal",
            vec![start(None), chunk(b"\x89V"), chunk(b"LT"), finish.clone()],
            "INVALID_ARGUMENT",
        ),
        // As it ends where the client's source fails.
        (
            "no finish",
            vec![start(None), chunk(&some)],
            "INVALID_ARGUMENT",
        ),
        (
            "no finish of all",
            vec![start(exact), chunk(&some)],
            "INVALID_ARGUMENT",
        ),
        ("no start, but a finish", vec![finish], "INVALID_ARGUMENT"),
    ];
    for (what, parts, expected) in cases {
        let parts = parts
            .into_iter()
            .map(|part| UploadFileRequest { part: Some(part) });
        let answer = service.upload(tokio_stream::iter(parts.collect::<Vec<_>>()));
        let answer = soon(what, answer).await.map_err(vault_client::Error::from);
        assert_eq!(reason(answer), expected, "{what}");
    }
    assert_eq!(listed(&client, "").await.0, ["kept"]);
    until("nothing is left", async || paths(&daemon) == before).await;
}

#[tokio::test]
async fn an_upload_that_is_broken_off_leaves_nothing() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    put(&client, new("kept"), b"kept").await.expect("put");
    let before = paths(&daemon);
    let some = content(1, CHUNK_LIMIT);
    let mut service = FilesClient::new(daemon.channel().await);
    let (requests, receiver) = mpsc::channel(1);
    let upload = tokio::spawn(async move { service.upload(ReceiverStream::new(receiver)).await });
    for part in std::iter::once(start(None)).chain(std::iter::repeat_n(chunk(&some), 12)) {
        let request = UploadFileRequest { part: Some(part) };
        requests.send(request).await.expect("taken");
    }
    until("something is written", async || paths(&daemon) != before).await;
    upload.abort();
    until("nothing is left", async || paths(&daemon) == before).await;
    assert_eq!(listed(&client, "").await.0, ["kept"]);
    drop(requests);
}

#[tokio::test]
async fn readers_that_read_nothing_hurt_nobody() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    put(&client, new("large"), &content(1, 32 * MIB))
        .await
        .expect("put");
    let request = DownloadFileRequest {
        store: STORE.to_owned(),
        name: "large".to_owned(),
        ..DownloadFileRequest::default()
    };
    // More than there are threads for the disk.
    let mut raw = Raw::connect(&daemon.socket).await;
    let mut unread = Vec::new();
    for _ in 0..100 {
        let (response, mut body) = raw.call("/vault.v1.Files/Download");
        body.send_data(framed(&request), true).expect("sent");
        unread.push(response);
    }
    for response in unread.iter_mut().take(20) {
        soon("the answer's beginning", response)
            .await
            .expect("begun");
    }
    put(&client, new("other"), &content(2, 3 * MIB))
        .await
        .expect("put");
    assert_eq!(listed(&client, "").await.0, ["large", "other"]);
}
