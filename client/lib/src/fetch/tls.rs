//! TLS to the host of a URL.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::{error::FetchError, network::Stream, target::Target};
use crate::tls;

/// Wraps a connection to the host of `target`.
pub(super) async fn wrap(
    stream: Box<dyn Stream>,
    target: &Target,
) -> Result<Box<dyn Stream>, FetchError> {
    let untrusted = |detail: String| FetchError::Untrusted {
        host: target.host(),
        detail,
    };
    let config = tls::config().await.map_err(FetchError::NoAuthorities)?;
    let name = match target.address() {
        Some(address) => ServerName::from(address),
        None => {
            ServerName::try_from(target.host()).map_err(|error| untrusted(error.to_string()))?
        }
    };
    let connector = TlsConnector::from(Arc::new(config));
    let wrapped = connector.connect(name, stream).await;
    Ok(Box::new(
        wrapped.map_err(|error| untrusted(error.to_string()))?,
    ))
}
