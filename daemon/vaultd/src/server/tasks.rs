//! What the daemon does by itself while it serves.

use std::{sync::Arc, time::Duration};

use vault_store::SystemClock;

use crate::keeper::Keeper;

/// How long a daemon has run before it looks after databases: whoever started it goes first.
const FIRST_UPKEEP: Duration = Duration::from_secs(30);

/// How long it waits in memory when a session or a token was used last: it is kept to the minute.
const USES: Duration = Duration::from_secs(60);

/// Locks the vault when nobody has used it for the time that the configuration names.
pub(super) async fn lock_when_idle(keeper: Arc<Keeper>) {
    loop {
        // Made before the look: reconfigured in between, it is woken all the same.
        let reconfigured = keeper.reconfigured();
        let idle = Arc::clone(&keeper);
        let Ok(rest) = tokio::task::spawn_blocking(move || idle.lock_if_idle()).await else {
            return;
        };
        let rested = async {
            match rest {
                Some(rest) => tokio::time::sleep(rest.max(Duration::from_millis(50))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = rested => {}
            () = reconfigured => {}
        }
    }
}

/// Looks after the databases for as long as the daemon runs. What it is at when the daemon stops is
/// interrupted as the vault is closed.
pub(super) async fn maintain(keeper: Arc<Keeper>) {
    let mut rest = FIRST_UPKEEP;
    loop {
        let reconfigured = keeper.reconfigured();
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = reconfigured => {}
        }
        let keeper = Arc::clone(&keeper);
        let round = tokio::task::spawn_blocking(move || keeper.maintain(&SystemClock));
        // After a defect, not at once again.
        rest = round.await.unwrap_or(FIRST_UPKEEP);
    }
}

/// Writes down when sessions and tokens were used last, from time to time.
pub(super) async fn write_uses(keeper: Arc<Keeper>) {
    loop {
        tokio::time::sleep(USES).await;
        let keeper = Arc::clone(&keeper);
        let _ = tokio::task::spawn_blocking(move || keeper.write_auth_uses()).await;
    }
}
