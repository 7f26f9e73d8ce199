//! Which stores a call reaches, and where they stand in its first message.

use prost::DecodeError;
use vault_proto::v1::{
    self, adopt_store_request, import_database_request, import_documents_request, transact_request,
    upload_blob_request, upload_document_request, upload_file_request,
};

/// The store of blobs that is meant where none is named.
const DEFAULT_BLOBS: &str = "blobs";

/// Reads the stores that a message names.
pub type Decode = fn(&[u8]) -> Result<Vec<Named>, DecodeError>;

/// What a call reaches.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// No store, and nothing of the vault that a pattern of stores could bound.
    Nothing,
    /// The vault as a whole: a scope on `*` alone covers it.
    Vault,
    /// Every store that the caller reaches: the service leaves out the others.
    Listing,
    /// One store, always the same.
    Fixed(&'static str),
    /// The stores that its first message names. No later message names another: the services take
    /// a name in the first alone.
    Named(Decode),
}

/// What a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// One store.
    Store(String),
    /// Every store.
    Every,
}

impl Named {
    /// As it is written in a scope.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Store(store) => store,
            Self::Every => "*",
        }
    }
}

/// A message that says which stores it is about.
pub trait NamesStores: prost::Message + Default {
    /// Those stores; none of a message that is out of turn, or that leaves the name away.
    fn stores(self) -> Vec<Named>;
}

impl Reach {
    /// The stores that the first message of this type names.
    pub const fn of<M: NamesStores>() -> Self {
        Self::Named(decode::<M>)
    }
}

fn decode<M: NamesStores>(message: &[u8]) -> Result<Vec<Named>, DecodeError> {
    M::decode(message).map(NamesStores::stores)
}

fn one(store: String) -> Vec<Named> {
    vec![Named::Store(store)]
}

/// A store, and the one that a policy has its attachments go to: what is kept in the first is written
/// there.
fn with_attachments(store: String, attachments: Option<v1::AttachmentPolicy>) -> Vec<Named> {
    let mut named = one(store);
    if let Some(policy) = attachments {
        named.extend(blobs(policy.blobs));
    }
    named
}

fn blobs(store: String) -> Vec<Named> {
    if store.is_empty() {
        one(DEFAULT_BLOBS.to_owned())
    } else {
        one(store)
    }
}

fn one_or_every(store: String) -> Vec<Named> {
    if store.is_empty() {
        vec![Named::Every]
    } else {
        one(store)
    }
}

/// Messages with one field that names their store.
macro_rules! names_stores {
    ($($message:ident: |$given:ident| $stores:expr;)*) => {
        $(impl NamesStores for v1::$message {
            fn stores(self) -> Vec<Named> {
                let $given = self;
                $stores
            }
        })*
    };
}

names_stores! {
    CreateStoreRequest: |given| with_attachments(given.name, given.attachments);
    // Without a policy, it is the default that comes into force.
    ConfigureStoreRequest: |given| with_attachments(
        given.name,
        Some(given.attachments.unwrap_or_default()),
    );
    RemoveStoreRequest: |given| one(given.name);
    MigrateStoreRequest: |given| one(given.name);
    PutDocumentRequest: |given| one(given.store);
    GetDocumentRequest: |given| one(given.store);
    PatchDocumentRequest: |given| one(given.store);
    DeleteDocumentRequest: |given| one(given.store);
    ListDocumentsRequest: |given| one(given.store);
    WatchDocumentsRequest: |given| one(given.store);
    BatchDocumentsRequest: |given| one(given.store);
    CreateDatabaseRequest: |given| one(given.name);
    ConfigureDatabaseRequest: |given| one(given.name);
    DropDatabaseRequest: |given| one(given.name);
    ExecuteRequest: |given| one(given.database);
    QueryRequest: |given| one(given.database);
    BatchStatementsRequest: |given| one(given.database);
    MigrateDatabaseRequest: |given| one(given.database);
    BackupDatabaseRequest: |given| one(given.database);
    CheckDatabaseRequest: |given| one(given.database);
    DatabaseStatsRequest: |given| one(given.database);
    PutBlobRequest: |given| blobs(given.store);
    GetBlobRequest: |given| blobs(given.store);
    DownloadBlobRequest: |given| blobs(given.store);
    StatBlobRequest: |given| blobs(given.store);
    ListBlobsRequest: |given| blobs(given.store);
    DeleteBlobRequest: |given| blobs(given.store);
    VerifyBlobsRequest: |given| blobs(given.store);
    CollectBlobsRequest: |given| one_or_every(given.store);
    PutFileRequest: |given| one(given.store);
    GetFileRequest: |given| one(given.store);
    DownloadFileRequest: |given| one(given.store);
    StatFileRequest: |given| one(given.store);
    ListFilesRequest: |given| one(given.store);
    DeleteFileRequest: |given| one(given.store);
    RunMaintenanceRequest: |given| one_or_every(given.database);
    AdoptStoreRequest: |given| match given.part {
        Some(adopt_store_request::Part::Store(store)) => one(store),
        _ => Vec::new(),
    };
    UploadDocumentRequest: |given| match given.part {
        Some(upload_document_request::Part::Start(start)) => one(start.store),
        _ => Vec::new(),
    };
    ImportDocumentsRequest: |given| match given.part {
        Some(import_documents_request::Part::Store(store)) => one(store),
        _ => Vec::new(),
    };
    UploadBlobRequest: |given| match given.part {
        Some(upload_blob_request::Part::Start(start)) => blobs(start.store),
        _ => Vec::new(),
    };
    UploadFileRequest: |given| match given.part {
        Some(upload_file_request::Part::Start(start)) => one(start.store),
        _ => Vec::new(),
    };
    TransactRequest: |given| match given.part {
        Some(transact_request::Part::Begin(begin)) => one(begin.database),
        _ => Vec::new(),
    };
    ImportDatabaseRequest: |given| match given.part {
        Some(import_database_request::Part::Start(start)) => one(start.name),
        _ => Vec::new(),
    };
}

#[cfg(test)]
mod tests;
