//! The upkeep of one database.
//!
//! It works on a connection of its own: clients' connections refuse what it does. The writer's turn
//! is held meanwhile, so that nobody else writes; who reads goes on.

use std::time::Duration;

use rusqlite::Connection;

use super::{
    Database, call::Call, connection::Purpose, copy::checkpoint, fault::spoils, figures::quoted,
    writer::Turn,
};
use crate::{
    error::{StoreError, StoreResult},
    maintenance::{Operation, Upkept},
};

/// How long an operation that gives way may work: longer than any takes.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a checkpoint waits for a reader, while writers wait for it.
const READER_TIMEOUT: Duration = Duration::from_millis(100);

/// What VACUUM leaves free on the disk for others, in bytes.
const SPARE: u64 = 16 << 20;

/// Which parts of `PRAGMA optimize`: analyse what may gain by it (0x02), a sample of each table
/// (0x10), and tables that this connection, which is a new one, has not queried (0x10000).
const OPTIMIZE: &str = "PRAGMA optimize(0x10012)";

impl Database {
    /// Runs an operation where no client has the writer or waits for it, and gives way to any that
    /// comes: it ends with an error then, and what it did is undone.
    ///
    /// VACUUM cannot give way in its last part, as it writes the new content to the log.
    pub fn upkeep(&self, operation: Operation) -> StoreResult<Upkept> {
        let call = Call::within(LONGEST);
        let mut turn = self.writer.take_for_upkeep(&call)?;
        self.look_after(&call, operation, &mut turn)
    }

    /// Runs an operation in its turn among the writers, and keeps it.
    pub fn upkeep_for(&self, call: &Call, operation: Operation) -> StoreResult<Upkept> {
        let mut turn = self.writer.take(call)?;
        self.look_after(call, operation, &mut turn)
    }

    fn look_after(
        &self,
        call: &Call,
        operation: Operation,
        turn: &mut Turn<'_>,
    ) -> StoreResult<Upkept> {
        let before = self.bytes()?;
        if operation == Operation::Vacuum {
            self.check_space(before)?;
        }
        let done = self.work(call, operation);
        if done.as_ref().is_err_and(spoils) {
            turn.close_connection();
        }
        done?;
        let after = self.bytes()?;
        Ok(Upkept { before, after })
    }

    fn work(&self, call: &Call, operation: Operation) -> StoreResult<()> {
        self.settle()?;
        let own = self.generation()?.connect(Purpose::Own, self.place())?;
        let connection = &own.connection;
        self.place().own(connection.busy_timeout(READER_TIMEOUT))?;
        let _working = own.watch.begin(call, connection);
        let done = match operation {
            Operation::Optimize => connection.execute_batch(OPTIMIZE).map(|()| true),
            Operation::Checkpoint => checkpoint(connection),
            Operation::Collect => {
                return Err(StoreError::InvalidArgument(
                    "`collect` is for stores of blobs".to_owned(),
                ));
            }
            Operation::Vacuum => {
                let folder = self.context.root.path().to_string_lossy();
                // A reader in the way of the checkpoint does not undo the rest.
                vacuum(connection, &folder)
                    .and_then(|()| checkpoint(connection))
                    .map(|_| true)
            }
        };
        match (done, call.stop.reason()) {
            (Ok(true), _) => Ok(()),
            (Ok(false), _) => Err(super::SqlError::Busy.into()),
            (Err(_), Some(reason)) => Err(reason.error()),
            (Err(error), None) => Err(self.place().failure(&error)),
        }
    }

    /// VACUUM writes the content to a temporary file, and from there to the log.
    fn check_space(&self, bytes: u64) -> StoreResult<()> {
        let root = &self.context.root;
        // Where nobody can tell, SQLite finds out, and undoes what it did.
        let Ok(free) = root.fs().free_space(root.path()) else {
            return Ok(());
        };
        let needed = bytes.saturating_mul(2).saturating_add(SPARE);
        if free < needed {
            return Err(StoreError::NoSpace {
                operation: "VACUUM",
                needed,
                free,
            });
        }
        Ok(())
    }
}

/// Rewrites the file without its free pages.
///
/// The new content passes through a temporary file, sealed by the same key (tested) and unlinked as
/// soon as it is open: in memory, where temporary objects are kept otherwise, it would take as much
/// of it as the database has bytes. The folder is the process's, and the same for every database.
fn vacuum(connection: &Connection, folder: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA temp_store = FILE; PRAGMA temp_store_directory = {}; VACUUM;",
        quoted(folder)
    ))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        fs,
        path::Path,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;

    const MARKER: &str = "these words are meant for nobody else";

    /// The content of the files in a folder that this process has open and that have no name.
    fn unlinked(folder: &Path) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc/self/fd")
            .into_iter()
            .flatten()
            .flatten()
        {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let unlinked = target.to_string_lossy().ends_with(" (deleted)");
            if target.starts_with(folder) && unlinked {
                found.push(fs::read(entry.path()).unwrap_or_default());
            }
        }
        found
    }

    #[test]
    fn the_temporary_file_of_a_vacuum_is_sealed_unlinked_and_on_the_same_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = fs::canonicalize(folder.path()).expect("there").join("it's");
        fs::create_dir_all(&folder).expect("a folder");
        let mut connection = Connection::open(folder.join("db")).expect("open");
        let key = "00".repeat(48);
        connection
            .execute_batch(&format!(
                "PRAGMA key = \"x'{key}'\";
                 PRAGMA journal_mode = WAL;
                 PRAGMA temp_store = MEMORY;
                 CREATE TABLE t (x);
                 WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                 INSERT INTO t SELECT '{MARKER}' || hex(randomblob(1000)) FROM n;"
            ))
            .expect("filled");
        let largest = Arc::new(AtomicUsize::new(0));
        let clear = Arc::new(AtomicUsize::new(0));
        let (seen, seen_clear, looked_in) =
            (Arc::clone(&largest), Arc::clone(&clear), folder.clone());
        let look = move || {
            for bytes in unlinked(&looked_in) {
                seen.fetch_max(bytes.len(), Ordering::Relaxed);
                let marker = MARKER.as_bytes();
                if bytes.windows(marker.len()).any(|part| part == marker) {
                    seen_clear.fetch_add(1, Ordering::Relaxed);
                }
            }
            false
        };
        connection
            .progress_handler(5000, Some(look))
            .expect("installed");
        vacuum(&connection, &folder.to_string_lossy()).expect("done");
        let largest = largest.load(Ordering::Relaxed);
        assert!(largest > 1 << 20, "it was looked at: {largest} bytes");
        assert_eq!(clear.load(Ordering::Relaxed), 0);
        let left = fs::read_dir(&folder).expect("listed").flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert!(
            left.iter()
                .all(|name| name.to_string_lossy().starts_with("db")),
            "{left:?}"
        );
    }
}
