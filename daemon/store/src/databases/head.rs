//! The sealed head of a database: which of its files is in force, and how that one's key is made.
//!
//! SQLCipher's files name no key, and a wrong key and damage look alike to it. The head is an
//! envelope under the store's data key: it names that key and proves it right, so that whatever
//! SQLCipher then refuses is damage. Replacing the head, one rename, is what puts another file in
//! force.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use vault_crypto::{Address, DatabaseKey, DatabaseSalt, EnvelopeError, Header, KeyId, envelope};

use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{Part, StoreContext},
};

/// File name of the head, in the store's folder.
pub(super) const FILE: &str = "head";

const LIMIT: u64 = 64 << 10;

/// What the head says of the file in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// Counts the files of this database that were in force.
    pub(super) generation: Revision,
    /// The data key that the file's key is derived from.
    pub(super) key_id: KeyId,
    /// What it is derived with.
    pub(super) salt: DatabaseSalt,
    /// Name of the file, in the same folder.
    pub(super) file: String,
    /// The 16 bytes that the file begins with, as SQLCipher shows them. An empty file in its place
    /// would else pass for an empty database.
    pub(super) beginning: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    file: String,
    salt: String,
    beginning: String,
    #[serde(flatten)]
    other: serde_json::Map<String, serde_json::Value>,
}

fn address<'a>(context: &StoreContext, store: &'a str, generation: Revision) -> Address<'a> {
    Address {
        vault: context.vault,
        store: store.as_bytes(),
        object: b"database",
        revision: generation.0,
    }
}

fn describe(context: &StoreContext) -> String {
    format!("the head of database `{}`", context.record.name)
}

impl Head {
    /// Reads and opens the head.
    pub(super) fn read(context: &StoreContext) -> StoreResult<Option<Self>> {
        let path = folder(context).join(FILE);
        let Some(bytes) = durable::read(context.root.fs(), &path, LIMIT)? else {
            return Ok(None);
        };
        let object = || describe(context);
        let header = Header::parse(&bytes).map_err(|e| StoreError::envelope(object(), &e))?;
        let generation = Revision(header.revision());
        let store = context.record.id.to_string();
        let address = address(context, &store, generation);
        context.open_envelope(address, &bytes, Part::Metadata, &object)?;
        let body = context.open_envelope(address, &bytes, Part::Body, &object)?;
        let damaged = |error: &dyn std::fmt::Display| StoreError::damaged(object(), error);
        let read: Content = serde_json::from_slice(&body).map_err(|e| damaged(&e))?;
        Ok(Some(Self {
            generation,
            key_id: header.key_id(),
            salt: read.salt.parse().map_err(|e| damaged(&e))?,
            file: checked(read.file).ok_or_else(|| damaged(&"it names no file"))?,
            beginning: read.beginning,
        }))
    }

    /// Durably puts the file it names in force. After an error the old head may be in force, or
    /// this one.
    pub(super) fn write(&self, context: &StoreContext) -> StoreResult<()> {
        let said = Content {
            file: self.file.clone(),
            salt: self.salt.to_string(),
            beginning: self.beginning.clone(),
            other: serde_json::Map::new(),
        };
        let object = || describe(context);
        let body = serde_json::to_vec(&said).map_err(|e| StoreError::damaged(object(), e))?;
        let ring = context.keys.ring();
        ring.current()?;
        let key = ring.get(self.key_id).ok_or(StoreError::Closed)?;
        let store = context.record.id.to_string();
        let address = address(context, &store, self.generation);
        let sealed = envelope::seal(key, self.key_id, &address, b"{}", &body)
            .map_err(|error| StoreError::envelope(object(), &error))?;
        durable::replace(context.root.fs(), &folder(context), FILE, &[&sealed])
    }

    /// The key of the file in force.
    pub(super) fn key(&self, context: &StoreContext) -> StoreResult<DatabaseKey> {
        let ring = context.keys.ring();
        let (expected, _) = ring.current()?;
        let key = ring.get(self.key_id).ok_or_else(|| {
            let found = self.key_id;
            StoreError::envelope(
                describe(context),
                &EnvelopeError::OtherKey { found, expected },
            )
        })?;
        Ok(key.database_key(&self.salt))
    }
}

/// The folder of a database.
pub(super) fn folder(context: &StoreContext) -> PathBuf {
    context.root.store(context.record.id)
}

/// A name for a new file, like no other one's.
pub(super) fn new_file_name() -> StoreResult<String> {
    let random = vault_crypto::random_bytes::<8>()?;
    Ok(format!("{}{SUFFIX}", HEXLOWER.encode(&random)))
}

/// What every database file's name ends in; SQLite adds to it for those beside it.
const SUFFIX: &str = ".db";

/// The name of a database file, where it is one: it stays in its folder.
fn checked(name: String) -> Option<String> {
    let digits = name.strip_suffix(SUFFIX)?;
    let hex = |byte: u8| byte.is_ascii_hexdigit();
    (!digits.is_empty() && digits.bytes().all(hex)).then_some(name)
}

/// Whether this is a database file, or one that SQLite keeps beside one, other than `file`'s.
pub(super) fn is_of_another(name: &str, file: &str) -> bool {
    let of = name.find(SUFFIX).map(|at| &name[..at + SUFFIX.len()]);
    of.is_some_and(|of| of != file)
}
