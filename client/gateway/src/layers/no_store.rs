//! What belongs to the user stays in no cache, neither the browser's nor one on the way.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderValue, header};

/// `no-store`, unless the handler has said what may be kept.
pub async fn layer(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let kept = response.headers_mut().entry(header::CACHE_CONTROL);
    kept.or_insert(HeaderValue::from_static("no-store"));
    response
}
