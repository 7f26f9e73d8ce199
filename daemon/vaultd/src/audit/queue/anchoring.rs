//! The thread that tells the keyring of the newest record, and drops what is over the bound. A keyring
//! that takes its time keeps no record waiting.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use vault_store::{StoreError, audit::AuditLog};

use super::{Phase, Queue, Shared};

impl Queue {
    pub(super) fn anchor_all(&self) {
        while let Some(log) = self.next_anchoring() {
            match log.upkeep() {
                // Locked meanwhile.
                Ok(()) | Err(StoreError::Closed) => {}
                Err(error) => tracing::warn!(%error, "the upkeep of the audit log failed"),
            }
            let left = log.status().anchor_failure;
            let mut shared = self.lock();
            shared.anchorings += 1;
            if let Some(why) = left {
                tracing::warn!(why, "the newest audit record is not anchored");
                // Again when its time has come.
                shared.unanchored_since = Some(Instant::now());
            }
            drop(shared);
            self.changed.notify_all();
        }
    }

    /// The log whose newest record is to be anchored; `None` at the end.
    fn next_anchoring(&self) -> Option<Arc<AuditLog>> {
        let mut shared = self.lock();
        loop {
            if shared.phase == Phase::Stopped {
                return None;
            }
            let rest =
                shared.until_anchoring(self.settings.anchor_records, self.settings.anchor_after);
            let log = shared.log.clone();
            shared = match (rest, log) {
                (Some(Duration::ZERO), Some(log)) => {
                    (shared.unanchored, shared.unanchored_since) = (0, None);
                    shared.anchor_now = false;
                    shared.anchorings_begun += 1;
                    return Some(log);
                }
                (Some(rest), Some(_)) => self.wait_for(shared, rest),
                _ => self.wait(shared),
            };
        }
    }
}

impl Shared {
    /// How long until the keyring is told; `None` where there is nothing to tell.
    fn until_anchoring(&self, records: u64, after: Duration) -> Option<Duration> {
        if self.anchor_now || self.unanchored >= records {
            return Some(Duration::ZERO);
        }
        let since = self.unanchored_since?;
        Some(after.saturating_sub(since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyring_is_told_after_so_many_records_or_so_long() {
        let (records, after) = (3, Duration::from_secs(3600));
        let mut shared = Shared::default();
        assert_eq!(shared.until_anchoring(records, after), None);
        (shared.unanchored, shared.unanchored_since) = (1, Some(Instant::now()));
        let rest = shared.until_anchoring(records, after).expect("some");
        assert!(!rest.is_zero() && rest <= after);
        assert_eq!(
            shared.until_anchoring(records, Duration::ZERO),
            Some(Duration::ZERO)
        );
        shared.unanchored = 3;
        assert_eq!(shared.until_anchoring(records, after), Some(Duration::ZERO));
        shared.unanchored = 0;
        shared.anchor_now = true;
        assert_eq!(shared.until_anchoring(records, after), Some(Duration::ZERO));
    }
}
