//! Figures of a database.

use std::path::Path;

use rusqlite::{Connection, types::ValueRef};

use super::{
    Database,
    call::Call,
    connection::{Purpose, page_size},
    migrate,
};
use crate::error::StoreResult;

/// Figures of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseFigures {
    /// `user_version`.
    pub user_version: u32,
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages.
    pub pages: u64,
    /// Pages without content.
    pub free_pages: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Its tables and views, by name.
    pub tables: Vec<TableFigures>,
    /// Connections open now.
    pub connections: u32,
}

/// Figures of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFigures {
    /// Its name.
    pub name: String,
    /// `table`, `virtual`, `shadow` or `view`.
    pub kind: String,
    /// Rows of a table.
    pub rows: Option<u64>,
    /// Its indexes.
    pub indexes: u32,
}

impl Database {
    /// Figures. Counting the rows reads every table.
    pub fn figures(&self, call: &Call) -> StoreResult<DatabaseFigures> {
        self.touch();
        let generation = self.generation()?;
        let connections = generation.open_readers() + usize::from(self.writer.is_open());
        let own = generation.connect(Purpose::Own, self.place())?;
        let _working = own.watch.begin(call, &own.connection);
        let tables = tables(&own.connection);
        if let Some(reason) = call.stop.reason() {
            return Err(reason.error());
        }
        let number = |name: &str| {
            let pragma = format!("PRAGMA {name}");
            let read = own
                .connection
                .query_row(&pragma, (), |row| match row.get_ref(0)? {
                    // SQLCipher answers some of them itself, in text.
                    ValueRef::Text(text) => Ok(std::str::from_utf8(text)?.parse().unwrap_or(0)),
                    _ => row.get(0),
                });
            self.place().own(read)
        };
        let (file_bytes, log_bytes) = sizes(generation.path());
        Ok(DatabaseFigures {
            user_version: self.place().own(migrate::version(&own))?,
            page_size: self.place().own(page_size(&own.connection))?.into(),
            pages: number("page_count")?,
            free_pages: number("freelist_count")?,
            file_bytes,
            log_bytes,
            tables: self.place().own(tables)?,
            connections: u32::try_from(connections).unwrap_or(u32::MAX),
        })
    }

    /// Bytes of its file and its log.
    pub fn bytes(&self) -> StoreResult<u64> {
        let (file, log) = sizes(self.generation()?.path());
        Ok(file + log)
    }
}

/// Bytes of a database file and of its log. Asks the folder, and opens neither.
fn sizes(path: &Path) -> (u64, u64) {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    (size(path), size(Path::new(&log)))
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<TableFigures>> {
    let list = "SELECT t.name, t.type,
                  (SELECT count(*) FROM sqlite_schema AS i
                    WHERE i.type = 'index' AND i.tbl_name = t.name)
                FROM pragma_table_list AS t
                WHERE t.schema = 'main' AND t.name NOT IN ('sqlite_schema', 'sqlite_master')
                ORDER BY t.name";
    let mut statement = connection.prepare(list)?;
    let found = statement.query_map((), |row| {
        Ok(TableFigures {
            name: row.get(0)?,
            kind: row.get(1)?,
            rows: None,
            indexes: row.get(2)?,
        })
    })?;
    let mut tables = found.collect::<rusqlite::Result<Vec<_>>>()?;
    for table in tables.iter_mut().filter(|table| table.kind == "table") {
        let count = format!("SELECT count(*) FROM {}", quoted(&table.name));
        table.rows = Some(connection.query_row(&count, (), |row| row.get(0))?);
    }
    Ok(tables)
}

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
