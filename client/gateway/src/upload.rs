//! Bodies of requests on their way to the daemon.

use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use axum::body::{Body, Bytes, to_bytes};
use futures_util::StreamExt as _;
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body::Body as _;
use http_body_util::LengthLimitError;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;
use vault_client::Error;

use crate::{failure::Failure, routes::SMALL_BODY};

/// A body, and how long it says it is.
pub struct Upload {
    body: Body,
    /// Bytes, where the request says.
    pub size: Option<u64>,
}

impl Upload {
    /// Reads nothing of it yet.
    pub fn new(headers: &HeaderMap, body: Body) -> Self {
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok());
        let size = announced.and_then(|text| text.parse().ok());
        Self {
            // One that is empty need not say so.
            size: size.or_else(|| body.size_hint().exact()),
            body,
        }
    }

    /// Whether it is so small that it may be gathered for anybody.
    pub fn is_small(&self) -> bool {
        self.size.is_some_and(|size| size <= SMALL_BODY as u64)
    }

    /// All of it, up to `limit` bytes; `None` where it is longer.
    pub async fn gather(self, limit: usize) -> Result<Option<Bytes>, Failure> {
        if self.size.is_some_and(|size| size > limit as u64) {
            return Ok(None);
        }
        to_bytes(self.body, limit).await.map(Some).or_else(|error| {
            let mut causes = std::iter::successors(error.source(), |cause| (**cause).source());
            if causes.any(<dyn std::error::Error>::is::<LengthLimitError>) {
                Ok(None)
            } else {
                Err(Failure::of_body(&error))
            }
        })
    }

    /// Hands it to `send` as a source. The failure tells whether it is the body that failed, or the
    /// daemon that refused.
    pub async fn send<T, F: Future<Output = Result<T, Error>>>(
        self,
        send: impl FnOnce(Source) -> F,
    ) -> Result<T, Failure> {
        let broken = Arc::new(OnceLock::new());
        let told = Arc::clone(&broken);
        let stream = self.body.into_data_stream().map(move |piece| {
            piece.map_err(|error| {
                told.get_or_init(|| Failure::of_body(&error));
                io::Error::other(error)
            })
        });
        let source: Source = Box::pin(StreamReader::new(stream));
        send(source).await.map_err(|error| match broken.get() {
            Some(broken) if matches!(error, Error::Local(_)) => broken.clone(),
            _ => error.into(),
        })
    }
}

/// Where the bytes of a body come from.
pub type Source = Pin<Box<dyn AsyncRead + Send>>;
