//! Content on its way out: what browsers are told of it, and which part of it is sent.

mod range;

use std::fmt::Write as _;

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use vault_client::Error;

pub use range::Part;

/// Where nothing is known of content, or nothing is to be believed.
pub const BYTES: &str = "application/octet-stream";
/// The content type that was given with it, where another one is served.
const ORIGINAL_TYPE: HeaderName = HeaderName::from_static("vault-content-type");
/// Whatever a browser takes it for: without an origin, without scripts, without anything from elsewhere.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// Content types that no browser runs anything of. All others are served as bytes to be kept.
const HARMLESS: [&str; 18] = [
    "application/json",
    BYTES,
    "text/plain",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
];
/// Those of them that `?type=` may name.
const IMAGES: [&str; 5] = [
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
];

/// Whether `?type=` may name it: an image that is a picture and nothing more, unlike SVG.
pub fn is_image(content_type: &str) -> bool {
    IMAGES.contains(&content_type)
}

/// The type in front of its parameters, in small letters.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Whether a body of this type is JSON.
pub fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == "application/json" || essence.ends_with("+json")
}

/// Says what content is: its type where that is harmless, else bytes that are kept and not shown.
pub fn describe(headers: &mut HeaderMap, content_type: &str) {
    let essence = essence(content_type);
    let given = HeaderValue::from_str(content_type).ok();
    let harmless = HARMLESS.contains(&&*essence) || is_json(&essence);
    let served = match &given {
        Some(given) if harmless => given.clone(),
        _ => HeaderValue::from_static(BYTES),
    };
    if served == BYTES {
        let keep = HeaderValue::from_static("attachment");
        headers.insert(header::CONTENT_DISPOSITION, keep);
    }
    if let Some(given) = given.filter(|given| *given != served) {
        headers.insert(ORIGINAL_TYPE, given);
    }
    headers.insert(header::CONTENT_TYPE, served);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
}

/// A file to be kept, under this name.
pub fn attachment(name: &str) -> HeaderValue {
    /// What RFC 8187 lets stand as it is.
    const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
    let mut value = "attachment; filename*=UTF-8''".to_owned();
    // Writing to a text does not fail.
    let _ = write!(value, "{}", utf8_percent_encode(name, &PLAIN));
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A body of known length that comes piece by piece. One that breaks off is seen to: it ends short.
pub fn body(
    size: u64,
    pieces: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> Response {
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    response
}

/// The pieces that `next` gives, one after another.
pub fn pieces<S, F>(
    state: S,
    next: impl FnMut(S) -> F + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static
where
    S: Send + 'static,
    F: Future<Output = Result<Option<(Bytes, S)>, Error>> + Send + 'static,
{
    stream::try_unfold(state, next)
}
