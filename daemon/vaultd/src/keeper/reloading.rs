//! Settings that change while the daemon runs.

use std::{path::PathBuf, sync::PoisonError};

use tokio::sync::futures::Notified;

use super::Keeper;
use crate::config::Config;

impl Keeper {
    /// Takes over what the configuration says now, as far as that can be had without a restart.
    pub fn reconfigure(&self, config: &Config) {
        let passphrase_file = self.passphrase_file.write();
        passphrase_file
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&config.passphrase_file);
        // Unchanged, it does not begin anew.
        if self.activity.limit() != config.idle_lock {
            self.activity.set_limit(config.idle_lock);
        }
        self.upkeep.replace(config.maintenance);
        self.reconfigured.notify_waiters();
    }

    /// Resolves at the next new configuration, counted from this call.
    pub fn reconfigured(&self) -> Notified<'_> {
        self.reconfigured.notified()
    }

    /// The file that the configuration names.
    pub(super) fn passphrase_file(&self) -> Option<PathBuf> {
        let file = self.passphrase_file.read();
        file.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
