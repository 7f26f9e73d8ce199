//! Why an archive was not written, not read, or not put back.

use std::io;

use vault_crypto::PassphraseError;

use crate::{error::StoreError, id::StoreName};

/// See the variants. Nothing is acknowledged of the work as a whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArchiveError {
    /// An archive, but not as it was written. Says where.
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// Something else altogether.
    #[error("the file is not an archive of a vault")]
    NotAnArchive,
    /// An archive of a later version.
    #[error("the archive has format {0}, which this version does not know")]
    UnknownFormat(u64),
    /// An archive with a store of a kind that came later.
    #[error(
        "store `{store}` in the archive is of the kind `{kind}`, which this version does not know: \
         a later version restores it"
    )]
    UnknownKind {
        /// The store.
        store: StoreName,
        /// Its kind, as it may be shown.
        kind: String,
    },
    /// It is sealed, and nothing was given to open it.
    #[error("the archive is sealed: it takes a passphrase or an identity to open it")]
    NeedsKey,
    /// What was given does not seal or open it.
    #[error(transparent)]
    Key(PassphraseError),
    /// Not the archive that was verified.
    #[error("the archive has another manifest than the one that was verified")]
    OtherManifest,
    /// There are stores in the vault, and nobody said that they may be written to.
    #[error("the vault has stores already: restore into a new one, or merge")]
    NotEmpty,
    /// What the archive holds does not fit into the store of the same name.
    #[error("store `{store}` cannot be restored: {detail}")]
    Conflict {
        /// The store.
        store: String,
        /// Why.
        detail: String,
    },
    /// Both vaults have other content under the same names, and nobody said which is to stay.
    #[error("{count} objects are in both vaults with other content, among them {named}")]
    Differing {
        /// How many.
        count: u64,
        /// A few of them.
        named: String,
    },
    /// Whoever was told of progress asked for it.
    #[error("stopped on request")]
    Stopped,
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading or writing the archive failed.
    #[error("{1}")]
    Io(io::ErrorKind, String),
}

impl ArchiveError {
    pub(super) fn io(error: &io::Error) -> Self {
        Self::Io(error.kind(), error.to_string())
    }

    /// As an error of the stream that gives a body; [`ArchiveError::of_body`] takes it out again.
    pub(super) fn into_body(self) -> io::Error {
        let kind = match &self {
            Self::Io(kind, _) => *kind,
            Self::Damaged(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// Why the stream that gives a body failed.
    pub(super) fn of_body(error: io::Error) -> Self {
        let failed = error.downcast().or_else(|error| {
            let failed = error.downcast().map(Self::Store);
            failed.map_err(|error| Self::io(&error))
        });
        failed.unwrap_or_else(|error| error)
    }

    /// What sealing or opening says, besides that a key is wrong, is about the file.
    pub(super) fn key(error: PassphraseError) -> Self {
        match error {
            PassphraseError::Damaged(detail) => Self::Damaged(detail),
            PassphraseError::Io(kind, text) => Self::Io(kind, text),
            other => Self::Key(other),
        }
    }
}
