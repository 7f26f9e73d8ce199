//! Taking over a database that a client reads elsewhere.
//!
//! The rows go to a file that no catalogue names. Only when all of it was read back, and found to be
//! what the client read, does the database come into being.

mod digest;
mod schema;
mod table;

use std::collections::BTreeSet;

use rusqlite::{Connection, params_from_iter};

pub use self::{digest::TableDigest, schema::SchemaEntry};
use self::{schema::Schema, table::Table};
use super::{
    Value,
    call::Call,
    connection::{self, Bounded, INNER_VALUE, Purpose},
    fault::Place,
    figures::quoted,
    file::NewFile,
    functions,
    generation::Generation,
    head::Head,
    policy::{Author, Policy},
    statement::size_of,
    watch::Watch,
};
use crate::{
    error::{StoreError, StoreResult},
    id::Revision,
    vault::{NewStore, Vault, reserving::Reserved},
};

/// A database to be taken over.
#[derive(Clone, Debug)]
pub struct NewDatabase {
    /// As what.
    pub store: NewStore,
    /// `PRAGMA user_version` of the source.
    pub user_version: i32,
    /// `PRAGMA application_id` of the source.
    pub application_id: i32,
    /// `PRAGMA encoding` of the source; empty for UTF-8.
    pub encoding: String,
}

/// A database that is being taken over. Dropped before [`Import::finish`], it leaves nothing.
pub struct Import<'v> {
    vault: &'v Vault,
    call: Call,
    reserved: Option<Reserved>,
    file: Option<NewFile>,
    bounded: Option<Bounded>,
    schema: Schema,
    /// Whether the ordinary tables have been made.
    made: bool,
    tables: Vec<Table>,
}

impl Vault {
    /// Begins to take over a database. `call.stop` ends it; each step may work for `call.work`.
    pub fn import_database(&self, call: &Call, new: NewDatabase) -> StoreResult<Import<'_>> {
        let encoding = match new.encoding.as_str() {
            "" | "UTF-8" => "UTF-8",
            "UTF-16le" => "UTF-16le",
            "UTF-16be" => "UTF-16be",
            other => {
                let text = format!("there is no encoding `{other}`");
                return Err(StoreError::InvalidArgument(text));
            }
        };
        let reserved = self.reserve_store(new.store, &call.stop)?;
        let mut import = Import {
            vault: self,
            call: call.clone(),
            reserved: Some(reserved),
            file: None,
            bounded: None,
            schema: Schema::default(),
            made: false,
            tables: Vec::new(),
        };
        let reserved = import.reserved()?;
        let (file, place) = (NewFile::make(&reserved.context)?, place(reserved));
        let opened = file.open().and_then(|mut connection| {
            // What the source holds is taken as it is, and all at once.
            connection.execute_batch(&format!(
                "PRAGMA encoding = '{encoding}';
                 PRAGMA foreign_keys = OFF;
                 PRAGMA ignore_check_constraints = ON;
                 PRAGMA temp_store = MEMORY;
                 BEGIN;
                 PRAGMA user_version = {};
                 PRAGMA application_id = {};",
                new.user_version, new.application_id
            ))?;
            connection::limits(&connection, place.limit)?;
            functions::install(&connection)?;
            let (watch, policy) = (Watch::install(&mut connection)?, std::sync::Arc::default());
            Policy::install(&policy, &mut connection)?;
            Ok(Bounded {
                connection,
                policy,
                watch,
            })
        });
        let opened = place.own(opened)?;
        (import.file, import.bounded) = (Some(file), Some(opened));
        Ok(import)
    }
}

fn place(reserved: &Reserved) -> Place<'_> {
    Place {
        name: &reserved.record.name,
        limit: reserved.context.body_limit,
    }
}

fn unfit(text: String) -> StoreError {
    StoreError::InvalidArgument(text)
}

impl Import<'_> {
    fn reserved(&self) -> StoreResult<&Reserved> {
        self.reserved.as_ref().ok_or(StoreError::Closed)
    }

    /// Works on the new file with what the client sent, under the policy for clients.
    fn client<T>(&self, work: impl FnOnce(&Bounded) -> rusqlite::Result<T>) -> StoreResult<T> {
        self.vault.check_open()?;
        if let Some(reason) = self.call.stop.reason() {
            return Err(reason.error());
        }
        let bounded = self.bounded.as_ref().ok_or(StoreError::Closed)?;
        let _working = bounded.watch.begin(&self.call, &bounded.connection);
        bounded.policy.prepare_for(Author::ClientInTransaction);
        let done = work(bounded);
        place(self.reserved()?).client(done, bounded, &self.call.stop)
    }

    /// Works on the new file for the daemon itself.
    fn own(&self, sql: &str) -> StoreResult<()> {
        let bounded = self.bounded.as_ref().ok_or(StoreError::Closed)?;
        bounded.policy.prepare_for(Author::Own);
        place(self.reserved()?).own(bounded.connection.execute_batch(sql))
    }

    /// Notes an entry of the schema. All of them come before the first table.
    pub fn schema(&mut self, entry: SchemaEntry) -> StoreResult<()> {
        if self.made {
            return Err(unfit("the schema comes before the first table".to_owned()));
        }
        self.schema.add(entry)
    }

    /// Makes the tables, and the indexes while they are empty: made over rows that are there, an
    /// index is sorted in memory, whatever it takes.
    fn make(&mut self) -> StoreResult<()> {
        if self.made {
            return Ok(());
        }
        for entry in self.schema.tables.iter().chain(&self.schema.indexes) {
            self.client(|bounded| bounded.connection.execute(&entry.sql, ()))?;
        }
        self.made = true;
        Ok(())
    }

    /// Starts the rows of a table.
    pub fn table(&mut self, name: String, columns: &[String], rowid: bool) -> StoreResult<()> {
        self.make()?;
        let seen = self.tables.iter().any(|table| table.name == name);
        if seen || !self.schema.has_content(&name) {
            return Err(unfit(format!("no rows are expected of table `{name}`")));
        }
        let limit = self.reserved()?.context.body_limit;
        let limit = if self.schema.is_inner(&name) {
            limit.max(INNER_VALUE)
        } else {
            limit.max(super::SMALLEST_ROW_LIMIT)
        };
        let table = Table::new(name, columns, rowid, limit)?;
        if table.name == "sqlite_sequence" {
            // The rows before this table have left theirs.
            let deleted = "DELETE FROM sqlite_sequence";
            self.client(|bounded| bounded.connection.execute(deleted, ()))?;
        }
        self.tables.push(table);
        Ok(())
    }

    /// Writes rows of the table that was started last.
    pub fn rows(&mut self, rows: &[Vec<Value>]) -> StoreResult<()> {
        let table = self.tables.last();
        let table = table.ok_or_else(|| unfit("rows before the first table".to_owned()))?;
        for row in rows {
            if row.len() != table.values {
                let text = format!(
                    "a row of table `{}` has {} values",
                    table.name, table.values
                );
                return Err(unfit(text));
            }
            let size = row.iter().map(|value| size_of(value.into())).sum();
            if size > table.limit {
                let limit = table.limit;
                return Err(StoreError::TooLarge { size, limit });
            }
        }
        self.client(|bounded| {
            let mut insert = bounded.connection.prepare_cached(&table.insert)?;
            rows.iter()
                .try_for_each(|row| insert.execute(params_from_iter(row)).map(|_| ()))
        })
    }

    /// Makes what works on the rows: virtual tables over their content, views, and triggers.
    fn complete(&self) -> StoreResult<()> {
        for entry in &self.schema.virtual_tables {
            // Prepared and not run: SQLite asks whether the module is allowed. Run, it would make
            // the content anew, which is there.
            self.client(|bounded| bounded.connection.prepare(&entry.sql).map(|_| ()))?;
        }
        if !self.schema.virtual_tables.is_empty() {
            self.own("PRAGMA writable_schema = ON")?;
            for entry in &self.schema.virtual_tables {
                self.enter(entry)?;
            }
            self.own("PRAGMA writable_schema = OFF")?;
        }
        for entry in self.schema.views.iter().chain(&self.schema.triggers) {
            self.client(|bounded| bounded.connection.execute(&entry.sql, ()))?;
        }
        self.own("COMMIT")
    }

    fn enter(&self, entry: &SchemaEntry) -> StoreResult<()> {
        let bounded = self.bounded.as_ref().ok_or(StoreError::Closed)?;
        bounded.policy.prepare_for(Author::Own);
        let insert = "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
                      VALUES ('table', ?1, ?1, 0, ?2)";
        let entered = bounded
            .connection
            .execute(insert, (&entry.name, &entry.sql));
        place(self.reserved()?).own(entered).map(|_| ())
    }

    /// Reads everything back, compares it with what the client read, and brings the database into
    /// being. Returns what was found.
    pub fn finish(mut self, expected: &[TableDigest]) -> StoreResult<Vec<TableDigest>> {
        self.make()?;
        self.complete()?;
        self.close();
        let reserved = self.reserved.take().ok_or(StoreError::Closed)?;
        let file = self.file.take().ok_or(StoreError::Closed)?;
        let found = keep(file, &reserved)
            .and_then(|head| {
                Generation::new(&reserved.context, head, false)?
                    .connect(Purpose::Own, place(&reserved))
            })
            .and_then(|bounded| self.read_back(&bounded, place(&reserved)))
            .and_then(|found| compare(expected, &found).map(|()| found))
            .inspect_err(|_| self.vault.abandon_store(&reserved))?;
        self.vault.publish_store(&reserved)?;
        Ok(found)
    }

    fn close(&mut self) {
        self.bounded = None;
    }

    fn read_back(&self, bounded: &Bounded, place: Place<'_>) -> StoreResult<Vec<TableDigest>> {
        let _working = bounded.watch.begin(&self.call, &bounded.connection);
        let connection = &bounded.connection;
        let problem = place.client(problem(connection), bounded, &self.call.stop)?;
        if let Some(problem) = problem {
            return Err(unfit(format!(
                "the database has a problem, nothing was kept: {problem}"
            )));
        }
        if place.own(names(connection))? != self.schema.names() {
            return Err(unfit(
                "the statements of the schema do not make what it says".to_owned(),
            ));
        }
        for entry in &self.schema.virtual_tables {
            // Its module finds its content.
            let sql = format!("SELECT * FROM {}", quoted(&entry.name));
            place.client(
                connection.prepare(&sql).map(|_| ()),
                bounded,
                &self.call.stop,
            )?;
        }
        let tables = self.tables.iter();
        let read = tables.map(|table| {
            let read = digest::digest(connection, &table.name, &table.select);
            place.client(read, bounded, &self.call.stop)
        });
        read.collect()
    }
}

/// Reads the file back and names it durably.
fn keep(mut file: NewFile, reserved: &Reserved) -> StoreResult<Head> {
    file.check(&reserved.context, place(reserved))?;
    let head = file.head(Revision(1));
    file.name(&reserved.context, &head)?;
    Ok(head)
}

/// What is wrong with the structure, or with the tables in which the client's virtual tables keep
/// their content: their modules would believe it later. Rows that break a CHECK are taken as they
/// are.
fn problem(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection.execute_batch("PRAGMA ignore_check_constraints = ON")?;
    let found: String = connection.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0))?;
    connection.execute_batch("PRAGMA ignore_check_constraints = OFF")?;
    Ok((found != "ok").then_some(found))
}

/// Type, name and table of whatever a client made.
fn names(connection: &Connection) -> rusqlite::Result<BTreeSet<(String, String, String)>> {
    let list = "SELECT type, name, tbl_name FROM sqlite_schema
                WHERE sql NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = connection.prepare(list)?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

fn compare(expected: &[TableDigest], found: &[TableDigest]) -> StoreResult<()> {
    if expected.len() != found.len() {
        let text = format!(
            "{} tables were sent, {} announced",
            found.len(),
            expected.len()
        );
        return Err(unfit(text));
    }
    match expected.iter().zip(found).find(|(one, other)| one != other) {
        Some((expected, found)) => Err(unfit(format!(
            "{}: nothing was kept",
            difference(expected, found)
        ))),
        None => Ok(()),
    }
}

fn difference(expected: &TableDigest, found: &TableDigest) -> String {
    let (name, rows) = (&found.name, found.rows);
    if expected.name != *name {
        format!(
            "table `{name}` was sent where `{}` was announced",
            expected.name
        )
    } else if expected.rows != rows {
        format!(
            "table `{name}` reads back with {rows} rows, {} were announced",
            expected.rows
        )
    } else {
        format!("the {rows} rows of table `{name}` read back with other values than announced")
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        self.close();
        if let Some(reserved) = self.reserved.take() {
            self.vault.abandon_store(&reserved);
        }
    }
}
