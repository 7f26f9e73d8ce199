//! One request and the head of its answer, over HTTP/1.1.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, HOST, LOCATION, TRANSFER_ENCODING,
        USER_AGENT,
    },
};
use http_body_util::Empty;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::{error::FetchError, network::Stream, target::Target};
use crate::error::chain;

/// Largest head of an answer, in bytes.
const HEAD_LIMIT: usize = 64 << 10;
/// Most fields of one.
const FIELD_LIMIT: usize = 128;

/// Keeps a connection going; drops it when nobody reads from it any more.
pub(super) struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks for what `target` names.
pub(super) async fn ask(
    stream: Box<dyn Stream>,
    target: &Target,
) -> Result<(Response<Incoming>, Driver), FetchError> {
    let broken = |detail: String| FetchError::Broken {
        host: target.host(),
        detail,
    };
    let request = Request::get(target.path())
        .header(HOST, target.authority())
        .header(USER_AGENT, concat!("vaultd/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        // What is packed could unpack to any size.
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(error.to_string()))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        .max_headers(FIELD_LIMIT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(error.to_string()))?;
    // What goes wrong with it the answer says.
    let driver = Driver(tokio::spawn(connection).abort_handle());
    let answer = sender.send_request(request).await;
    Ok((answer.map_err(|error| broken(chain(&error)))?, driver))
}

/// Where an answer sends on to.
pub(super) fn location(answer: &Response<Incoming>) -> Option<&str> {
    let redirects = matches!(
        answer.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    field(answer.headers(), &LOCATION).filter(|_| redirects)
}

/// Makes sure that the answer is the content itself.
pub(super) fn content(answer: &Response<Incoming>, target: &Target) -> Result<(), FetchError> {
    if answer.status() != StatusCode::OK {
        let (host, status) = (target.host(), answer.status().to_string());
        return Err(FetchError::Answered { host, status });
    }
    for (name, plain) in [
        (CONTENT_ENCODING, "identity"),
        (TRANSFER_ENCODING, "chunked"),
    ] {
        for value in answer.headers().get_all(name) {
            if !value.as_bytes().eq_ignore_ascii_case(plain.as_bytes()) {
                let coding = String::from_utf8_lossy(value.as_bytes()).into_owned();
                let host = target.host();
                return Err(FetchError::Encoded { host, coding });
            }
        }
    }
    Ok(())
}

/// A field's text, where it has one.
pub(super) fn field<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    std::str::from_utf8(fields.get(name)?.as_bytes()).ok()
}
