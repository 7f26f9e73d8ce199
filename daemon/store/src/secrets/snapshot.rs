//! Secrets as they leave a vault and enter one: what the list says of them, and the values only
//! where that was asked for.

use std::io::Read;

use serde::{Deserialize, Serialize};
use vault_crypto::{ContentHash, SecretBytes, SecretName};

use super::{SecretPlace, SecretStore, check_label, list::Record};
use crate::{
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{Amount, Entry, Exported, Snapshot, no_object},
};

/// MIME type of any value.
const CONTENT_TYPE: &str = "application/octet-stream";

/// What an archive says of a secret. One whose value is left out has no content: no value is empty.
#[derive(Serialize, Deserialize)]
struct Metadata {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label: String,
    created: i64,
    modified: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used: Option<i64>,
}

impl Metadata {
    fn parse(bytes: &[u8]) -> StoreResult<Self> {
        let metadata: Self = serde_json::from_slice(bytes).map_err(|error| {
            StoreError::InvalidArgument(format!("the metadata of a secret is malformed: {error}"))
        })?;
        check_label(&metadata.label)?;
        Ok(metadata)
    }
}

/// Whether an archive's object may become a secret of this name. Returns its MIME type.
pub(super) fn check(id: &str, metadata: &[u8]) -> StoreResult<String> {
    parse_name(id)?;
    Metadata::parse(metadata)?;
    Ok(CONTENT_TYPE.to_owned())
}

fn parse_name(id: &str) -> StoreResult<SecretName> {
    SecretName::parse(id).map_err(|error| StoreError::InvalidArgument(error.to_string()))
}

struct Taken {
    name: SecretName,
    metadata: Vec<u8>,
    value: Option<SecretBytes>,
}

/// The secrets of one moment. The values, where they go along, are held for as long as this is.
pub(super) struct SecretSnapshot {
    revision: Revision,
    secrets: Vec<Taken>,
}

impl Taken {
    fn value(&self) -> &[u8] {
        self.value.as_ref().map_or(&[], SecretBytes::expose)
    }
}

impl SecretStore {
    pub(super) fn take(&self, with_values: bool) -> StoreResult<SecretSnapshot> {
        let _turn = self.turn()?;
        let (revision, records) = {
            let guard = self.read_list();
            let list = guard.as_ref().ok_or(StoreError::Closed)?;
            (list.revision(), list.records.clone())
        };
        let mut secrets = Vec::new();
        for (name, record) in records {
            let value = if with_values {
                // One that is gone has nothing to go along.
                self.value(&name, &record)?
            } else {
                None
            };
            let metadata = Metadata {
                label: record.label,
                created: record.created,
                modified: record.modified,
                last_used: record.last_used,
            };
            let metadata = serde_json::to_vec(&metadata)
                .map_err(|error| StoreError::damaged(format!("secret `{name}`"), error))?;
            secrets.push(Taken {
                name,
                metadata,
                value,
            });
        }
        // Every secret has a place in the archive's count of changes.
        let revision = Revision(revision.0.max(secrets.len() as u64));
        Ok(SecretSnapshot { revision, secrets })
    }

    /// Puts secrets back as they were. What comes without its value is listed, unless it is
    /// already; a value that the keyring still has is then found again.
    pub(super) fn put_back(&self, objects: Vec<Exported>) -> StoreResult<u64> {
        let _turn = self.turn()?;
        let mut unchanged = 0;
        let mut restored = Vec::new();
        for object in objects {
            let (name, metadata) = (parse_name(&object.id)?, Metadata::parse(&object.metadata)?);
            let before = self.record(&name)?;
            let record = Record {
                label: metadata.label,
                modified: metadata.modified,
                last_used: metadata.last_used,
                ..Record::new(metadata.created)
            };
            match &before {
                Some(_) if object.body.is_empty() => {
                    unchanged += 1;
                    continue;
                }
                Some(before) if self.is_same(&name, before, &record, &object)? => {
                    unchanged += 1;
                    continue;
                }
                _ => {}
            }
            let sealed = if !object.body.is_empty() {
                self.keep(&name, &object.body)?
            } else if self.context.secrets.place() == SecretPlace::Vault {
                Some(self.next_revision()?)
            } else {
                None
            };
            let left_behind = sealed.is_some() && before.as_ref().is_some_and(Record::in_keyring);
            let record = Record {
                sealed,
                left_behind,
                ..record
            };
            restored.push((name, record, before));
        }
        self.change(|records| {
            for (name, record, _) in &restored {
                records.insert(name.clone(), record.clone());
            }
        })?;
        for (name, record, before) in restored {
            if let Some(before) = before {
                self.remove_replaced(&name, &before, record.sealed.is_none());
            }
        }
        Ok(unchanged)
    }

    fn is_same(
        &self,
        name: &SecretName,
        before: &Record,
        record: &Record,
        object: &Exported,
    ) -> StoreResult<bool> {
        let known = (&before.label, before.created, before.modified);
        if known != (&record.label, record.created, record.modified) {
            return Ok(false);
        }
        let value = self.value(name, before)?;
        Ok(value.is_some_and(|value| value.expose() == object.body.as_slice()))
    }
}

impl Snapshot for SecretSnapshot {
    fn revision(&self) -> Revision {
        self.revision
    }

    fn amount(&self) -> Amount {
        let bytes = self.secrets.iter().map(|taken| taken.value().len() as u64);
        Amount {
            objects: self.secrets.len() as u64,
            bytes: bytes.sum(),
        }
    }

    fn entry(&self, index: usize) -> StoreResult<Option<Entry>> {
        let Some(taken) = self.secrets.get(index) else {
            return Ok(None);
        };
        Ok(Some(Entry {
            id: taken.name.to_string(),
            revision: Revision(index as u64 + 1),
            content_type: CONTENT_TYPE.to_owned(),
            size: taken.value().len() as u64,
            sha256: ContentHash::of(taken.value()),
            metadata: taken.metadata.clone(),
        }))
    }

    fn body(&self, index: usize) -> StoreResult<Box<dyn Read + '_>> {
        let taken = self.secrets.get(index).ok_or_else(|| no_object(index))?;
        Ok(Box::new(taken.value()))
    }
}
