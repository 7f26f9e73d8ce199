//! A new file for a database, until the head names it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use vault_crypto::{DatabaseKey, DatabaseSalt, KeyId};

use super::{
    connection,
    copy::verify_pages,
    fault::Place,
    generation::remove_files,
    head::{self, Head},
    keying::open_keyed,
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::Revision,
    kind::StoreContext,
    root::DataRoot,
};

/// A file that no head names yet. Dropped, it is removed. Its name is random: no other file, of
/// whoever is at work in the same folder, is ever taken for it.
pub(super) struct NewFile {
    root: DataRoot,
    path: PathBuf,
    key: DatabaseKey,
    head: Head,
    /// The disk may name it.
    named: bool,
}

impl NewFile {
    /// Makes an empty file, under the store's current key, and its folder where there is none.
    pub(super) fn make(context: &StoreContext) -> StoreResult<Self> {
        let fs = context.root.fs();
        let folder = head::folder(context);
        durable::ensure_dir(fs, &folder)?;
        if let Some(parent) = folder.parent() {
            durable::sync_dir(fs, parent)?;
        }
        let ring = context.keys.ring();
        let (key_id, data_key) = ring.current()?;
        let head = Head {
            generation: Revision::ZERO,
            key_id,
            salt: DatabaseSalt::generate()?,
            file: head::new_file_name()?,
            beginning: String::new(),
        };
        let path = folder.join(&head.file);
        let key = data_key.database_key(&head.salt);
        // For its owner alone: SQLite gives those beside it the same mode.
        let created = fs.create_new(&path);
        created.map_err(|error| StoreError::io("create", &path, &error))?;
        Ok(Self {
            root: context.root.clone(),
            path,
            key,
            head,
            named: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn key(&self) -> &DatabaseKey {
        &self.key
    }

    /// The data key that its own key is derived from.
    pub(super) fn key_id(&self) -> KeyId {
        self.head.key_id
    }

    /// A connection to fill it by. What it holds counts only once it is synced and named by the
    /// head.
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        let connection = open_keyed(&self.path, &self.key, false)?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF;
             PRAGMA synchronous = FULL;
             PRAGMA locking_mode = EXCLUSIVE;",
        )?;
        Ok(connection)
    }

    /// Reads all of it back, and makes its name durable. The connection that filled it is closed.
    pub(super) fn check(&mut self, context: &StoreContext, place: Place<'_>) -> StoreResult<()> {
        let read = || {
            let connection = open_keyed(&self.path, &self.key, false)?;
            connection.execute_batch("PRAGMA journal_mode = WAL")?;
            verify_pages(&connection)?;
            connection::beginning(&connection)
        };
        self.head.beginning = place.own(read())?;
        durable::sync_dir(context.root.fs(), &head::folder(context))
    }

    /// The head that would name it as this generation.
    pub(super) fn head(&self, generation: Revision) -> Head {
        Head {
            generation,
            ..self.head.clone()
        }
    }

    /// Durably names it by `head`. After an error the disk may name it or not.
    pub(super) fn name(mut self, context: &StoreContext, head: &Head) -> StoreResult<()> {
        self.named = true;
        head.write(context)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.named {
            remove_files(&self.root, &self.path);
        }
    }
}

/// Makes the first file of a new database, durably, and the head that names it.
pub(super) fn create(context: &StoreContext, place: Place<'_>) -> StoreResult<()> {
    let mut file = NewFile::make(context)?;
    let made = file.open().and_then(|connection| {
        // Any change writes the first page.
        connection.execute_batch("PRAGMA user_version = 0")
    });
    place.own(made)?;
    file.check(context, place)?;
    let head = file.head(Revision(1));
    file.name(context, &head)
}
