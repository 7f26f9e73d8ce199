//! The socket: bound where nobody else can reach it, every peer identified before a byte of it is
//! parsed.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use interprocess::local_socket::{
    GenericFilePath, ListenerOptions, ToFsName as _,
    tokio::{Listener as SocketListener, Stream as SocketStream},
    traits::{StreamCommon as _, tokio::Listener as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinHandle,
};
use tonic::transport::server::Connected;

use crate::{cork::Corked, platform, principal::Peer};

/// Longest path of a Unix socket, in bytes: `sun_path` less its terminator, on the strictest system.
const PATH_LIMIT: usize = 103;

/// Bytes of an HTTP/2 connection preface: what a peer must send to show that it means business.
const PREFACE_LEN: usize = 24;

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: SocketListener,
    path: PathBuf,
    _lock: File,
}

/// Why the socket was not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon listens there.
    #[error("another vaultd already listens on {0}")]
    Served(PathBuf),
    /// The path, or its folder, cannot be used.
    #[error("cannot listen on {path}: {error}")]
    Unusable {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
}

impl Listener {
    /// Binds `path`. The caller holds the data root's lock; a lock beside the socket keeps out a
    /// daemon of another root that was told to use the same path.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let unusable = |error| BindError::Unusable {
            path: path.to_owned(),
            error,
        };
        let too_long = path.as_os_str().len() > PATH_LIMIT;
        if too_long && cfg!(unix) {
            let text =
                format!("the path is over {PATH_LIMIT} bytes: name another by VAULTD_SOCKET");
            return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        if let Some(folder) = path.parent() {
            platform::private_folder(folder).map_err(unusable)?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = platform::open_lock_file(Path::new(&lock_path)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BindError::Served(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        platform::remove_stale_socket(path).map_err(unusable)?;
        let socket = listen(path).map_err(unusable)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts connections until the receiver is dropped. Another user's are closed unread; those
    /// over the limit, too. The task ends when the socket is gone. When `draining` changes, or ends,
    /// nobody who has not spoken yet is waited for.
    pub fn serve(
        self,
        limits: ConnectionLimits,
        draining: watch::Receiver<()>,
    ) -> (mpsc::Receiver<io::Result<Connection>>, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(64);
        (
            receiver,
            tokio::spawn(self.accept_all(limits, draining, sender)),
        )
    }

    async fn accept_all(
        self,
        limits: ConnectionLimits,
        draining: watch::Receiver<()>,
        sender: mpsc::Sender<io::Result<Connection>>,
    ) {
        let slots = Arc::new(Semaphore::new(limits.connections));
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = sender.closed() => return,
            };
            let connection = accepted
                .and_then(|stream| Connection::admit(stream, &slots, limits, draining.clone()));
            match connection {
                Ok(connection) => {
                    if sender.send(Ok(connection)).await.is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    tracing::warn!(%error, "connection refused");
                }
                Err(error) => {
                    // Out of descriptors, say: let others finish before the next try.
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The lock is still held: what lies there is ours.
        let _ = platform::remove_stale_socket(&self.path);
    }
}

fn listen(path: &Path) -> io::Result<SocketListener> {
    let options = ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?);
    #[cfg(unix)]
    let options = {
        use interprocess::os::unix::local_socket::ListenerOptionsExt as _;
        // The name is removed by `Listener::drop`, under the lock.
        options.mode(0o600).reclaim_name(false)
    };
    options.create_tokio()
}

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// How many at once.
    pub connections: usize,
    /// How long a peer has to send its HTTP/2 preface.
    pub first_bytes: Duration,
}

/// What is known of a connection, carried by each of its requests.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The process at the other end.
    pub peer: Peer,
    /// Whether a call of the gateway ever came over it.
    gateway: Arc<AtomicBool>,
}

impl ConnectionInfo {
    fn new(peer: Peer) -> Self {
        Self {
            peer,
            gateway: Arc::default(),
        }
    }

    /// A call of the gateway came over it: no call on it is the owner's any more.
    pub fn declare_gateway(&self) {
        self.gateway.store(true, Ordering::Relaxed);
    }

    /// Whether a call of the gateway ever came over it.
    pub fn is_gateway(&self) -> bool {
        self.gateway.load(Ordering::Relaxed)
    }
}

/// interprocess's stream lacks vectored writes, which HTTP/2 makes good use of: on Unix the
/// connection goes on as tokio's own type.
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

/// A connection of this user.
pub struct Connection {
    io: Corked<Io>,
    info: ConnectionInfo,
    /// Until the preface has come: how much of it, and how long it may take.
    awaited: Option<(usize, Patience)>,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    fn admit(
        stream: SocketStream,
        slots: &Arc<Semaphore>,
        limits: ConnectionLimits,
        draining: watch::Receiver<()>,
    ) -> io::Result<Self> {
        let refused = |text: String| io::Error::new(io::ErrorKind::PermissionDenied, text);
        let credentials = stream.peer_creds()?;
        let peer = Peer {
            uid: peer_uid(&credentials),
            pid: peer_pid(&credentials),
        };
        check_user(peer.uid, platform::user_id()).map_err(refused)?;
        let slot = Arc::clone(slots).try_acquire_owned().map_err(|_| {
            refused(format!(
                "{} connections are open already",
                limits.connections
            ))
        })?;
        Ok(Self {
            io: Corked::new(into_io(stream)),
            info: ConnectionInfo::new(peer),
            awaited: Some((
                PREFACE_LEN,
                Box::pin(patience(limits.first_bytes, draining)),
            )),
            _slot: slot,
        })
    }
}

/// How long a connection is waited for.
type Patience = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn patience(time: Duration, mut draining: watch::Receiver<()>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        _ = draining.changed() => {}
    }
}

#[cfg(unix)]
fn peer_uid(credentials: &interprocess::local_socket::PeerCreds) -> Option<u32> {
    credentials.euid()
}

#[cfg(windows)]
fn peer_uid(_: &interprocess::local_socket::PeerCreds) -> Option<u32> {
    None
}

#[cfg(unix)]
fn peer_pid(credentials: &interprocess::local_socket::PeerCreds) -> Option<i32> {
    credentials.pid()
}

#[cfg(windows)]
fn peer_pid(credentials: &interprocess::local_socket::PeerCreds) -> Option<i32> {
    credentials.pid().map(u32::cast_signed)
}

/// Lets in the daemon's own user and nobody else: root has other ways, and needs none here.
fn check_user(peer: Option<u32>, own: Option<u32>) -> Result<(), String> {
    if peer == own {
        Ok(())
    } else {
        Err(format!("a process of user {peer:?} is not let in"))
    }
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.io).poll_read(context, buffer);
        let Some((missing, deadline)) = &mut self.awaited else {
            return poll;
        };
        *missing = missing.saturating_sub(buffer.filled().len() - before);
        if *missing == 0 {
            self.awaited = None;
        } else if deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_daemons_own_user_is_let_in() {
        assert!(check_user(Some(1000), Some(1000)).is_ok());
        assert!(check_user(Some(1001), Some(1000)).is_err());
        assert!(check_user(Some(0), Some(1000)).is_err());
        assert!(check_user(None, Some(1000)).is_err());
    }
}
