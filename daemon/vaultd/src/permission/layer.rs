//! Puts the table in front of every service.

use std::{future::Future, pin::Pin, sync::Arc, task::Poll, time::Duration};

use http::{Request, Response};
use tonic::{Status, body::Body, server::NamedService};
use tower::{Layer, Service};
use vault_proto::v1::Reason;

use super::{
    judge::{Verdict, judge, judge_stores, no_such_method},
    lasting::{StillCounts, lasting_request, lasting_response},
    peek::first_message,
    reach::{Decode, Named},
    table::{Rule, Shape, find},
};
use crate::{
    audit::Audit,
    callers::{self, Callers},
    error::{self, refusal},
    listener::ConnectionInfo,
    principal::Principal,
};

/// Puts the table in front of every service.
#[derive(Clone)]
pub struct PermissionLayer(Arc<Layered>);

struct Layered {
    callers: Callers,
    audit: Arc<dyn Audit>,
    /// How long a unary call may take.
    call_deadline: Duration,
    /// How long the first message of a call may take to come.
    message_deadline: Duration,
}

impl PermissionLayer {
    /// A layer that asks `callers` who calls, reports to `audit`, ends unary calls after
    /// `call_deadline`, and waits for a first message for `message_deadline`.
    pub fn new(
        callers: Callers,
        audit: Arc<dyn Audit>,
        call_deadline: Duration,
        message_deadline: Duration,
    ) -> Self {
        Self(Arc::new(Layered {
            callers,
            audit,
            call_deadline,
            message_deadline,
        }))
    }
}

impl<S> Layer<S> for PermissionLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded {
            inner,
            layer: Arc::clone(&self.0),
        }
    }
}

/// A service behind the permission table.
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    layer: Arc<Layered>,
}

impl<S: NamedService> NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone may not be ready; the service that was polled is.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = Arc::clone(&self.layer);
        if let Some(connection) = request.extensions().get::<ConnectionInfo>() {
            callers::mark(connection, request.headers());
        }
        Box::pin(async move {
            let (rule, request) = match layer.admit(request).await {
                Ok(admitted) => admitted,
                Err(status) => return Ok(status.into_http()),
            };
            let still_counts = layer.watched(rule, &request);
            let request = match &still_counts {
                Some(counts) => request.map(|body| lasting_request(body, Arc::clone(counts))),
                None => request,
            };
            let answer = inner.call(request);
            let response = if rule.shape != Shape::Unary {
                answer.await?
            } else if let Ok(response) = tokio::time::timeout(layer.call_deadline, answer).await {
                response?
            } else {
                let text = "the call took longer than this daemon allows";
                refusal(Reason::TimedOut, text, &[]).into_http()
            };
            let response = match still_counts {
                Some(counts) => response.map(|body| lasting_response(body, counts)),
                None => response,
            };
            Ok(error::name_transport_limits(response))
        })
    }
}

impl Layered {
    /// What a call that streams asks before each message, unless it is the owner's.
    fn watched(self: &Arc<Self>, rule: &Rule, request: &Request<Body>) -> Option<StillCounts> {
        let caller = request.extensions().get::<Principal>();
        match caller.filter(|_| rule.shape == Shape::Stream) {
            Some(Principal::Judged(judged)) => {
                let (layer, judged) = (Arc::clone(self), Arc::clone(judged));
                Some(Arc::new(move || layer.callers.still_counts(&judged)))
            }
            _ => None,
        }
    }

    /// The rule a call runs under and the request as its service gets it, or why it does not run.
    async fn admit(
        &self,
        request: Request<Body>,
    ) -> Result<(&'static Rule, Request<Body>), Box<Status>> {
        let connection = request.extensions().get::<ConnectionInfo>().cloned();
        let method = request.uri().path();
        let (Some(rule), Some(connection)) = (find(method), &connection) else {
            self.audit.record(method, None, false, "");
            return Err(Box::new(no_such_method(method)));
        };
        let found = self.callers.find(rule, connection, request.headers()).await;
        let caller = found.map_err(|refused| {
            if let Some(caller) = &refused.caller {
                self.audit.record(rule.method, Some(caller), false, "");
            }
            refused.status
        })?;
        let judged = match judge(rule, &caller) {
            Ok(Verdict::Admitted) => Ok((request, String::new())),
            Ok(Verdict::ByStores(decode)) => {
                self.admit_stores(rule, &caller, decode, request).await
            }
            Err(status) => Err((status, String::new())),
        };
        let (mut request, detail) = judged.map_err(|(status, detail)| {
            self.audit
                .record(rule.method, Some(&caller), false, &detail);
            status
        })?;
        if rule.audit {
            self.audit.record(rule.method, Some(&caller), true, &detail);
        }
        request.extensions_mut().insert(caller);
        Ok((rule, request))
    }

    /// Judges a call by the stores of its first message: the request with its whole body, and what
    /// it names for the record; the same of a refusal.
    async fn admit_stores(
        &self,
        rule: &Rule,
        caller: &Principal,
        decode: Decode,
        request: Request<Body>,
    ) -> Result<(Request<Body>, String), (Box<Status>, String)> {
        let unnamed = |status| (status, String::new());
        let (head, body) = request.into_parts();
        let peeked = tokio::time::timeout(self.message_deadline, first_message(body)).await;
        let peeked = peeked
            .map_err(|_| {
                let seconds = self.message_deadline.as_secs();
                let text = format!("no message for {seconds} seconds");
                unnamed(Box::new(refusal(Reason::TimedOut, text, &[])))
            })?
            .map_err(unnamed)?;
        let stores = decode(&peeked.message.unwrap_or_default()).map_err(|error| {
            let text = format!("the first message of this call is malformed: {error}");
            unnamed(Box::new(refusal(Reason::InvalidArgument, text, &[])))
        })?;
        let detail = stores
            .iter()
            .map(Named::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        match judge_stores(rule, caller, &stores) {
            Ok(()) => Ok((Request::from_parts(head, peeked.body), detail)),
            Err(status) => Err((status, detail)),
        }
    }
}
