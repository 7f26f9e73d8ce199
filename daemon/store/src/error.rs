//! The one error of this crate. What a client sees of it is decided in vaultd, in one place.

use std::{fmt::Display, io, path::Path};

use vault_crypto::{EnvelopeError, RandomError};

use crate::{
    databases::SqlError,
    id::{InvalidId, Revision},
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
