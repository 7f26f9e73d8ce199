//! The one error of this crate. What a client sees of it is decided in vaultd, in one place.

use std::{fmt::Display, io, path::Path};

use vault_crypto::{EnvelopeError, RandomError};

use crate::{
    blobs::BlobRef,
    databases::SqlError,
    id::{InvalidId, Revision},
    key_source::KeySourceError,
};

/// Result of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a store operation failed. Nothing was acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The operating system failed.
    #[error("cannot {operation} {path}: {message}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file.
        path: String,
        /// What the operating system said.
        message: String,
        /// Its class.
        kind: io::ErrorKind,
    },
    /// An object is damaged or was tampered with.
    #[error("{object} is damaged: {detail}")]
    Damaged {
        /// Names the object.
        object: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Plaintext where only sealed data is accepted.
    #[error("{object} is plaintext where only sealed data is accepted: {detail}")]
    PlaintextRefused {
        /// Names the object.
        object: String,
        /// What is wrong with it.
        detail: String,
    },
    /// There is no such store.
    #[error("there is no store `{0}`")]
    NoSuchStore(String),
    /// There is no such document.
    #[error("there is no document `{id}` in store `{store}`")]
    NoSuchDocument {
        /// The store.
        store: String,
        /// The document.
        id: String,
    },
    /// There is no such blob.
    #[error("there is no blob {0}")]
    NoSuchBlob(BlobRef),
    /// There is no such file.
    #[error("there is no file `{name}` in store `{store}`")]
    NoSuchFile {
        /// The store.
        store: String,
        /// The file.
        name: String,
    },
    /// There is no such secret.
    #[error("there is no secret `{0}`")]
    NoSuchSecret(String),
    /// A secret is listed, and its value is gone.
    #[error("the value of secret `{0}` is gone: set it anew")]
    SecretValueMissing(String),
    /// A vault has one store of secrets.
    #[error("a vault has one store of secrets, and `{0}` is there already")]
    SecondOfSecrets(String),
    /// The keyring that holds the values of secrets gave no answer, or not the one needed.
    #[error(transparent)]
    Keyring(#[from] KeySourceError),
    /// An object is there already, and the call was to create it.
    #[error("`{0}` is there already")]
    ObjectExists(String),
    /// A name that another one stands in the way of.
    #[error("`{name}` cannot be stored: `{by}` is there, {why}")]
    NameTaken {
        /// What was to be stored.
        name: String,
        /// What is there.
        by: String,
        /// Why both cannot be.
        why: &'static str,
    },
    /// A file that others changed while it was read.
    #[error("`{name}` in store `{store}` was changed while it was read: try again")]
    ChangedMeanwhile {
        /// The store.
        store: String,
        /// The file.
        name: String,
    },
    /// A document names a blob that is not stored.
    #[error("the document names blob {0}, which is not stored: put the blob first")]
    BlobMissing(BlobRef),
    /// What was to be removed is named by something.
    #[error("blob {reference} is named by {by}: remove what names it first")]
    InUse {
        /// The blob.
        reference: BlobRef,
        /// What names it.
        by: String,
    },
    /// One collection at a time.
    #[error("unnamed blobs are being collected already: try again when that has ended")]
    Collecting,
    /// A precondition on the revision does not hold.
    #[error("document `{id}` is at revision {current}, the write expects {expected}")]
    RevisionConflict {
        /// The document.
        id: String,
        /// The revision in force; 0 where there is no such document.
        current: Revision,
        /// What the write asked for.
        expected: String,
    },
    /// A watch from before what is retained.
    #[error("changes up to revision {retained} are no longer remembered one by one")]
    RevisionGone {
        /// Changes after this revision are still there.
        retained: Revision,
    },
    /// A body above the store's size class.
    #[error("{size} bytes are over this store's limit of {limit} bytes")]
    TooLarge {
        /// Bytes asked for.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// An id or name that is not well formed.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// Another unacceptable argument.
    #[error("{0}")]
    InvalidArgument(String),
    /// A store of this name exists.
    #[error("a store `{0}` is there already")]
    StoreExists(String),
    /// The store was closed by a lock, a removal or a shutdown while the call waited.
    #[error("the store was closed")]
    Closed,
    /// A statement was not run, or not to its end.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// Not enough room on the disk for what was asked for. Nothing was begun.
    #[error(
        "{operation} needs {needed} bytes of free disk space and there are {free}: make room for {} more",
        .needed.saturating_sub(*.free)
    )]
    NoSpace {
        /// What was asked for.
        operation: &'static str,
        /// Bytes it needs.
        needed: u64,
        /// Bytes there are.
        free: u64,
    },
    /// No random bytes.
    #[error("the operating system's random source failed")]
    Random,
}

impl StoreError {
    pub(crate) fn io(operation: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io {
            operation,
            path: path.display().to_string(),
            message: error.to_string(),
            kind: error.kind(),
        }
    }

    /// Why the content of the object `id` could not be read from a stream.
    pub(crate) fn of_body(id: &str, error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|error| Self::Io {
            operation: "read",
            path: format!("the content of `{id}`"),
            message: error.to_string(),
            kind: error.kind(),
        })
    }

    pub(crate) fn damaged(object: impl Display, detail: impl Display) -> Self {
        Self::Damaged {
            object: object.to_string(),
            detail: detail.to_string(),
        }
    }

    /// What an envelope's failure means for the object it was expected to be.
    pub(crate) fn envelope(object: impl Display, error: &EnvelopeError) -> Self {
        match error {
            EnvelopeError::NotSealed => Self::PlaintextRefused {
                object: object.to_string(),
                detail: "the file does not begin as a sealed object does".to_owned(),
            },
            EnvelopeError::Random => Self::Random,
            other => Self::damaged(object, other),
        }
    }
}

impl From<RandomError> for StoreError {
    fn from(_: RandomError) -> Self {
        Self::Random
    }
}
