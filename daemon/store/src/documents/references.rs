//! Which blobs the documents of a store name.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Document, DocumentStore,
    metadata::{Head, Metadata, is_json},
    write::Change,
};
use crate::{
    attachments::Named,
    blobs::BlobRef,
    error::{StoreError, StoreResult},
    vault::lock,
};

/// Bytes of sealed metadata that refs leave to a document's id, content type and labels: they may
/// take all there is, and the body is read instead.
const ROOM: usize = 4 << 10;

impl Metadata {
    /// Notes the blobs that a body names, beside those noted already.
    pub(super) fn note(&mut self, named: &Named) {
        let Some(mut listed) = named.listed() else {
            self.refs_in_body = true;
            return;
        };
        listed.retain(|reference| !self.refs.contains(reference));
        let labels = self.labels.iter();
        let others: usize = labels
            .map(|(name, value)| name.len() + value.len() + 6)
            .sum();
        let refs = (self.refs.len() + listed.len()) * (2 * 32 + 3);
        // Labels with many escapes take more room than they have bytes: six at most.
        if refs > 0
            && refs + 6 * (others + self.id.len()) + ROOM > vault_crypto::envelope::METADATA_LIMIT
        {
            self.refs_in_body = true;
        } else {
            self.refs.append(&mut listed);
        }
    }
}

impl Change {
    /// The blobs that the written document names, whose body is `spliced` where that is another one.
    pub(super) fn named(&self, spliced: Option<&[u8]>) -> Named {
        match self {
            Self::Put(content) | Self::PutIfChanged(content) if is_json(&content.content_type) => {
                Named::of(spliced.unwrap_or(&content.body))
            }
            Self::Restore(restored) | Self::RestoreIfChanged(restored)
                if is_json(restored.content_type()) =>
            {
                Named::of(&restored.body)
            }
            _ => Named::default(),
        }
    }
}

impl DocumentStore {
    /// Every blob that a document names. Refused where a document cannot be read: nobody knows what
    /// it names.
    pub(super) fn named(&self) -> StoreResult<BTreeSet<String>> {
        let mut named = BTreeSet::new();
        for head in self.readable_heads()? {
            named.extend(head.metadata.refs.iter().cloned());
            if head.hides_refs() {
                named.extend(
                    self.refs_in_body(&head)?
                        .refs()
                        .iter()
                        .map(BlobRef::to_string),
                );
            }
        }
        Ok(named)
    }

    /// A document that names a blob.
    pub(super) fn naming(&self, reference: &BlobRef) -> StoreResult<Option<String>> {
        let text = reference.to_string();
        for head in self.readable_heads()? {
            let named = head.metadata.refs.contains(&text)
                || head.hides_refs() && self.refs_in_body(&head)?.refs().contains(reference);
            if named {
                return Ok(Some(self.0.medium.describe(head.id.as_str())));
            }
        }
        Ok(None)
    }

    fn readable_heads(&self) -> StoreResult<Vec<Arc<Head>>> {
        if self.0.medium.is_plain() {
            self.0.take_in_every_edit()?;
        }
        self.0.retry_unreadable();
        // What a write in doubt leaves is durable before anything is removed that the document
        // before it names, and nobody writes until the index was read.
        let mut unsettled = lock(&self.0.commit);
        self.0.check_open()?;
        self.0.settle(&mut unsettled)?;
        let index = self.0.open_index()?;
        match index.damaged.values().next() {
            Some(error) => Err(error.clone()),
            None => Ok(index.live().cloned().collect()),
        }
    }

    fn refs_in_body(&self, head: &Head) -> StoreResult<Named> {
        let named = match self.get(&head.id) {
            Ok(Document { head: found, body }) if found.revision == head.revision => {
                return Ok(Named::of(&body));
            }
            Ok(Document { body, .. }) => Named::of(&body),
            Err(StoreError::NoSuchDocument { .. }) => Named::default(),
            Err(error) => return Err(error),
        };
        // Written since: what it named before counts until that write is beyond doubt.
        let mut unsettled = lock(&self.0.commit);
        self.0.check_open()?;
        self.0.settle(&mut unsettled)?;
        Ok(named)
    }
}

impl Head {
    /// Refs of the blobs the body names; none where they are so many that only the body tells them.
    pub fn blobs(&self) -> &[String] {
        if self.metadata.refs_in_body {
            &[]
        } else {
            &self.metadata.refs
        }
    }

    /// Whether only the body tells what it names.
    fn hides_refs(&self) -> bool {
        self.metadata.refs_in_body || self.awaiting_migration
    }
}
