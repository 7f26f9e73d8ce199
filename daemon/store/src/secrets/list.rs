//! The sealed list of secrets: their names and what is known of them, never their values.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use vault_crypto::{Address, Header, KeyId, SecretName, envelope};

use super::SecretPlace;
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{Part, StoreContext},
};

/// File name in the store's folder.
const FILE: &str = "list";

/// Some 100,000 secrets.
const LIMIT: u64 = 64 << 20;

/// What is known of one secret besides its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) label: String,
    /// In milliseconds since 1970, as all times here.
    pub(super) created: i64,
    /// When the value was last set.
    pub(super) modified: i64,
    /// When the value was last handed out, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_used: Option<i64>,
    /// The sealed file that holds the value; `None` where an entry of the keyring does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sealed: Option<Revision>,
    /// The value is sealed, and the keyring may hold one from before: it was not removed, or nobody
    /// knows whether it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) left_behind: bool,
    /// Fields of later versions survive a rewrite by this one.
    #[serde(flatten)]
    pub(super) other: serde_json::Map<String, serde_json::Value>,
}

impl Record {
    /// Of a secret that is set for the first time.
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            label: String::new(),
            created: now_ms,
            modified: now_ms,
            last_used: None,
            sealed: None,
            left_behind: false,
            other: serde_json::Map::new(),
        }
    }

    /// Whether the keyring may hold a value of it.
    pub(super) fn in_keyring(&self) -> bool {
        self.sealed.is_none() || self.left_behind
    }

    pub(super) fn place(&self) -> SecretPlace {
        match self.sealed {
            Some(_) => SecretPlace::Vault,
            None => SecretPlace::Keyring,
        }
    }
}

/// By name, and so ordered by it.
pub(super) type Records = BTreeMap<SecretName, Record>;

#[derive(Serialize, Deserialize, Default)]
struct FileContent {
    secrets: BTreeMap<String, Record>,
    #[serde(flatten)]
    other: serde_json::Map<String, serde_json::Value>,
}

/// The list in memory.
pub(super) struct List {
    revision: Revision,
    pub(super) records: Records,
    other: serde_json::Map<String, serde_json::Value>,
    /// The key that the file is sealed under.
    pub(super) key: KeyId,
    /// Whether the disk may hold another one than this.
    in_doubt: bool,
}

fn address(context: &StoreContext, revision: Revision) -> Address<'_> {
    Address {
        vault: context.vault,
        store: context.record.id.as_bytes(),
        // No secret is called so: the names of secrets have a colon.
        object: b"list",
        revision: revision.0,
    }
}

fn path(context: &StoreContext) -> PathBuf {
    context.root.store(context.record.id).join(FILE)
}

fn describe() -> String {
    "the list of secrets".to_owned()
}

impl List {
    /// Durably writes an empty list, unless there is one.
    pub(super) fn create(context: &StoreContext) -> StoreResult<()> {
        if durable::read(context.root.fs(), &path(context), LIMIT)?.is_some() {
            return Ok(());
        }
        let (key, _) = context.keys.ring().current()?;
        let mut list = Self {
            revision: Revision::default(),
            records: Records::new(),
            other: serde_json::Map::new(),
            key,
            in_doubt: false,
        };
        list.write(context, Records::new())
    }

    /// Reads and opens the list.
    pub(super) fn read(context: &StoreContext) -> StoreResult<Self> {
        let damaged = |detail: &str| StoreError::damaged(describe(), detail);
        let bytes = durable::read(context.root.fs(), &path(context), LIMIT)?
            .ok_or_else(|| damaged("its file is gone"))?;
        let header =
            Header::parse(&bytes).map_err(|error| StoreError::envelope(describe(), &error))?;
        let revision = Revision(header.revision());
        let body =
            context.open_envelope(address(context, revision), &bytes, Part::Body, &describe)?;
        let file: FileContent =
            serde_json::from_slice(&body).map_err(|error| damaged(&error.to_string()))?;
        let mut records = Records::new();
        for (name, record) in file.secrets {
            let name = SecretName::parse(&name).map_err(|error| damaged(&error.to_string()))?;
            records.insert(name, record);
        }
        Ok(Self {
            revision,
            records,
            other: file.other,
            key: header.key_id(),
            in_doubt: false,
        })
    }

    /// How often the list was written.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// The revision of the next list: of a value that is sealed for it, too.
    pub(super) fn next_revision(&self) -> Revision {
        self.revision.next()
    }

    /// Durably puts other records in place of those known.
    pub(super) fn write(&mut self, context: &StoreContext, records: Records) -> StoreResult<()> {
        let ring = context.keys.ring();
        let (key_id, key) = ring.current()?;
        // Counted even where the write fails: the disk may hold the new list all the same.
        self.revision = self.revision.next();
        let secrets = records.iter();
        let file = FileContent {
            secrets: secrets
                .map(|(name, record)| (name.to_string(), record.clone()))
                .collect(),
            other: self.other.clone(),
        };
        let body =
            serde_json::to_vec(&file).map_err(|error| StoreError::damaged(describe(), error))?;
        let address = address(context, self.revision);
        let sealed = envelope::seal(key, key_id, &address, b"{}", &body)
            .map_err(|error| StoreError::envelope(describe(), &error))?;
        let folder = context.root.store(context.record.id);
        self.in_doubt = true;
        durable::replace(context.root.fs(), &folder, FILE, &[&sealed])?;
        self.in_doubt = false;
        self.records = records;
        self.key = key_id;
        Ok(())
    }

    /// Durably changes the records.
    pub(super) fn change(
        &mut self,
        context: &StoreContext,
        change: impl FnOnce(&mut Records),
    ) -> StoreResult<()> {
        let mut records = self.records.clone();
        change(&mut records);
        self.write(context, records)
    }

    /// After a write that failed, the disk may hold the old list or the new: the one in memory is
    /// written anew, before anybody builds on it. Returns whether that was needed.
    pub(super) fn settle(&mut self, context: &StoreContext) -> StoreResult<bool> {
        if !self.in_doubt {
            return Ok(false);
        }
        self.write(context, self.records.clone())?;
        Ok(true)
    }
}
