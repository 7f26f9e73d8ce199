//! Handing a key to SQLCipher.
//!
//! SQLCipher zeroes its own copy of a key when the connection closes, but neither the text of the
//! statement that brought it, nor the rows and pages that were in memory. Its `cipher_memory_security`
//! would zero all of that as SQLite frees it, and lock every allocation into memory besides; it
//! cannot be turned off again, and made loading rows some fifteen times as slow when measured. So it
//! stays off, and vaultd lends SQLite its own allocator instead, which zeroes what it frees
//! (`daemon/vaultd/src/platform/sqlite/memory.rs`).

use std::{
    path::Path,
    sync::{Once, OnceLock},
};

use rusqlite::{Connection, OpenFlags};
use vault_crypto::DatabaseKey;
use zeroize::Zeroizing;

static PREPARE: OnceLock<fn()> = OnceLock::new();
static PREPARED: Once = Once::new();

/// Names what this process does to SQLite before its first database is opened: to begin with SQLite
/// takes time and memory that a vault without databases has no use for. The first one stays.
pub fn prepare_by(prepare: fn()) {
    let _ = PREPARE.set(prepare);
}

/// Opens a file, which must be there, and hands over its key. Whether it fits shows when a page is
/// read.
pub(super) fn open_keyed(
    path: &Path,
    key: &DatabaseKey,
    read_only: bool,
) -> rusqlite::Result<Connection> {
    PREPARED.call_once(|| {
        if let Some(prepare) = PREPARE.get() {
            prepare();
        }
    });
    let access = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    // One thread at a time has a connection.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    // It would write to stderr of its own accord what the errors say as well.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    let raw = key.raw_form();
    let opening = "PRAGMA key = \"";
    let mut statement = Zeroizing::new(String::with_capacity(opening.len() + raw.len() + 1));
    statement.push_str(opening);
    statement.push_str(&raw);
    statement.push('"');
    let keyed = connection.execute_batch(&statement);
    // Never the error itself, which holds the statement.
    keyed.map_err(|_| rusqlite::Error::InvalidQuery)?;
    Ok(connection)
}
