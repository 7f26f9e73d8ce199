//! What calls go over, and the metadata that each of them carries.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use tonic::{body::Body, codegen::StdError, transport::Channel};
use tower::Service;

use crate::grpc_web::{Answer, GrpcWeb};

/// What gRPC itself says in a request's head. Nothing else of a head that a stranger wrote is passed
/// on: neither metadata of ours that he made up, nor cookies, nor what is meant for one hop only.
const GRPC: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::TE,
    header::USER_AGENT,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

/// A connection with metadata that each call over it carries. Cheap to clone; clones share the
/// connection.
///
/// A [`Service`] of gRPC requests: the gateway passes on with it what came as gRPC-Web.
#[derive(Clone)]
pub struct Transport {
    way: Way,
    /// Behind an `Arc`, since it is the same for every call of a client.
    metadata: Option<Arc<HeaderMap>>,
}

#[derive(Clone)]
enum Way {
    Socket(Channel),
    Web(Box<GrpcWeb>),
}

impl Transport {
    /// Over the daemon's socket.
    pub(crate) const fn socket(channel: Channel) -> Self {
        Self {
            way: Way::Socket(channel),
            metadata: None,
        }
    }

    /// Over HTTP, to a gateway.
    pub(crate) fn web(gateway: GrpcWeb) -> Self {
        Self {
            way: Way::Web(Box::new(gateway)),
            metadata: None,
        }
    }

    /// The same connection, with `metadata` in place of any it had.
    pub(crate) fn with(&self, metadata: HeaderMap) -> Self {
        Self {
            way: self.way.clone(),
            metadata: Some(Arc::new(metadata)),
        }
    }

    /// Another connection, with the same metadata.
    pub(crate) fn over(&self, channel: Channel) -> Self {
        Self {
            way: Way::Socket(channel),
            metadata: self.metadata.clone(),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

/// Puts `metadata` in place of whatever else a head holds besides what gRPC needs.
fn mark(head: &mut HeaderMap, metadata: &HeaderMap) {
    let mut given = mem::take(head);
    for name in GRPC {
        if let Some(value) = given.remove(&name) {
            head.insert(name, value);
        }
    }
    for (name, value) in metadata {
        head.insert(name.clone(), value.clone());
    }
}

/// A value of metadata that nothing prints and no compression keeps.
pub(crate) fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = TransportFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        match &mut self.way {
            Way::Socket(channel) => channel.poll_ready(context).map_err(Into::into),
            Way::Web(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> TransportFuture {
        if let Some(metadata) = &self.metadata {
            mark(request.headers_mut(), metadata);
        }
        TransportFuture(match &mut self.way {
            Way::Socket(channel) => Coming::Socket(channel.call(request)),
            Way::Web(gateway) => Coming::Web(gateway.call(request)),
        })
    }
}

/// An answer to come.
#[must_use = "futures do nothing unless polled"]
pub struct TransportFuture(Coming);

enum Coming {
    Socket(<Channel as Service<Request<Body>>>::Future),
    Web(Answer<Body>),
}

impl Future for TransportFuture {
    type Output = Result<Response<Body>, StdError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Coming::Socket(answer) => Pin::new(answer).poll(context).map_err(Into::into),
            Coming::Web(answer) => answer.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_metadata_of_ours_can_be_made_up() {
        let mut head = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", "1S"),
            ("cookie", "vaultd_sess=x"),
            ("host", "vault.example.org"),
            ("connection", "keep-alive"),
            ("authorization", "Bearer made-up"),
            ("vaultd-session", "made-up"),
            ("vaultd-http-bin", "made-up"),
        ] {
            head.append(name, HeaderValue::from_static(value));
            head.append(name, HeaderValue::from_static(value));
        }
        let mut metadata = HeaderMap::new();
        metadata.insert("vaultd-http-bin", HeaderValue::from_static("ours"));
        mark(&mut head, &metadata);
        let names: Vec<&str> = head.keys().map(HeaderName::as_str).collect();
        let expected = ["content-type", "te", "grpc-timeout", "vaultd-http-bin"];
        assert_eq!(names, expected);
        assert_eq!(head.get_all("vaultd-http-bin").iter().count(), 1);
        assert_eq!(head["vaultd-http-bin"], "ours");
    }
}
