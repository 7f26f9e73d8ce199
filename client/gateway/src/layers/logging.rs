//! One line for each request: which route, how it went, how long it took. Neither ids nor names of
//! stores, no query, no header, no body.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use crate::ingress::Ingress;

/// Writes the line once the head of the answer is known.
pub async fn layer(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    // What stands in the table, `/api/stores/{store}`, and so no word that somebody sent.
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("(none)", MatchedPath::as_str).to_owned();
    let peer = request
        .extensions()
        .get::<Ingress>()
        .map(|ingress| ingress.peer.ip());
    let peer = peer.map(tracing::field::display);
    let span = tracing::info_span!("request", %method, route, peer);
    let begun = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    let ms = begun.elapsed().as_millis();
    span.in_scope(|| match status {
        status if status.is_server_error() => {
            tracing::warn!(status = status.as_u16(), ms, "{method} {route}: failed");
        }
        status if status.is_client_error() => {
            tracing::info!(status = status.as_u16(), ms, "{method} {route}: refused");
        }
        status => tracing::debug!(status = status.as_u16(), ms, "{method} {route}: answered"),
    });
    response
}
