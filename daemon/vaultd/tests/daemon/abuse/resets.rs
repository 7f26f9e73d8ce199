//! Calls that are taken back as soon as they are made (CVE-2023-44487, "rapid reset").

use vault_client::Client;
use vault_proto::v1::GetDocumentRequest;

use super::{assert_unhurt, pace, with_store};
use crate::support::{
    Daemon, Home,
    frames::{
        CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, RST_STREAM,
        connect, frame, greeting, headers, next, send,
    },
    raw::framed,
    soon, until,
};

const CALLS: u32 = 10_000;
const GET: &str = "/vault.v1.Documents/Get";
/// Room for what an allocator keeps, in KiB.
const ROOM: u64 = 8 << 10;

fn message() -> Vec<u8> {
    let get = GetDocumentRequest {
        store: "notes".into(),
        id: "n1".into(),
    };
    framed(&get).to_vec()
}

async fn unary_calls(client: &Client) -> u64 {
    client.stats().await.expect("served").levels.unary_calls
}

async fn calls_of(client: &Client, reason: &str) -> u64 {
    let stats = client.stats().await.expect("served");
    let get = stats.counts.methods.get("vault.v1.Documents/Get");
    let calls = get.and_then(|get| get.outcomes.get(reason));
    calls.copied().unwrap_or_default()
}

#[tokio::test]
async fn a_stream_of_calls_that_are_taken_back_ends_its_connection() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    let peak = daemon.memory("VmHWM");
    let socket = daemon.socket.clone();
    let flood = move || {
        let mut bytes = greeting();
        for call in 0..CALLS {
            let id = 2 * call + 1;
            bytes.extend(frame(HEADERS, END_HEADERS, id, &headers(GET)));
            bytes.extend(frame(DATA, END_STREAM, id, &message()));
            bytes.extend(frame(RST_STREAM, 0, id, &CANCEL));
        }
        let mut stream = connect(&socket);
        let mut sending = stream.try_clone().expect("the same");
        let sender = std::thread::spawn(move || send(&mut sending, &bytes));
        let mut last_word = None;
        while let Some(frame) = next(&mut stream) {
            if frame.kind == GOAWAY {
                last_word = Some(frame.content[4..8].to_vec());
            }
        }
        sender.join().expect("it ended");
        last_word
    };
    let last_word = tokio::task::spawn_blocking(flood).await.expect("it ended");
    assert_eq!(last_word.as_deref(), Some(&ENHANCE_YOUR_CALM[..]));
    until("nothing of it is left", async || {
        unary_calls(&client).await == 1
    })
    .await;
    let begun = calls_of(&client, "OK").await + calls_of(&client, "CANCELLED").await;
    assert!(begun < u64::from(CALLS) / 2, "{begun} of them began");
    let peak_now = daemon.memory("VmHWM");
    assert!(peak_now < peak + ROOM, "{peak} KiB, then {peak_now}");
    assert_unhurt(quiet, pace(&client).await);
}

/// Takes so many calls back once they have begun, a hundred at a time.
async fn begin_and_take_back(daemon: &Daemon, client: &Client, calls: u32) {
    const AT_ONCE: u32 = 100;
    let mut stream = connect(&daemon.socket);
    send(&mut stream, &greeting());
    for round in 0..calls / AT_ONCE {
        let ids = (round * AT_ONCE..(round + 1) * AT_ONCE).map(|call| 2 * call + 1);
        let mut begin = Vec::new();
        let mut take_back = Vec::new();
        for id in ids {
            begin.extend(frame(HEADERS, END_HEADERS, id, &headers(GET)));
            // The message does not come to its end.
            begin.extend(frame(DATA, 0, id, &message()[..6]));
            take_back.extend(frame(RST_STREAM, 0, id, &CANCEL));
        }
        send(&mut stream, &begin);
        until("they have begun", async || {
            unary_calls(client).await == u64::from(AT_ONCE) + 1
        })
        .await;
        send(&mut stream, &take_back);
        until("they are over", async || unary_calls(client).await == 1).await;
    }
}

#[tokio::test]
async fn calls_that_are_taken_back_once_they_have_begun_leave_nothing_behind() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let quiet = pace(&client).await;
    begin_and_take_back(&daemon, &client, 1000).await;
    let resident = daemon.memory("VmRSS");
    begin_and_take_back(&daemon, &client, CALLS).await;
    let cancelled = calls_of(&client, "CANCELLED").await;
    assert_eq!(cancelled, u64::from(CALLS) + 1000);
    let resident_now = daemon.memory("VmRSS");
    assert!(
        resident_now < resident + ROOM,
        "{resident} KiB, then {resident_now}"
    );
    assert_unhurt(quiet, soon("its calls", Box::pin(pace(&client))).await);
}
