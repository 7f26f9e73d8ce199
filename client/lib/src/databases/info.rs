//! What a database is declared to be, and its figures.

use std::fmt;

use vault_proto::v1::{self, CheckDatabaseResponse};

use crate::{Error, SizeClass};

/// A column whose values are blob refs: what they name is never collected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobColumn {
    /// Its table.
    pub table: String,
    /// The column.
    pub column: String,
}

impl BlobColumn {
    pub(super) fn wire(self) -> v1::BlobColumn {
        v1::BlobColumn {
            table: self.table,
            column: self.column,
        }
    }
}

impl fmt::Display for BlobColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

impl From<v1::BlobColumn> for BlobColumn {
    fn from(column: v1::BlobColumn) -> Self {
        Self {
            table: column.table,
            column: column.column,
        }
    }
}

/// How a new database is to be.
#[derive(Clone, Debug, Default)]
pub struct DatabaseOptions {
    /// Largest row, value and set of parameters.
    pub size_class: SizeClass,
    /// Leave it out of the upkeep that runs by itself.
    pub without_maintenance: bool,
    /// Columns that hold blob refs.
    pub blob_columns: Vec<BlobColumn>,
}

/// What is to be declared of a database from now on; `None` for what stays.
#[derive(Clone, Debug, Default)]
pub struct DatabaseChanges {
    /// Leave it out of the upkeep that runs by itself.
    pub without_maintenance: Option<bool>,
    /// Columns that hold blob refs.
    pub blob_columns: Option<Vec<BlobColumn>>,
}

/// A database as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Largest row, value and set of parameters.
    pub size_class: SizeClass,
    /// Left out of the upkeep that runs by itself.
    pub without_maintenance: bool,
    /// Columns that hold blob refs.
    pub blob_columns: Vec<BlobColumn>,
    /// Bytes of its file and log.
    pub bytes: u64,
    /// Why it cannot be opened; empty where it can.
    pub damaged: String,
}

impl From<v1::Database> for Database {
    fn from(database: v1::Database) -> Self {
        Self {
            size_class: SizeClass::received(database.size_class()),
            name: database.name,
            without_maintenance: database.without_maintenance,
            blob_columns: database.blob_columns.into_iter().map(Into::into).collect(),
            bytes: database.bytes,
            damaged: database.damaged,
        }
    }
}

/// A table or view, with its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseTable {
    /// Its name.
    pub name: String,
    /// `table`, `virtual`, `shadow` or `view`.
    pub kind: String,
    /// Rows of a table; not counted for others.
    pub rows: Option<u64>,
    /// Its indexes.
    pub indexes: u32,
}

/// Figures of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseStats {
    /// What it is declared to be.
    pub database: Database,
    /// `user_version`.
    pub user_version: u32,
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages.
    pub pages: u64,
    /// Pages without content.
    pub free_pages: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Its tables and views.
    pub tables: Vec<DatabaseTable>,
    /// Connections open now: readers, and the writer.
    pub connections: u32,
}

impl From<v1::DatabaseStatsResponse> for DatabaseStats {
    fn from(stats: v1::DatabaseStatsResponse) -> Self {
        let tables = stats.tables.into_iter().map(|table| DatabaseTable {
            name: table.name,
            kind: table.r#type,
            rows: table.rows,
            indexes: table.indexes,
        });
        Self {
            database: stats.database.unwrap_or_default().into(),
            user_version: stats.user_version,
            page_size: stats.page_size,
            pages: stats.pages,
            free_pages: stats.free_pages,
            log_bytes: stats.log_bytes,
            tables: tables.collect(),
            connections: stats.connections,
        }
    }
}

/// The versions of a schema before and after its missing steps were applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigratedDatabase {
    /// Before.
    pub from_version: u32,
    /// After.
    pub to_version: u32,
}

/// One check of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseCheck {
    /// The check.
    pub check: String,
    /// What it found; nothing where all is well.
    pub problems: Vec<String>,
}

/// A check under way.
pub struct DatabaseCheckStream(pub(super) tonic::Streaming<CheckDatabaseResponse>);

impl DatabaseCheckStream {
    /// The next report; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<DatabaseCheck>, Error> {
        let message = self.0.message().await?;
        Ok(message.map(|message| DatabaseCheck {
            check: message.check,
            problems: message.problems,
        }))
    }
}
