//! Content by URL, for the commands that take `--url`.

use vault_client::{FetchError, FetchOptions, Fetched, FetchedBody};

use crate::failure::Failure;

/// Begins to fetch: what the server says of the content, and the content to read.
pub(crate) async fn begin(url: &str) -> Result<(Fetched, FetchedBody), Failure> {
    Ok(vault_client::fetch(url, &FetchOptions::default()).await?)
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let message = error.to_string();
        if error.is_usage() {
            Self::usage(message)
        } else if error.is_refusal() {
            Self::locked(message)
        } else {
            Self::other(message)
        }
    }
}
