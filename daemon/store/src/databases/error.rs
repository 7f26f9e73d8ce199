//! Why a statement was not run.

/// Why a statement was not run, or not to its end. What it did was undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// SQLite does not accept the statement or its parameters.
    #[error("{message}")]
    Invalid {
        /// What SQLite says.
        message: String,
        /// The byte of the statement where it stumbled.
        offset: Option<u32>,
    },
    /// It does what no client may.
    #[error("{action} is not allowed here: {instead}")]
    Refused {
        /// What it wanted.
        action: String,
        /// What to do instead, or why not.
        instead: &'static str,
    },
    /// A constraint does not hold.
    #[error("{0}")]
    Constraint(String),
    /// It took more than it may.
    #[error("{0}")]
    OverBudget(Budget),
    /// Another writer held the database for as long as this call could wait.
    #[error("another writer held the database for as long as this call could wait; try again")]
    Busy,
    /// The caller does not want it any more.
    #[error("the call was cancelled by its client")]
    Cancelled,
    /// It began too long ago.
    #[error(
        "the call has taken as long as any may (`query_seconds` in the daemon's limits); read or \
         send faster, or less at once"
    )]
    OverDeadline,
    /// The transaction, or the import, was ended: by a statement of its own that rolls back, by a
    /// failure, or for a rotation of the key.
    #[error(
        "ended, by a statement of its own that rolls back, by a failure or for a rotation of the \
         key, and nothing of it was kept; begin it again"
    )]
    TransactionEnded,
    /// The schema is of a later version than the steps handed in.
    #[error(
        "the schema is of version {found}, the steps end with version {known}: update the program that uses it"
    )]
    SchemaNewer {
        /// The database's `user_version`.
        found: u32,
        /// The number of steps.
        known: u32,
    },
}

/// What there was not enough of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Working time.
    Time,
    /// Memory.
    Memory,
    /// Room in one value or one row, in bytes.
    Row(u64),
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time => f.write_str(
                "the statement worked for longer than it may; ask for more time, or for less at once",
            ),
            Self::Memory => f.write_str(
                "the statement took more memory than it may; sort or collect less at once",
            ),
            Self::Row(limit) => write!(
                f,
                "a value or a row is over this database's limit of {limit} bytes"
            ),
        }
    }
}
