//! A server that many keep waiting.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::{RecvStream, client::SendRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use vault_gateway::server::Server;

use crate::support::{configured, silent_daemon};

/// Longer than anything here takes on a slow machine, shorter than what the gateway waits for.
const SOON: Duration = Duration::from_secs(20);

struct Serving {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    folder: tempfile::TempDir,
}

async fn serve(limits: &str) -> Serving {
    let toml = format!("bind = '127.0.0.1:0'\n[limits]\n{limits}");
    let (config, folder) = configured(&toml).expect("valid");
    let server = Server::bind(config).await.expect("bound");
    let (stop, told) = oneshot::channel::<()>();
    let address = server.address();
    let task = tokio::spawn(server.serve(async {
        let _ = told.await;
    }));
    Serving {
        address,
        stop,
        served: task,
        folder,
    }
}

async fn connect(address: SocketAddr, said: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(said.as_bytes()).await.expect("said");
    stream
}

/// What comes until the other end closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    // One that is closed with something unread is reset.
    let _ = tokio::time::timeout(SOON, read).await.expect("an end");
    text
}

const WHOLE: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn those_who_keep_it_waiting_do_not_keep_others_out() {
    let serving = serve("connections = 20\nheader_seconds = 600\nbody_seconds = 600").await;
    let dawdling = [
        "",
        "GET /healthz HTTP/1.1\r\nhost: loc",
        "POST /api/auth/login/begin HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/json\r\ncontent-length: 20\r\n\r\n{",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let mut kept = Vec::new();
    for round in 0..300 {
        kept.push(connect(serving.address, dawdling[round % dawdling.len()]).await);
        if round % 25 == 0 {
            let answer = rest(connect(serving.address, WHOLE).await).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{round}: {answer}");
        }
    }
    // The first ones have made room.
    for early in kept.drain(..200) {
        assert!(!rest(early).await.contains(" 200 "));
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let serving = serve("header_seconds = 1").await;
    for said in [
        "",
        "GET /healthz HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = connect(serving.address, said).await;
        let mut ignored = Vec::new();
        let closed = tokio::time::timeout(SOON, stream.read_to_end(&mut ignored));
        assert!(closed.await.is_ok(), "{said:?}");
    }
}

#[tokio::test]
async fn what_is_in_flight_when_it_stops_is_answered() {
    let serving = serve("").await;
    let _daemon = silent_daemon(&serving.folder);
    let body = r#"{"conditional":"no boolean"}"#;
    let head = format!(
        "POST /api/auth/login/begin HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = connect(serving.address, &head).await;
    // It is being read: the request has begun.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.expect("100");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let _ = serving.stop.send(());
    stream.write_all(body.as_bytes()).await.expect("said");
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("INVALID_ARGUMENT"), "{answer}");
    let ended = tokio::time::timeout(SOON, serving.served).await;
    ended.expect("soon").expect("no panic");
    assert!(TcpStream::connect(serving.address).await.is_err());
}

/// An answer whose body is not read. Dropped, it would end.
struct Untaken(
    #[expect(dead_code)] SendRequest<Bytes>,
    #[expect(dead_code)] http::Response<RecvStream>,
);

/// HTTP/2 with no room for any answer, on a connection that is alive otherwise.
async fn without_a_window(address: SocketAddr) -> (Untaken, JoinHandle<()>) {
    let stream = TcpStream::connect(address).await.expect("connected");
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (mut requests, connection) = builder.handshake(stream).await.expect("HTTP/2");
    let ended = tokio::spawn(async {
        let _ = connection.await;
    });
    let request = http::Request::get("http://localhost/console.css");
    let request = request.body(()).expect("a request");
    let (answer, _) = requests.send_request(request, true).expect("sent");
    let answer = answer.await.expect("a head");
    assert_eq!(answer.status(), 200);
    (Untaken(requests, answer), ended)
}

#[tokio::test]
async fn whoever_takes_nothing_is_not_waited_for() {
    let serving = serve("header_seconds = 1\nbody_seconds = 1").await;
    let (_requests, ended) = without_a_window(serving.address).await;
    let ended = tokio::time::timeout(SOON, ended).await;
    ended.expect("its connection ends").expect("no panic");
}

#[tokio::test]
async fn whoever_takes_nothing_makes_room() {
    let serving = serve("connections = 4\nheader_seconds = 600\nbody_seconds = 600").await;
    let mut kept = Vec::new();
    for _ in 0..20 {
        kept.push(without_a_window(serving.address).await);
    }
    let answer = rest(connect(serving.address, WHOLE).await).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
