//! What a caller asks to be written.

use std::{collections::BTreeMap, sync::Arc};

use super::metadata::{Head, JSON};
use crate::{
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

    pub(crate) fn check(&self, limit: u64) -> StoreResult<()> {
        let size = self.body.len() as u64;
        if size > limit {
            return Err(StoreError::TooLarge { size, limit });
        }
        if self.content_type == JSON {
            serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).map_err(|error| {
                StoreError::InvalidArgument(format!(
                    "the body is not well-formed JSON: {error}; name another content type \
                     if it is not meant to be"
                ))
            })?;
        }
        Ok(())
    }
}

/// What is to become of a document.
pub enum Change {
    /// It gets this content.
    Put(Content),
    /// It gets this content unless it has it already.
    PutIfChanged(Content),
    /// It is deleted; a tombstone stays.
    Delete,
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
