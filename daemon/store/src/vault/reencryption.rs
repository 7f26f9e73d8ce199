//! The part of a rotation that works on objects: sealing them anew, verifying them, destroying the
//! keys that nothing needs any more.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

use vault_crypto::{KeyId, KeyPurpose};

use super::Vault;
use crate::{
    catalogue::StoreRecord,
    error::{StoreError, StoreResult},
    id::StoreName,
    kind::{Amount, Store},
    rotation::{RotationProgress, RotationState},
};

impl Vault {
    /// Seals anew whatever is not sealed under the keys in force, then reads all of it back.
    pub(super) fn rewrite(
        &self,
        report: &mut dyn FnMut(&RotationProgress) -> ControlFlow<()>,
    ) -> StoreResult<ControlFlow<()>> {
        {
            let mut state = self.state()?;
            self.settle(&mut state)?;
            state.with_catalogue(|catalogue, ring| catalogue.reseal(&self.root, self.id, ring))?;
        }
        let mut stores = Vec::new();
        let mut progress = RotationProgress {
            state: RotationState::Rewriting,
            store: None,
            done: Amount::default(),
            total: Amount::default(),
        };
        for record in self.all_stores() {
            if let Some(store) = self.readable(&record)? {
                progress.total += self.unless_removed(&record, store.outdated())?;
                stores.push((record, store));
            }
        }
        let audit = self.audit_to_seal()?;
        if let Some(audit) = &audit {
            progress.total += audit.outdated()?;
        }
        if report(&progress).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        for (record, store) in &stores {
            progress.store = Some(record.name.clone());
            let sealed = store.reencrypt(&mut |amount| {
                progress.done += amount;
                report(&progress)
            });
            if self.unless_removed_flow(record, sealed)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(audit) = &audit {
            progress.store = Some(StoreName::audit_log());
            let sealed = audit.reencrypt(&mut |amount| {
                progress.done += amount;
                report(&progress)
            });
            if sealed?.is_break() || audit.read_back(&mut |_| report(&progress))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        for (record, store) in &stores {
            progress.store = Some(record.name.clone());
            let read = store.verify(&mut |_| report(&progress));
            if self.unless_removed_flow(record, read)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Destroys every retired key that nothing on disk needs. Answers with the stores whose keys
    /// were kept, since something in them cannot be read.
    pub(super) fn destroy_old_keys(&self) -> StoreResult<Vec<StoreName>> {
        let retired = self.state()?.keys()?.table.retired();
        if retired.is_empty() {
            return Ok(Vec::new());
        }
        let mut needed: BTreeSet<KeyId> = BTreeSet::new();
        let mut kept = Vec::new();
        for record in self.all_stores() {
            let purpose = KeyPurpose::store(&record.id.to_string());
            let own = retired.iter().filter(|(_, of)| of.active() == purpose);
            let own: BTreeSet<KeyId> = own.map(|(id, _)| *id).collect();
            if own.is_empty() {
                continue;
            }
            let used = match self.readable(&record)? {
                Some(store) => self.unless_removed(&record, store.older_keys_in_use())?,
                // Nobody knows what is in it: it may be mended one day.
                None => own.clone(),
            };
            if own.iter().any(|key_id| used.contains(key_id)) {
                kept.push(record.name.clone());
                needed.extend(&used);
            }
        }
        if let Some(audit) = self.audit_to_seal()? {
            let older = audit.older_keys_in_use()?;
            if !older.is_empty() {
                kept.push(StoreName::audit_log());
                needed.extend(older);
            }
        }
        let mut state = self.state()?;
        self.settle(&mut state)?;
        // Whatever key it was under: from now on it needs none of these.
        state.with_catalogue(|catalogue, ring| catalogue.reseal(&self.root, self.id, ring))?;
        let keys = state.keys()?;
        let mut table = keys.table.duplicate();
        let destroyed = retired.iter().filter(|(id, _)| !needed.contains(id));
        let destroyed = destroyed.filter(|(id, _)| table.remove(*id)).count();
        if destroyed > 0 {
            let storage = super::staging::copy(&keys.storage);
            self.install(&mut state, table, storage)?;
        }
        Ok(kept)
    }

    /// The store, unless something of it is damaged so that it cannot even be opened, or it was
    /// removed meanwhile.
    fn readable(&self, record: &StoreRecord) -> StoreResult<Option<Arc<dyn Store>>> {
        match self.open_store(&record.name) {
            Ok(store) => Ok(Some(store)),
            Err(error @ (StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. })) => {
                tracing::error!(store = %record.id, %error, "not sealed anew");
                Ok(None)
            }
            Err(StoreError::NoSuchStore(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A store that was removed while it was worked on needs nothing any more.
    fn unless_removed<T: Default>(
        &self,
        record: &StoreRecord,
        result: StoreResult<T>,
    ) -> StoreResult<T> {
        let removed = || {
            let known = self.all_stores();
            self.state().is_ok() && known.iter().all(|known| known.id != record.id)
        };
        match result {
            Err(StoreError::Closed) if removed() => Ok(T::default()),
            other => other,
        }
    }

    fn unless_removed_flow(
        &self,
        record: &StoreRecord,
        result: StoreResult<ControlFlow<()>>,
    ) -> StoreResult<ControlFlow<()>> {
        let stops = result.map(|flow| flow.is_break());
        let stops = self.unless_removed(record, stops)?;
        Ok(if stops {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
}
