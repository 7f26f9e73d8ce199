//! Sends what belongs together in one go.
//!
//! h2 flushes each data frame of 256 bytes and more before it takes the next frame, so that a unary
//! answer leaves in two writes, body and trailers, and wakes its caller twice: a fifth of the time
//! of a small get. Here the flush after a small data frame waits for what comes next, at most until
//! the connection's task runs again, for which it is woken at once.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are held back, at most.
const LIMIT: usize = 4 << 10;

/// A stream that holds a small data frame back until the next flush.
#[derive(Debug)]
pub struct Corked<S> {
    stream: S,
    held: Vec<u8>,
    /// The last write was a data frame, which h2 hands over in two parts.
    data_frame: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Corked<S> {
    /// A stream that holds nothing yet.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            held: Vec::new(),
            data_frame: false,
        }
    }

    /// Writes what is held.
    fn poll_release(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.data_frame = false;
        let mut written = 0;
        while written < self.held.len() {
            match Pin::new(&mut self.stream).poll_write(context, &self.held[written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.held.drain(..written);
                    return Poll::Pending;
                }
            }
        }
        self.held.clear();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Corked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The task runs again: nothing came to be sent along. What a full socket does not take goes
        // on when it does, for which this registers the task.
        if let Poll::Ready(Err(error)) = self.poll_release(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        if self.held.len() + len > LIMIT {
            ready!(self.poll_release(context))?;
            return Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        }
        for part in parts {
            self.held.extend_from_slice(part);
        }
        self.data_frame = parts.len() > 1;
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.data_frame) {
            context.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_release(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt as _, DuplexStream};

    use super::*;

    const DATA: [&[u8]; 2] = [b"head", b"body"];

    fn write(corked: &mut Corked<DuplexStream>, parts: &[&[u8]]) {
        let mut context = Context::from_waker(Waker::noop());
        let parts: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut stream = Pin::new(corked);
        let written = stream.as_mut().poll_write_vectored(&mut context, &parts);
        assert!(matches!(written, Poll::Ready(Ok(_))));
        assert!(matches!(
            stream.poll_flush(&mut context),
            Poll::Ready(Ok(()))
        ));
    }

    /// What has arrived at the other end.
    async fn arrived(peer: &mut DuplexStream) -> Vec<u8> {
        let mut buffer = vec![0; 64 << 10];
        let read = tokio::time::timeout(std::time::Duration::ZERO, peer.read(&mut buffer)).await;
        buffer.truncate(read.map_or(0, |read| read.expect("readable")));
        buffer
    }

    #[tokio::test]
    async fn a_small_data_frame_goes_with_what_follows_it() {
        let (stream, mut peer) = tokio::io::duplex(64 << 10);
        let mut corked = Corked::new(stream);
        write(&mut corked, &DATA);
        assert_eq!(arrived(&mut peer).await, b"");
        write(&mut corked, &[b"trailers"]);
        assert_eq!(arrived(&mut peer).await, b"headbodytrailers");
        write(&mut corked, &[b"alone"]);
        assert_eq!(arrived(&mut peer).await, b"alone");
    }

    #[tokio::test]
    async fn nothing_is_held_beyond_the_next_run_of_the_task_or_the_end() {
        let (stream, mut peer) = tokio::io::duplex(64 << 10);
        let mut corked = Corked::new(stream);
        let mut context = Context::from_waker(Waker::noop());
        write(&mut corked, &DATA);
        let mut buffer = [0; 8];
        let read = Pin::new(&mut corked).poll_read(&mut context, &mut ReadBuf::new(&mut buffer));
        assert!(read.is_pending());
        assert_eq!(arrived(&mut peer).await, b"headbody");
        write(&mut corked, &DATA);
        assert!(Pin::new(&mut corked).poll_shutdown(&mut context).is_ready());
        assert_eq!(arrived(&mut peer).await, b"headbody");
    }

    #[tokio::test]
    async fn a_large_data_frame_is_not_held() {
        let (stream, mut peer) = tokio::io::duplex(64 << 10);
        let mut corked = Corked::new(stream);
        write(&mut corked, &DATA);
        let large = vec![7; LIMIT + 1];
        write(&mut corked, &[&large]);
        assert_eq!(arrived(&mut peer).await.len(), 8 + large.len());
    }

    #[tokio::test]
    async fn a_full_socket_loses_nothing() {
        let (stream, mut peer) = tokio::io::duplex(5);
        let mut corked = Corked::new(stream);
        let mut context = Context::from_waker(Waker::noop());
        write(&mut corked, &DATA);
        let mut received = Vec::new();
        while received.len() < 8 {
            let _ = Pin::new(&mut corked).poll_flush(&mut context);
            received.extend(arrived(&mut peer).await);
        }
        assert_eq!(received, b"headbody");
    }
}
