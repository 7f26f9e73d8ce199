//! New data keys in the place of old ones, for a rotation that re-encrypts.
//!
//! Objects move to the new key one by one, so both stand in the table meanwhile: the new key under
//! the purpose, the old one under the retired purpose. Every envelope names its key, so either
//! opens what it sealed.

use super::{Entry, KeyPurpose, KeyTable};
use crate::{id::KeyId, primitives::RandomError, secret::DataKey};

/// A rollback would have to choose between several keys of one purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "several retired keys stand beside the key for {purpose}: which one to go back to is unknown"
)]
pub struct SeveralRetired {
    /// The active purpose.
    pub purpose: KeyPurpose,
}

impl KeyTable {
    /// A second table that is changed and written before it takes the first one's place. Not
    /// `Clone`, so that no copy of the keys is made by accident.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let entry = |(id, entry): (&KeyId, &Entry)| {
            let (purpose, key) = (entry.purpose.clone(), entry.key.duplicate());
            (*id, Entry { purpose, key })
        };
        Self {
            vault: self.vault,
            generation: self.generation,
            entries: self.entries.iter().map(entry).collect(),
        }
    }

    /// Counts a change without one: the table as written next is newer than any on disk.
    pub fn touch(&mut self) {
        self.generation += 1;
    }

    /// Retires the key of `purpose` and adds a new random one in its place, as one change; returns
    /// the new key's id. `None`, without a change, where no key has that purpose, or where it is a
    /// retired one. Keys retired earlier stay: objects may still be sealed under them.
    pub fn renew(&mut self, purpose: &KeyPurpose) -> Result<Option<KeyId>, RandomError> {
        if purpose.is_retired() || self.find(purpose).is_none() {
            return Ok(None);
        }
        // Drawn before anything changes, so that a failure leaves the table as it was.
        let id = KeyId::generate()?;
        let key = DataKey::generate()?;
        self.rename(purpose, &purpose.retired());
        let purpose = purpose.clone();
        self.entries.insert(id, Entry { purpose, key });
        self.generation += 1;
        Ok(Some(id))
    }

    /// Takes renewals back: wherever a retired key stands beside an active one, the two change
    /// places, all of them as one change. What was sealed under either still opens.
    ///
    /// A purpose with several retired keys is an error, and then nothing changes: the table does
    /// not record which of them was the last. Without any retired key nothing changes either.
    pub fn swap_retired(&mut self) -> Result<(), SeveralRetired> {
        let mut swaps = Vec::new();
        for entry in self.entries.values() {
            let retired = entry.purpose.retired();
            let twins = self.ids_of(&retired);
            if entry.purpose.is_retired() || twins.is_empty() {
                continue;
            }
            let &[twin] = twins.as_slice() else {
                let purpose = entry.purpose.clone();
                return Err(SeveralRetired { purpose });
            };
            swaps.push((twin, entry.purpose.clone()));
        }
        for (twin, purpose) in &swaps {
            self.rename(purpose, &purpose.retired());
            if let Some(entry) = self.entries.get_mut(twin) {
                entry.purpose = purpose.clone();
            }
        }
        self.generation += u64::from(!swaps.is_empty());
        Ok(())
    }

    /// The keys that only open what was sealed before a renewal, each with its retired purpose.
    pub fn retired(&self) -> Vec<(KeyId, KeyPurpose)> {
        let mut purposes = self.purposes();
        purposes.retain(|(_, purpose)| purpose.is_retired());
        purposes
    }

    /// Every key with its purpose, active and retired, in the order of their ids.
    pub fn purposes(&self) -> Vec<(KeyId, KeyPurpose)> {
        let entries = self.entries.iter();
        entries
            .map(|(id, entry)| (*id, entry.purpose.clone()))
            .collect()
    }

    /// Every key that may have sealed an object of `purpose`: the active one first, then the
    /// retired ones in the order of their ids. Whether `purpose` itself is retired is the same.
    pub fn keys_of(&self, purpose: &KeyPurpose) -> Vec<(KeyId, &DataKey)> {
        let active = purpose.active();
        let mut keys: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.purpose.active() == active)
            .collect();
        // Stable, so the order of the ids remains within each half.
        keys.sort_by_key(|(_, entry)| entry.purpose.is_retired());
        keys.into_iter()
            .map(|(id, entry)| (*id, &entry.key))
            .collect()
    }

    fn ids_of(&self, purpose: &KeyPurpose) -> Vec<KeyId> {
        let entries = self.entries.iter();
        entries
            .filter(|(_, entry)| entry.purpose == *purpose)
            .map(|(id, _)| *id)
            .collect()
    }

    fn rename(&mut self, from: &KeyPurpose, to: &KeyPurpose) {
        for entry in self.entries.values_mut() {
            if entry.purpose == *from {
                entry.purpose = to.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StorageKey, VaultId};

    fn table() -> (KeyTable, KeyId, KeyId) {
        let mut table = KeyTable::new(VaultId::from_bytes([9; 16]));
        let catalogue = table.add(KeyPurpose::catalogue()).expect("random source");
        let store = table.add(KeyPurpose::store("a")).expect("random source");
        (table, catalogue, store)
    }

    fn active(table: &KeyTable, purpose: &KeyPurpose) -> KeyId {
        table.find(purpose).expect("an active key").0
    }

    #[test]
    fn a_renewed_key_stays_beside_the_new_one() {
        let (mut table, catalogue, old) = table();
        let purpose = KeyPurpose::store("a");
        let old_bytes = *table.get(old).expect("there").expose();
        let new = table.renew(&purpose).expect("random source");
        let new = new.expect("there was a key");
        assert_eq!(table.generation(), 3);
        assert_eq!(active(&table, &purpose), new);
        assert_eq!(table.get(old).expect("kept").expose(), &old_bytes);
        assert_ne!(table.get(new).expect("added").expose(), &old_bytes);
        assert_eq!(table.retired(), [(old, purpose.retired())]);
        assert_eq!(active(&table, &KeyPurpose::catalogue()), catalogue);

        let ids = |purpose| table.keys_of(purpose).into_iter().map(|(id, _)| id);
        assert!(ids(&purpose).eq([new, old]));
        assert!(ids(&purpose.retired()).eq([new, old]));
        assert_eq!(table.purposes().len(), 3);
    }

    #[test]
    fn what_is_not_there_is_not_renewed() {
        let (mut table, ..) = table();
        let purpose = KeyPurpose::store("a");
        table.renew(&purpose).expect("random source");
        for absent in [KeyPurpose::names(), purpose.retired()] {
            assert_eq!(table.renew(&absent).expect("random source"), None);
        }
        assert_eq!((table.generation(), table.purposes().len()), (3, 3));
    }

    #[test]
    fn renewing_twice_keeps_every_key() {
        let (mut table, _, first) = table();
        let purpose = KeyPurpose::store("a");
        let second = table.renew(&purpose).expect("random source");
        let third = table.renew(&purpose).expect("random source");
        let mut retired = vec![first, second.expect("renewed")];
        retired.sort_unstable();
        let found: Vec<_> = table.retired().into_iter().map(|(id, _)| id).collect();
        assert_eq!(found, retired);
        assert_eq!(Some(active(&table, &purpose)), third);
    }

    #[test]
    fn a_rollback_puts_every_old_key_back_in_one_change() {
        let (mut table, catalogue, store) = table();
        let purposes = [KeyPurpose::catalogue(), KeyPurpose::store("a")];
        let untouched = table.add(KeyPurpose::names()).expect("random source");
        let renewed = purposes
            .each_ref()
            .map(|purpose| table.renew(purpose).expect("random source"));
        let generation = table.generation();
        table.swap_retired().expect("one retired key each");
        assert_eq!(table.generation(), generation + 1);
        assert_eq!(active(&table, &purposes[0]), catalogue);
        assert_eq!(active(&table, &purposes[1]), store);
        assert_eq!(active(&table, &KeyPurpose::names()), untouched);
        for (purpose, id) in purposes.iter().zip(renewed) {
            let id = id.expect("there was a key");
            assert!(table.retired().contains(&(id, purpose.retired())));
        }
    }

    #[test]
    fn a_rollback_without_a_single_answer_changes_nothing() {
        let (mut table, ..) = table();
        table
            .renew(&KeyPurpose::catalogue())
            .expect("random source");
        let purpose = KeyPurpose::store("a");
        table.renew(&purpose).expect("random source");
        table.renew(&purpose).expect("random source");
        let before = (table.generation(), table.purposes());
        assert_eq!(table.swap_retired(), Err(SeveralRetired { purpose }));
        assert_eq!((table.generation(), table.purposes()), before);
    }

    #[test]
    fn a_rollback_of_nothing_is_no_change() {
        let (mut table, _, store) = table();
        table.swap_retired().expect("no retired key");
        assert_eq!(table.generation(), 2);

        // Retired keys alone, of a store that was removed, have nothing to swap with.
        let new = table.renew(&KeyPurpose::store("a")).expect("random source");
        table.remove(new.expect("renewed"));
        table.swap_retired().expect("no active twin");
        assert_eq!(table.generation(), 4);
        assert_eq!(table.retired(), [(store, KeyPurpose::store("a").retired())]);
    }

    #[test]
    fn retired_keys_survive_wrapping() {
        let (mut table, ..) = table();
        table.renew(&KeyPurpose::store("a")).expect("random source");
        let key = StorageKey::from_bytes(&[1; 32]).expect("32 bytes");
        let wrapped = table.wrap(&key).expect("random source");
        let opened = KeyTable::unwrap(&key, &wrapped).expect("the right key");
        assert_eq!(opened.purposes(), table.purposes());
    }
}
