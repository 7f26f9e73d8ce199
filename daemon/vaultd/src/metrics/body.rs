//! The answer of a call that streams: it is over when its body is.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{Call, Outcome};

/// A body whose end is the end of a call. One that is dropped before was not read to its end.
struct Counted {
    body: Body,
    call: Option<Call>,
}

/// The same body; `call` ends with it.
pub(super) fn counted(body: Body, call: Call) -> Body {
    Body::new(Counted {
        body,
        call: Some(call),
    })
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let outcome = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().and_then(Outcome::of_headers),
            Some(Err(status)) => Some(Outcome::of_status(status)),
            None => Some(Outcome::Ok),
        };
        if let Some(outcome) = outcome
            && let Some(call) = self.call.take()
        {
            call.end(outcome);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Arc};

    use vault_proto::v1::Reason;

    use super::*;
    use crate::{error::refusal, metrics::Metrics};

    struct Frames(VecDeque<Result<Frame<Bytes>, Status>>);

    impl HttpBody for Frames {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    /// What a stream of these frames counts as, of which `read` are read.
    async fn outcome(frames: Vec<Result<Frame<Bytes>, Status>>, read: usize) -> &'static str {
        let metrics = Arc::new(Metrics::default());
        let call = metrics.begin("/vault.v1.Documents/Watch");
        let mut body = counted(Body::new(Frames(frames.into())), call);
        for _ in 0..read {
            let next = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            drop(next.await);
        }
        drop(body);
        assert_eq!(metrics.streams(), 0);
        let counted = metrics
            .methods()
            .iter()
            .flat_map(crate::metrics::Method::outcomes);
        let counted: Vec<_> = counted.collect();
        assert_eq!(counted.len(), 1, "{counted:?}");
        counted[0].0
    }

    fn data() -> Frame<Bytes> {
        Frame::data(Bytes::from_static(b"message"))
    }

    fn trailers(status: Status) -> Frame<Bytes> {
        let (head, ()) = status.into_http::<()>().into_parts();
        Frame::trailers(head.headers)
    }

    #[tokio::test]
    async fn a_stream_counts_as_what_its_end_says() {
        let locked = || refusal(Reason::Locked, "locked", &[]);
        let ended = || vec![Ok(data()), Ok(trailers(Status::ok("")))];
        assert_eq!(outcome(ended(), 2).await, "OK");
        assert_eq!(
            outcome(vec![Ok(data()), Ok(trailers(locked()))], 2).await,
            "LOCKED"
        );
        assert_eq!(outcome(vec![Ok(data()), Err(locked())], 2).await, "LOCKED");
        assert_eq!(outcome(ended(), 1).await, "CANCELLED");
        assert_eq!(outcome(ended(), 0).await, "CANCELLED");
    }
}
