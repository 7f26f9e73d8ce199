//! Which documents a store holds and where each lies. In memory; rebuilt from disk at every open.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use vault_crypto::{KeyId, ObjectName};

use super::metadata::Head;
use crate::{error::StoreError, id::Revision};

/// Where a document's newest record lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Location {
    /// In a file of its own.
    Object,
    /// In a journal that is not applied yet.
    Journal {
        /// The journal.
        journal: u64,
        /// Where the record begins.
        offset: u64,
        /// Its length.
        len: u64,
    },
    /// In the plaintext file of an earlier application.
    Adopted,
}

#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) head: Arc<Head>,
    pub(crate) location: Location,
    /// The key its record is sealed with; none of plain and adopted files.
    pub(crate) key_id: Option<KeyId>,
}

#[derive(Default)]
pub(crate) struct Index {
    slots: HashMap<ObjectName, Slot>,
    by_revision: BTreeMap<Revision, ObjectName>,
    /// Objects that cannot be read, by file name.
    pub(crate) damaged: BTreeMap<ObjectName, StoreError>,
    /// Changes up to here are not remembered one by one.
    pub(crate) floor: Revision,
    /// The newest revision handed out.
    pub(crate) last: Revision,
    body_bytes: u64,
    tombstones: u64,
    awaiting: u64,
}

impl Index {
    pub(crate) fn get(&self, name: &ObjectName) -> Option<&Slot> {
        self.slots.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &ObjectName) -> Option<&mut Slot> {
        self.slots.get_mut(name)
    }

    /// Takes in a record unless a newer one of the same name is known. Returns whether it did.
    pub(crate) fn insert(&mut self, name: ObjectName, slot: Slot) -> bool {
        if self
            .slots
            .get(&name)
            .is_some_and(|known| known.head.revision >= slot.head.revision)
        {
            return false;
        }
        self.last = self.last.max(slot.head.revision);
        self.by_revision.insert(slot.head.revision, name);
        self.count(&slot.head, true);
        if let Some(old) = self.slots.insert(name, slot) {
            self.by_revision.remove(&old.head.revision);
            self.count(&old.head, false);
        }
        self.damaged.remove(&name);
        true
    }

    pub(crate) fn remove(&mut self, name: &ObjectName) {
        if let Some(old) = self.slots.remove(name) {
            self.by_revision.remove(&old.head.revision);
            self.count(&old.head, false);
        }
    }

    fn count(&mut self, head: &Head, added: bool) {
        let step = |total: &mut u64, by: u64| {
            *total = if added { *total + by } else { *total - by };
        };
        if head.metadata.deleted {
            step(&mut self.tombstones, 1);
        } else {
            step(&mut self.body_bytes, head.metadata.size);
        }
        if head.awaiting_migration {
            step(&mut self.awaiting, 1);
        }
    }

    /// Moves a record, if it is still the one of `revision`. Returns whether it was.
    pub(crate) fn relocate(
        &mut self,
        name: &ObjectName,
        revision: Revision,
        location: Location,
    ) -> bool {
        match self.slots.get_mut(name) {
            Some(slot) if slot.head.revision == revision => {
                slot.location = location;
                true
            }
            _ => false,
        }
    }

    /// Every record, tombstones included, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ObjectName, &Slot)> {
        self.slots.iter()
    }

    /// Heads of live documents, in no order.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Arc<Head>> {
        self.slots
            .values()
            .map(|slot| &slot.head)
            .filter(|head| !head.metadata.deleted)
    }

    /// Changes after `since`, oldest first.
    pub(crate) fn changes(&self, since: Revision) -> impl Iterator<Item = &Arc<Head>> {
        let names = self.by_revision.range(since.next()..);
        names
            .filter_map(|(_, name)| self.slots.get(name))
            .map(|slot| &slot.head)
    }

    pub(crate) fn live_count(&self) -> u64 {
        self.slots.len() as u64 - self.tombstones
    }

    pub(crate) fn tombstone_count(&self) -> u64 {
        self.tombstones
    }

    pub(crate) fn awaiting_count(&self) -> u64 {
        self.awaiting
    }

    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }
}
