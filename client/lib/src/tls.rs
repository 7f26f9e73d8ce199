//! TLS, trusting whom the system trusts.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// A client that trusts them, or says why nobody is trusted.
///
/// # Errors
///
/// With what went wrong with the first of the authorities, where one is known.
pub(crate) async fn config() -> Result<ClientConfig, String> {
    // They stand in files.
    let loaded = tokio::task::spawn_blocking(load).await;
    loaded.map_err(|error| format!(" ({error})"))?
}

fn load() -> Result<ClientConfig, String> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One that cannot be read is one fewer to trust.
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let first = loaded.errors.first();
        let detail = first.map(|error| format!(" ({error})"));
        return Err(detail.unwrap_or_default());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3");
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
