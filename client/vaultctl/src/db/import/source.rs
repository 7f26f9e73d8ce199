//! A plain SQLite database, read as of one moment, its write-ahead log included.

mod layout;

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, types::ValueRef};
use tokio::sync::mpsc;
use vault_client::{DatabasePart, Value};

use crate::failure::Failure;
use layout::Table;

/// Bytes of the values that travel together.
const BATCH: usize = 64 << 10;
/// How long another program may hold the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where parts go. Closed where the daemon takes no more.
type Parts = mpsc::Sender<io::Result<DatabasePart>>;

/// A source, open and in a transaction.
pub(super) struct Source {
    path: PathBuf,
    connection: Connection,
    tables: Vec<Table>,
    /// `PRAGMA data_version`: moves when another program writes.
    data_version: i64,
    pub(super) user_version: i32,
    pub(super) application_id: i32,
    pub(super) encoding: String,
}

impl Source {
    /// Opens a file, and makes sure that it is a database whose content the vault can hold.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                return Err(Failure::usage(format!("{shown} is no file")));
            }
            Err(error) => return Err(Failure::usage(format!("cannot read {shown}: {error}"))),
            Ok(_) => {}
        }
        Self::open_file(path).map_err(|error| explained(path, &error))?
    }

    fn open_file(path: &Path) -> rusqlite::Result<Result<Self, Failure>> {
        // Neither created nor taken for a URI.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // What the file says runs nothing here.
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.execute_batch("BEGIN")?;
        // The first read is what the transaction's view of the file begins with.
        let objects = "SELECT count(*) FROM sqlite_schema";
        connection.query_row(objects, [], |row| row.get::<_, i64>(0))?;
        let tables = layout::tables(&connection)?;
        if let Some((index, collation)) = layout::foreign_collation(&connection, &tables)? {
            let shown = path.display();
            return Ok(Err(Failure::other(format!(
                "{shown} orders index {index} by a rule of its own program, {collation}, which \
                 the vault does not have: drop the index and import again"
            ))));
        }
        let integer = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
        Ok(Ok(Self {
            path: path.to_owned(),
            data_version: connection.pragma_query_value(None, "data_version", |row| row.get(0))?,
            user_version: integer("user_version")?,
            application_id: integer("application_id")?,
            encoding: connection.pragma_query_value(None, "encoding", |row| row.get(0))?,
            tables,
            connection,
        }))
    }

    /// Rows of all tables, as far as they can be counted.
    pub(super) fn count(&self) -> u64 {
        let counts = self.tables.iter().map(|table| {
            let count = self
                .connection
                .query_row(&table.count(), [], |row| row.get::<_, i64>(0));
            count.map_or(0, i64::unsigned_abs)
        });
        counts.sum()
    }

    /// Hands out the schema and every table's rows. A failure is the last thing handed out.
    pub(super) fn read(&self, parts: &Parts) {
        let failure = match self.read_all(parts) {
            Ok(()) | Err(Stopped::Unwanted) => return,
            Err(Stopped::Unreadable(error)) => error.to_string(),
            Err(Stopped::Unfit(why)) => why,
        };
        let text = format!("cannot take over {}: {failure}", self.path.display());
        // Nobody reads it where the call has ended, which then says why.
        let _ = parts.blocking_send(Err(io::Error::other(text)));
    }

    fn read_all(&self, parts: &Parts) -> Result<(), Stopped> {
        let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema \
                   WHERE sql IS NOT NULL ORDER BY rowid";
        let mut schema = self.connection.prepare(sql)?;
        let mut rows = schema.query([])?;
        while let Some(row) = rows.next()? {
            let part = DatabasePart::Schema {
                kind: row.get(0)?,
                name: row.get(1)?,
                table: row.get(2)?,
                sql: row.get(3)?,
            };
            send(parts, part)?;
        }
        for table in &self.tables {
            self.read_table(table, parts)?;
        }
        Ok(())
    }

    fn read_table(&self, table: &Table, parts: &Parts) -> Result<(), Stopped> {
        let start = DatabasePart::Table {
            name: table.name.clone(),
            columns: table.columns.clone(),
            rowid: table.rowid.is_some(),
        };
        send(parts, start)?;
        let mut statement = self.connection.prepare(&table.select())?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        let (mut batch, mut bytes, mut count) = (Vec::new(), 0, 1_u64);
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(width);
            for index in 0..width {
                let value = row.get_ref(index)?;
                bytes += size(value);
                values.push(own(value).ok_or_else(|| {
                    let column = row.as_ref().column_name(index).unwrap_or_default();
                    Stopped::Unfit(not_text(table, column, count))
                })?);
            }
            count += 1;
            batch.push(values);
            if bytes >= BATCH {
                send(parts, DatabasePart::Rows(std::mem::take(&mut batch)))?;
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            send(parts, DatabasePart::Rows(batch))?;
        }
        Ok(())
    }

    /// Removes the file and what belongs to it, unless it was written since it was read.
    pub(super) fn remove(self) -> Result<(), Failure> {
        let shown = self.path.display().to_string();
        let version = self.connection.execute_batch("COMMIT").and_then(|()| {
            let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            self.connection
                .pragma_query_value(None, "data_version", read)
        });
        match version {
            Ok(version) if version == self.data_version => {}
            Ok(_) => {
                return Err(Failure::conflict(format!(
                    "{shown} was written by another program since it was read: it stays, and what \
                     is new in it is not in the vault"
                )));
            }
            Err(error) => return Err(explained(&self.path, &error)),
        }
        drop(self.connection);
        // The log first: a database without its log is an older one, a log without its database is
        // nothing.
        for suffix in ["-journal", "-wal", "-shm", ""] {
            let mut path = OsString::from(&self.path);
            path.push(suffix);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound || suffix.is_empty() => {
                    let path = Path::new(&path).display();
                    return Err(Failure::other(format!("{path} was not removed: {error}")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why reading stopped.
enum Stopped {
    Unreadable(rusqlite::Error),
    /// The vault does not take what is in it.
    Unfit(String),
    /// The daemon takes no more.
    Unwanted,
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unreadable(error)
    }
}

fn send(parts: &Parts, part: DatabasePart) -> Result<(), Stopped> {
    parts.blocking_send(Ok(part)).map_err(|_| Stopped::Unwanted)
}

/// About what a value takes.
fn size(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => size_of::<Value>(),
    }
}

/// `None` for TEXT that is not UTF-8.
fn own(value: ValueRef<'_>) -> Option<Value> {
    Some(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok()?.into(),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

/// What to do about TEXT that is not UTF-8, which the vault does not take.
fn not_text(table: &Table, column: &str, row: u64) -> String {
    format!(
        "column {column} of table {} holds TEXT that is not UTF-8, in its row {row}: make a BLOB of \
         it with `UPDATE ... SET {column} = CAST({column} AS BLOB)`, in a copy",
        table.name
    )
}

/// What SQLite's refusal means for whoever named the file.
fn explained(path: &Path, error: &rusqlite::Error) -> Failure {
    let shown = path.display();
    let text = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => format!(
            "{shown} is not a plain SQLite database: it is encrypted, or something else altogether"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            return Failure::conflict(format!(
                "another program holds {shown}: end it and try again"
            ));
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => format!(
            "{shown} cannot be opened for reading only: a program that wrote it has left work \
             undone; open it once with that program, or copy it with its -wal or -journal file to \
             a folder that can be written"
        ),
        _ => format!("cannot read {shown}: {error}"),
    };
    Failure::other(text)
}
