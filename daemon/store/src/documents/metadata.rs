//! What is known of a document besides its body. Sealed apart from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vault_crypto::ContentHash;
use zeroize::Zeroize as _;

use crate::{
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
};

/// Content type of a document that names none.
pub const JSON: &str = "application/json";

/// Whether content of this type is JSON, parameters and types made of it included.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == JSON || essence.ends_with("+json")
}

/// Sealed metadata, as JSON. Fields of later versions survive a rewrite by this one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) content_type: String,
    pub(crate) size: u64,
    /// SHA-256 of the body, in hex: repeated imports compare it.
    pub(crate) sha256: String,
    /// Milliseconds since 1970.
    pub(crate) created: i64,
    pub(crate) modified: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// Refs of the blobs the body names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) refs: Vec<String>,
    /// They are more than stand in `refs`: the body tells them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) refs_in_body: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleted: bool,
    #[serde(flatten)]
    pub(crate) other: serde_json::Map<String, serde_json::Value>,
}

impl Metadata {
    /// From an export's JSON.
    pub(crate) fn parse(json: &[u8]) -> StoreResult<Self> {
        serde_json::from_slice(json)
            .map_err(|error| StoreError::InvalidArgument(format!("metadata: {error}")))
    }

    pub(crate) fn hash(&self) -> Option<ContentHash> {
        self.sha256.parse().ok()
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.id.zeroize();
        self.sha256.zeroize();
        for (mut label, mut value) in std::mem::take(&mut self.labels) {
            label.zeroize();
            value.zeroize();
        }
        for reference in &mut self.refs {
            reference.zeroize();
        }
    }
}

/// A document without its body.
pub struct Head {
    pub(crate) id: DocumentId,
    pub(crate) revision: Revision,
    pub(crate) metadata: Metadata,
    pub(crate) stored_bytes: u64,
    pub(crate) awaiting_migration: bool,
}

impl Head {
    /// The document's id.
    pub fn id(&self) -> &DocumentId {
        &self.id
    }

    /// When in the store's count of changes it was last written.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// MIME type of the body.
    pub fn content_type(&self) -> &str {
        &self.metadata.content_type
    }

    /// Bytes of the body in the clear.
    pub fn body_bytes(&self) -> u64 {
        self.metadata.size
    }

    /// Bytes of the file it lies in.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Milliseconds since 1970.
    pub fn created_ms(&self) -> i64 {
        self.metadata.created
    }

    /// Milliseconds since 1970.
    pub fn modified_ms(&self) -> i64 {
        self.metadata.modified
    }

    /// The client's own labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.metadata.labels
    }

    /// A tombstone.
    pub fn is_deleted(&self) -> bool {
        self.metadata.deleted
    }

    /// Still the plaintext file of an earlier application.
    pub fn awaits_migration(&self) -> bool {
        self.awaiting_migration
    }
}

impl std::fmt::Debug for Head {
    /// Ids and labels are private.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Head(revision {})", self.revision)
    }
}
