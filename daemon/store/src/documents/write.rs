//! What a caller asks to be written.

use std::{collections::BTreeMap, sync::Arc};

use vault_crypto::ContentHash;

use super::metadata::{Head, JSON, Metadata, is_json};
use crate::{
    attachments::Named,
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
};

/// What must hold for a write to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precondition {
    /// Nothing: create or replace.
    #[default]
    None,
    /// There is no such document.
    Absent,
    /// There is one.
    Present,
    /// Its current revision is this one.
    Revision(Revision),
}

impl Precondition {
    /// Checks against the revision in force, `None` where there is no live document.
    pub(crate) fn check(self, id: &DocumentId, current: Option<Revision>) -> StoreResult<()> {
        let expected = match (self, current) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => return Ok(()),
            (Self::Revision(wanted), Some(current)) if wanted == current => return Ok(()),
            (Self::Absent, Some(_)) => "that there is none".to_owned(),
            (Self::Present, None) => "that there is one".to_owned(),
            (Self::Revision(wanted), _) => format!("revision {wanted}"),
        };
        let current = current.unwrap_or_default();
        Err(StoreError::RevisionConflict {
            id: id.as_str().to_owned(),
            current,
            expected,
        })
    }
}

/// A body with what describes it.
pub struct Content {
    /// MIME type; JSON is checked to be well formed.
    pub content_type: String,
    /// The client's own labels.
    pub labels: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Content {
    /// A JSON body without labels.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self {
            content_type: JSON.to_owned(),
            labels: BTreeMap::new(),
            body: body.into(),
        }
    }

    /// The metadata of a write, over the live document `old` if there is one.
    pub(super) fn describe(
        &self,
        id: &DocumentId,
        named: &Named,
        old: Option<&Head>,
        now: i64,
    ) -> Metadata {
        let other = old.map(|head| head.metadata.other.clone());
        let mut metadata = Metadata {
            id: id.as_str().to_owned(),
            content_type: self.content_type.clone(),
            size: self.body.len() as u64,
            sha256: ContentHash::of(&self.body).to_string(),
            created: old.map_or(now, |head| head.metadata.created),
            modified: now,
            labels: self.labels.clone(),
            refs: Vec::new(),
            refs_in_body: false,
            deleted: false,
            other: other.unwrap_or_default(),
        };
        metadata.note(named);
        metadata
    }

    /// Whether the body can be taken apart as JSON. Of the type that is nothing else it was checked.
    pub(super) fn is_well_formed(&self) -> bool {
        self.content_type == JSON || is_json(&self.content_type) && check_json(&self.body).is_ok()
    }

    pub(crate) fn check(&self, limit: u64) -> StoreResult<()> {
        check_size(&self.body, limit)?;
        if self.content_type == JSON {
            check_json(&self.body).map_err(|error| {
                StoreError::InvalidArgument(format!(
                    "the body is not well-formed JSON: {error}; name another content type \
                     if it is not meant to be"
                ))
            })?;
        }
        Ok(())
    }
}

pub(super) fn check_size(body: &[u8], limit: u64) -> StoreResult<()> {
    let size = body.len() as u64;
    if size > limit {
        Err(StoreError::TooLarge { size, limit })
    } else {
        Ok(())
    }
}

/// JSON is UTF-8 (RFC 8259, section 8.1), which the parser does not check in strings it skips.
pub(super) fn check_json(body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let checked = serde_json::from_str::<serde::de::IgnoredAny>(text);
    checked.map(|_| ()).map_err(|error| error.to_string())
}

/// Highest revision that is taken over from an export: none that a store of ours comes to by
/// counting, and far from the end of the count.
pub const REVISION_LIMIT: Revision = Revision(1 << 60);

/// A body with everything that an export recorded of it: times, and fields of later versions, too.
pub struct Restored {
    pub(super) metadata: Metadata,
    pub(super) body: Vec<u8>,
    /// Taken where it is larger than the store's newest and no other write is made with this one
    /// before it; else the next one is.
    pub(super) revision: Option<Revision>,
}

impl Restored {
    /// From metadata as an export recorded it. What is known of a revision above
    /// [`REVISION_LIMIT`] is not believed.
    pub fn parse(metadata: &[u8], body: Vec<u8>, revision: Option<Revision>) -> StoreResult<Self> {
        Ok(Self {
            metadata: Metadata::parse(metadata)?,
            body,
            revision: revision.filter(|revision| *revision <= REVISION_LIMIT),
        })
    }

    pub(super) fn content_type(&self) -> &str {
        &self.metadata.content_type
    }

    /// What is recorded, but for what the body and its new place say.
    pub(super) fn describe(&self, id: &DocumentId, named: &Named) -> Metadata {
        let mut metadata = self.metadata.clone();
        id.as_str().clone_into(&mut metadata.id);
        metadata.size = self.body.len() as u64;
        metadata.sha256 = ContentHash::of(&self.body).to_string();
        metadata.deleted = false;
        metadata.note(named);
        metadata
    }
}

/// What is to become of a document.
pub enum Change {
    /// It gets this content.
    Put(Content),
    /// It gets this content unless it has it already.
    PutIfChanged(Content),
    /// It gets this content back as it was exported.
    Restore(Restored),
    /// It gets this content back unless it has it already.
    RestoreIfChanged(Restored),
    /// It is deleted; a tombstone stays.
    Delete,
}

impl Change {
    pub(super) fn wanted_revision(&self) -> Option<Revision> {
        match self {
            Self::Restore(restored) | Self::RestoreIfChanged(restored) => restored.revision,
            Self::Put(_) | Self::PutIfChanged(_) | Self::Delete => None,
        }
    }
}

/// One write.
pub struct Write {
    /// The document.
    pub id: DocumentId,
    /// What is to become of it.
    pub change: Change,
    /// What must hold.
    pub precondition: Precondition,
}

/// What became of a write.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is durable at this head.
    Written(Arc<Head>),
    /// The document has this content already.
    Unchanged(Arc<Head>),
}

impl Outcome {
    /// The head in force after the write.
    pub fn head(&self) -> &Arc<Head> {
        match self {
            Self::Written(head) | Self::Unchanged(head) => head,
        }
    }
}
