//! Schemas that grow by steps, counted by `user_version`.

use rusqlite::{Batch, fallible_iterator::FallibleIterator as _};

use super::{
    Database, SqlError, call::Call, connection::Bounded, fault::Place, in_transaction,
    policy::Author,
};
use crate::error::{StoreError, StoreResult};

impl Database {
    /// Applies the steps of a schema that are missing, all in one transaction: step N, counted from
    /// 1, brings `user_version` from N − 1 to N. Returns the version before and after.
    ///
    /// Foreign keys are not enforced while it runs, so that a table can be rebuilt (see
    /// <https://sqlite.org/lang_altertable.html#otheralter>), and all checked before it counts.
    pub fn migrate(&self, call: &Call, steps: &[String]) -> StoreResult<(u32, u32)> {
        self.touch();
        let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let mut turn = self.writer.take(call)?;
        let place = self.place();
        let migrated = self.with_writer(&mut turn, |bounded| {
            let connection = &bounded.connection;
            place.own(connection.execute_batch("PRAGMA foreign_keys = OFF"))?;
            let migrated = in_transaction(place, bounded, call, || {
                let found = place.own(version(bounded))?;
                let missing = usize::try_from(found)
                    .ok()
                    .and_then(|found| steps.get(found..));
                let missing = missing.ok_or(SqlError::SchemaNewer { found, known })?;
                for step in missing {
                    apply(bounded, call, place, step)?;
                }
                if !missing.is_empty() {
                    check_foreign_keys(bounded, place)?;
                    let stamp = format!("PRAGMA user_version = {known}");
                    place.own(connection.execute_batch(&stamp))?;
                }
                Ok((found, known))
            });
            place.own(connection.execute_batch("PRAGMA foreign_keys = ON"))?;
            migrated
        });
        self.touch();
        migrated
    }
}

/// `user_version`.
pub(super) fn version(bounded: &Bounded) -> rusqlite::Result<u32> {
    let found: i64 = bounded
        .connection
        .query_row("PRAGMA user_version", (), |row| row.get(0))?;
    // SQLite's number has a sign; nobody's version has.
    Ok(u32::try_from(found).unwrap_or(u32::MAX))
}

/// Runs the statements of one step.
fn apply(bounded: &Bounded, call: &Call, place: Place<'_>, step: &str) -> StoreResult<()> {
    bounded.policy.prepare_for(Author::ClientInTransaction);
    let working = bounded.watch.begin(call, &bounded.connection);
    let ran = run(bounded, step);
    drop(working);
    let ran = place.client(ran, bounded, &call.stop);
    bounded.policy.prepare_for(Author::Own);
    ran
}

fn run(bounded: &Bounded, step: &str) -> rusqlite::Result<()> {
    let mut statements = Batch::new(&bounded.connection, step);
    while let Some(mut statement) = statements.next()? {
        if statement.parameter_count() > 0 {
            return Err(rusqlite::Error::InvalidParameterCount(
                0,
                statement.parameter_count(),
            ));
        }
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
    }
    Ok(())
}

fn check_foreign_keys(bounded: &Bounded, place: Place<'_>) -> StoreResult<()> {
    let broken = || {
        let check = "SELECT \"table\", \"parent\" FROM pragma_foreign_key_check LIMIT 1";
        let mut statement = bounded.connection.prepare(check)?;
        let mut rows = statement.query(())?;
        match rows.next()? {
            Some(row) => Ok(Some((row.get::<_, String>(0)?, row.get::<_, String>(1)?))),
            None => Ok(None),
        }
    };
    match place.own(broken())? {
        None => Ok(()),
        Some((table, parent)) => Err(StoreError::Sql(SqlError::Constraint(format!(
            "the steps leave rows of `{table}` that refer to rows of `{parent}` which are not there"
        )))),
    }
}
