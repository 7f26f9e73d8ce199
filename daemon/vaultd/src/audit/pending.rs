//! A call whose end is not recorded yet. However it ends, it is: a caller that goes away leaves a
//! record of that, and nothing is done unrecorded by being given up.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{Auditor, Call, Ended};

/// A call whose end is not recorded yet. Dropped, it counts as given up.
pub struct Pending {
    audit: Arc<Auditor>,
    call: Option<Call>,
}

impl Pending {
    /// A call that is about to run.
    pub fn new(audit: Arc<Auditor>, call: Call) -> Self {
        let call = Some(call);
        Self { audit, call }
    }

    /// It never began, which is recorded already.
    pub fn forget(&mut self) {
        self.call = None;
    }

    /// It ended like this: recorded once, and nobody waits for that.
    pub fn ended(&mut self, ended: &Ended) {
        if let Some(call) = self.call.take() {
            self.audit.end_later(&call, ended);
        }
    }

    /// The same: durable when this returns.
    pub async fn ended_durably(mut self, ended: &Ended) -> Result<(), Box<Status>> {
        match self.call.take() {
            Some(call) => self.audit.end(&call, ended).await,
            None => Ok(()),
        }
    }

    /// An answer that streams, with whose end the call ends.
    pub fn with(self, body: Body) -> Body {
        Body::new(Ending {
            body,
            pending: self,
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.ended(&Ended::Cancelled);
    }
}

/// A body that records how its call ended: by its trailers, or that nobody took it to its end.
struct Ending {
    body: Body,
    pending: Pending,
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(ended) = frame.trailers_ref().and_then(Ended::told) {
                    self.pending.ended(&ended);
                }
            }
            Some(Err(status)) => self.pending.ended(&Ended::of(status)),
            None => self.pending.ended(&Ended::Done),
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
