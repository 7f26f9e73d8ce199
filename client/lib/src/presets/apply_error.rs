//! Why a preset was not applied.

use crate::{BlobColumn, Error};

/// Why a preset was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It names a kind of store that there is not.
    #[error(
        "store `{store}` is of kind `{kind}`, which this version of vaultd does not have; nothing \
         was created"
    )]
    KindMissing {
        /// The store.
        store: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A store of its name is there and is another one.
    #[error(
        "store `{store}` is there already and holds {found}, where the preset wants {wanted}: \
         remove it, or give the preset's store another name; nothing was created"
    )]
    Conflict {
        /// The store.
        store: String,
        /// What it is.
        found: String,
        /// What it would have to be.
        wanted: String,
    },
    /// A database has a schema that is newer than the preset.
    #[error(
        "database `{store}` has version {version} of its schema, and the preset knows {known}: \
         use the preset of the version that wrote it; nothing was created"
    )]
    SchemaNewer {
        /// The store.
        store: String,
        /// The version it has.
        version: u32,
        /// The newest the preset knows.
        known: u32,
    },
    /// A column of blob refs that the schema does not have.
    #[error(
        "the schema of `{store}` has no column `{column}`, which `blob_columns` names; correct the \
         preset and apply it again"
    )]
    ColumnMissing {
        /// The store.
        store: String,
        /// The column.
        column: BlobColumn,
    },
    /// A call about one store failed.
    #[error("store `{store}`: {error}")]
    Store {
        /// The store.
        store: String,
        /// Why.
        error: Error,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Error),
}

impl ApplyError {
    /// The failure of a call about one store.
    pub(super) fn at(store: &str) -> impl Fn(Error) -> Self {
        move |error| Self::Store {
            store: store.to_owned(),
            error,
        }
    }

    pub(super) fn kind_missing(store: &str, kind: &'static str) -> Self {
        Self::KindMissing {
            store: store.to_owned(),
            kind,
        }
    }
}
