//! The answer to a call, which keeps its place.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{body::Body, response::Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use data_encoding::BASE64;
use http::header::CONTENT_TYPE;
use http_body::{Body as HttpBody, Frame};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};

use crate::routes::watch::LIFETIME;

/// What comes before trailers, in place of a message's mark.
const TRAILERS: u8 = 0x80;
/// UNAVAILABLE: the caller may begin anew.
const OVER: &str = "grpc-status:14\r\ngrpc-message:a watch goes on for an hour: begin it anew\r\n";

/// A body with its places. One that watches ends in time: by then its caller may not watch any more.
pub(super) struct Kept {
    body: Body,
    end: Option<Pin<Box<Sleep>>>,
    text: bool,
    over: bool,
    _call: OwnedSemaphorePermit,
    _watch: Option<OwnedSemaphorePermit>,
}

impl Kept {
    /// An answer that keeps its places to its end.
    pub(super) fn around(
        response: Response,
        call: OwnedSemaphorePermit,
        watch: Option<OwnedSemaphorePermit>,
    ) -> Response {
        let kind = response.headers().get(CONTENT_TYPE);
        let text =
            kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc-web-text"));
        response.map(|body| {
            Body::new(Self {
                body,
                end: watch.is_some().then(|| Box::pin(sleep(LIFETIME))),
                text,
                over: false,
                _call: call,
                _watch: watch,
            })
        })
    }
}

/// The trailers of a call that is over.
fn over(text: bool) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(TRAILERS);
    // A constant of a few bytes.
    frame.put_u32(u32::try_from(OVER.len()).unwrap_or_default());
    frame.put_slice(OVER.as_bytes());
    if text {
        BASE64.encode(&frame).into()
    } else {
        frame.freeze()
    }
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        if let Some(end) = &mut this.end
            && end.as_mut().poll(context).is_ready()
        {
            this.over = true;
            return Poll::Ready(Some(Ok(Frame::data(over(this.text)))));
        }
        Poll::Ready(ready!(Pin::new(&mut this.body).poll_frame(context)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt as _;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_watch_ends_and_gives_up_its_places() {
        let places = Arc::new(Semaphore::new(2));
        let take = || Arc::clone(&places).try_acquire_owned().expect("a place");
        let endless =
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, axum::Error>>());
        let response = Kept::around(Response::new(endless), take(), Some(take()));
        assert_eq!(places.available_permits(), 0);
        let body = response.into_body().collect().await.expect("an end");
        let bytes = body.to_bytes();
        assert_eq!(bytes[0], TRAILERS);
        assert!(bytes.ends_with(OVER.as_bytes()));
        assert_eq!(places.available_permits(), 2);
    }
}
