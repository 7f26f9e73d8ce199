//! Fetching by URL, for what runs in front of the daemon and never in it: who may make the daemon
//! fetch could reach through it whatever this machine reaches.
//!
//! A URL may come from a stranger, and so may the server behind it. So only http and https are
//! spoken, only to public addresses, and the address that was checked is the one that is dialled:
//! a name is looked up once, and no proxy looks it up again. A redirect is checked like the URL
//! before it. Size, time, head and redirects are bounded.

mod address;
mod body;
mod error;
mod exchange;
mod name;
mod network;
mod target;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

use http::header::CONTENT_TYPE;
use hyper::body::{Body as _, Bytes};
use tokio::time::{Instant, timeout, timeout_at};

use exchange::Driver;
use network::Network;
use target::Target;

pub use body::FetchedBody;
pub use error::FetchError;

/// Redirects that are followed.
const REDIRECT_LIMIT: usize = 10;
/// Longest content type that is taken from a server, in bytes.
const CONTENT_TYPE_LIMIT: usize = 255;

/// What a fetch may take.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Bytes of content: 200 MiB by default, the class `download`.
    pub limit: u64,
    /// For looking a name up, and for each of its addresses to answer: 15 seconds by default.
    pub connect_timeout: Duration,
    /// Until the answer begins, and between its parts: 30 seconds by default.
    pub idle_timeout: Duration,
    /// For all of it: half an hour by default.
    pub deadline: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            limit: 200 << 20,
            connect_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(30 * 60),
        }
    }
}

/// What a server says of the content before it sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where the content came from in the end.
    pub url: String,
    /// Its content type; empty where the server names none.
    pub content_type: String,
    /// Its size in bytes, where the server names it.
    pub size: Option<u64>,
    /// A name for it, without a path; nothing where neither the server nor the URL has one.
    pub file_name: Option<String>,
}

/// Fetches what a URL names: what the server says of it, and the content to read.
///
/// # Errors
///
/// With a [`FetchError`]; so does the content, as the source of an [`std::io::Error`].
pub async fn fetch(
    url: &str,
    options: &FetchOptions,
) -> Result<(Fetched, FetchedBody), FetchError> {
    fetch_over(&network::System, url, options).await
}

async fn fetch_over(
    network: &impl Network,
    url: &str,
    options: &FetchOptions,
) -> Result<(Fetched, FetchedBody), FetchError> {
    let target = Target::parse(url)?;
    let host = target.host();
    let until = Instant::now() + options.deadline;
    let fetched = timeout_at(until, follow(network, target, options, until)).await;
    fetched.unwrap_or_else(|_| {
        let deadline = options.deadline;
        Err(FetchError::Deadline { host, deadline })
    })
}

/// Goes where the URL and the redirects lead.
async fn follow(
    network: &impl Network,
    mut target: Target,
    options: &FetchOptions,
    until: Instant,
) -> Result<(Fetched, FetchedBody), FetchError> {
    for _ in 0..=REDIRECT_LIMIT {
        let stream = network::connect(network, &target, options.connect_timeout).await?;
        let answer = timeout(options.idle_timeout, async {
            if !target.secure() {
                return exchange::ask(stream, &target).await;
            }
            exchange::ask(tls::wrap(stream, &target).await?, &target).await
        });
        let silent = |_| FetchError::Silent {
            host: target.host(),
            waited: options.idle_timeout,
        };
        let (answer, driver) = answer.await.map_err(silent)??;
        match exchange::location(&answer) {
            Some(location) => target = target.redirect(location)?,
            None => return begin(answer, driver, &target, options, until),
        }
    }
    Err(FetchError::Redirects(REDIRECT_LIMIT))
}

fn begin(
    answer: http::Response<hyper::body::Incoming>,
    driver: Driver,
    target: &Target,
    options: &FetchOptions,
    until: Instant,
) -> Result<(Fetched, FetchedBody), FetchError> {
    exchange::content(&answer, target)?;
    let (head, incoming) = answer.into_parts();
    let (host, limit) = (target.host(), options.limit);
    let size = incoming.size_hint().exact();
    if size.is_some_and(|size| size > limit) {
        return Err(FetchError::TooLarge { host, limit });
    }
    let content_type = exchange::field(&head.headers, &CONTENT_TYPE);
    // A tab may stand in it, and no blob's may have one.
    let content_type = content_type
        .filter(|text| text.len() <= CONTENT_TYPE_LIMIT && !text.chars().any(char::is_control));
    let fetched = Fetched {
        url: target.as_str().to_owned(),
        content_type: content_type.unwrap_or_default().to_owned(),
        size,
        file_name: name::file_name(&head.headers, target),
    };
    let body = FetchedBody {
        host,
        incoming,
        _driver: driver,
        limit,
        idle_timeout: options.idle_timeout,
        deadline: (options.deadline, until),
        received: 0,
        rest: Bytes::new(),
        waiting: None,
    };
    Ok((fetched, body))
}
