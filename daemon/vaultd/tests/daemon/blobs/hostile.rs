//! Uploads that do not keep to the protocol: each is refused with its reason and leaves nothing.

use tonic::Status;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        CollectBlobsRequest, PutBlobRequest,
        blobs_client::BlobsClient,
        upload_blob_request::{Part, Start},
    },
};

use super::{MIB, Upload, chunk, content, finish, put, reference, refs};
use crate::support::{
    Daemon, Home, files,
    raw::{Raw, framed},
    reason, soon, until,
};

/// The daemon's reason for a refusal.
#[track_caller]
fn refused<T>(answer: Result<T, Status>) -> String {
    reason(answer.map_err(vault_client::Error::from))
}

fn paths(daemon: &Daemon) -> Vec<std::path::PathBuf> {
    let found = files(&daemon.root);
    let paths = found.into_iter().map(|(path, _)| path);
    let audit = daemon.root.join("audit");
    paths.filter(|path| !path.starts_with(&audit)).collect()
}

fn sized(size: u64) -> Start {
    Start {
        size: Some(size),
        ..Start::default()
    }
}

#[tokio::test]
async fn an_upload_out_of_turn_is_refused_and_leaves_nothing() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let kept = put(&client, b"what is there").await.blob.reference;
    let before = paths(&daemon);
    let large = content(1, 3 * MIB);
    let chunks = || large.chunks(CHUNK_LIMIT).map(chunk);
    let other = reference(b"another content");
    let over = vec![0; CHUNK_LIMIT + 1];
    let all = |last: Part| chunks().chain([last]).collect::<Vec<_>>();
    let cases: Vec<(&str, Start, Vec<Part>, &str)> = vec![
        (
            "a chunk over its bound",
            Start::default(),
            vec![chunk(&over)],
            "TOO_LARGE",
        ),
        (
            "an empty chunk",
            Start::default(),
            vec![chunk(b"")],
            "INVALID_ARGUMENT",
        ),
        (
            "a second start",
            Start::default(),
            vec![Part::Start(Start::default())],
            "INVALID_ARGUMENT",
        ),
        (
            "no restart",
            Start::default(),
            vec![Part::Restart(false)],
            "INVALID_ARGUMENT",
        ),
        (
            "more than announced",
            sized(2 * MIB as u64),
            all(finish("")),
            "INVALID_ARGUMENT",
        ),
        (
            "less than announced",
            sized(4 * MIB as u64),
            all(finish("")),
            "INVALID_ARGUMENT",
        ),
        (
            "another content",
            Start::default(),
            all(finish(&other)),
            "INVALID_ARGUMENT",
        ),
        ("no ref", Start::default(), all(finish("abc")), "INVALID_ID"),
    ];
    for (what, start, parts, expected) in cases {
        let (mut upload, _) = Upload::new(&daemon, start).await;
        for part in parts {
            upload.send(part).await;
        }
        assert_eq!(refused(upload.answer().await), expected, "{what}");
    }
    let (mut unfinished, _) = Upload::new(&daemon, Start::default()).await;
    unfinished.send(chunk(b"some")).await;
    let (closed, _) = tokio::sync::mpsc::channel(1);
    unfinished.requests = closed;
    assert_eq!(
        refused(unfinished.answer().await),
        "INVALID_ARGUMENT",
        "no finish"
    );

    let mut blobs = BlobsClient::new(daemon.channel().await);
    let endless = sized(u64::MAX);
    assert_eq!(
        refused(Upload::begin(&mut blobs, endless).await),
        "TOO_LARGE"
    );
    let long_key = Start {
        resume_key: vec![1; 65],
        ..Start::default()
    };
    assert_eq!(
        refused(Upload::begin(&mut blobs, long_key).await),
        "INVALID_ARGUMENT"
    );
    let over = PutBlobRequest {
        content: vec![0; MIB + 1].into(),
        ..PutBlobRequest::default()
    };
    assert_eq!(refused(blobs.put(over).await), "TOO_LARGE");

    assert_eq!(refs(&client).await, [kept]);
    until("nothing is left", async || paths(&daemon) == before).await;
}

#[tokio::test]
async fn restarting_forgets_what_was_sent() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let (mut upload, _) = Upload::new(&daemon, sized(3)).await;
    for _ in 0..3 {
        upload.send(chunk(b"no")).await;
        upload.send(Part::Restart(true)).await;
        assert_eq!(upload.ready().await.expect("ready").offset, 0);
    }
    upload.send(chunk(b"yes")).await;
    upload.send(finish(&reference(b"yes"))).await;
    assert!(upload.answer().await.expect("stored").is_some());
}

#[tokio::test]
async fn silent_uploads_hurt_nobody_and_are_ended() {
    let home = Home::new();
    home.configure("[limits]\nstream_idle_seconds = 2\nstreams_per_connection = 200\n");
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let mut blobs = BlobsClient::new(daemon.channel().await);
    // More than there are threads for the disk.
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut upload = Upload::begin(&mut blobs, Start::default())
            .await
            .expect("begun");
        upload.ready().await.expect("ready");
        upload.send(chunk(b"some")).await;
        silent.push(upload);
    }
    soon("a put beside them", put(&client, &content(1, 3 * MIB))).await;
    for mut upload in silent {
        assert_eq!(refused(upload.answer().await), "TIMED_OUT");
    }
}

#[tokio::test]
async fn a_collection_that_nobody_reads_of_ends_and_lets_others() {
    let home = Home::new();
    home.configure("[limits]\nstream_idle_seconds = 1\n");
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    // More than fits on the way to one who does not read.
    for number in 0..1000_u32 {
        put(&client, &number.to_be_bytes()).await;
    }
    let request = CollectBlobsRequest {
        dry_run: true,
        grace_seconds: Some(0),
        ..CollectBlobsRequest::default()
    };
    let mut raw = Raw::connect(&daemon.socket).await;
    let (response, mut body) = raw.call("/vault.v1.Blobs/Collect");
    body.send_data(framed(&request), true).expect("sent");
    let unread = soon("the answer's beginning", response).await;
    let mut blobs = BlobsClient::new(daemon.channel().await);
    let mut refusals = 0;
    loop {
        let mut answer = blobs.collect(request.clone()).await.expect("begun");
        let first = soon("an answer", answer.get_mut().message()).await;
        let Err(status) = first else {
            break;
        };
        assert_eq!(refused::<()>(Err(status)), "DATABASE_BUSY");
        refusals += 1;
    }
    assert!(refusals > 0, "it was not stopped by its reader");
    drop(unread);
}
