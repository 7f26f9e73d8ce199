//! Sockets that were opened before the daemon was started.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::{
        fd::OwnedFd,
        unix::{
            fs::PermissionsExt as _,
            net::{UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::Path,
    process::Command,
};

use hyper_util::rt::TokioIo;
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::support::{Home, poll, private, soon};

/// Hands over what is its standard input, as descriptor 3, as often as it is told to.
const HAND_OVER: &str = r#"
count=$1; shift
exec 3<&0
[ "$count" = 1 ] || exec 4<&0
LISTEN_PID=$$ LISTEN_FDS=$count exec "$@" </dev/null
"#;

/// The daemon of a root, started with `socket` as its service manager does it.
fn activated(home: &Home, root: &str, socket: impl Into<OwnedFd>, count: u32) -> Command {
    let mut command = home.command("/bin/sh");
    command
        .args(["-c", HAND_OVER, "sh", &count.to_string()])
        .arg(env!("CARGO_BIN_EXE_vaultd"))
        .args(["--ephemeral", "--data-dir"])
        .arg(home.path(root))
        .stdin(socket.into());
    command
}

/// What systemd does for a `.socket` unit.
fn listening(path: &Path) -> UnixListener {
    let _ = fs::remove_file(path);
    let socket = UnixListener::bind(path).expect("bound");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("for its user alone");
    socket
}

fn used() -> Home {
    let home = Home::new();
    private(&home.path("run/vaultd"));
    home
}

/// Whether a connection from before the start is served.
async fn answered(queued: tokio::net::UnixStream) -> bool {
    let mut queued = Some(TokioIo::new(queued));
    let connector = tower::service_fn(move |_: http::Uri| {
        let gone = || std::io::Error::from(std::io::ErrorKind::NotConnected);
        std::future::ready(queued.take().ok_or_else(gone))
    });
    let endpoint = Endpoint::from_static("http://vaultd.local");
    let channel = endpoint.connect_with_connector(connector).await;
    let mut health = HealthClient::new(channel.expect("an HTTP/2 session"));
    health.check(HealthCheckRequest::default()).await.is_ok()
}

#[tokio::test]
async fn the_socket_is_served_and_outlives_the_daemon() {
    let home = used();
    let path = home.socket("root");
    let socket = listening(&path);
    for _ in 0..2 {
        let queued = tokio::net::UnixStream::connect(&path).await;
        let inherited = socket.try_clone().expect("another");
        let mut daemon = home.serve("root", activated(&home, "root", inherited, 1));
        daemon.client().await.status().await.expect("served");
        let queued = queued.expect("the service manager listens");
        assert!(soon("an answer", answered(queued)).await);
        assert!(daemon.log().contains("activated=true"), "{}", daemon.log());
        assert!(daemon.terminate().await.success());
        assert!(path.exists(), "its name is the service manager's");
    }
}

/// Starts a daemon with a socket that is not the one, and has it refused.
fn assert_refused(home: &Home, socket: impl Into<OwnedFd>, count: u32, said: &str) {
    let log = home.path("refused");
    let mut command = activated(home, "root", socket, count);
    command.stderr(fs::File::create(&log).expect("a log"));
    let mut child = command.spawn().expect("started");
    let ended = poll(|| child.try_wait().expect("its status"));
    let _ = child.kill();
    let _ = child.wait();
    let text = fs::read_to_string(&log).expect("what it said");
    let code = ended.and_then(|status| status.code());
    // 78: to start it again would not help.
    assert_eq!(code, Some(78), "{said}: {text}");
    assert!(text.contains(said), "{said}: {text}");
}

#[tokio::test]
async fn a_socket_that_is_not_the_one_clients_dial_is_refused() {
    let home = used();
    let path = home.socket("root");
    let other = home.path("run/vaultd/other.sock");
    let expected = path.display().to_string();
    assert_refused(&home, listening(&other), 1, &expected);
    assert_refused(&home, listening(&other), 1, "ListenStream=");
    // Nor is one of the right name that nobody can dial any more.
    let socket = listening(&path);
    fs::remove_file(&path).expect("removed");
    assert_refused(&home, socket, 1, "No such file");

    let tcp = TcpListener::bind("127.0.0.1:0").expect("bound");
    assert_refused(&home, tcp, 1, "no Unix socket");
    let datagrams = UnixDatagram::bind(&path).expect("bound");
    assert_refused(&home, datagrams, 1, "no stream socket");
    let _listener = listening(&path);
    let connection = UnixStream::connect(&path).expect("connected");
    assert_refused(&home, connection, 1, "Accept=no");
    let file = fs::File::create(home.path("file")).expect("a file");
    assert_refused(&home, file, 1, "no socket");
    assert_refused(&home, listening(&path), 2, "2 sockets");
    assert!(path.exists(), "it is not ours to remove");
}

#[tokio::test]
async fn a_socket_that_others_could_reach_is_refused() {
    let home = used();
    let path = home.socket("root");
    for open in [0o660, 0o606, 0o666, 0o777] {
        let socket = listening(&path);
        fs::set_permissions(&path, Permissions::from_mode(open)).expect("opened");
        assert_refused(&home, socket, 1, "SocketMode=0600");
    }
    let folder = home.path("run/vaultd");
    let socket = listening(&path);
    fs::set_permissions(&folder, Permissions::from_mode(0o750)).expect("opened");
    let log = home.path("open-folder");
    let mut command = activated(&home, "root", socket, 1);
    command.stderr(fs::File::create(&log).expect("a log"));
    let status = command.status().expect("it ends");
    let text = fs::read_to_string(&log).expect("what it said");
    assert!(
        !status.success() && text.contains("open to others"),
        "{text}"
    );
}

#[tokio::test]
async fn a_daemon_of_ones_own_leaves_the_service_managers_socket_alone() {
    let home = used();
    let path = home.socket("root");
    let socket = listening(&path);
    let (code, text) = home.refused("root", &["--ephemeral"]);
    assert_eq!(code, Some(75), "{text}");
    assert!(text.contains("already listens"), "{text}");
    assert!(!home.path("root").exists(), "nothing was created or locked");
    // The service manager sees that somebody came, and starts its own.
    let mut daemon = home.serve("root", activated(&home, "root", socket, 1));
    daemon.client().await.stores().await.expect("served");
    assert!(daemon.terminate().await.success());
}

#[tokio::test]
async fn what_was_handed_to_another_process_is_not_taken() {
    let home = used();
    let path = home.path("run/vaultd/other.sock");
    let mut command = home.vaultd("root");
    // Of a shell that systemd started, say.
    command
        .arg("--ephemeral")
        .env("LISTEN_PID", "1")
        .env("LISTEN_FDS", "1")
        .stdin(OwnedFd::from(listening(&path)));
    let daemon = home.serve("root", command);
    daemon.client().await.stores().await.expect("served");
    assert!(daemon.log().contains("activated=false"), "{}", daemon.log());
}
