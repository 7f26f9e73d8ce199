//! Pages of other origins: those that are configured may use the API with a token.
//!
//! `Access-Control-Allow-Credentials` is never sent. A session is for the console alone; with a cookie
//! that other pages could use, each of them would be as good as the person who signed in.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::app::App;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, POST, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, range, last-event-id, grpc-timeout, \
     x-grpc-web, x-user-agent",
);
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "content-range, etag, grpc-message, grpc-status, grpc-status-details-bin, location, \
     retry-after",
);
/// Seconds a browser remembers what it was told.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Answers what a browser asks beforehand, and marks what such a page may read.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = admitted(&app, request.headers());
    let asks_beforehand = request.method() == Method::OPTIONS
        && (request.headers()).contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (&origin, asks_beforehand) {
        (Some(_), true) => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    if !app.config.cors_origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        let policy = HeaderName::from_static("cross-origin-resource-policy");
        headers.insert(policy, HeaderValue::from_static("cross-origin"));
    }
    response
}

/// Whether a request comes from a page of an origin that is configured.
pub fn is_admitted(app: &App, headers: &HeaderMap) -> bool {
    admitted(app, headers).is_some()
}

fn admitted(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let mut configured = app.config.cors_origins.iter();
    configured
        .any(|known| known.as_bytes() == origin.as_bytes())
        .then(|| origin.clone())
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
