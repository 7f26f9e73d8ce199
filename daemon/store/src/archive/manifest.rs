//! The list of all that an archive holds.

use std::collections::HashSet;

use serde::{
    Deserialize, Serialize,
    de::{
        IntoDeserializer as _,
        value::{Error as ValueError, StrDeserializer},
    },
};
use serde_json::value::RawValue;
use vault_crypto::{ContentHash, ContentHasher, VaultId, envelope};
use zeroize::{Zeroize as _, Zeroizing};

use super::{ArchiveError, StoreSummary, Summary, layout, names};
use crate::{
    catalogue::{AttachmentOptions, DatabaseOptions, Kind, Protection},
    documents::REVISION_LIMIT,
    id::{Revision, StoreName},
    kind::{Entry, implementation},
    size_class::SizeClass,
};

/// Of an archive of documents alone.
const DOCUMENTS_ONLY: u64 = 1;

/// Of one that holds stores of other kinds, too.
const ANY_KIND: u64 = 2;

/// Longest manifest, in bytes.
pub(super) const LIMIT: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u64,
    pub(super) vault: String,
    /// Milliseconds since 1970.
    pub(super) created: i64,
    pub(super) stores: Vec<StorePart>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StorePart {
    pub(super) name: StoreName,
    pub(super) kind: Kind,
    pub(super) protection: Protection,
    pub(super) size_class: SizeClass,
    #[serde(default, skip_serializing_if = "DatabaseOptions::is_default")]
    pub(super) database: DatabaseOptions,
    #[serde(default, skip_serializing_if = "AttachmentOptions::is_default")]
    pub(super) attachments: AttachmentOptions,
    /// The newest change, of documents deleted since, too.
    pub(super) revision: Revision,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    /// By ascending revision.
    pub(super) list: Vec<Object>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) path: String,
    pub(super) id: String,
    pub(super) revision: Revision,
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) metadata: Box<RawValue>,
}

impl Drop for Object {
    /// Ids and labels are private.
    fn drop(&mut self) {
        self.path.zeroize();
        self.id.zeroize();
        self.sha256.zeroize();
        let metadata: Box<str> = std::mem::take(&mut self.metadata).into();
        metadata.into_string().zeroize();
    }
}

/// Enough of a manifest of whatever version.
#[derive(Deserialize)]
struct Beginning {
    format: u64,
}

/// Enough of a manifest with kinds of whatever version.
#[derive(Deserialize)]
struct Kinds {
    stores: Vec<OfKind>,
}

#[derive(Deserialize)]
struct OfKind {
    name: StoreName,
    kind: String,
}

impl Kinds {
    /// The first store of a kind that is not known.
    fn unknown(bytes: &[u8]) -> Option<ArchiveError> {
        let Self { stores } = serde_json::from_slice(bytes).ok()?;
        let unknown = |store: &OfKind| {
            let kind: StrDeserializer<'_, ValueError> = store.kind.as_str().into_deserializer();
            Kind::deserialize(kind).is_err()
        };
        let OfKind { name, kind } = stores.into_iter().find(unknown)?;
        Some(ArchiveError::UnknownKind {
            store: name,
            kind: kind.escape_debug().take(80).collect(),
        })
    }
}

impl Object {
    pub(super) fn of(
        (kind, store): (Kind, &StoreName),
        entry: Entry,
    ) -> Result<Self, ArchiveError> {
        let metadata = String::from_utf8(entry.metadata)
            .ok()
            .and_then(|text| RawValue::from_string(text).ok());
        Ok(Self {
            path: names::path(kind, store, &entry.id, &entry.content_type),
            revision: entry.revision,
            size: entry.size,
            sha256: entry.sha256.to_string(),
            metadata: metadata
                .ok_or_else(|| damaged(&format!("the metadata of `{}` is no JSON", entry.id)))?,
            id: entry.id,
        })
    }

    /// Finds out whether a body is the one that is meant.
    pub(super) fn check_body(&self) -> BodyCheck<'_> {
        BodyCheck {
            object: self,
            left: self.size,
            hasher: ContentHasher::new(),
        }
    }
}

/// Compares a body with what the manifest says, piece by piece.
pub(super) struct BodyCheck<'a> {
    object: &'a Object,
    left: u64,
    hasher: ContentHasher,
}

impl BodyCheck<'_> {
    /// How many bytes there must still be.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// Takes the next piece. Returns whether there may be that much.
    pub(super) fn add(&mut self, piece: &[u8]) -> bool {
        let Some(left) = self.left.checked_sub(piece.len() as u64) else {
            return false;
        };
        self.left = left;
        self.hasher.update(piece);
        true
    }

    /// Whether the pieces were the body.
    pub(super) fn finish(self) -> bool {
        self.left == 0 && self.hasher.finish().to_string() == self.object.sha256
    }
}

fn damaged(what: &str) -> ArchiveError {
    ArchiveError::Damaged(format!("its manifest: {what}"))
}

impl Manifest {
    pub(super) fn new(vault: VaultId, created: i64, stores: Vec<StorePart>) -> Self {
        Self {
            // Earlier versions read what they can.
            format: if stores.iter().all(|store| store.kind == Kind::Documents) {
                DOCUMENTS_ONLY
            } else {
                ANY_KIND
            },
            vault: vault.to_string(),
            // What a tar header can tell.
            created: created.clamp(0, 1000 * layout::LATEST.cast_signed()),
            stores,
        }
    }

    /// As it stands in the archive.
    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
        let failed = |error: serde_json::Error| damaged(&error.to_string());
        let mut length = Length(0);
        serde_json::to_writer(&mut length, self).map_err(failed)?;
        if length.0 as u64 > LIMIT {
            return Err(damaged("longer than an archive may have"));
        }
        // Sized beforehand, since a growing buffer would leave unzeroed copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *bytes, self).map_err(failed)?;
        Ok(bytes)
    }

    /// Parses a manifest and checks all that it says against itself.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let parsed: Result<Self, _> = serde_json::from_slice(bytes);
        let format = match &parsed {
            Ok(manifest) => Some(manifest.format),
            Err(_) => serde_json::from_slice(bytes)
                .map(|beginning: Beginning| beginning.format)
                .ok(),
        };
        if let Some(later) = format.filter(|format| !(DOCUMENTS_ONLY..=ANY_KIND).contains(format)) {
            return Err(ArchiveError::UnknownFormat(later));
        }
        let manifest = parsed.map_err(|error| {
            let later = format.filter(|format| *format == ANY_KIND);
            let unknown = later.and_then(|_| Kinds::unknown(bytes));
            unknown.unwrap_or_else(|| damaged(&error.to_string()))
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ArchiveError> {
        if self.vault.parse::<VaultId>().is_err() {
            return Err(damaged("it names no vault"));
        }
        let times = 0..=1000 * layout::LATEST.cast_signed();
        if !times.contains(&self.created) {
            return Err(damaged("it was made at no possible time"));
        }
        if !self
            .stores
            .is_sorted_by(|one, next| one.place() < next.place())
        {
            return Err(damaged("its stores are not in order"));
        }
        let names: HashSet<_> = self.stores.iter().map(|store| &store.name).collect();
        if names.len() < self.stores.len() {
            return Err(damaged("two of its stores have one name"));
        }
        let documents = |store: &StorePart| store.kind == Kind::Documents;
        if self.format == DOCUMENTS_ONLY && !self.stores.iter().all(documents) {
            return Err(damaged("its format has stores of documents alone"));
        }
        let mut total = Some((0_u64, 0_u64));
        for store in &self.stores {
            store
                .check()
                .map_err(|what| damaged(&format!("store `{}`: {what}", store.name)))?;
            total = total.and_then(|(objects, bytes)| {
                Some((
                    objects.checked_add(store.objects)?,
                    bytes.checked_add(store.bytes)?,
                ))
            });
        }
        total
            .map(|_| ())
            .ok_or_else(|| damaged("its sums are wrong"))
    }

    /// Time of every entry, in seconds since 1970.
    pub(super) fn time(&self) -> u64 {
        u64::try_from(self.created / 1000).unwrap_or_default()
    }

    pub(super) fn summary(&self, sha256: ContentHash) -> Result<Summary, ArchiveError> {
        let stores = self.stores.iter();
        Ok(Summary {
            vault: self
                .vault
                .parse()
                .map_err(|_| damaged("it names no vault"))?,
            created_ms: self.created,
            objects: stores.clone().map(|store| store.objects).sum(),
            bytes: stores.clone().map(|store| store.bytes).sum(),
            stores: stores.map(StorePart::summary).collect(),
            manifest: *sha256.as_bytes(),
            secrets_left_out: self.stores.iter().map(StorePart::secrets_left_out).sum(),
        })
    }
}

impl StorePart {
    /// Where it stands among the others: by name, but blobs first, so that nothing is ever restored
    /// before the blobs that it names. (Two stores never have one name: see [`Manifest::check`].)
    pub(super) fn place(&self) -> (bool, &StoreName) {
        (self.kind != Kind::Blobs, &self.name)
    }

    fn summary(&self) -> StoreSummary {
        StoreSummary {
            name: self.name.clone(),
            kind: self.kind,
            protection: self.protection,
            objects: self.objects,
            bytes: self.bytes,
        }
    }

    /// No value is empty.
    fn secrets_left_out(&self) -> u64 {
        let secrets = self.list.iter().filter(|_| self.kind == Kind::Secrets);
        secrets.filter(|secret| secret.size == 0).count() as u64
    }

    fn check(&self) -> Result<(), String> {
        if self.name.is_internal() {
            return Err("who may use a vault is in no archive".to_owned());
        }
        if self.list.len() as u64 != self.objects {
            return Err("the number of its objects is wrong".to_owned());
        }
        let bytes = self
            .list
            .iter()
            .try_fold(0_u64, |bytes, object| bytes.checked_add(object.size));
        if bytes != Some(self.bytes) {
            return Err("the sum of its sizes is wrong".to_owned());
        }
        let mut ids = HashSet::new();
        let mut last = Revision::ZERO;
        for object in &self.list {
            let id = object.id.escape_debug();
            if !ids.insert(&object.id) {
                return Err(format!("`{id}` is listed twice"));
            }
            if object.revision <= last {
                return Err(format!("`{id}` is not in the order of revisions"));
            }
            last = object.revision;
            object
                .check(self)
                .map_err(|what| format!("`{id}`: {what}"))?;
        }
        if last > self.revision || self.revision > REVISION_LIMIT {
            return Err("its revision is wrong".to_owned());
        }
        Ok(())
    }
}

impl Object {
    /// What a store is told of it.
    pub(super) fn entry(&self, store: &StorePart) -> Result<Entry, ArchiveError> {
        let metadata = self.metadata.get().as_bytes();
        let kind = implementation(store.kind);
        Ok(Entry {
            id: self.id.clone(),
            revision: self.revision,
            content_type: kind.check_import(store.protection, &self.id, metadata)?,
            size: self.size,
            sha256: (self.sha256.parse()).map_err(|_| damaged("a hash is malformed"))?,
            metadata: metadata.to_vec(),
        })
    }

    fn check(&self, store: &StorePart) -> Result<(), String> {
        let kind = implementation(store.kind);
        if self.size > envelope::BODY_LIMIT && !kind.streams() {
            return Err("no body is that large".to_owned());
        }
        let hash = self.sha256.parse::<ContentHash>();
        if hash.is_ok_and(|hash| hash.to_string() == self.sha256) {
            let metadata = self.metadata.get().as_bytes();
            let content_type = kind
                .check_import(store.protection, &self.id, metadata)
                .map_err(|error| error.to_string())?;
            if self.path == names::path(store.kind, &store.name, &self.id, &content_type) {
                return Ok(());
            }
            return Err("its path is wrong".to_owned());
        }
        Err("its hash is malformed".to_owned())
    }
}

/// Counts what is written to it.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
