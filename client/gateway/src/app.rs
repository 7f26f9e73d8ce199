//! What all requests share, and what answers them.

use std::{convert::Infallible, ops::Deref, sync::Arc};

use axum::{extract::Request, response::Response};
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Service, ServiceExt as _};

use crate::{
    aliases, assets, config::Config, credentials, daemon::Daemon, failure::Failure, layers, routes,
};

/// Watches at once: each holds one of the calls that a connection to the daemon has room for.
const WATCHES: usize = 64;
/// Calls of gRPC-Web at once. Their connection to the daemon has room for a few more, so that none
/// waits for another to end.
const CALLS: usize = 120;
/// Calls of gRPC-Web that gather more than a small body at once: nobody has judged their callers yet.
const GATHERED: usize = 64;

/// What all requests share: the configuration, and the connection to the daemon. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Shared>);

/// See [`App`].
#[derive(Debug)]
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// The daemon.
    pub daemon: Daemon,
    watches: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    gathered: Arc<Semaphore>,
}

impl App {
    /// Connects to nothing yet.
    pub fn new(config: Config) -> Self {
        let daemon = Daemon::new(config.vault.clone());
        Self(Arc::new(Shared {
            config,
            daemon,
            watches: Arc::new(Semaphore::new(WATCHES)),
            calls: Arc::new(Semaphore::new(CALLS)),
            gathered: Arc::new(Semaphore::new(GATHERED)),
        }))
    }

    /// A place among those that watch, for as long as it is kept.
    pub fn place_to_watch(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let taken = format!("{WATCHES} watches are open, and no more can be");
        place(&self.watches, taken, 30)
    }

    /// A place among calls of gRPC-Web, for as long as it is kept.
    pub fn place_to_call(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let taken = format!("{CALLS} calls are under way, and no more can be");
        place(&self.calls, taken, 1)
    }

    /// A place among calls whose large messages are gathered, for as long as it is kept.
    pub fn place_to_gather(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let taken = format!("{GATHERED} large messages are coming, and no more can be");
        place(&self.gathered, taken, 1)
    }

    /// What answers requests. Each has a [`Connection`](crate::ingress::Connection) in its extensions.
    pub fn service(
        self,
    ) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static {
        let routes = routes::router(&self)
            .fallback(assets::serve)
            .method_not_allowed_fallback(async || Failure::method_not_allowed());
        let routes = layers::around(&self, routes).with_state(self.clone());
        // Before anything looks at the address: the router itself keeps a copy of it.
        routes.map_request(move |request| self.prepare(request))
    }

    fn prepare(&self, mut request: Request) -> Request {
        credentials::conceal(request.headers_mut());
        if let Some(token) = credentials::take_query_token(request.uri_mut()) {
            request.extensions_mut().insert(token);
        }
        aliases::resolve(request.uri_mut(), &self.config.aliases);
        request
    }
}

/// A place among several; a failure where all are `taken`.
fn place(
    places: &Arc<Semaphore>,
    taken: String,
    retry_after_seconds: u32,
) -> Result<OwnedSemaphorePermit, Failure> {
    let place = Arc::clone(places).try_acquire_owned();
    place.map_err(|_| {
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", taken)
            .with("retry_after_seconds", retry_after_seconds)
    })
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
