//! Puts the table in front of every service, and records what it lets in and refuses.

use std::{future::Future, pin::Pin, sync::Arc, task::Poll};

use http::{Request, Response};
use tonic::{Code, Status, body::Body, server::NamedService};
use tower::{Layer, Service};
use vault_proto::v1::Reason;

use super::{
    judge::{Verdict, judge, judge_stores, no_such_method},
    lasting::{StillCounts, lasting_request, lasting_response},
    names::{About, Names},
    peek::{Peeked, first_message},
    table::{Recorded, Rule, Scope, Shape, find},
};
use crate::{
    audit::{Auditor, Calls, Ended, Pending},
    callers::{self, Callers},
    config::LimitsInForce,
    error::{self, failure, refusal},
    listener::ConnectionInfo,
    principal::Principal,
};

/// Puts the table in front of every service.
#[derive(Clone)]
pub struct PermissionLayer(Arc<Layered>);

struct Layered {
    callers: Callers,
    audit: Arc<Auditor>,
    limits: LimitsInForce,
}

impl PermissionLayer {
    /// A layer that asks `callers` who calls, reports to `audit`, and ends unary calls and waits for
    /// first messages by `limits`.
    pub fn new(callers: Callers, audit: Arc<Auditor>, limits: LimitsInForce) -> Self {
        Self(Arc::new(Layered {
            callers,
            audit,
            limits,
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
        let rule = find(request.uri().path());
        let connection = request.extensions().get::<ConnectionInfo>().cloned();
        if let Some(connection) = &connection {
            callers::mark(connection, request.headers());
        }
        let pid = connection
            .as_ref()
            .and_then(|connection| connection.peer.pid);
        Box::pin(async move {
            // What tells of a vault that does not answer, or locks it, waits for nobody who waits for it.
            let waits = rule.is_some_and(|rule| rule.shape == Shape::Unary && !rule.closed);
            let _turn = match connection.filter(|_| waits) {
                Some(connection) => connection.turn().await,
                None => None,
            };
            let Admitted {
                rule,
                request,
                pending,
            } = match layer.admit(rule, request).await {
                Ok(admitted) => admitted,
                Err(status) => {
                    log_failure(rule, pid, &status);
                    return Ok(status.into_http());
                }
            };
            let still_counts = layer.watched(rule, &request);
            let request = match &still_counts {
                Some(counts) => request.map(|body| lasting_request(body, Arc::clone(counts))),
                None => request,
            };
            let answer = inner.call(request);
            let response = if rule.shape != Shape::Unary {
                answer.await?
            } else if let Ok(response) =
                tokio::time::timeout(layer.limits.now().call(), answer).await
            {
                response?
            } else {
                let text = "the call took longer than this daemon allows";
                refusal(Reason::TimedOut, text, &[]).into_http()
            };
            let response = match still_counts {
                Some(counts) => response.map(|body| lasting_response(body, counts)),
                None => response,
            };
            let response = error::name_transport_failures(response);
            if let Some(status) = failure(response.headers()) {
                log_failure(Some(rule), pid, &status);
            }
            layer.callers.served();
            Ok(match pending {
                Some(pending) => answered(rule, pending, response).await,
                None => response,
            })
        })
    }
}

/// One line for a call that failed before it answered anything: which, why, and whose. Nothing of
/// what it was about, nor of a text that somebody sent.
fn log_failure(rule: Option<&Rule>, peer_pid: Option<i32>, status: &Status) {
    let method = rule.map_or("unknown method", |rule| rule.method);
    let reason = error::reason(status);
    match status.code() {
        Code::Internal | Code::DataLoss | Code::Unknown => {
            tracing::error!(method, reason, peer_pid, "{method}: {reason}");
        }
        // What clients live with: they ask for what is not there, or was changed meanwhile.
        Code::NotFound
        | Code::AlreadyExists
        | Code::Aborted
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::OutOfRange => tracing::debug!(method, reason, peer_pid, "{method}: {reason}"),
        _ => tracing::info!(method, reason, peer_pid, "{method}: {reason}"),
    }
}

/// A call that was let in.
struct Admitted {
    rule: &'static Rule,
    request: Request<Body>,
    /// Where how it ends is recorded.
    pending: Option<Pending>,
}

/// Why a call is not let in, with what it was about.
struct Refusal {
    status: Box<Status>,
    about: About,
}

impl From<Box<Status>> for Refusal {
    fn from(status: Box<Status>) -> Self {
        Self {
            status,
            about: About::default(),
        }
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
        rule: Option<&'static Rule>,
        request: Request<Body>,
    ) -> Result<Admitted, Box<Status>> {
        let connection = request.extensions().get::<ConnectionInfo>().cloned();
        let (Some(rule), Some(connection)) = (rule, &connection) else {
            let method = request.uri().path();
            let status = Box::new(no_such_method(method));
            let call = self.audit.call(method, None);
            self.audit.refused(&call, None, Some(&status));
            return Err(status);
        };
        let found = self.callers.find(rule, connection, request.headers()).await;
        let caller = found.map_err(|refused| {
            if let Some(caller) = &refused.caller {
                let call = self.audit.call(rule.method, Some(caller));
                self.audit
                    .refused(&call, Some(caller), Some(&refused.status));
            }
            refused.status
        })?;
        let (mut request, about) = self
            .judge(rule, &caller, request)
            .await
            .map_err(|refused| {
                let Refusal { status, about } = refused;
                let call = self.audit.call(rule.method, Some(&caller));
                let call = call.on(&about.store, &about.object);
                self.audit.refused(&call, Some(&caller), Some(&status));
                status
            })?;
        let pending = self.record(rule, &caller, &about).await?;
        request.extensions_mut().insert(caller);
        Ok(Admitted {
            rule,
            request,
            pending,
        })
    }

    /// Judges a caller, if need be by the first message of its call: the request with its whole body,
    /// and what it is about.
    async fn judge(
        &self,
        rule: &Rule,
        caller: &Principal,
        request: Request<Body>,
    ) -> Result<(Request<Body>, About), Refusal> {
        let verdict = judge(rule, caller)?;
        let names = Names::of(rule.method);
        let by_stores = matches!(verdict, Verdict::ByStores(_));
        // Whatever is recorded is recorded with its names; nothing else is read before its service.
        if !by_stores && (names.is_none() || !self.is_recorded(rule)) {
            return Ok((request, About::default()));
        }
        let (head, body) = request.into_parts();
        let Peeked { message, body } = self.peek(body).await?;
        let message = message.unwrap_or_default();
        let about = names.map_or_else(About::default, |names| names.read(&message));
        if let Verdict::ByStores(decode) = verdict {
            let stores = decode(&message).map_err(|error| {
                let text = format!("the first message of this call is malformed: {error}");
                Box::new(refusal(Reason::InvalidArgument, text, &[]))
            })?;
            if let Err(status) = judge_stores(rule, caller, &stores) {
                return Err(Refusal { status, about });
            }
        }
        Ok((Request::from_parts(head, body), about))
    }

    async fn peek(&self, body: Body) -> Result<Peeked, Box<Status>> {
        let deadline = self.limits.now().stream_idle();
        let peeked = tokio::time::timeout(deadline, first_message(body)).await;
        peeked.map_err(|_| {
            let seconds = deadline.as_secs();
            let text = format!("no message for {seconds} seconds");
            Box::new(refusal(Reason::TimedOut, text, &[]))
        })?
    }

    fn is_recorded(&self, rule: &Rule) -> bool {
        let calls = self.audit.settings().calls;
        match rule.recorded {
            Recorded::Before | Recorded::After | Recorded::Later => true,
            Recorded::Never => false,
            Recorded::Configured if rule.scope == Scope::Write => calls >= Calls::Writes,
            Recorded::Configured => calls >= Calls::All,
        }
    }

    /// Records a call that was let in, as far as that comes before it runs.
    async fn record(
        &self,
        rule: &Rule,
        caller: &Principal,
        about: &About,
    ) -> Result<Option<Pending>, Box<Status>> {
        // How vaultd finds out whether it still answers says nothing of anybody.
        if caller.peer().is_self() || !self.is_recorded(rule) {
            return Ok(None);
        }
        let call = self.audit.call(rule.method, Some(caller));
        let call = call.on(&about.store, &about.object);
        // Given up while it is being recorded, it was given up, too.
        let mut pending = Pending::new(Arc::clone(&self.audit), call.clone());
        let recorded = match rule.recorded {
            Recorded::Before => self.audit.begin(&call, caller).await,
            Recorded::After | Recorded::Later => {
                self.audit.admitted(&call, caller);
                Ok(())
            }
            // Whoever looks what is wrong is never refused for it.
            _ if rule.scope == Scope::Status => Ok(()),
            Recorded::Configured | Recorded::Never => self.audit.ready(&call).await,
        };
        if let Err(status) = recorded {
            pending.forget();
            return Err(status);
        }
        Ok(Some(pending))
    }
}

/// Records how a call came out: of one that streams, once its answer ends.
async fn answered(rule: &Rule, mut pending: Pending, response: Response<Body>) -> Response<Body> {
    let told = Ended::told(response.headers());
    match (rule.recorded, told) {
        (Recorded::After, told) => {
            let ended = told.unwrap_or(Ended::Done);
            match pending.ended_durably(&ended).await {
                Ok(()) => response,
                // What it read does not leave.
                Err(status) => status.into_http(),
            }
        }
        (_, None) if rule.shape == Shape::Stream => response.map(|body| pending.with(body)),
        (_, told) => {
            pending.ended(&told.unwrap_or(Ended::Done));
            response
        }
    }
}
