//! Ending on a signal without leaving anything behind.

use crate::failure::Failure;

/// Does `work`, or drops it where a signal asks to end: what it holds, such as a file half written,
/// is then cleaned up. From here on a signal no longer ends the program by itself, so nothing asks
/// on the terminal inside or afterwards. `meaning` tells what became of the work.
pub(crate) async fn guarded<T>(
    meaning: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        () = asked() => Err(Failure::other(format!("interrupted: {meaning}"))),
    }
}

#[cfg(unix)]
async fn asked() {
    use tokio::signal::unix::{SignalKind, signal};

    let heard = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            // It cannot be heard, and ends the program as it would any other.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = heard(SignalKind::interrupt()) => {}
        () = heard(SignalKind::terminate()) => {}
        () = heard(SignalKind::hangup()) => {}
    }
}

#[cfg(windows)]
async fn asked() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
