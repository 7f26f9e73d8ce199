//! The content on its way.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use hyper::body::{Body as _, Incoming};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{error::FetchError, exchange::Driver};
use crate::error::chain;

/// The content of a URL, read as it comes. It ends with an error where it is cut short, too large
/// or too slow. Dropping it closes the connection.
pub struct FetchedBody {
    pub(super) host: String,
    pub(super) incoming: Incoming,
    pub(super) _driver: Driver,
    pub(super) limit: u64,
    pub(super) idle_timeout: Duration,
    /// The time that there was for all of it, and when it is over.
    pub(super) deadline: (Duration, Instant),
    pub(super) received: u64,
    /// Received and not yet read.
    pub(super) rest: Bytes,
    /// Runs while the server is waited for; not while a slow reader is.
    pub(super) waiting: Option<Pin<Box<Sleep>>>,
}

impl FetchedBody {
    /// The next bytes; nothing at the end.
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, FetchError>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
                ready!(self.poll_patience(context));
                return Poll::Ready(Err(self.too_slow()));
            };
            self.waiting = None;
            let Some(frame) = frame else {
                return Poll::Ready(Ok(None));
            };
            let frame = frame.map_err(|error| FetchError::Broken {
                host: self.host.clone(),
                detail: chain(&error),
            })?;
            // Trailers are nobody's business.
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            self.received += bytes.len() as u64;
            if self.received > self.limit {
                let (host, limit) = (self.host.clone(), self.limit);
                return Poll::Ready(Err(FetchError::TooLarge { host, limit }));
            }
            // A server that sends without end and slowly is never waited for long.
            if Instant::now() >= self.deadline.1 {
                return Poll::Ready(Err(self.too_slow()));
            }
            if !bytes.is_empty() {
                return Poll::Ready(Ok(Some(bytes)));
            }
        }
    }

    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let until = (Instant::now() + self.idle_timeout).min(self.deadline.1);
        let begin = || Box::pin(sleep_until(until));
        self.waiting
            .get_or_insert_with(begin)
            .as_mut()
            .poll(context)
    }

    fn too_slow(&self) -> FetchError {
        let host = self.host.clone();
        if Instant::now() >= self.deadline.1 {
            let deadline = self.deadline.0;
            return FetchError::Deadline { host, deadline };
        }
        let waited = self.idle_timeout;
        FetchError::Silent { host, waited }
    }
}

impl AsyncRead for FetchedBody {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.poll_bytes(context))? {
                None => return Poll::Ready(Ok(())),
                Some(bytes) => self.rest = bytes,
            }
        }
        let size = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..size]);
        self.rest.advance(size);
        Poll::Ready(Ok(()))
    }
}
