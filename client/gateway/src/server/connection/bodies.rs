//! Bodies that say whose turn it is.

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Wake, Waker},
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::super::slots::Request;

/// A request's body, which says when it comes and when it is complete.
pub(super) struct Heard {
    body: Incoming,
    turn: Arc<Request>,
}

impl Heard {
    pub(super) fn new(body: Incoming, turn: &Arc<Request>) -> Self {
        if body.is_end_stream() {
            turn.complete();
        }
        let turn = Arc::clone(turn);
        Self { body, turn }
    }
}

impl HttpBody for Heard {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(_))) if !self.body.is_end_stream() => self.turn.heard(),
            Poll::Ready(_) => self.turn.complete(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, which keeps its request open.
///
/// hyper asks for more of it only when the peer takes more. So from each piece to the next time that it
/// is asked, it is the peer's turn; and ours from when it has nothing until it has.
pub(super) struct Offered {
    body: Body,
    turn: Arc<Request>,
    more: Arc<More>,
    waker: Waker,
}

/// Told when there is more of an answer, hyper may still be unable to pass it on.
struct More {
    // Whoever has something to tell may keep this for longer than the request lasts.
    turn: Weak<Request>,
    waiting: AtomicWaker,
}

impl Wake for More {
    fn wake(self: Arc<Self>) {
        if let Some(turn) = self.turn.upgrade() {
            turn.offer();
        }
        self.waiting.wake();
    }
}

impl Offered {
    pub(super) fn new(body: Body, turn: Arc<Request>) -> Self {
        turn.offer();
        let more = Arc::new(More {
            turn: Arc::downgrade(&turn),
            waiting: AtomicWaker::new(),
        });
        let waker = Waker::from(Arc::clone(&more));
        Self {
            body,
            turn,
            more,
            waker,
        }
    }
}

impl HttpBody for Offered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        this.more.waiting.register(context.waker());
        this.turn.taken();
        let polled = Pin::new(&mut this.body).poll_frame(&mut Context::from_waker(&this.waker));
        if polled.is_ready() {
            this.turn.offer();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
