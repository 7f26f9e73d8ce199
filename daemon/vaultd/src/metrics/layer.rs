//! Counts every call, whatever becomes of it: stands outside of the permission layer.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Call, Metrics, Outcome, body::counted};

/// Counts every call.
#[derive(Clone, Debug)]
pub struct MetricsLayer(Arc<Metrics>);

impl MetricsLayer {
    /// A layer that counts in `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(metrics)
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Counted {
            inner,
            metrics: Arc::clone(&self.0),
        }
    }
}

/// A service whose calls are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Unpin,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Answer {
            call: Some(self.metrics.begin(request.uri().path())),
            answer: self.inner.call(request),
        }
    }
}

/// The answer to a call that is counted.
#[derive(Debug)]
pub struct Answer<F> {
    answer: F,
    /// Until the answer has begun.
    call: Option<Call>,
}

impl<F, E> Future for Answer<F>
where
    F: Future<Output = Result<Response<Body>, E>> + Unpin,
{
    type Output = Result<Response<Body>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.answer).poll(context))?;
        let Some(call) = self.call.take() else {
            return Poll::Ready(Ok(response));
        };
        match Outcome::of_response(&response) {
            Some(outcome) => call.end(outcome),
            // How it ends stands after its messages.
            None if call.streams() => {
                return Poll::Ready(Ok(response.map(|body| counted(body, call))));
            }
            None => call.end(Outcome::Ok),
        }
        Poll::Ready(Ok(response))
    }
}
