//! A new file in the place of the one in force: copied page by page under another key, or filled
//! with another content, and put in force by one rename.
//!
//! SQLCipher can change the key of a file in place, too (`PRAGMA rekey`). Killed amid that, the file
//! opens under the old key or the new one and nothing says which; of a copy there is no doubt, for
//! the head names it or does not. It is faster as well: the pages are written once, and not to the
//! log first.

use std::sync::{Arc, PoisonError};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{
    Database, SqlError, connection::Purpose, file::NewFile, generation::Generation, writer::Turn,
};
use crate::error::{StoreError, StoreResult};

/// Pages copied between two looks at whether to go on: 4 MiB.
const STEP: i32 = 1024;

/// Copies every page of one database to the empty file of another, as of one moment. False where it
/// was told not to go on.
fn copy_pages(
    from: &Connection,
    to: &mut Connection,
    go_on: &mut dyn FnMut() -> bool,
) -> rusqlite::Result<bool> {
    let backup = Backup::new(from, to)?;
    loop {
        match backup.step(STEP)? {
            StepResult::Done => return Ok(true),
            _ if !go_on() => return Ok(false),
            _ => {}
        }
    }
}

/// Reads every page, which checks its code. Others may write meanwhile.
pub(super) fn verify_pages(connection: &Connection) -> rusqlite::Result<u64> {
    let sum = "SELECT coalesce(sum(length(data)), 0) FROM sqlite_dbpage('main')";
    connection.query_row(sum, (), |row| row.get(0))
}

/// Writes the log back into the file and empties it. False where a reader is in the way.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| {
        Ok(row.get::<_, i64>(0)? == 0)
    })
}

impl Database {
    /// Puts a new file in force, which was filled and checked. Whoever calls this has the writer.
    ///
    /// Interrupted anywhere, the head names the old file or the new one, whole. A database that was
    /// closed meanwhile is left alone: another instance may have opened it since.
    pub(super) fn put_in_force(&self, turn: &mut Turn<'_>, new: NewFile) -> StoreResult<()> {
        self.settle()?;
        // Whoever closes the database waits for this.
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let old = live.as_mut().ok_or(StoreError::Closed)?;
        let current = self.context.keys.ring().current().map(|(id, _)| id)?;
        if new.key_id() != current {
            // A rotation has come and gone while it was filled.
            return Err(SqlError::TransactionEnded.into());
        }
        let head = new.head(old.head.generation.next());
        let next = Generation::new(&self.context, head.clone(), true)?;
        if let Err(error) = new.name(&self.context, &head) {
            // The disk may name either file: nothing is written until the old one is named again.
            self.in_doubt();
            return Err(error);
        }
        turn.close_connection();
        std::mem::replace(old, Arc::new(next)).retire();
        Ok(())
    }

    /// Puts a copy of the file in force, under the store's current key. False where it was told not
    /// to go on.
    pub(super) fn rekey(
        &self,
        turn: &mut Turn<'_>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> StoreResult<bool> {
        let place = self.place();
        // So that the copy begins with an empty log, and the old file does not keep one.
        self.with_writer(turn, |bounded| place.own(checkpoint(&bounded.connection)))?;
        let mut new = NewFile::make(&self.context)?;
        let from = self.generation()?.connect(Purpose::Own, place)?;
        let copied = new
            .open()
            .and_then(|mut to| copy_pages(&from.connection, &mut to, go_on));
        drop(from);
        if !place.own(copied)? {
            return Ok(false);
        }
        new.check(&self.context, place)?;
        self.put_in_force(turn, new)?;
        Ok(true)
    }
}
