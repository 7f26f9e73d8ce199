//! Connections to one database file: opened, keyed, checked, bounded.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, Error, ErrorCode, config::DbConfig, limits::Limit};
use vault_crypto::DatabaseKey;

use super::{functions, keying::open_keyed, policy::Policy, watch::Watch};

/// How long SQLite itself waits for a lock. Nobody else opens the file and writers take turns, so
/// that only a checkpoint is ever waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements kept by a connection.
const STATEMENTS: usize = 64;

/// Longest statement, in bytes.
pub(super) const STATEMENT_LIMIT: usize = 1 << 20;

/// A value inside SQLite may be larger than any that a client sends or gets: vector indexes keep
/// 1024 vectors in one, of at most 8192 numbers of 4 bytes. Bytes.
pub const INNER_VALUE: u64 = 32 << 20;

/// The log is cut to this many bytes once it was written back.
const LOG_KEPT: u64 = 16 << 20;

/// All that SQLite may take of the process's memory, in bytes: the last line of defence, behind
/// the bound on each statement.
const HEAP_LIMIT: u64 = 1 << 30;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Clients' statements that read.
    Read,
    /// Clients' statements that write.
    Write,
    /// The daemon's own work: no client's statement ever runs here.
    Own,
}

/// A connection with what bounds it.
pub(super) struct Bounded {
    pub(super) connection: Connection,
    pub(super) policy: Arc<Policy>,
    pub(super) watch: Arc<Watch>,
}

/// Opens a connection to a database in use.
pub(super) fn open(
    path: &Path,
    key: &DatabaseKey,
    purpose: Purpose,
    limit: u64,
) -> rusqlite::Result<Bounded> {
    let mut connection = open_keyed(path, key, purpose == Purpose::Read)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The first statement reads the first page, whose code tells whether key and file fit.
    connection.execute_batch(
        "SELECT count(*) FROM sqlite_schema;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON;",
    )?;
    if purpose != Purpose::Read {
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |r| r.get(0))?;
        if mode != "wal" {
            return Err(Error::InvalidQuery);
        }
        connection.execute_batch(&format!(
            "PRAGMA synchronous = FULL;
             PRAGMA journal_size_limit = {LOG_KEPT};
             PRAGMA hard_heap_limit = {HEAP_LIMIT};"
        ))?;
    }
    let watch = Watch::install(&mut connection)?;
    let policy = Arc::new(Policy::default());
    if purpose == Purpose::Own {
        // No policy is asked here: what a client's schema calls must be harmless by itself.
        connection.execute_batch("PRAGMA trusted_schema = OFF")?;
    } else {
        bound(&connection, limit)?;
        Policy::install(&policy, &mut connection)?;
    }
    functions::install(&connection)?;
    Ok(Bounded {
        connection,
        policy,
        watch,
    })
}

/// What a client's statement may ask of SQLite.
pub(super) fn bound(connection: &Connection, limit: u64) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    limits(connection, limit)
}

/// How much of it. These hold where the daemon itself must enter rows into a schema, too.
pub(super) fn limits(connection: &Connection, limit: u64) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
    let value = i32::try_from(limit.max(INNER_VALUE)).unwrap_or(i32::MAX);
    let statement = i32::try_from(STATEMENT_LIMIT).unwrap_or(i32::MAX);
    for (limit, bound) in [
        (Limit::SQLITE_LIMIT_LENGTH, value),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, statement),
        (Limit::SQLITE_LIMIT_COLUMN, 1000),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 200),
        (Limit::SQLITE_LIMIT_VDBE_OP, 1_000_000),
        // LIKE and GLOB may compare all of the pattern at each place: 250 bytes took a second per
        // megabyte, 1000 bytes two, and nothing ends them meanwhile.
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256),
        // SQLite looks for a name among those before it, one by one.
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 32_766),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 50),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, bound)?;
    }
    Ok(())
}

/// The bytes that the file begins with: SQLCipher's salt.
pub(super) fn beginning(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA cipher_salt", (), |row| row.get(0))
}

/// Bytes of a page. SQLCipher answers this as text.
pub(super) fn page_size(connection: &Connection) -> rusqlite::Result<u32> {
    let text: String = connection.query_row("PRAGMA page_size", (), |row| row.get(0))?;
    text.parse().map_err(|_| Error::InvalidQuery)
}

/// Whether SQLite says that what it read is no database under this key, or a broken one.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}
