//! Bodies that are too large, or too slow.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame};

use crate::support::{gateway, to};

const LOGIN: &str = "/api/auth/login/begin";

/// A body that must not be looked at.
struct Untouched;

impl HttpBody for Untouched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("a byte of it was asked for")
    }
}

/// A body that begins and never goes on.
struct Stalled(Option<Bytes>);

impl HttpBody for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.take().map(|piece| Ok(Frame::data(piece)));
        piece.map_or(Poll::Pending, |piece| Poll::Ready(Some(piece)))
    }
}

fn json(path: &str) -> http::request::Builder {
    to("POST", path).header("content-type", "application/json")
}

#[tokio::test]
async fn what_says_that_it_is_too_large_is_refused_unread() {
    let gateway = gateway("");
    let request = json(LOGIN).header("content-length", 64 * 1024 + 1);
    let answer = gateway.send(request, Body::new(Untouched)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.reason(), "TOO_LARGE");
}

#[tokio::test]
async fn what_does_not_say_so_is_refused_once_it_is() {
    let gateway = gateway("");
    let _daemon = gateway.silent_daemon();
    let padding = " ".repeat(64 * 1024);
    let body = Body::from_stream(tokio_stream::iter([
        Ok::<_, Infallible>(padding),
        Ok("{}".to_owned()),
    ]));
    let answer = gateway.send(json(LOGIN), body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    assert_eq!(answer.reason(), "TOO_LARGE");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_for_ever() {
    let gateway = gateway("[limits]\nbody_seconds = 7");
    let _daemon = gateway.silent_daemon();
    let begun = tokio::time::Instant::now();
    let body = Body::new(Stalled(Some(Bytes::from_static(b"{"))));
    let answer = gateway.send(json(LOGIN), body).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{answer:?}");
    assert_eq!(answer.reason(), "TIMED_OUT");
    assert_eq!(begun.elapsed().as_secs(), 7);
}

#[tokio::test]
async fn json_is_asked_for_by_its_type() {
    let gateway = gateway("");
    let _daemon = gateway.silent_daemon();
    // What a form of another site's page can send.
    let form = to("POST", LOGIN).header("content-type", "text/plain");
    let answer = gateway.send(form, Body::from("{}")).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answer.reason(), "UNSUPPORTED_MEDIA_TYPE");
    for wrong in ["{", "1", r#"{"conditional":1}"#, r#"{"other":true}"#] {
        let answer = gateway.send(json(LOGIN), Body::from(wrong)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(answer.reason(), "INVALID_ARGUMENT");
    }
}
