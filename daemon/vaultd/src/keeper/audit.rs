//! The audit log of the vault that is open.

use std::sync::Arc;

use vault_keyring::Keyring;
use vault_store::{Vault, audit::AuditOptions};

use super::Keeper;
use crate::audit::{Auditor, KeyringAuditAnchor};

impl Keeper {
    /// Records what is done with the vault.
    pub fn audit(&self) -> &Arc<Auditor> {
        &self.audit
    }

    /// The log of a vault that was just opened, whose storage key is in `keyring`. Without one, records
    /// stay in memory, and the doctor says why.
    pub(super) fn open_audit(&self, vault: &Vault, keyring: &Arc<Keyring>) {
        let anchor = KeyringAuditAnchor::new(Arc::clone(keyring), vault.id());
        let opened = vault.audit_log(AuditOptions {
            bounds: self.audit.settings().bounds,
            anchor: Arc::new(anchor),
        });
        match opened {
            Ok(log) => self.audit.open(&log),
            Err(error) => {
                tracing::error!(%error, "the audit log cannot be opened");
                self.audit.unopened(&error.to_string());
            }
        }
    }

    /// The storage key has moved, and what the keyring remembers of the log moves along.
    pub(super) fn move_audit_anchor(&self, vault: &Vault, to: &Arc<Keyring>) {
        let Some(log) = self.audit.log() else {
            return;
        };
        let anchor = KeyringAuditAnchor::new(Arc::clone(to), vault.id());
        if let Err(error) = log.move_anchor(Arc::new(anchor)) {
            tracing::warn!(%error, "the anchor of the audit log did not move along");
        }
    }
}
