//! Documents.

mod transfer;

use std::collections::{BTreeMap, VecDeque};

use vault_proto::{
    UNARY_BODY_LIMIT,
    v1::{
        self, BatchDocumentsRequest, BatchWrite, DeleteDocumentRequest, ListDocumentsRequest,
        ListDocumentsResponse, PatchDocumentRequest, PutDocumentRequest, WatchDocumentsRequest,
        WatchDocumentsResponse, precondition::Condition,
    },
};

use crate::{Client, Error, vault::millis};
pub use transfer::{DocumentDownload, DocumentUpload};

/// A document without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: String,
    /// When in its store's count of changes it was last written.
    pub revision: u64,
    /// MIME type of the body.
    pub content_type: String,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Bytes of the file it lies in.
    pub stored_bytes: u64,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
    /// The client's own labels.
    pub labels: BTreeMap<String, String>,
    /// A tombstone.
    pub deleted: bool,
    /// Still the plaintext file of an earlier application.
    pub awaiting_migration: bool,
    /// Refs of the blobs it names; none where they are so many that only the body tells them.
    pub blobs: Vec<String>,
}

impl From<v1::DocumentHead> for Head {
    fn from(head: v1::DocumentHead) -> Self {
        Self {
            id: head.id,
            revision: head.revision,
            content_type: head.content_type,
            body_bytes: head.body_bytes,
            stored_bytes: head.stored_bytes,
            created_ms: millis(head.created),
            modified_ms: millis(head.modified),
            labels: head.labels.into_iter().collect(),
            deleted: head.deleted,
            awaiting_migration: head.awaiting_migration,
            blobs: head.blobs,
        }
    }
}

/// A document with its body.
#[derive(Clone)]
pub struct Document {
    /// All but the body.
    pub head: Head,
    /// The body.
    pub body: Vec<u8>,
}

/// What must hold for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// There is no such document.
    Absent,
    /// There is one.
    Present,
    /// Its current revision is this one.
    Revision(u64),
}

impl Precondition {
    fn wire(self) -> Option<v1::Precondition> {
        let condition = match self {
            Self::None => return None,
            Self::Absent => Condition::Absent(true),
            Self::Present => Condition::Present(true),
            Self::Revision(revision) => Condition::Revision(revision),
        };
        Some(v1::Precondition {
            condition: Some(condition),
        })
    }
}

/// A document to write.
#[derive(Clone, Default)]
pub struct NewDocument {
    /// Its id.
    pub id: String,
    /// Its body.
    pub body: Vec<u8>,
    /// MIME type; empty means JSON.
    pub content_type: String,
    /// The client's own labels.
    pub labels: BTreeMap<String, String>,
    /// What must hold.
    pub precondition: Precondition,
}

impl NewDocument {
    /// A JSON document, created or replaced.
    pub fn json(id: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            id: id.into(),
            body: body.into(),
            ..Self::default()
        }
    }
}

/// One write of a batch.
#[derive(Clone)]
pub struct Write {
    /// The document.
    pub id: String,
    /// What is to become of it.
    pub change: Change,
    /// What must hold.
    pub precondition: Precondition,
}

/// What is to become of a document.
#[derive(Clone)]
pub enum Change {
    /// It gets this JSON body.
    PutJson(Vec<u8>),
    /// It is deleted.
    Delete,
}

/// One entry of a listing.
pub enum Listed {
    /// A document, with its body if bodies were asked for.
    Document(Head, Option<Vec<u8>>),
    /// An object that cannot be read, and why.
    Damaged(String),
}

/// A listing under way: heads in the order of their ids.
pub struct Heads {
    client: Client,
    store: String,
    bodies: bool,
    stream: tonic::Streaming<ListDocumentsResponse>,
    page: VecDeque<v1::ListedDocument>,
}

impl Heads {
    /// The next entry; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Listed>, Error> {
        let entry = loop {
            if let Some(entry) = self.page.pop_front() {
                break entry;
            }
            match self.stream.message().await? {
                Some(page) => self.page = page.documents.into(),
                None => return Ok(None),
            }
        };
        if !entry.damaged.is_empty() {
            return Ok(Some(Listed::Damaged(entry.damaged)));
        }
        let head = Head::from(entry.head.unwrap_or_default());
        if entry.body_omitted {
            // Too large for a page: fetched by itself.
            let document = self.client.get(&self.store, &head.id).await?;
            return Ok(Some(Listed::Document(document.head, Some(document.body))));
        }
        Ok(Some(Listed::Document(
            head,
            self.bodies.then_some(entry.body),
        )))
    }
}

/// A watch under way.
pub struct ChangeStream {
    stream: tonic::Streaming<WatchDocumentsResponse>,
    page: VecDeque<v1::DocumentHead>,
}

impl ChangeStream {
    /// The next change, waiting for it as long as it takes; `None` when the daemon ends the watch.
    pub async fn next(&mut self) -> Result<Option<Head>, Error> {
        loop {
            if let Some(head) = self.page.pop_front() {
                return Ok(Some(head.into()));
            }
            match self.stream.message().await? {
                Some(page) => self.page = page.changes.into(),
                None => return Ok(None),
            }
        }
    }
}

impl Client {
    /// Durably writes one document of any size its store takes.
    pub async fn put(&self, store: &str, document: NewDocument) -> Result<Head, Error> {
        if document.body.len() > UNARY_BODY_LIMIT {
            return self.put_large(store, document).await;
        }
        let request = PutDocumentRequest {
            store: store.to_owned(),
            id: document.id,
            body: document.body,
            content_type: document.content_type,
            labels: document.labels.into_iter().collect(),
            precondition: document.precondition.wire(),
        };
        let response = self.services.documents().put(request).await?.into_inner();
        Ok(response.head.unwrap_or_default().into())
    }

    /// Applies a JSON Merge Patch (RFC 7396).
    pub async fn patch(
        &self,
        store: &str,
        id: &str,
        patch: Vec<u8>,
        if_revision: Option<u64>,
    ) -> Result<Head, Error> {
        let request = PatchDocumentRequest {
            store: store.to_owned(),
            id: id.to_owned(),
            patch,
            if_revision: if_revision.unwrap_or_default(),
        };
        let response = self.services.documents().patch(request).await?.into_inner();
        Ok(response.head.unwrap_or_default().into())
    }

    /// Deletes a document; returns the tombstone's revision.
    pub async fn delete(
        &self,
        store: &str,
        id: &str,
        if_revision: Option<u64>,
    ) -> Result<u64, Error> {
        let request = DeleteDocumentRequest {
            store: store.to_owned(),
            id: id.to_owned(),
            if_revision: if_revision.unwrap_or_default(),
        };
        Ok(self
            .services
            .documents()
            .delete(request)
            .await?
            .into_inner()
            .revision)
    }

    /// Makes all of `writes`, or none; returns their revisions.
    pub async fn batch(&self, store: &str, writes: Vec<Write>) -> Result<Vec<u64>, Error> {
        let writes = writes.into_iter().map(|write| {
            let (body, delete) = match write.change {
                Change::PutJson(body) => (body, false),
                Change::Delete => (Vec::new(), true),
            };
            let precondition = write.precondition.wire();
            BatchWrite {
                id: write.id,
                body,
                delete,
                precondition,
                ..BatchWrite::default()
            }
        });
        let request = BatchDocumentsRequest {
            store: store.to_owned(),
            writes: writes.collect(),
        };
        Ok(self
            .services
            .documents()
            .batch(request)
            .await?
            .into_inner()
            .revisions)
    }

    /// Documents whose id begins with `prefix`.
    pub async fn list(&self, store: &str, prefix: &str, bodies: bool) -> Result<Heads, Error> {
        self.list_after(store, prefix, "", bodies).await
    }

    /// Those of them whose id comes after `after`, to go on where a page ended.
    pub async fn list_after(
        &self,
        store: &str,
        prefix: &str,
        after: &str,
        bodies: bool,
    ) -> Result<Heads, Error> {
        let request = ListDocumentsRequest {
            store: store.to_owned(),
            bodies,
            prefix: prefix.to_owned(),
            after: after.to_owned(),
        };
        let stream = self.services.documents().list(request).await?.into_inner();
        let client = self.clone();
        Ok(Heads {
            client,
            store: store.to_owned(),
            bodies,
            stream,
            page: VecDeque::new(),
        })
    }

    /// Changes after `since`, then changes as they happen.
    pub async fn watch(&self, store: &str, since: u64) -> Result<ChangeStream, Error> {
        let request = WatchDocumentsRequest {
            store: store.to_owned(),
            since,
        };
        let stream = self.services.documents().watch(request).await?.into_inner();
        Ok(ChangeStream {
            stream,
            page: VecDeque::new(),
        })
    }
}
