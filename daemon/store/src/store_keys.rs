//! The data keys of one open store: the one new objects are sealed with, and those that a rotation
//! has not destroyed yet.

use std::sync::{Arc, PoisonError, RwLock};

use vault_crypto::{DataKey, KeyId};

use crate::error::{StoreError, StoreResult};

/// The keys in force at one moment. Every envelope names its key: none is ever tried in turn.
#[derive(Debug, Default)]
pub struct Ring {
    current: Option<KeyId>,
    keys: Vec<(KeyId, DataKey)>,
}

impl Ring {
    /// A ring whose first key is the current one.
    pub fn new(keys: Vec<(KeyId, DataKey)>) -> Self {
        Self {
            current: keys.first().map(|(id, _)| *id),
            keys,
        }
    }

    /// The key that new objects are sealed with. `Closed` once the keys were forgotten.
    pub fn current(&self) -> StoreResult<(KeyId, &DataKey)> {
        let id = self.current.ok_or(StoreError::Closed)?;
        let key = self.get(id).ok_or(StoreError::Closed)?;
        Ok((id, key))
    }

    /// The key of this id.
    pub fn get(&self, id: KeyId) -> Option<&DataKey> {
        let found = self.keys.iter().find(|(known, _)| *known == id);
        found.map(|(_, key)| key)
    }

    /// The ids of all of them.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|(id, _)| *id)
    }
}

/// The ring of one store, shared by all that read or write in it. A rotation replaces it while the
/// store is open, a lock empties it.
#[derive(Debug, Default)]
pub struct StoreKeys(RwLock<Arc<Ring>>);

impl StoreKeys {
    /// Begins with `ring`.
    pub fn new(ring: Ring) -> Self {
        Self(RwLock::new(Arc::new(ring)))
    }

    /// The keys as they are now.
    pub fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other keys in their place; those before are zeroed with the last call that uses them.
    pub fn replace(&self, ring: Ring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// Drops every key.
    pub fn forget(&self) {
        self.replace(Ring::default());
    }
}
