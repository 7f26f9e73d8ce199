//! What there is to say of a database besides its content.

use tonic::Status;
use vault_auth::Permission;
use vault_proto::v1::{self, DatabaseStatsResponse, DatabaseTable};
use vault_store::{
    StoreError, StoreName, StoreResult, Vault,
    catalogue::{BlobColumn, DatabaseOptions, Kind, StoreRecord},
    databases::DatabaseFigures,
    kind::Store as _,
};

use crate::{
    principal::Principal,
    service::{convert, out_of_turn},
};

/// Databases of plug-ins, which their own programs look after.
const PLUGINS: &str = "plugins/";

/// Whether a new database is left out of the upkeep that runs by itself: one of a plug-in is not
/// registered for it by default.
pub(super) fn is_left_out(name: &StoreName, asked: bool) -> bool {
    asked || name.as_str().starts_with(PLUGINS)
}

/// What a request declares of a database.
pub(super) fn options(
    without_maintenance: bool,
    blob_columns: Vec<v1::BlobColumn>,
) -> Result<DatabaseOptions, Status> {
    let columns = blob_columns.into_iter().map(|given| {
        if given.table.is_empty() || given.column.is_empty() {
            return Err(out_of_turn("a blob column has a table and a column"));
        }
        Ok(BlobColumn {
            table: given.table,
            column: given.column,
        })
    });
    Ok(DatabaseOptions {
        without_maintenance,
        blob_columns: columns.collect::<Result<_, Status>>()?,
    })
}

/// The entry of a database in the catalogue.
pub(super) fn record(vault: &Vault, name: &StoreName) -> StoreResult<StoreRecord> {
    let mut stores = vault.stores().into_iter();
    match stores.find(|record| record.name == *name) {
        Some(record) if record.kind == Kind::Database => Ok(record),
        Some(_) => {
            let text = format!("store `{name}` is no database");
            Err(StoreError::InvalidArgument(text))
        }
        None => Err(StoreError::NoSuchStore(name.to_string())),
    }
}

/// Every database that a caller reaches; why it cannot be opened, of one that cannot.
pub(super) fn list(vault: &Vault, caller: &Principal) -> Vec<v1::Database> {
    let stores = vault.stores().into_iter();
    let databases = stores.filter(|record| {
        record.kind == Kind::Database && caller.reaches(record.name.as_str(), Permission::Read)
    });
    let described = databases.map(|record| {
        let stats = vault
            .database(&record.name)
            .and_then(|database| database.stats());
        match stats {
            Ok(stats) => database(&record, stats.body_bytes),
            Err(error) => v1::Database {
                damaged: error.to_string(),
                ..database(&record, 0)
            },
        }
    });
    described.collect()
}

fn database(record: &StoreRecord, bytes: u64) -> v1::Database {
    let columns = record.database.blob_columns.iter();
    let columns = columns.map(|declared| v1::BlobColumn {
        table: declared.table.clone(),
        column: declared.column.clone(),
    });
    v1::Database {
        name: record.name.to_string(),
        size_class: convert::wire_size_class(record.size_class).into(),
        without_maintenance: record.database.without_maintenance,
        blob_columns: columns.collect(),
        bytes,
        damaged: String::new(),
    }
}

/// Figures of a database.
pub(super) fn stats(record: &StoreRecord, figures: DatabaseFigures) -> DatabaseStatsResponse {
    let tables = figures.tables.into_iter().map(|table| DatabaseTable {
        name: table.name,
        r#type: table.kind,
        rows: table.rows,
        indexes: table.indexes,
    });
    DatabaseStatsResponse {
        database: Some(database(record, figures.file_bytes + figures.log_bytes)),
        user_version: figures.user_version,
        page_size: figures.page_size,
        pages: figures.pages,
        free_pages: figures.free_pages,
        log_bytes: figures.log_bytes,
        tables: tables.collect(),
        connections: figures.connections,
    }
}
