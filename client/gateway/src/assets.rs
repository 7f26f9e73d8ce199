//! The console: files that are part of the program.

use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::Embed;

use crate::failure::Failure;

/// `console/`. A debug build reads it when it is asked.
#[derive(Embed)]
#[folder = "console/"]
struct Console;

/// Addresses of the page itself. It looks at which it is.
const PAGES: [&str; 3] = ["/", "/authorize", "/device"];

/// Content types by the end of a file's name. What is not here is not served: there would be no telling
/// what a browser makes of it.
const TYPES: [(&str, &str); 8] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
    ("woff2", "font/woff2"),
    ("webmanifest", "application/manifest+json"),
];

/// Serves the page and its files. Everything else that no route is for ends here, too.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let Some((file, content_type)) = find(uri.path()) else {
        return Failure::not_found().into_response();
    };
    if ![Method::GET, Method::HEAD].contains(&method) {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (allow, Failure::method_not_allowed()).into_response();
    }
    let tag = entity_tag(&file.metadata.sha256_hash());
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let unchanged = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().trim_start_matches("W/") == tag);
    // Asked again each time: names do not change with what is in them, and the answer is short.
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let content_type = [(header::CONTENT_TYPE, content_type)];
        (content_type, file.data).into_response()
    };
    let answered = response.headers_mut();
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answered.insert(header::ETAG, tag);
    }
    response
}

/// The file at an address, and its content type.
fn find(path: &str) -> Option<(rust_embed::EmbeddedFile, &'static str)> {
    let name = if PAGES.contains(&path) {
        "index.html"
    } else {
        path.strip_prefix('/')?
    };
    // Names of files have none of what would lead out of the folder, and need no decoding.
    let plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    let fit = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
    if !name.split('/').all(fit) {
        return None;
    }
    let (_, extension) = name.rsplit_once('.')?;
    let content_type = TYPES.iter().find(|known| known.0 == extension)?.1;
    Some((Console::get(name)?, content_type))
}

/// A strong one: it changes with every byte.
fn entity_tag(hash: &[u8; 32]) -> String {
    format!("\"{}\"", BASE64URL_NOPAD.encode(&hash[..16]))
}
