//! The content of attachments that lie in blobs.

use std::collections::HashMap;

use data_encoding::BASE64;

use super::{Attachment, AttachmentContent, attachments, with_content};
use crate::{BlobDownload, Client, ContentRange, Error, Refusal};

/// The refusal of a body that would be over `limit` bytes.
fn too_large(limit: u64) -> Error {
    Error::Refused(Box::new(Refusal {
        reason: "TOO_LARGE".to_owned(),
        metadata: HashMap::from([("limit".to_owned(), limit.to_string())]),
        message: format!("with its attachments in it, the document is over {limit} bytes"),
    }))
}

impl Client {
    /// A document's body with the content of every attachment in it, in base64. Refused with
    /// `TOO_LARGE` where that makes more than `limit` bytes.
    pub async fn inline_attachments(
        &self,
        store: &str,
        body: &[u8],
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        let found = attachments(body)?;
        let stores = self.stores_of(store, &found).await?;
        let mut left = limit.checked_sub(body.len() as u64);
        let mut contents = Vec::new();
        for attachment in found {
            let AttachmentContent::Blob(reference) = &attachment.content else {
                continue;
            };
            let mut blob = self.open_attachment(&stores, reference).await?;
            let encoded = blob.size().div_ceil(3).saturating_mul(4);
            left = left.and_then(|left| left.checked_sub(encoded));
            if left.is_none() {
                break;
            }
            let mut content = Vec::new();
            while let Some(chunk) = blob.next().await? {
                content.extend_from_slice(&chunk);
            }
            let base64 = BASE64.encode(&content);
            contents.push((attachment, base64));
        }
        left.ok_or_else(|| too_large(limit))?;
        Ok(with_content(body, &contents))
    }

    /// The stores that may hold the blobs of attachments, if any of them is one.
    pub async fn stores_of(&self, store: &str, found: &[Attachment]) -> Result<Vec<String>, Error> {
        let blob = |one: &Attachment| matches!(one.content, AttachmentContent::Blob(_));
        if !found.iter().any(blob) {
            return Ok(Vec::new());
        }
        Ok(self.attachment_stores(store).await?.1)
    }

    /// Begins to read the content of an attachment, from the first of `stores` that has it.
    pub async fn open_attachment(
        &self,
        stores: &[String],
        reference: &str,
    ) -> Result<BlobDownload, Error> {
        for store in stores {
            let whole = ContentRange::default();
            match self.download_blob(store, reference, whole).await {
                Err(error) if error.reason() == Some("NOT_FOUND") => {}
                opened => return opened,
            }
        }
        Err(Error::Refused(Box::new(Refusal {
            reason: "BLOB_MISSING".to_owned(),
            metadata: HashMap::from([("ref".to_owned(), reference.to_owned())]),
            message: format!("blob {reference}, which the document names, is not stored"),
        })))
    }
}
