//! All that is known of a request, put together for the daemon.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, Method, header, request::Parts, uri::Scheme};
use vault_client::{Secret, WebRequest};

use super::cors;
use crate::{
    app::App,
    cookie,
    credentials::{self, QueryToken},
    failure::Failure,
    ingress::Ingress,
};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Puts an `Arc<WebRequest>` into the request's extensions, and takes the credentials out of its head.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let described = match describe(&app, &parts) {
        Ok(described) => described,
        Err(failure) => return failure.into_response(),
    };
    parts.headers.remove(header::AUTHORIZATION);
    parts.headers.remove(header::COOKIE);
    parts.extensions.remove::<QueryToken>();
    parts.extensions.insert(Arc::new(described));
    next.run(Request::from_parts(parts, body)).await
}

fn describe(app: &App, parts: &Parts) -> Result<WebRequest, Failure> {
    let ingress = parts.extensions.get::<Ingress>();
    let ingress = ingress.ok_or_else(Failure::internal)?;
    let bearer = credentials::bearer(&parts.headers)?;
    let query_token = parts.extensions.get::<QueryToken>();
    let query_token = query_token.filter(|_| parts.method == Method::GET);
    let mut request = WebRequest {
        method: parts.method.to_string(),
        scheme: if ingress.scheme == Scheme::HTTPS {
            "https"
        } else {
            "http"
        },
        host: ingress.host.clone().unwrap_or_default(),
        origin: header_text(parts, &header::ORIGIN),
        fetch_site: header_text(parts, &FETCH_SITE),
        peer: ingress.peer,
        local: ingress.local,
        forwarded: ingress.forwarded,
        user_agent: header_text(parts, &header::USER_AGENT),
        bearer,
        session: cookie::session(&ingress.scheme, &parts.headers),
        query_token: query_token.map(|token| Secret::new(token.0.expose().to_vec())),
    };
    if cors::is_admitted(app, &parts.headers) {
        vouch(&mut request);
    }
    Ok(request)
}

/// A page of an origin that is configured uses a token, and nothing that the browser adds by itself.
/// With one it counts like any program that was given it: its origin says nothing more.
fn vouch(request: &mut WebRequest) {
    request.session = None;
    if request.bearer.is_some() {
        request.origin = None;
        request.fetch_site = None;
    }
}

/// The value of a header, such as the daemon compares. One that is no text, or one of several, equals
/// nothing it would be compared with.
fn header_text(parts: &Parts, name: &HeaderName) -> Option<String> {
    let mut values = parts.headers.get_all(name).iter();
    let first = values.next()?;
    let text = first.to_str().ok().filter(|_| values.next().is_none());
    Some(text.unwrap_or("invalid").to_owned())
}
