//! What the operating system tells the gateway.

use std::sync::Arc;

use crate::server::Tls;

/// Resolves on SIGTERM or SIGINT (Ctrl-C and its kin on Windows).
pub async fn told_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending::<()>().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// From now on, reads the certificate anew on each SIGHUP. Without one, the signal does nothing: by
/// itself it would end the process.
#[cfg(unix)]
pub fn renew_on_hangup(tls: Option<Arc<Tls>>) {
    use crate::service_manager::{Notice, notify};

    let Ok(mut signals) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
    else {
        return;
    };
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            notify(Notice::Reloading);
            match tls.as_ref().map(|tls| tls.reload()) {
                None => tracing::info!("there is no certificate to be read anew"),
                Some(Ok(())) => tracing::info!("the certificate was read anew"),
                Some(Err(error)) => tracing::error!(%error, "the certificate before stays in use"),
            }
            notify(Notice::Ready);
        }
    });
}

/// There is no such signal: a restart reads it.
#[cfg(not(unix))]
pub fn renew_on_hangup(_: Option<Arc<Tls>>) {}
