//! Bodies of requests: none is larger than its route allows, and none may take for ever.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::failure::Failure;

/// What a route allows.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// In bytes; none where the daemon bounds it.
    pub size: Option<usize>,
    /// For the whole of it, or, where there is no bound on its size, between two pieces.
    pub time: Duration,
}

/// Refuses what says that it is too large before a byte of it is read, and ends what dawdles.
pub async fn layer(bounds: Bounds, request: Request, next: Next) -> Response {
    if let (Some(limit), Some(size)) = (bounds.size, content_length(request.headers())) {
        let limit = limit as u64;
        if size > limit {
            return Failure::too_large(limit).into_response();
        }
    }
    let watch = |body| Body::new(Timed::new(body, bounds));
    next.run(request.map(watch)).await
}

/// What cannot be read as a number is for the server to refuse: it has, before this.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// The rest of a body did not come in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body did not come in time")]
pub struct TooSlow;

/// A body that ends in an error once it has taken too long.
struct Timed {
    body: Body,
    bounds: Bounds,
    deadline: Pin<Box<Sleep>>,
}

impl Timed {
    fn new(body: Body, bounds: Bounds) -> Self {
        let deadline = Box::pin(sleep(bounds.time));
        Self {
            body,
            bounds,
            deadline,
        }
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if this.bounds.size.is_none() {
                let next = Instant::now() + this.bounds.time;
                this.deadline.as_mut().reset(next);
            }
            return Poll::Ready(frame);
        }
        ready!(this.deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
