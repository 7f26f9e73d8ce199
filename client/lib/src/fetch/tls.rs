//! TLS, trusting whom the system trusts.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio_rustls::TlsConnector;

use super::{error::FetchError, network::Stream, target::Target};

/// Wraps a connection to the host of `target`.
pub(super) async fn wrap(
    stream: Box<dyn Stream>,
    target: &Target,
) -> Result<Box<dyn Stream>, FetchError> {
    let untrusted = |detail: String| FetchError::Untrusted {
        host: target.host(),
        detail,
    };
    // The authorities stand in files.
    let config = tokio::task::spawn_blocking(config);
    let config = config
        .await
        .map_err(|error| untrusted(error.to_string()))??;
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

fn config() -> Result<ClientConfig, FetchError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One that cannot be read is one fewer to trust.
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let first = loaded.errors.first();
        let detail = first.map(|error| format!(" ({error})"));
        return Err(FetchError::NoAuthorities(detail.unwrap_or_default()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3");
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
