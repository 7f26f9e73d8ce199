//! What browsers are told to refuse, in every answer.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue, header, uri::Scheme};

use crate::ingress::Ingress;

/// No script, style or connection of another origin, and none that is written into the page. Images
/// and sound of the vault come as blobs: they are fetched with the session first.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; \
     manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Passkeys for the page itself, and nothing that it does not need.
const PERMISSIONS_POLICY: &str = "publickey-credentials-get=(self), \
     publickey-credentials-create=(self), camera=(), geolocation=(), microphone=(), payment=(), \
     usb=()";

const ALWAYS: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(PERMISSIONS_POLICY),
    ),
];

/// One year. Over HTTPS only: on a loopback it would lock the browser out of every other port.
const STRICT_TRANSPORT: HeaderValue =
    HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Adds them. A handler that has set one of its own knows why.
pub async fn layer(request: Request, next: Next) -> Response {
    let ingress = request.extensions().get::<Ingress>();
    let secure = ingress.is_some_and(|ingress| ingress.scheme == Scheme::HTTPS);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    response
}
