//! What is asked of a database while a preset is applied.

use crate::{BlobColumn, Client, Error, Parameters, Value};

impl Client {
    /// The version of a database's schema.
    pub(super) async fn user_version(&self, database: &str) -> Result<u32, Error> {
        let sql = "PRAGMA user_version";
        let mut rows = self
            .query(database, sql, Parameters::default(), None)
            .await?;
        let row = rows.next_row().await?.unwrap_or_default();
        let version = match row.as_slice() {
            [Value::Integer(version)] => u32::try_from(*version).ok(),
            _ => None,
        };
        version.ok_or_else(|| {
            let what = "its user_version is negative, which no schema of a preset counts to";
            Error::Local(what.to_owned())
        })
    }

    /// Whether a database has a column.
    pub(super) async fn has_column(
        &self,
        database: &str,
        column: &BlobColumn,
    ) -> Result<bool, Error> {
        // Names in a preset are plain identifiers. A qualified column is never taken for a string,
        // as one that stands alone in quotes is.
        let BlobColumn { table, column } = column;
        let sql = format!("SELECT t.\"{column}\" FROM \"{table}\" AS t LIMIT 0");
        match self
            .query(database, &sql, Parameters::default(), None)
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.reason() == Some("SQL_INVALID") => Ok(false),
            Err(error) => Err(error),
        }
    }
}
