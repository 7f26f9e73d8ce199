//! `vaultctl db stats`.

use vault_client::{Database, DatabaseStats};

use super::cell;
use crate::{context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Stats {
    /// The database
    name: String,
}

/// What a database is declared to be, as JSON.
pub(super) fn as_json(database: &Database) -> serde_json::Value {
    let blob_columns = database
        .blob_columns
        .iter()
        .map(|blobs| serde_json::json!({ "table": blobs.table, "column": blobs.column }));
    serde_json::json!({
        "name": database.name,
        "class": database.size_class.as_str(),
        "without_maintenance": database.without_maintenance,
        "blob_columns": blob_columns.collect::<Vec<_>>(),
        "bytes": database.bytes,
        "damaged": database.damaged,
    })
}

impl Stats {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let stats = context.open().await?.database_stats(&self.name).await?;
        if context.json() {
            print_json(&stats)
        } else {
            print(&stats)
        }
    }
}

fn print_json(stats: &DatabaseStats) -> Result<(), Failure> {
    let tables = stats.tables.iter().map(|table| {
        serde_json::json!({
            "name": table.name,
            "type": table.kind,
            "rows": table.rows,
            "indexes": table.indexes,
        })
    });
    let mut json = as_json(&stats.database);
    json["user_version"] = stats.user_version.into();
    json["page_size"] = stats.page_size.into();
    json["pages"] = stats.pages.into();
    json["free_pages"] = stats.free_pages.into();
    json["log_bytes"] = stats.log_bytes.into();
    json["connections"] = stats.connections.into();
    json["tables"] = tables.collect();
    output::json(&json)
}

fn print(stats: &DatabaseStats) -> Result<(), Failure> {
    let upkeep = if stats.database.without_maintenance {
        "left out"
    } else {
        "by itself"
    };
    output::facts(&[
        ("database", stats.database.name.clone()),
        ("class", stats.database.size_class.as_str().to_owned()),
        ("size", output::size(stats.database.bytes)),
        (
            "pages",
            format!(
                "{} of {}, {} free",
                stats.pages,
                output::size(stats.page_size),
                stats.free_pages
            ),
        ),
        ("log", output::size(stats.log_bytes)),
        ("schema", format!("version {}", stats.user_version)),
        ("upkeep", upkeep.to_owned()),
        (
            "open",
            output::count(stats.connections.into(), "connection"),
        ),
    ])?;
    if stats.tables.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let rows: Vec<Vec<String>> = stats
        .tables
        .iter()
        .map(|table| {
            vec![
                cell::escaped(&table.name),
                output::printable(&table.kind),
                table.rows.map_or_else(String::new, |rows| rows.to_string()),
                table.indexes.to_string(),
            ]
        })
        .collect();
    output::table(&["TABLE", "TYPE", "ROWS", "INDEXES"], &rows)
}
