//! The one table of what is served under `/api`. The router is built from it, and the `OpenAPI` document
//! is checked against it.

mod auth;
mod blobs;
mod connections;
mod documents;
mod export;
mod files;
mod health;
mod key;
mod logins;
mod maintenance;
mod openapi;
mod pairing;
mod passkeys;
mod sessions;
mod status;
mod stores;
mod tokens;
pub(crate) mod watch;

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn,
    routing::{MethodFilter, MethodRouter, any},
};

use crate::{
    app::App,
    bodies::{self, Bounds},
    grpc_web,
};

/// A method of an address.
pub struct Route {
    /// What it does with what is there.
    pub method: Method,
    /// Where, as axum writes it: `/api/stores/{store}`.
    pub path: &'static str,
    /// Whom it serves.
    pub needs: Needs,
    /// What it reads.
    pub body: Body,
    /// What answers. `|method| on(method, handler)`.
    pub handler: fn(MethodFilter) -> MethodRouter<App>,
}

/// Methods that are served. HEAD is, wherever GET is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "RFC 9110 and RFC 5789 say what they are")]
pub enum Method {
    Get,
    Put,
    Post,
    Patch,
    Delete,
}

/// Whom a route serves. Written down for readers and for the `OpenAPI` document: it is the daemon that
/// decides, by its own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody, signed in or not.
    Nothing,
    /// A session, or a token with a scope that reaches as far.
    Credential,
}

/// What a route reads of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Nothing,
    /// JSON of the size class `auth`.
    Small,
    /// Up to so many bytes, which are gathered.
    UpTo(usize),
    /// A stream. The daemon bounds it: it knows the store's size class.
    Stream,
}

/// The size class `auth`, in bytes.
pub const SMALL_BODY: usize = 64 << 10;

/// Every table, one for each noun.
const TABLES: &[&[Route]] = &[
    health::ROUTES,
    auth::ROUTES,
    passkeys::ROUTES,
    sessions::ROUTES,
    tokens::ROUTES,
    pairing::ROUTES,
    logins::ROUTES,
    status::ROUTES,
    stores::ROUTES,
    documents::ROUTES,
    watch::ROUTES,
    blobs::ROUTES,
    files::ROUTES,
    connections::ROUTES,
    maintenance::ROUTES,
    key::ROUTES,
    export::ROUTES,
    openapi::ROUTES,
];

/// Every route.
pub fn all() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().copied().flatten()
}

/// The routes of the table, and the calls of gRPC-Web.
pub fn router(app: &App) -> Router<App> {
    let mut paths: BTreeMap<&str, MethodRouter<App>> = BTreeMap::new();
    for route in all() {
        let methods = paths.remove(route.path).unwrap_or_default();
        let served = (route.handler)(route.method.filter());
        let served = route.body.bound(served, app.config.limits.body_timeout());
        paths.insert(route.path, methods.merge(served));
    }
    let add = |router: Router<App>, (path, methods)| router.route(path, methods);
    let calls = any(grpc_web::serve);
    let calls = Body::Stream.bound(calls, app.config.limits.body_timeout());
    let calls = Router::new().route("/{*call}", calls);
    let routes = paths.into_iter().fold(Router::new(), add);
    routes.nest("/grpc", calls)
}

impl Method {
    /// As it is written in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Put => MethodFilter::PUT,
            Self::Post => MethodFilter::POST,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

impl Body {
    /// The same, with what it reads bounded.
    fn bound(self, served: MethodRouter<App>, time: Duration) -> MethodRouter<App> {
        let size = match self {
            Self::Nothing | Self::Small => Some(SMALL_BODY),
            Self::UpTo(limit) => Some(limit),
            Self::Stream => None,
        };
        let bounds = Bounds { size, time };
        // The first refuses by what the head says, the second by what comes.
        served
            .layer(size.map_or_else(DefaultBodyLimit::disable, DefaultBodyLimit::max))
            .layer(from_fn(move |request, next| {
                bodies::layer(bounds, request, next)
            }))
    }
}
