//! Bodies of long calls: they end once their caller counts no more.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

/// Whether a caller still counts.
pub type StillCounts = Arc<dyn Fn() -> Result<(), Box<Status>> + Send + Sync>;

/// A body whose every frame asks first whether its caller still counts: what is revoked amid a call
/// neither learns nor changes anything more by it.
struct Lasting {
    body: Body,
    still_counts: StillCounts,
    direction: Direction,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
    Ended,
}

/// A request's body: its service gets the refusal in place of the next message.
pub fn lasting_request(body: Body, still_counts: StillCounts) -> Body {
    Body::new(Lasting {
        body,
        still_counts,
        direction: Direction::Request,
    })
}

/// A response's body: it ends with the refusal as its status.
pub fn lasting_response(body: Body, still_counts: StillCounts) -> Body {
    Body::new(Lasting {
        body,
        still_counts,
        direction: Direction::Response,
    })
}

fn trailers(status: Status) -> HeaderMap {
    let (head, ()) = status.into_http::<()>().into_parts();
    let mut trailers = head.headers;
    trailers.remove(CONTENT_TYPE);
    trailers
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.direction == Direction::Ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let carries = matches!(&frame, Some(Ok(frame)) if frame.is_data());
        if carries && let Err(status) = (self.still_counts)() {
            let direction = std::mem::replace(&mut self.direction, Direction::Ended);
            // Whatever still comes is not for this caller.
            self.body = Body::empty();
            return Poll::Ready(Some(if direction == Direction::Response {
                Ok(Frame::trailers(trailers(*status)))
            } else {
                Err(*status)
            }));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.direction == Direction::Ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // It may end early.
        SizeHint::default()
    }
}
