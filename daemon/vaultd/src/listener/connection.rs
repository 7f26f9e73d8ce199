//! A connection of this user: counted, waited for until it speaks, and no more than its turn.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use interprocess::local_socket::{tokio::Stream as SocketStream, traits::StreamCommon as _};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};
use tonic::transport::server::Connected;

use super::{
    ConnectionInfo,
    pace::{PREFACE_LEN, Pace},
    slots::{Slot, Slots},
};
use crate::{
    config::LimitsInForce,
    cork::Corked,
    metrics::{OpenConnection, Traffic},
    platform::{self, PeerProcess},
    principal::Peer,
};

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
    pace: Pace,
    counted: OpenConnection,
    /// None of the daemon's own, by which it finds out whether it still answers.
    _slot: Option<Slot>,
}

impl Connection {
    pub(super) fn admit(
        stream: SocketStream,
        slots: &Slots,
        limits: &LimitsInForce,
        draining: watch::Receiver<()>,
        traffic: &Arc<Traffic>,
    ) -> io::Result<Self> {
        let refused = |text: String| io::Error::new(io::ErrorKind::PermissionDenied, text);
        let credentials = stream.peer_creds()?;
        let uid = peer_uid(&credentials);
        check_user(uid, platform::user_id()).map_err(refused)?;
        let io = into_io(stream);
        let pid = peer_pid(&io, &credentials);
        let limits = limits.now();
        let process = Some(Arc::new(peer_process(&io, pid)));
        let peer = Peer { uid, pid, process };
        // However many others there are, it must not take itself for stuck.
        let slot = if peer.is_self() {
            None
        } else {
            Some(slots.take(limits.connections).ok_or_else(|| {
                refused(format!(
                    "{} connections are open already",
                    limits.connections
                ))
            })?)
        };
        Ok(Self {
            io: Corked::new(io),
            info: ConnectionInfo::new(peer),
            awaited: Some((
                PREFACE_LEN,
                Box::pin(patience(limits.first_bytes(), draining)),
            )),
            pace: Pace::default(),
            counted: traffic.accept(),
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
fn peer_pid(io: &Io, credentials: &interprocess::local_socket::PeerCreds) -> Option<i32> {
    platform::peer_pid(std::os::fd::AsFd::as_fd(io), credentials)
}

#[cfg(windows)]
fn peer_pid(_: &Io, credentials: &interprocess::local_socket::PeerCreds) -> Option<i32> {
    credentials.pid().map(u32::cast_signed)
}

#[cfg(unix)]
fn peer_process(io: &Io, pid: Option<i32>) -> PeerProcess {
    PeerProcess::of(std::os::fd::AsFd::as_fd(io), pid)
}

#[cfg(windows)]
fn peer_process(_: &Io, _: Option<i32>) -> PeerProcess {
    PeerProcess::default()
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

impl Connection {
    /// Reads, where it is this connection's turn.
    fn poll_turn(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pace.is_over() {
            self.pace.rest();
            // Its waker is called once the others, and whoever has sent something meanwhile, have
            // had their turn.
            let mut others = std::pin::pin!(tokio::task::yield_now());
            return others.as_mut().poll(context).map(Ok);
        }
        let before = buffer.filled().len();
        let poll = match self.pace.at_most(buffer.remaining()) {
            None => Pin::new(&mut self.io).poll_read(context, buffer),
            Some(few) => {
                let mut part = ReadBuf::new(buffer.initialize_unfilled_to(few));
                let poll = Pin::new(&mut self.io).poll_read(context, &mut part);
                let read = part.filled().len();
                buffer.advance(read);
                poll
            }
        };
        if poll.is_pending() {
            self.pace.rest();
        }
        let read = &buffer.filled()[before..];
        self.counted.received(read.len());
        self.pace.took(read);
        poll
    }

    fn count_sent(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.counted.sent(*bytes);
        }
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = self.poll_turn(context, buffer);
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
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.count_sent(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.count_sent(written)
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
