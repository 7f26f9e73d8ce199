//! Kind `secrets`: the sealed list of API keys and the like, whose values lie in the keyring, or
//! sealed in the vault where the keyring holds nothing but the storage key.
//!
//! A value is written and read back first, the list that names it second: a crash in between leaves
//! a value that nobody lists. On deletion a value of the keyring goes first, so that it is gone once
//! the list forgets it, and a call that failed half-way can be made again. Either remainder is
//! found by [`SecretStore::inspect`].

mod entries;
mod inspection;
mod list;
mod moving;
mod reencrypt;
mod sealed;
mod snapshot;
mod store_kind;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vault_crypto::{SecretBytes, SecretName};

use self::{
    entries::save_and_verify,
    list::{List, Record},
};
pub use self::{
    entries::{NoEntries, SecretEntries, SecretKeyring, SecretPlace},
    inspection::Inspection,
    store_kind::SecretKind,
};
use crate::{
    error::{StoreError, StoreResult},
    id::Revision,
    key_source::KeySourceError,
    kind::StoreContext,
    vault::lock,
};

/// The store of secrets where none was made under another name.
pub const DEFAULT_STORE: &str = "secrets";

/// Largest value, in bytes (64 KiB).
pub const VALUE_LIMIT: u64 = 64 << 10;

/// Longest label, in bytes.
pub const LABEL_LIMIT: usize = 256;

/// When a value was last used is kept to the minute, so that it is written once a minute at most.
const MINUTE_MS: i64 = 60_000;

/// What is known of a secret besides its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretInfo {
    /// Its name.
    pub name: SecretName,
    /// For people.
    pub label: String,
    /// When it was first set, in milliseconds since 1970.
    pub created_ms: i64,
    /// When its value was last set, in milliseconds since 1970.
    pub modified_ms: i64,
    /// When its value was last handed out, in milliseconds since 1970, to the minute.
    pub last_used_ms: Option<i64>,
    /// Where its value lies.
    pub place: SecretPlace,
}

impl SecretInfo {
    fn new(name: &SecretName, record: &Record) -> Self {
        Self {
            name: name.clone(),
            label: record.label.clone(),
            created_ms: record.created,
            modified_ms: record.modified,
            last_used_ms: record.last_used,
            place: record.place(),
        }
    }
}

/// A secret that is to be set.
#[derive(Debug)]
pub struct NewSecret {
    /// Its name.
    pub name: SecretName,
    /// Its value, of 1 byte to [`VALUE_LIMIT`] bytes.
    pub value: SecretBytes,
    /// For people. Kept as it was where there is none.
    pub label: Option<String>,
    /// Refused where there is one already.
    pub create: bool,
}

impl NewSecret {
    fn check(&self) -> StoreResult<()> {
        let size = self.value.expose().len() as u64;
        if size == 0 {
            let text = "the value of a secret has 1 byte at least".to_owned();
            return Err(StoreError::InvalidArgument(text));
        }
        if size > VALUE_LIMIT {
            let limit = VALUE_LIMIT;
            return Err(StoreError::TooLarge { size, limit });
        }
        self.label.as_deref().map_or(Ok(()), check_label)
    }
}

fn check_label(label: &str) -> StoreResult<()> {
    if label.len() <= LABEL_LIMIT && !label.chars().any(char::is_control) {
        return Ok(());
    }
    Err(StoreError::InvalidArgument(format!(
        "a label has at most {LABEL_LIMIT} bytes and no control characters"
    )))
}

/// An open store of secrets. Values are read at the moment of use and never kept.
pub struct SecretStore {
    context: StoreContext,
    /// Held by whoever changes a value or the list, also while the keyring takes its time.
    writing: Mutex<()>,
    /// None once the store is closed. Held for no longer than the disk takes.
    list: RwLock<Option<List>>,
}

impl SecretStore {
    fn open(context: StoreContext) -> StoreResult<Self> {
        let list = List::read(&context)?;
        crate::durable::sweep(context.root.fs(), &context.root.store(context.record.id));
        sealed::sweep(&context, &list.records);
        Ok(Self {
            context,
            writing: Mutex::default(),
            list: RwLock::new(Some(list)),
        })
    }

    /// Sets a secret: durably keeps its value, then lists it.
    pub fn set(&self, new: &NewSecret) -> StoreResult<SecretInfo> {
        new.check()?;
        let _turn = self.turn()?;
        let before = self.record(&new.name)?;
        if new.create && before.is_some() {
            return Err(StoreError::ObjectExists(new.name.to_string()));
        }
        let sealed = self.keep(&new.name, new.value.expose())?;
        let now = self.context.clock.now_ms();
        let mut record = before.clone().unwrap_or_else(|| Record::new(now));
        record.modified = now;
        record.sealed = sealed;
        record.left_behind = sealed.is_some() && before.as_ref().is_some_and(Record::in_keyring);
        if let Some(label) = &new.label {
            record.label.clone_from(label);
        }
        let info = SecretInfo::new(&new.name, &record);
        self.put(&new.name, record)?;
        if let Some(before) = before {
            self.remove_replaced(&new.name, &before, sealed.is_none());
        }
        Ok(info)
    }

    /// Reads the value of a secret, and notes that it was used.
    pub fn get(&self, name: &SecretName) -> StoreResult<(SecretInfo, SecretBytes)> {
        let missing = || StoreError::NoSuchSecret(name.to_string());
        let mut record = self.record(name)?.ok_or_else(missing)?;
        loop {
            if let Some(value) = self.value(name, &record)? {
                let record = self.note_use(name, record);
                return Ok((SecretInfo::new(name, &record), value));
            }
            // Set anew, moved or deleted meanwhile? Then it may be found where it is now.
            let now = self.record(name)?.ok_or_else(missing)?;
            if now.sealed == record.sealed {
                return Err(StoreError::SecretValueMissing(name.to_string()));
            }
            record = now;
        }
    }

    /// What is known of a secret, if there is one. Asks no keyring.
    pub fn info(&self, name: &SecretName) -> StoreResult<Option<SecretInfo>> {
        let record = self.record(name)?;
        Ok(record.map(|record| SecretInfo::new(name, &record)))
    }

    /// What is known of every secret whose name begins with `prefix`, ordered by name. Asks no
    /// keyring.
    pub fn list(&self, prefix: &str) -> StoreResult<Vec<SecretInfo>> {
        let guard = self.read_list();
        let records = &guard.as_ref().ok_or(StoreError::Closed)?.records;
        let found = records
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(prefix));
        Ok(found
            .map(|(name, record)| SecretInfo::new(name, record))
            .collect())
    }

    /// Durably deletes a secret: its value, then its place in the list.
    pub fn delete(&self, name: &SecretName) -> StoreResult<()> {
        let _turn = self.turn()?;
        let Some(record) = self.record(name)? else {
            return self.delete_unlisted(name);
        };
        if record.in_keyring() {
            match self.remove_entry(name) {
                // The value in force is sealed, and may go without a keyring that is not there.
                Err(StoreError::Keyring(
                    error @ (KeySourceError::Unreachable(_) | KeySourceError::Unsupported(_)),
                )) if record.left_behind => {
                    tracing::warn!(secret = %name, %error, "its earlier value is left in the keyring");
                }
                removed => removed?,
            }
        }
        self.change(|records| {
            records.remove(name);
        })?;
        if let Some(revision) = record.sealed {
            sealed::remove(&self.context, name, revision);
        }
        Ok(())
    }

    /// Deletes what a crash has left in the keyring before it was listed.
    fn delete_unlisted(&self, name: &SecretName) -> StoreResult<()> {
        let entries = self.context.secrets.entries();
        let held = self.context.secrets.place() == SecretPlace::Keyring
            && entries.load(self.context.vault, name)?.is_some();
        if held {
            self.remove_entry(name)
        } else {
            Err(StoreError::NoSuchSecret(name.to_string()))
        }
    }

    /// Durably keeps a value where values go now. Returns its sealed file, if it has one.
    fn keep(&self, name: &SecretName, value: &[u8]) -> StoreResult<Option<Revision>> {
        match self.context.secrets.place() {
            SecretPlace::Keyring => {
                let entries = self.context.secrets.entries();
                save_and_verify(entries, self.context.vault, name, value)?;
                Ok(None)
            }
            SecretPlace::Vault => {
                let revision = self.next_revision()?;
                sealed::save(&self.context, name, revision, value)?;
                Ok(Some(revision))
            }
        }
    }

    /// What the next list names a value by that is sealed now. Only for whoever has the turn.
    fn next_revision(&self) -> StoreResult<Revision> {
        let guard = self.read_list();
        Ok(guard.as_ref().ok_or(StoreError::Closed)?.next_revision())
    }

    /// Reads a value; `None` where it is gone.
    fn value(&self, name: &SecretName, record: &Record) -> StoreResult<Option<SecretBytes>> {
        if let Some(revision) = record.sealed {
            return sealed::load(&self.context, name, revision);
        }
        let entries = self.context.secrets.entries();
        Ok(entries.load(self.context.vault, name)?)
    }

    fn remove_entry(&self, name: &SecretName) -> StoreResult<()> {
        let entries = self.context.secrets.entries();
        Ok(entries.remove(self.context.vault, name)?)
    }

    /// Notes that the keyring holds no value from before.
    fn note_removed(&self, name: &SecretName) -> StoreResult<()> {
        if !self.record(name)?.is_some_and(|record| record.left_behind) {
            return Ok(());
        }
        self.change(|records| {
            if let Some(record) = records.get_mut(name) {
                record.left_behind = false;
            }
        })
    }

    /// The secrets that the keyring may hold a value of.
    pub(crate) fn in_keyring(&self) -> StoreResult<Vec<SecretName>> {
        let guard = self.read_list();
        let records = &guard.as_ref().ok_or(StoreError::Closed)?.records;
        let held = records.iter().filter(|(_, record)| record.in_keyring());
        Ok(held.map(|(name, _)| name.clone()).collect())
    }

    /// Removes what the list does not name any more. What cannot be removed now is found later:
    /// the new value is in force.
    fn remove_replaced(&self, name: &SecretName, before: &Record, in_keyring: bool) {
        if let Some(revision) = before.sealed {
            sealed::remove(&self.context, name, revision);
        }
        if in_keyring || !before.in_keyring() {
            return;
        }
        let removed = self.remove_entry(name);
        if let Err(error) = removed.and_then(|()| self.note_removed(name)) {
            tracing::warn!(secret = %name, %error, "its earlier value is left in the keyring");
        }
    }

    /// Notes that a value was handed out: on disk once a minute at most, and not at all where that
    /// would wait for another call or fails. The value is what counts.
    fn note_use(&self, name: &SecretName, record: Record) -> Record {
        let now = self.context.clock.now_ms();
        let minute = now - now.rem_euclid(MINUTE_MS);
        if record.last_used >= Some(minute) {
            return record;
        }
        let used = Record {
            last_used: Some(minute),
            ..record
        };
        let turn = self.writing.try_lock();
        let noted = match (&turn, self.write_list().as_mut()) {
            (Ok(_), Some(list)) => list.change(&self.context, |records| {
                if let Some(known) = records.get_mut(name) {
                    known.last_used = used.last_used;
                }
            }),
            // Goes to the disk with the write that holds the turn.
            (Err(_), Some(list)) => {
                if let Some(known) = list.records.get_mut(name) {
                    known.last_used = used.last_used;
                }
                Ok(())
            }
            (_, None) => Ok(()),
        };
        if let Err(error) = noted {
            tracing::warn!(secret = %name, %error, "its use was not noted");
        }
        used
    }

    fn put(&self, name: &SecretName, record: Record) -> StoreResult<()> {
        self.change(|records| {
            records.insert(name.clone(), record);
        })
    }

    /// Durably changes the list. Only for whoever has the turn.
    fn change(&self, change: impl FnOnce(&mut list::Records)) -> StoreResult<()> {
        let mut guard = self.write_list();
        let list = guard.as_mut().ok_or(StoreError::Closed)?;
        list.change(&self.context, change)
    }

    /// The turn to write, with the disk agreeing with the memory.
    fn turn(&self) -> StoreResult<MutexGuard<'_, ()>> {
        let turn = lock(&self.writing);
        let mut guard = self.write_list();
        let list = guard.as_mut().ok_or(StoreError::Closed)?;
        if list.settle(&self.context)? {
            sealed::sweep(&self.context, &list.records);
        }
        Ok(turn)
    }

    fn record(&self, name: &SecretName) -> StoreResult<Option<Record>> {
        let guard = self.read_list();
        let list = guard.as_ref().ok_or(StoreError::Closed)?;
        Ok(list.records.get(name).cloned())
    }

    fn read_list(&self) -> RwLockReadGuard<'_, Option<List>> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_list(&self) -> RwLockWriteGuard<'_, Option<List>> {
        self.list.write().unwrap_or_else(PoisonError::into_inner)
    }
}
