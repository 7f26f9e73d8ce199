//! What a call's metadata says of who sent it: a request over HTTP that the gateway passes on, and
//! credentials.

use std::net::SocketAddr;

use data_encoding::BASE64_NOPAD;
use http::{HeaderMap, HeaderName};
use prost::Message as _;
use tonic::Status;
use vault_auth::{Credential, RequestParts, WebRequest};
use vault_proto::v1::{HttpRequest, Reason};

use crate::error::refusal;

const HTTP: HeaderName = HeaderName::from_static("vaultd-http-bin");
const SESSION: HeaderName = HeaderName::from_static("vaultd-session");
const QUERY_TOKEN: HeaderName = HeaderName::from_static("vaultd-query-token");
const BEARER: HeaderName = http::header::AUTHORIZATION;

/// What came with a call.
pub enum Sent {
    /// Nothing: a client on the socket.
    Nothing,
    /// A bearer token of a client on the socket.
    Token(String),
    /// A request over HTTP, with what it brought.
    Web(Box<WebCall>),
}

/// A call of the gateway.
pub struct WebCall {
    /// The request it is made for.
    pub request: WebRequest,
    /// What the request brought to say who sent it.
    pub credential: Credential,
    /// Address and port at which the request reached the gateway.
    pub local: SocketAddr,
}

/// Whether a call is one of the gateway's, be it well-formed or not.
pub fn is_web(headers: &HeaderMap) -> bool {
    headers.contains_key(&HTTP)
}

/// Whether a call brings nothing to be judged by.
pub fn is_bare(headers: &HeaderMap) -> bool {
    [HTTP, SESSION, QUERY_TOKEN, BEARER]
        .iter()
        .all(|name| !headers.contains_key(name))
}

/// Reads what came with a call. What is malformed is refused: nothing of it is guessed at.
pub fn read(headers: &HeaderMap) -> Result<Sent, Box<Status>> {
    let credential = Credential {
        bearer: one(headers, &BEARER)?.map(bearer).transpose()?,
        cookie: one(headers, &SESSION)?.map(str::to_owned),
        query_token: one(headers, &QUERY_TOKEN)?.map(str::to_owned),
    };
    let Some(http) = one(headers, &HTTP)? else {
        return match credential {
            Credential {
                cookie: None,
                query_token: None,
                bearer,
            } => Ok(bearer.map_or(Sent::Nothing, Sent::Token)),
            _ => Err(malformed(
                &SESSION,
                "it comes with a request over HTTP only",
            )),
        };
    };
    let bytes = BASE64_NOPAD.decode(http.trim_end_matches('=').as_bytes());
    let bytes = bytes.map_err(|_| malformed(&HTTP, "it is no base64"))?;
    let request = HttpRequest::decode(bytes.as_slice());
    let request = request.map_err(|_| malformed(&HTTP, "it is no HttpRequest"))?;
    let (request, local) = web_request(&request)?;
    Ok(Sent::Web(Box::new(WebCall {
        request,
        credential,
        local,
    })))
}

// Boxed as every verdict of this module is.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "it goes into a `Result` whose other side is small"
)]
fn malformed(name: &HeaderName, text: &str) -> Box<Status> {
    let text = format!("metadata `{name}`: {text}");
    Box::new(refusal(Reason::InvalidArgument, text, &[]))
}

/// The one value of a header. Of two nobody could say which was meant.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Box<Status>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| {
        let text = value.to_str();
        text.map_err(|_| malformed(name, "it is no visible ASCII"))
    });
    if values.next().is_some() {
        return Err(malformed(name, "it came twice"));
    }
    value.transpose()
}

/// The token of `Bearer TOKEN` (RFC 6750, section 2.1; the scheme's case does not matter).
fn bearer(value: &str) -> Result<String, Box<Status>> {
    let token = value.split_once(' ').filter(|(scheme, token)| {
        scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty()
    });
    let token = token.ok_or_else(|| malformed(&BEARER, "write `Bearer TOKEN`"))?;
    Ok(token.1.trim().to_owned())
}

fn web_request(given: &HttpRequest) -> Result<(WebRequest, SocketAddr), Box<Status>> {
    let request = WebRequest::parse(&RequestParts {
        method: &given.method,
        scheme: &given.scheme,
        host: &given.host,
        origin: given.origin.as_deref(),
        fetch_site: given.fetch_site.as_deref(),
        peer: &given.peer,
        forwarded: given.forwarded,
        user_agent: given.user_agent.as_deref(),
    });
    let request = request.map_err(|error| malformed(&HTTP, &error.to_string()))?;
    let local = given.local.parse();
    let local = local.map_err(|_| malformed(&HTTP, "`local` is no address with port"))?;
    Ok((request, local))
}

#[cfg(test)]
mod tests;
