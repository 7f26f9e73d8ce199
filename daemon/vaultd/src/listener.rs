//! The socket: bound where nobody else can reach it, or taken over from the service manager, every
//! peer identified before a byte of it is parsed.

mod connection;
#[cfg(unix)]
mod inherited;
mod open;
mod pace;
mod slots;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use interprocess::local_socket::{tokio::Listener as SocketListener, traits::tokio::Listener as _};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinHandle,
};

pub use self::{connection::Connection, open::BindError, slots::Slots};
use crate::{config::LimitsInForce, metrics::Traffic, platform, principal::Peer};

/// Unary calls of one connection that work at once. Its others wait, so that whoever sends very many, or
/// takes them back as soon as they have begun, keeps no other connection waiting behind all of them.
const TURNS: usize = 32;

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: SocketListener,
    path: PathBuf,
    /// The service manager's socket, whose name stays when this ends.
    inherited: bool,
    slots: Slots,
    _lock: Option<File>,
}

impl Listener {
    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the service manager opened it.
    pub const fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// The connections that are open.
    pub fn slots(&self) -> Slots {
        self.slots.clone()
    }

    /// Accepts connections until the receiver is dropped. Another user's are closed unread; those
    /// over the limit, too. The task ends when the socket is gone. When `draining` changes, or ends,
    /// nobody who has not spoken yet is waited for. Counts in `traffic`.
    pub fn serve(
        self,
        limits: LimitsInForce,
        draining: watch::Receiver<()>,
        traffic: Arc<Traffic>,
    ) -> (mpsc::Receiver<io::Result<Connection>>, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(64);
        (
            receiver,
            tokio::spawn(self.accept_all(limits, draining, traffic, sender)),
        )
    }

    async fn accept_all(
        self,
        limits: LimitsInForce,
        draining: watch::Receiver<()>,
        traffic: Arc<Traffic>,
        sender: mpsc::Sender<io::Result<Connection>>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = sender.closed() => return,
            };
            let connection = accepted.and_then(|stream| {
                Connection::admit(stream, &self.slots, &limits, draining.clone(), &traffic)
            });
            match connection {
                Ok(connection) => {
                    if sender.send(Ok(connection)).await.is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    traffic.refuse();
                    tracing::warn!("connection refused: {error}");
                }
                Err(error) => {
                    // Out of descriptors, say: let others finish before the next try.
                    tracing::warn!("connection not accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if !self.inherited {
            // The lock is still held: what lies there is ours.
            let _ = platform::remove_stale_socket(&self.path);
        }
    }
}

/// What is known of a connection, carried by each of its requests.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The process at the other end.
    pub peer: Peer,
    /// Whether a call of the gateway ever came over it.
    gateway: Arc<AtomicBool>,
    /// Unary calls that may be at work at once.
    turns: Arc<Semaphore>,
}

impl ConnectionInfo {
    fn new(peer: Peer) -> Self {
        Self {
            peer,
            gateway: Arc::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
        }
    }

    /// A call of the gateway came over it: no call on it is the owner's any more.
    pub fn declare_gateway(&self) {
        self.gateway.store(true, Ordering::Relaxed);
    }

    /// Waits until another unary call of this connection may work.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Whether a call of the gateway ever came over it.
    pub fn is_gateway(&self) -> bool {
        self.gateway.load(Ordering::Relaxed)
    }
}
