//! gRPC-Web over HTTP/1.1 or HTTP/2: the way to a vault's gateway.
//!
//! No redirect is followed and no proxy of the environment asked: each request holds the token, and
//! goes to the host that was named or nowhere.

mod answer;
mod connector;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tonic::{Status, body::Body, codegen::StdError};
use tonic_web::{GrpcWebCall, GrpcWebClientService};
use tower::Service;

use crate::{BaseUrl, Error, error::chain};
use connector::Connector;

/// HTTP/2 windows, in bytes: a few chunks in flight.
const WINDOW: u32 = 2 << 20;

/// Methods that answer while the request goes on. Their answer begins at once.
const BOTH_WAYS: [&str; 4] = [
    "/vault.v1.Blobs/Upload",
    "/vault.v1.Databases/Import",
    "/vault.v1.Databases/Transact",
    "/vault.v1.Documents/Import",
];
/// How long that beginning may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections to a gateway. Cheap to clone; clones share them.
#[derive(Clone)]
pub(crate) struct GrpcWeb(GrpcWebClientService<Gateway>);

/// An answer to come.
pub(crate) type Answer<B> = Pin<Box<dyn Future<Output = Result<Response<B>, StdError>> + Send>>;

impl GrpcWeb {
    /// Connects with the first call.
    pub(crate) async fn new(base: Arc<BaseUrl>) -> Result<Self, Error> {
        let connector = Connector::new(&base).await?;
        let client = legacy::Client::builder(TokioExecutor::new())
            .http2_initial_stream_window_size(WINDOW)
            .http2_initial_connection_window_size(2 * WINDOW)
            .build(connector);
        Ok(Self(GrpcWebClientService::new(Gateway { base, client })))
    }

    /// Makes a call.
    pub(crate) fn call(&mut self, request: Request<Body>) -> Answer<Body> {
        let answered = self.0.call(request);
        Box::pin(async move { Ok(answered.await?.map(Body::new)) })
    }
}

/// What stands below gRPC-Web: requests to the gateway's address, and what came in answer.
#[derive(Clone)]
struct Gateway {
    base: Arc<BaseUrl>,
    client: legacy::Client<Connector, GrpcWebCall<Body>>,
}

impl Service<Request<GrpcWebCall<Body>>> for Gateway {
    type Response = Response<Incoming>;
    type Error = StdError;
    type Future = Answer<Incoming>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<GrpcWebCall<Body>>) -> Answer<Incoming> {
        let Self { base, client } = self.clone();
        Box::pin(async move {
            let both_ways = BOTH_WAYS.contains(&request.uri().path());
            *request.uri_mut() = address(&base, request.uri())?;
            let asked = client.request(request);
            let answered = if both_ways {
                let timed = tokio::time::timeout(PATIENCE, asked).await;
                timed.map_err(|_| held_back(&base))?
            } else {
                asked.await
            };
            let unreachable = |error| Status::unavailable(format!("{base}: {}", chain(&error)));
            answer::check(&base, answered.map_err(unreachable)?).await
        })
    }
}

/// `<base>/grpc/<service>/<method>`
fn address(base: &BaseUrl, method: &Uri) -> Result<Uri, StdError> {
    let (scheme, authority, prefix) = base.split();
    let path = method.path();
    let uri = Uri::builder().scheme(scheme).authority(authority);
    Ok(uri.path_and_query(format!("{prefix}/grpc{path}")).build()?)
}

fn held_back(base: &BaseUrl) -> Status {
    Status::unavailable(format!(
        "{base} does not answer while the request goes on: a proxy on the way holds requests back, \
         such as nginx without `proxy_request_buffering off`. Do this beside the daemon, over its \
         socket"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_address_below_the_base() {
        let method = Uri::from_static("/vault.v1.Vault/Status");
        for (base, expected) in [
            (
                "http://localhost:7787",
                "http://localhost:7787/grpc/vault.v1.Vault/Status",
            ),
            (
                "https://example.org/vault/",
                "https://example.org/vault/grpc/vault.v1.Vault/Status",
            ),
        ] {
            let base: BaseUrl = base.parse().expect("a base URL");
            assert_eq!(address(&base, &method).expect("an address"), expected);
        }
    }
}
