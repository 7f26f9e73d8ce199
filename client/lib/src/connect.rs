//! Dialling the socket, and making sure who answers before a byte is said.

use std::{
    io,
    path::{Path, PathBuf},
};

use hyper_util::rt::TokioIo;
use interprocess::local_socket::{
    GenericFilePath, ToFsName as _,
    tokio::{Stream as SocketStream, prelude::*},
};
use tonic::transport::{Channel, Endpoint};

use crate::error::Error;

/// HTTP/2 windows, in bytes: a few chunks in flight.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Largest HTTP/2 frame, in bytes: what comes in larger ones takes fewer calls to read. A message of
/// the largest chunk fits in one, with what says so.
const FRAME: u32 = (256 << 10) + 1024;

#[cfg(unix)]
type Io = tokio::net::UnixStream;
#[cfg(windows)]
type Io = SocketStream;

#[cfg(unix)]
fn into_io(stream: SocketStream) -> Io {
    let SocketStream::UdSocket(stream) = stream;
    stream.into()
}

#[cfg(windows)]
fn into_io(stream: SocketStream) -> Io {
    stream
}

/// Says why a connection was not made: its own error type, so that a foreign server is told apart.
#[derive(Debug, thiserror::Error)]
#[error("it belongs to another user")]
struct Foreign;

#[cfg(unix)]
fn check_server(stream: &SocketStream) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    if stream.peer_creds()?.euid() == Some(own) {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, Foreign))
    }
}

/// Anybody may make a pipe of any name, as long as nobody else has.
#[cfg(windows)]
fn check_server(stream: &SocketStream) -> io::Result<()> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

    let server = stream.peer_creds()?.pid().map(Pid::from_u32);
    let own = sysinfo::get_current_pid().ok();
    let both: Vec<Pid> = server.into_iter().chain(own).collect();
    let mut system = System::new();
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&both),
        true,
        ProcessRefreshKind::nothing().with_user(UpdateKind::Always),
    );
    let user = |pid: Option<Pid>| system.process(pid?)?.user_id();
    match (user(server), user(own)) {
        (Some(theirs), Some(ours)) if theirs == ours => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::PermissionDenied, Foreign)),
    }
}

/// A connection to a socket.
pub(crate) type Opened = TokioIo<Io>;

/// Opens `socket`, and makes sure who serves it.
pub(crate) async fn open(socket: PathBuf) -> io::Result<Opened> {
    let stream = SocketStream::connect(socket.to_fs_name::<GenericFilePath>()?).await?;
    check_server(&stream)?;
    Ok(TokioIo::new(into_io(stream)))
}

/// Connects to `socket`.
pub(crate) async fn dial(socket: &Path) -> Result<Channel, Error> {
    let path = socket.to_owned();
    dial_by(socket, move || open(path.clone())).await
}

/// Connects to `socket`, which `open` opens: now, and again whenever the connection has ended.
pub(crate) async fn dial_by<F>(
    socket: &Path,
    open: impl Fn() -> F + Send + 'static,
) -> Result<Channel, Error>
where
    F: Future<Output = io::Result<Opened>> + Send + 'static,
{
    // The first connection is tried apart, since the channel hides what the operating system says.
    let first = open().await.map_err(|error| refused(socket, error))?;
    let mut first = Some(first);
    let connector = tower::service_fn(move |_: http::Uri| {
        let opening = match first.take() {
            Some(first) => Ok(first),
            // The daemon ended since.
            None => Err(open()),
        };
        async move {
            match opening {
                Ok(first) => Ok(first),
                Err(opening) => opening.await,
            }
        }
    });
    // The name is not looked up; HTTP/2 wants one.
    Endpoint::from_static("http://vaultd.local")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .connect_with_connector(connector)
        .await
        .map_err(|error| Error::NoDaemon {
            socket: socket.to_owned(),
            detail: error.to_string(),
        })
}

/// Why a socket was not opened.
fn refused(socket: &Path, error: io::Error) -> Error {
    let inner = error.get_ref();
    if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<Foreign>) {
        return Error::ForeignServer {
            socket: socket.to_owned(),
        };
    }
    // What opens it may have tried to start a daemon.
    error.downcast().unwrap_or_else(|error| Error::NoDaemon {
        socket: socket.to_owned(),
        detail: error.to_string(),
    })
}

/// Whether it was not opened because nobody listens there.
pub(crate) fn nobody_listens(error: &io::Error) -> bool {
    error.get_ref().is_none()
}
