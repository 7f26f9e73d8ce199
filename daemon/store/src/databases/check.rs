//! Looking at all of a database.

use std::ops::ControlFlow;

use rusqlite::Connection;

use super::{
    Database,
    call::Call,
    connection::Purpose,
    copy::{checkpoint, verify_pages},
};
use crate::error::{StoreError, StoreResult};

/// Problems that are told one by one.
const TOLD: usize = 100;

impl Database {
    /// Checks everything there is to check; hands the name of each check and what it found to
    /// `report`, which answers whether to go on.
    pub fn check(
        &self,
        call: &Call,
        report: &mut dyn FnMut(&str, Vec<String>) -> ControlFlow<()>,
    ) -> StoreResult<()> {
        self.touch();
        {
            // The codes are checked in the file itself, not in its log: the log is written back
            // first, and nobody writes meanwhile.
            let mut turn = self.writer.take(call)?;
            let pages = self.with_writer(&mut turn, |bounded| {
                let _working = bounded.watch.begin(call, &bounded.connection);
                let connection = &bounded.connection;
                let read = checkpoint(connection)
                    .and_then(|_| texts(connection, "PRAGMA cipher_integrity_check"));
                self.found(read, call)
            })?;
            if report("page codes", pages).is_break() {
                return Ok(());
            }
        }
        let own = self.generation()?.connect(Purpose::Own, self.place())?;
        let _working = own.watch.begin(call, &own.connection);
        for (name, sql) in [
            ("structure, indexes and full text", "PRAGMA integrity_check"),
            (
                "foreign keys",
                "SELECT 'a row of `' || \"table\" || '` refers to one of `' || \"parent\" || \
                 '` that is not there' FROM pragma_foreign_key_check",
            ),
        ] {
            let mut problems = self.found(texts(&own.connection, sql), call)?;
            problems.retain(|problem| problem != "ok");
            if report(name, problems).is_break() {
                return Ok(());
            }
        }
        self.touch();
        Ok(())
    }

    /// What a check found; damage that keeps it from its end is one more problem.
    fn found(
        &self,
        problems: rusqlite::Result<Vec<String>>,
        call: &Call,
    ) -> StoreResult<Vec<String>> {
        if let Some(reason) = call.stop.reason() {
            return Err(reason.error());
        }
        match self.place().own(problems) {
            Err(StoreError::Damaged { detail, .. }) => Ok(vec![detail]),
            problems => problems,
        }
    }

    /// Reads every page, which checks its code, beside whoever reads or writes. Returns their bytes.
    pub(super) fn verify_all_pages(&self) -> StoreResult<u64> {
        let own = self.generation()?.connect(Purpose::Own, self.place())?;
        self.place().own(verify_pages(&own.connection))
    }
}

fn texts(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let texts = statement.query_map((), |row| row.get(0))?;
    texts.take(TOLD).collect()
}
