//! The audit log of an open vault.

use std::sync::Arc;

use vault_crypto::KeyPurpose;

use super::Core;
use crate::{
    audit::{AuditLog, AuditOptions, Bounds, NoAnchor},
    error::StoreResult,
    store_keys::StoreKeys,
};

impl Core {
    /// The vault's audit log: opened by the first who asks, and its data key made where there is none.
    pub fn audit_log(&self, options: AuditOptions) -> StoreResult<Arc<AuditLog>> {
        let ring = {
            let mut state = self.state()?;
            if let Some(log) = &state.audit {
                return Ok(Arc::clone(log));
            }
            let purpose = KeyPurpose::audit();
            if state.keys()?.table.find(&purpose).is_none() {
                self.settle(&mut state)?;
                let keys = state.keys()?;
                let added = keys.table.add(purpose.clone())?;
                if let Err(error) = keys.write(&self.root) {
                    // Nothing may be sealed by a key that the next start does not find.
                    keys.table.remove(added);
                    return Err(error);
                }
            }
            state.keys()?.ring(&purpose)
        };
        // A keyring may take its time: nobody else waits for it.
        let opened = self.open_audit(StoreKeys::new(ring), options)?;
        let mut state = self.state()?;
        let log = Arc::clone(state.audit.get_or_insert(opened));
        // A rotation may have come between.
        let ring = state.keys()?.ring(&KeyPurpose::audit());
        log.keys().replace(ring);
        Ok(log)
    }

    fn open_audit(&self, keys: StoreKeys, options: AuditOptions) -> StoreResult<Arc<AuditLog>> {
        let (root, clock) = (self.root.clone(), Arc::clone(&self.options.clock));
        AuditLog::open(root, self.id, Arc::new(keys), clock, options).map(Arc::new)
    }

    /// The log, for a rotation: one that nobody opened yet is opened for that alone.
    pub(super) fn audit_to_seal(&self) -> StoreResult<Option<Arc<AuditLog>>> {
        let ring = {
            let mut state = self.state()?;
            if let Some(log) = &state.audit {
                return Ok(Some(Arc::clone(log)));
            }
            let purpose = KeyPurpose::audit();
            if state.keys()?.table.keys_of(&purpose).is_empty() {
                return Ok(None);
            }
            state.keys()?.ring(&purpose)
        };
        let options = AuditOptions {
            bounds: Bounds::default(),
            anchor: Arc::new(NoAnchor),
        };
        self.open_audit(StoreKeys::new(ring), options).map(Some)
    }
}
