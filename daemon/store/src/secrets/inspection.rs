//! What does not fit together between the list and the places of the values.

use std::collections::BTreeSet;

use vault_crypto::SecretName;

use super::{
    SecretPlace, SecretStore,
    list::{Record, Records},
    sealed,
};
use crate::{
    error::{StoreError, StoreResult},
    key_source::KeySourceError,
};

/// What an inspection found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inspection {
    /// Listed, and their value is gone.
    pub missing: Vec<SecretName>,
    /// In the keyring, and not listed.
    pub unlisted: Vec<SecretName>,
    /// In the keyring still, while the value in force is sealed in the vault.
    pub left_behind: Vec<SecretName>,
}

impl SecretStore {
    /// Compares the list with the keyring and with the sealed values. Where the keyring lists
    /// nothing, reads each value to know whether it is there.
    pub fn inspect(&self) -> StoreResult<Inspection> {
        let _turn = self.turn()?;
        // A copy: the keyring may take its time, and nobody else is to wait for it.
        let records = {
            let guard = self.read_list();
            guard.as_ref().ok_or(StoreError::Closed)?.records.clone()
        };
        let uses_keyring = self.context.secrets.place() == SecretPlace::Keyring
            || records.values().any(Record::in_keyring);
        let mut held = BTreeSet::new();
        if uses_keyring {
            held = self.held(&records)?;
        }
        let mut found = Inspection::default();
        for (name, record) in &records {
            let in_keyring = held.remove(name);
            match record.sealed {
                Some(revision) => {
                    if !sealed::is_there(&self.context, name, revision)? {
                        found.missing.push(name.clone());
                    }
                    if in_keyring {
                        found.left_behind.push(name.clone());
                    }
                }
                None if !in_keyring => found.missing.push(name.clone()),
                None => {}
            }
        }
        found.unlisted.extend(held);
        Ok(found)
    }

    /// The secrets that the keyring holds, as far as it tells.
    fn held(&self, records: &Records) -> StoreResult<BTreeSet<SecretName>> {
        let (vault, entries) = (self.context.vault, self.context.secrets.entries());
        match entries.list(vault) {
            Ok(held) => Ok(held.into_iter().collect()),
            Err(KeySourceError::Unsupported(_)) => {
                let mut held = BTreeSet::new();
                for name in records.keys() {
                    if entries.load(vault, name)?.is_some() {
                        held.insert(name.clone());
                    }
                }
                Ok(held)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Mends what can be mended without losing a value: lists what the keyring holds and nobody
    /// listed, and removes from the keyring what is sealed in the vault.
    pub fn mend(&self, found: &Inspection) -> StoreResult<()> {
        let _turn = self.turn()?;
        let (vault, entries) = (self.context.vault, self.context.secrets.entries());
        let mut unlisted = Vec::new();
        for name in &found.unlisted {
            // It may have been deleted since.
            if entries.load(vault, name)?.is_some() {
                unlisted.push(name);
            }
        }
        let now = self.context.clock.now_ms();
        self.change(|records| {
            for name in unlisted {
                let record = records.entry(name.clone());
                record.or_insert_with(|| Record::new(now));
            }
        })?;
        for name in &found.left_behind {
            let sealed = self.record(name)?.and_then(|record| record.sealed);
            // The copy goes only where the value can be read without it.
            if let Some(revision) = sealed
                && sealed::load(&self.context, name, revision)?.is_some()
            {
                self.remove_entry(name)?;
                self.note_removed(name)?;
            }
        }
        Ok(())
    }
}
