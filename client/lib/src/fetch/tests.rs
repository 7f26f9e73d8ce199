//! Fetching over an internet in memory.

mod content;
mod internet;
mod reach;

use tokio::io::AsyncReadExt as _;

use super::{FetchError, FetchOptions, Fetched, fetch_over};
use internet::{Internet, Server};

/// The bytes that the tests let a source have.
const LIMIT: usize = 1000;

/// An answer.
const CONTENT: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 5\r\n\r\nhello";

fn sends(answer: &str) -> Server {
    Server::Sends(answer.to_owned())
}

/// Fetches to the end.
async fn attempt(internet: &Internet, url: &str) -> Result<(Fetched, Vec<u8>), FetchError> {
    let options = FetchOptions {
        limit: LIMIT as u64,
        ..FetchOptions::default()
    };
    let (head, mut body) = fetch_over(internet, url, &options).await?;
    let mut content = Vec::new();
    match body.read_to_end(&mut content).await {
        Ok(_) => Ok((head, content)),
        Err(error) => Err(error.downcast().expect("a FetchError")),
    }
}

async fn fetched(internet: &Internet, url: &str) -> (Fetched, Vec<u8>) {
    let fetched = attempt(internet, url).await;
    fetched.unwrap_or_else(|error| panic!("{url}: {error}"))
}

async fn refused(internet: &Internet, url: &str) -> FetchError {
    let fetched = attempt(internet, url).await;
    fetched.err().unwrap_or_else(|| panic!("{url} was fetched"))
}
