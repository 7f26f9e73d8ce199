//! Stores that take their time to come into being: their key is there, the catalogue does not know
//! them yet.
//!
//! Their folder holds a mark from the beginning until just before the catalogue names them. Where it
//! is found, the store has never been there for anybody, whatever became of the catalogue since: it
//! may be removed, and its key with it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use vault_crypto::{KeyId, KeyPurpose};

use super::{NewStore, State, Vault, lock};
use crate::{
    catalogue::StoreRecord,
    databases::{SqlError, Stop},
    durable,
    error::{StoreError, StoreResult},
    fs::{EntryKind, FileSystem},
    id::StoreId,
    kind::StoreContext,
};

/// The mark of a store that nobody can open yet.
const MARK: &str = "unpublished";

/// A store that nobody can open yet.
pub(crate) struct Reserved {
    pub(crate) record: StoreRecord,
    pub(crate) context: StoreContext,
    key: KeyId,
}

impl Vault {
    /// Durably makes the marked folder and the key of a new store. Nothing else of the vault waits
    /// for what comes then. `stop` is stopped when the vault closes.
    pub(crate) fn reserve_store(&self, new: NewStore, stop: &Arc<Stop>) -> StoreResult<Reserved> {
        let mut state = self.state()?;
        if state.catalogue.find(&new.name).is_some() {
            return Err(StoreError::StoreExists(new.name.to_string()));
        }
        self.settle(&mut state)?;
        let record = StoreRecord {
            id: StoreId::generate()?,
            name: new.name,
            kind: new.kind,
            protection: new.protection,
            size_class: new.size_class,
            database: new.database,
            attachments: new.attachments,
        };
        let made = self
            .mark(record.id)
            .and_then(|()| self.reserve_in(&mut state, record.clone()));
        let reserved = made.inspect_err(|_| self.remove_files(&record))?;
        state.imports.retain(|known| known.strong_count() > 0);
        state.imports.push(Arc::downgrade(stop));
        Ok(reserved)
    }

    fn reserve_in(&self, state: &mut State, record: StoreRecord) -> StoreResult<Reserved> {
        let keys = state.keys()?;
        let key = keys.table.add(KeyPurpose::store(&record.id.to_string()))?;
        let written = keys.write(&self.root);
        let context = written.and_then(|()| self.context(state, &record));
        let context = context.inspect_err(|_| state.orphans.push(key))?;
        Ok(Reserved {
            record,
            context,
            key,
        })
    }

    fn mark(&self, id: StoreId) -> StoreResult<()> {
        let (fs, folder) = (self.root.fs(), self.root.store(id));
        durable::ensure_dir(fs, &folder)?;
        durable::replace(fs, &folder, MARK, &[])?;
        durable::sync_dir(fs, &self.root.stores())
    }

    fn unmark(&self, id: StoreId) -> StoreResult<()> {
        let (fs, folder) = (self.root.fs(), self.root.store(id));
        durable::remove_if_there(fs, &folder.join(MARK))?;
        durable::sync_dir(fs, &folder)
    }

    /// Durably enters it in the catalogue. Refused where its key has been changed meanwhile; it is
    /// gone then.
    pub(crate) fn publish_store(&self, reserved: &Reserved) -> StoreResult<()> {
        let mut state = self.state()?;
        let record = &reserved.record;
        let allowed = Self::may_publish(&mut state, reserved).and_then(|()| self.unmark(record.id));
        if let Err(error) = allowed {
            self.remove_files(record);
            state.orphans.push(reserved.key);
            return Err(error);
        }
        let entered = state
            .with_catalogue(|catalogue, ring| catalogue.add(&self.root, self.id, ring, record));
        match entered {
            Ok(()) => tracing::info!(store = %record.id, "store created"),
            // Neither the key at once nor the files: the catalogue on disk may name the store, and
            // what it names is there.
            Err(_) => state.orphans.push(reserved.key),
        }
        entered
    }

    fn may_publish(state: &mut State, reserved: &Reserved) -> StoreResult<()> {
        let record = &reserved.record;
        if state.catalogue.find(&record.name).is_some() {
            return Err(StoreError::StoreExists(record.name.to_string()));
        }
        let purpose = KeyPurpose::store(&record.id.to_string());
        if state.keys()?.ring(&purpose).current()?.0 != reserved.key {
            return Err(SqlError::TransactionEnded.into());
        }
        Ok(())
    }

    /// Gives it up, before it was entered. Of a vault that was closed, the next opening does it:
    /// the key is destroyed by then, too.
    pub(crate) fn abandon_store(&self, reserved: &Reserved) {
        if let Ok(mut state) = self.state() {
            self.remove_files(&reserved.record);
            state.orphans.push(reserved.key);
        }
    }

    fn remove_files(&self, record: &StoreRecord) {
        remove_folder(self.root.fs(), &self.root.store(record.id));
    }

    /// Removes what was given up amid a crash or a lock: folders with the mark that the catalogue
    /// does not name, and their keys. Best effort, and nothing while a rotation is under way.
    pub(super) fn clear_unpublished(&self) {
        let mut state = lock(&self.state);
        let found = self.unpublished(&state);
        if found.is_empty() || state.rotation.is_some() {
            return;
        }
        for (id, _) in &found {
            let purpose = KeyPurpose::store(&id.to_string());
            let keys = state.keys.iter();
            let of_store: Vec<_> = keys
                .flat_map(|keys| keys.table.keys_of(&purpose))
                .map(|(key, _)| key)
                .collect();
            state.orphans.extend(of_store);
        }
        // The keys first: as long as the mark is there, this can be done again.
        if let Err(error) = self.settle(&mut state) {
            tracing::warn!(%error, "what an import left was not removed");
            return;
        }
        for (id, folder) in found {
            remove_folder(self.root.fs(), &folder);
            tracing::info!(store = %id, "removed what an import left");
        }
    }

    fn unpublished(&self, state: &State) -> Vec<(StoreId, PathBuf)> {
        let fs = self.root.fs();
        let named = state.catalogue.stores();
        let folders = fs.read_dir(&self.root.stores()).unwrap_or_default();
        let ids = folders
            .into_iter()
            .filter(|(_, kind)| *kind == EntryKind::Directory)
            .filter_map(|(name, _)| name.parse::<StoreId>().ok());
        ids.filter(|id| named.iter().all(|record| record.id != *id))
            .map(|id| (id, self.root.store(id)))
            .filter(|(_, folder)| is_marked(fs, folder))
            .collect()
    }

    /// Whether its keys are still at hand.
    pub(crate) fn check_open(&self) -> StoreResult<()> {
        self.state().map(drop)
    }
}

fn is_marked(fs: &dyn FileSystem, folder: &Path) -> bool {
    let entries = fs.read_dir(folder).unwrap_or_default();
    entries
        .iter()
        .any(|(name, kind)| name == MARK && *kind == EntryKind::File)
}

/// Removes a folder of files, the mark last: what is left of it after a crash is still known.
fn remove_folder(fs: &dyn FileSystem, folder: &Path) {
    let mut entries = fs.read_dir(folder).unwrap_or_default();
    entries.sort_by_key(|(name, _)| name == MARK);
    for (name, _) in entries {
        let _ = fs.remove_file(&folder.join(name));
    }
    let _ = fs.remove_dir(folder);
}
