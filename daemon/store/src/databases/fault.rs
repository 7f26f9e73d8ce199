//! What SQLite's failures mean.

use std::io;

use rusqlite::{Error, ErrorCode, ffi};

use super::{Budget, SqlError, call::Stop, connection::Bounded};
use crate::{
    error::{StoreError, StoreResult},
    id::StoreName,
};

/// What is needed to say what a failure means.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) name: &'a StoreName,
    /// Largest row and value, in bytes.
    pub(super) limit: u64,
}

impl Place<'_> {
    /// The database as an object in messages.
    pub(super) fn object(&self) -> String {
        describe(self.name)
    }

    /// What a failure of the daemon's own work means.
    pub(super) fn own<T>(&self, result: rusqlite::Result<T>) -> StoreResult<T> {
        result.map_err(|error| match self.failure(&error) {
            // Nobody's statement but the daemon's is to blame.
            StoreError::Sql(SqlError::Invalid { message, .. }) => {
                self.disk(io::ErrorKind::Other, &message)
            }
            failure => failure,
        })
    }

    fn disk(&self, kind: io::ErrorKind, message: &str) -> StoreError {
        StoreError::Io {
            operation: "work on",
            path: self.object(),
            message: message.to_owned(),
            kind,
        }
    }

    /// What a failure of a client's statement means.
    pub(super) fn client<T>(
        &self,
        result: rusqlite::Result<T>,
        bounded: &Bounded,
        stop: &Stop,
    ) -> StoreResult<T> {
        result.map_err(|error| {
            if let Some(reason) = stop.reason() {
                return reason.error();
            }
            match bounded.policy.refused() {
                Some(refused) => refused.into(),
                None => self.failure(&error),
            }
        })
    }

    pub(super) fn failure(&self, error: &Error) -> StoreError {
        let invalid =
            |message: String, offset| StoreError::Sql(SqlError::Invalid { message, offset });
        match error {
            Error::Empty => invalid("there is no statement in it".to_owned(), None),
            Error::MultipleStatement => invalid(
                "it holds more than one statement: send a batch".to_owned(),
                None,
            ),
            Error::SqlInputError {
                error, msg, offset, ..
            } => match error.code {
                ErrorCode::Unknown | ErrorCode::ApiMisuse => {
                    invalid(msg.clone(), u32::try_from(*offset).ok())
                }
                _ => self.coded(*error, msg),
            },
            Error::SqliteFailure(error, message) => {
                let message = message.clone().unwrap_or_else(|| error.to_string());
                self.coded(*error, &message)
            }
            // Of arguments that are no text or too long for SQLite, and the like.
            other => invalid(other.to_string(), None),
        }
    }

    fn coded(&self, error: rusqlite::ffi::Error, message: &str) -> StoreError {
        let disk = |kind: io::ErrorKind| self.disk(kind, message);
        match error.code {
            // Not the file: what a virtual table makes of its own tables, which its owner can mend.
            ErrorCode::DatabaseCorrupt if error.extended_code == ffi::SQLITE_CORRUPT_VTAB => {
                StoreError::Sql(SqlError::Invalid {
                    message: message.to_owned(),
                    offset: None,
                })
            }
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
                StoreError::damaged(self.object(), message)
            }
            ErrorCode::ConstraintViolation => SqlError::Constraint(message.to_owned()).into(),
            ErrorCode::TooBig => SqlError::OverBudget(Budget::Row(self.limit)).into(),
            ErrorCode::OutOfMemory => SqlError::OverBudget(Budget::Memory).into(),
            ErrorCode::OperationInterrupted => SqlError::Cancelled.into(),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => SqlError::Busy.into(),
            ErrorCode::DiskFull => disk(io::ErrorKind::StorageFull),
            ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::FileLockingProtocolFailed => disk(io::ErrorKind::Other),
            _ => StoreError::Sql(SqlError::Invalid {
                message: message.to_owned(),
                offset: None,
            }),
        }
    }
}

/// A database as an object in messages.
pub(super) fn describe(name: &StoreName) -> String {
    format!("database `{name}`")
}

/// Whether the connection must not be used again: after a failed sync nobody knows what the disk
/// holds, until the file is opened anew.
pub(super) fn spoils(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { .. } | StoreError::Damaged { .. })
}
