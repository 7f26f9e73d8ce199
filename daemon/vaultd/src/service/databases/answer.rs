//! An answer that streams: a thread works and sends, the client takes, and neither can hold the
//! other for longer than it may.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    sync::{
        mpsc,
        oneshot::{self, error::RecvError},
    },
    task::AbortHandle,
    time::{Instant, Sleep, sleep_until},
};
use tokio_stream::Stream;
use tonic::Status;
use vault_proto::v1::Reason;
use vault_store::databases::{Call, Stop, StopReason};

use super::{
    DatabasesService, Place,
    outlet::{Halt, Outlet},
};
use crate::{
    error::refusal,
    keeper::Keeper,
    service::{ANSWER_DEPTH, defect},
};

/// Stops the work for a call when the call is over, however it ended.
pub(super) struct StopGuard(pub(super) Arc<Stop>);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.stop(StopReason::Cancelled);
    }
}

/// Stops the work at a given time, whatever it waits for. Dropped with the work.
pub(super) struct Deadline(AbortHandle);

impl Deadline {
    /// Called in the runtime.
    pub(super) fn new(stop: &Arc<Stop>, at: Instant) -> Self {
        let stop = Arc::clone(stop);
        let ending = tokio::spawn(async move {
            sleep_until(at).await;
            stop.stop(StopReason::OverDeadline);
        });
        Self(ending.abort_handle())
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The messages of an answer. Dropped, it stops the work.
pub struct Answer<M> {
    first: Option<M>,
    /// None where the first message was all.
    rest: Option<Rest<M>>,
}

/// What follows the first message.
struct Rest<M> {
    messages: mpsc::Receiver<Result<M, Status>>,
    /// How the work ended. Apart from the messages: a client that takes none keeps no thread waiting
    /// to be told so.
    ended: oneshot::Receiver<Result<(), Box<Status>>>,
    given_up: Option<Pin<Box<Sleep>>>,
    _stop: StopGuard,
}

/// Starts `work` at a place that was waited for, and waits for its first message: what is wrong with
/// a statement is an error of the call and not of its stream. The client gives up at `given_up`.
pub(super) async fn begin<M: Send + 'static>(
    service: &DatabasesService,
    place: Place,
    call: Call,
    given_up: Option<Instant>,
    work: impl FnOnce(&Keeper, Place, &Call, &Outlet<M>) -> Result<(), Box<Status>> + Send + 'static,
) -> Result<Answer<M>, Status> {
    let stop = StopGuard(Arc::clone(&call.stop));
    let (sender, mut rest) = mpsc::channel(ANSWER_DEPTH);
    let (end, ended) = oneshot::channel();
    let halt = Halt::new(Arc::clone(&call.stop));
    let deadline = Deadline::new(
        &call.stop,
        Instant::now() + service.services.limits.now().query(),
    );
    let outlet = Outlet::new(sender, halt, service.services.stream_idle());
    let keeper = Arc::clone(&service.services.keeper);
    tokio::task::spawn_blocking(move || {
        let _deadline = deadline;
        let done = work(&keeper, place, &call, &outlet);
        drop(outlet);
        let _ = end.send(done);
    });
    let first = match rest.recv().await {
        Some(first) => first?,
        None => return Err(last(ended.await).unwrap_or_else(defect)),
    };
    Ok(Answer {
        first: Some(first),
        rest: Some(Rest {
            messages: rest,
            ended,
            given_up: given_up.map(|at| Box::pin(sleep_until(at))),
            _stop: stop,
        }),
    })
}

impl<M> Answer<M> {
    /// An answer that is one message.
    pub(super) fn whole(message: M) -> Self {
        Self {
            first: Some(message),
            rest: None,
        }
    }
}

impl<M: Unpin> Stream for Answer<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        if let Some(sleep) = &mut rest.given_up
            && sleep.as_mut().poll(context).is_ready()
        {
            rest.given_up = None;
            rest.messages.close();
            let text = "the call took longer than its client allows";
            return Poll::Ready(Some(Err(refusal(Reason::TimedOut, text, &[]))));
        }
        if let Some(next) = ready!(rest.messages.poll_recv(context)) {
            return Poll::Ready(Some(next));
        }
        if rest.ended.is_terminated() {
            return Poll::Ready(None);
        }
        let ended = ready!(Pin::new(&mut rest.ended).poll(context));
        Poll::Ready(last(ended).map(Err))
    }
}

/// The failure that an answer ends with. A thread that went without a word went for a defect.
fn last(ended: Result<Result<(), Box<Status>>, RecvError>) -> Option<Status> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(status)) => Some(*status),
        Err(_) => Some(defect()),
    }
}
