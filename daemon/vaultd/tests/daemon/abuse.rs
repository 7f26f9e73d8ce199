//! Peers that send too much, too slowly or nothing at all.

mod idle;
mod malformed;
mod pings;
mod resets;
mod slow;

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::process::{Resource, getrlimit, setrlimit};
use vault_client::{Client, NewDocument, StoreOptions};
use vault_proto::{
    CHUNK_LIMIT, MESSAGE_LIMIT, UNARY_BODY_LIMIT,
    v1::{
        GetDocumentRequest, ListDocumentsRequest, PutDocumentRequest, UploadDocumentRequest,
        WatchDocumentsRequest,
        documents_client::DocumentsClient,
        upload_document_request::{Part, Start},
    },
};

use crate::support::{
    Daemon, Home, PATIENCE, available, frames,
    raw::{Raw, failure, framed, prefix},
    reason, soon, until,
};

const PUT: &str = "/vault.v1.Documents/Put";
const UPLOAD: &str = "/vault.v1.Documents/Upload";

async fn with_store(daemon: &Daemon) -> Client {
    let client = daemon.client().await;
    client
        .create_store("notes", &StoreOptions::default())
        .await
        .expect("created");
    client
}

fn start(size: u64) -> UploadDocumentRequest {
    let start = Start {
        store: "notes".into(),
        id: "big".into(),
        size,
        ..Start::default()
    };
    UploadDocumentRequest {
        part: Some(Part::Start(start)),
    }
}

/// The median time of calls that a client makes one after another.
async fn pace(client: &Client) -> Duration {
    let mut times = Vec::new();
    for number in 0..200 {
        let begun = Instant::now();
        let document = NewDocument::json(format!("n{}", number % 10), r#"{"n":1}"#);
        soon("a put", client.put("notes", document))
            .await
            .expect("put");
        times.push(begun.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

/// Generous, since the machine has other work, too.
fn assert_unhurt(quiet: Duration, now: Duration) {
    println!("{quiet:?} a call before, {now:?} now");
    assert!(
        now < quiet * 10 + Duration::from_millis(20),
        "{quiet:?} before, {now:?} now"
    );
}

/// Opens as many connections as asked, which takes more descriptors than a shell allows.
fn crowd(daemon: &Daemon, count: u64) -> Option<Vec<UnixStream>> {
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.is_none_or(|maximum| maximum >= count + 500);
    if !available("a limit of open files above 1,500", enough) {
        return None;
    }
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("raised");
    let connect = |_| UnixStream::connect(&daemon.socket).expect("connected");
    Some((0..count).map(connect).collect())
}

#[tokio::test]
async fn a_length_of_4_gib_costs_no_memory() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    pace(&client).await;
    let mut warm = Raw::connect(&daemon.socket).await;
    let (response, mut body) = warm.call(PUT);
    body.send_data(prefix(u32::MAX).into(), false)
        .expect("sent");
    soon("the refusal", failure(response)).await;

    let (resident, peak) = (daemon.memory("VmRSS"), daemon.memory("VmHWM"));
    let space = daemon.memory("VmPeak");
    let mut open = Vec::new();
    for method in [
        PUT,
        UPLOAD,
        "/vault.v1.Vault/Unlock",
        "/grpc.health.v1.Health/Check",
    ] {
        let mut raw = Raw::connect(&daemon.socket).await;
        let (response, mut body) = raw.call(method);
        body.send_data(prefix(u32::MAX).into(), false)
            .expect("sent");
        let error = soon("the refusal", failure(response)).await;
        assert_eq!(reason::<()>(Err(error)), "TOO_LARGE", "{method}");
        open.push((raw, body));
    }
    let (resident_now, peak_now) = (daemon.memory("VmRSS"), daemon.memory("VmHWM"));
    println!("resident {resident} then {resident_now}, peak {peak} then {peak_now} KiB");
    assert!(
        resident_now < resident + 1024,
        "{resident} KiB, then {resident_now}"
    );
    assert!(
        peak_now < peak.max(resident) + 1024,
        "{peak} KiB, then {peak_now}"
    );
    // Nor was it reserved untouched.
    assert!(
        daemon.memory("VmPeak") < space + (1 << 20),
        "{space} KiB before"
    );
}

#[tokio::test]
async fn an_oversized_document_is_refused_before_it_comes() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let limit = client.stores().await.expect("listed")[0].max_body_bytes;
    let before = daemon.memory("VmHWM");
    // Its chunks are not waited for.
    let mut raw = Raw::connect(&daemon.socket).await;
    let (response, mut body) = raw.call(UPLOAD);
    body.send_data(framed(&start(limit + 1)), false)
        .expect("sent");
    let error = soon("the refusal", failure(response)).await;
    let vault_client::Error::Refused(refusal) = error else {
        panic!("{error}")
    };
    assert_eq!(refusal.reason, "TOO_LARGE");
    assert_eq!(refusal.metadata["limit"], limit.to_string());
    assert_eq!(refusal.metadata["size"], (limit + 1).to_string());
    assert!(daemon.memory("VmHWM") < before + 1024);

    // More than announced, and a chunk over its bound.
    for chunk in [vec![0; 100], vec![0; CHUNK_LIMIT + 1]] {
        let (response, mut body) = raw.call(UPLOAD);
        body.send_data(framed(&start(10)), false).expect("sent");
        let chunk = UploadDocumentRequest {
            part: Some(Part::Chunk(chunk)),
        };
        body.send_data(framed(&chunk), false).expect("sent");
        let refusal = reason::<()>(Err(soon("the refusal", failure(response)).await));
        assert!(
            ["INVALID_ARGUMENT", "TOO_LARGE"].contains(&refusal.as_str()),
            "{refusal}"
        );
    }
    assert_eq!(reason(client.get("notes", "big").await), "NOT_FOUND");
}

#[tokio::test]
async fn a_message_over_the_limit_is_named_both_ways() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let mut documents = DocumentsClient::new(daemon.channel().await);
    let put = PutDocumentRequest {
        store: "notes".into(),
        id: "big".into(),
        body: vec![b' '; MESSAGE_LIMIT],
        ..PutDocumentRequest::default()
    };
    let refused = documents.put(put).await.map_err(vault_client::Error::from);
    assert_eq!(reason(refused), "TOO_LARGE");

    let body = format!("\"{}\"", "x".repeat(UNARY_BODY_LIMIT)).into_bytes();
    client
        .put("notes", NewDocument::json("big", body.clone()))
        .await
        .expect("uploaded");
    let get = GetDocumentRequest {
        store: "notes".into(),
        id: "big".into(),
    };
    let refused = documents.get(get).await.map_err(vault_client::Error::from);
    assert_eq!(reason(refused), "TOO_LARGE");
    assert!(client.get("notes", "big").await.expect("downloaded").body == body);
}

#[tokio::test]
async fn a_thousand_idle_connections_hurt_nobody_and_are_closed() {
    let home = Home::new();
    home.configure("[limits]\nfirst_bytes_seconds = 1\n");
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let Some(mut idle) = crowd(&daemon, 1000) else {
        return;
    };
    // Some begin to speak, a byte at a time: the clock does not start anew with each.
    for (at, stream) in idle.iter_mut().enumerate().filter(|(at, _)| at % 2 == 0) {
        stream
            .write_all(&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..at % 20])
            .expect("sent");
    }
    assert_unhurt(quiet, pace(&client).await);
    let one_more = daemon.client().await;
    one_more.get("notes", "n1").await.expect("served");
    let closed = tokio::task::spawn_blocking(move || {
        for mut stream in idle {
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .expect("set");
            // The end, after whatever greeting the server sends.
            let mut greeting = Vec::new();
            if let Err(error) = stream.read_to_end(&mut greeting) {
                assert_ne!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock,
                    "it is still open"
                );
            }
        }
    });
    soon("closing them", closed).await.expect("closed");
    client
        .get("notes", "n1")
        .await
        .expect("a connection in use stays");
}

#[tokio::test]
async fn over_the_limit_of_connections_new_ones_are_closed_and_others_go_on() {
    let home = Home::new();
    home.configure("[limits]\nconnections = 8\n");
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let idle = crowd(&daemon, 20).expect("few");
    client
        .put("notes", NewDocument::json("a", "{}"))
        .await
        .expect("served");
    assert!(Client::connect(&daemon.options()).await.is_err(), "no room");
    drop(idle);
    until("there is room again", || async {
        Client::connect(&daemon.options()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn slow_senders_hurt_nobody_and_are_ended() {
    let home = Home::new();
    home.configure("[limits]\nstream_idle_seconds = 1\ncall_seconds = 3\n");
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::connect(&daemon.socket).await;
        // A byte of a unary message, an upload that stalls, one that has not begun.
        let (unary, mut body) = raw.call(PUT);
        body.send_data(Bytes::from_static(&[0]), false)
            .expect("sent");
        let (upload, mut chunks) = raw.call(UPLOAD);
        chunks.send_data(framed(&start(1000)), false).expect("sent");
        let (silent, nothing) = raw.call(UPLOAD);
        slow.push((raw, [body, chunks, nothing], [unary, upload, silent]));
    }
    assert_unhurt(quiet, pace(&client).await);
    for (_raw, _bodies, responses) in slow {
        for response in responses {
            let error = soon("the end of a slow call", failure(response)).await;
            assert_eq!(reason::<()>(Err(error)), "TIMED_OUT");
        }
    }
    assert_eq!(reason(client.get("notes", "big").await), "NOT_FOUND");
}

#[tokio::test]
async fn slow_readers_hurt_nobody() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let body = format!("\"{}\"", "x".repeat(200_000)).into_bytes();
    // More than the daemon reads ahead for one listing.
    for number in 0..24 {
        let document = NewDocument::json(format!("big{number}"), body.clone());
        client.put("notes", document).await.expect("put");
    }
    let quiet = pace(&client).await;
    // More listings than there are threads for the disk; none is read.
    let list = ListDocumentsRequest {
        store: "notes".into(),
        bodies: true,
        ..ListDocumentsRequest::default()
    };
    let mut unread = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::connect(&daemon.socket).await;
        for _ in 0..60 {
            let (response, mut body) = raw.call("/vault.v1.Documents/List");
            body.send_data(framed(&list), true).expect("sent");
            unread.push((response, body));
        }
        let (first, _) = unread.last_mut().expect("one");
        soon("the answer's beginning", first)
            .await
            .expect("an answer");
        unread.pop();
        // The connection's own window is full from here on; the next has another.
        std::mem::forget(raw);
    }
    assert_unhurt(quiet, pace(&client).await);
}

#[tokio::test]
async fn more_calls_than_a_connection_may_have_are_refused_alone() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let watch = WatchDocumentsRequest {
        store: "notes".into(),
        since: 0,
    };
    let socket = daemon.socket.clone();
    let flood = move || {
        let mut stream = UnixStream::connect(socket).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let answers = frames::flood(
            &mut stream,
            300,
            "/vault.v1.Documents/Watch",
            &framed(&watch),
        );
        (stream, answers)
    };
    let (stream, answers) = tokio::task::spawn_blocking(flood).await.expect("answered");
    assert_eq!(
        answers,
        frames::Answers {
            served: 128,
            refused: 172
        }
    );
    client
        .put("notes", NewDocument::json("a", "{}"))
        .await
        .expect("others go on");
    drop(stream);
}
