//! What the operating system tells the daemon.

use tokio::sync::mpsc;

/// Resolves on SIGTERM or SIGINT (Ctrl-C and its kin on Windows); on SIGHUP too, where it means that
/// the terminal is gone on which the daemon was started.
pub async fn told_to_stop(on_terminal: bool) {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminated() => {}
        () = hung_up(), if on_terminal => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    next(tokio::signal::unix::SignalKind::terminate()).await;
}

#[cfg(unix)]
async fn hung_up() {
    next(tokio::signal::unix::SignalKind::hangup()).await;
}

#[cfg(unix)]
async fn next(kind: tokio::signal::unix::SignalKind) {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending::<()>().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}

#[cfg(not(unix))]
async fn hung_up() {
    std::future::pending::<()>().await;
}

/// No messages at all.
pub fn never() -> mpsc::Receiver<()> {
    mpsc::channel(1).1
}

/// A message for each SIGHUP from now on; by itself it would end the process. None comes where there
/// is no such signal.
pub fn hangups() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::hangup()) {
            Ok(mut signals) => {
                tokio::spawn(async move {
                    while signals.recv().await.is_some() && sender.send(()).await.is_ok() {}
                });
            }
            Err(error) => tracing::warn!(%error, "SIGHUP will end this process"),
        }
    }
    #[cfg(not(unix))]
    drop(sender);
    receiver
}
