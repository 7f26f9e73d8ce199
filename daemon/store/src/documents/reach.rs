//! A store of documents for a caller who does not reach every store of blobs.
//!
//! Whoever names a blob learns whether it is stored, and its size. So a blob in none of the stores
//! that the caller reaches is as good as missing, but for one that the document had before: it tells
//! nothing new to whoever may read the document, who is to be able to put it back.

use std::{collections::HashSet, sync::Arc};

use super::{Content, DocumentStore, metadata::is_json, write::check_json};
use crate::{
    attachments::{self, Attachment},
    blobs::BlobRef,
    catalogue::AttachmentOptions,
    error::{StoreError, StoreResult},
    id::{DocumentId, StoreName},
};

/// Whether a caller reaches a store of blobs; none where every one is reached.
pub(super) type Reached = Option<Arc<dyn Fn(&StoreName) -> bool + Send + Sync>>;

impl DocumentStore {
    /// The same store for a caller who reaches these stores of blobs.
    #[must_use]
    pub fn within(&self, reached: impl Fn(&StoreName) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::clone(&self.0), Some(Arc::new(reached)))
    }

    /// Refuses attachments that are out of the caller's reach, as if they were missing.
    pub(super) fn check_reached(&self, id: &DocumentId, content: &Content) -> StoreResult<()> {
        let Some(reached) = &self.1 else {
            return Ok(());
        };
        let mut named = attached(&content.content_type, &content.body)?;
        if named.is_empty() {
            return Ok(());
        }
        let before = match self.get(id) {
            Ok(document) => attached(document.head.content_type(), &document.body)?,
            Err(StoreError::NoSuchDocument { .. }) => HashSet::new(),
            Err(error) => return Err(error),
        };
        named.retain(|reference| !before.contains(reference));
        let references = &self.0.context.references;
        let mut named = named.iter();
        named.try_for_each(|reference| references.check_within(reference, &**reached))
    }
}

/// The blobs that are attachments of a body. What else names one is not looked for when it is written.
fn attached(content_type: &str, body: &[u8]) -> StoreResult<HashSet<BlobRef>> {
    if !is_json(content_type) || check_json(body).is_err() {
        return Ok(HashSet::new());
    }
    let found = attachments::find(body, &AttachmentOptions::default())?;
    let blobs = found.into_iter().filter_map(|attachment| match attachment {
        Attachment::Blob { reference, .. } => Some(reference),
        Attachment::Inline { .. } => None,
    });
    Ok(blobs.collect())
}
