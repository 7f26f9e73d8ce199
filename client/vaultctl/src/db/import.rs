//! `vaultctl db import`: takes over a plain SQLite database, which is read here and streamed.

mod source;

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use indicatif::ProgressBar;
use tokio::sync::mpsc;
use vault_client::{Client, DatabaseImport, DatabaseImportEvent, TableDigest};

use super::cell;
use crate::{bar, context::Context, failure::Failure, output, prompt, store::Class};
use source::Source;

#[derive(clap::Args, Debug)]
pub(crate) struct Import {
    /// The new database
    name: String,
    /// The file of a plain SQLite database
    file: PathBuf,
    /// Largest row, value and set of parameters
    #[arg(long, value_enum, default_value_t = Class::Chat)]
    class: Class,
    /// Leave it out of the upkeep that runs by itself
    #[arg(long)]
    no_maintenance: bool,
    /// Remove the file once every table was found to be the same in the vault; on a terminal, that
    /// is asked for otherwise
    #[arg(long)]
    remove_source: bool,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let file = self.file.clone();
        let source = blocking(move || Source::open(&file)).await?;
        let client = context.open().await?;
        let import = DatabaseImport {
            name: self.name.clone(),
            size_class: self.class.into(),
            without_maintenance: self.no_maintenance,
            user_version: source.user_version,
            application_id: source.application_id,
            encoding: source.encoding.clone(),
        };
        let (source, tables) = take_over(&client, import, source).await?;
        if !context.json() {
            self.report(&tables)?;
        }
        let removed = self.remove(source).await?;
        if context.json() {
            return output::json(&as_json(&self.name, &tables, removed));
        }
        if removed {
            return output::line(&format!("removed {}", self.file.display()));
        }
        Ok(())
    }

    fn report(&self, tables: &[TableDigest]) -> Result<(), Failure> {
        let rows: Vec<Vec<String>> = tables
            .iter()
            .map(|table| vec![cell::escaped(&table.name), table.rows.to_string()])
            .collect();
        if !rows.is_empty() {
            output::table(&["TABLE", "ROWS"], &rows)?;
        }
        output::line(&format!(
            "imported {} with {} as {}; each has the rows it has in {}",
            output::count(tables.len() as u64, "table"),
            output::count(tables.iter().map(|table| table.rows).sum(), "row"),
            self.name,
            self.file.display()
        ))
    }

    /// Removes the file where that is wanted. Answers whether it was.
    async fn remove(&self, source: Source) -> Result<bool, Failure> {
        if !self.remove_source {
            let asked = prompt::possible() && io::stderr().is_terminal();
            let question = format!("Remove {}, which anyone can read?", self.file.display());
            if !asked || !prompt::yes(&question)? {
                return Ok(false);
            }
        }
        blocking(move || source.remove()).await.map(|()| true)
    }
}

fn as_json(name: &str, tables: &[TableDigest], removed: bool) -> serde_json::Value {
    let tables = tables.iter().map(|table| {
        serde_json::json!({
            "name": table.name,
            "rows": table.rows,
            "sha256": data_encoding::HEXLOWER.encode(&table.sha256),
        })
    });
    serde_json::json!({
        "name": name,
        "tables": tables.collect::<Vec<_>>(),
        "source_removed": removed,
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::other(error.to_string()))?
}

/// Batches of rows on their way: few, since each may hold large values.
const DEPTH: usize = 4;

/// Streams the source, and returns it with what the daemon found to be equal.
async fn take_over(
    client: &Client,
    import: DatabaseImport,
    source: Source,
) -> Result<(Source, Vec<TableDigest>), Failure> {
    let (parts, receiver) = mpsc::channel(DEPTH);
    let bar = bar::objects(0, "importing");
    let counting = bar.clone();
    let reading = tokio::task::spawn_blocking(move || {
        if !counting.is_hidden() {
            counting.set_length(source.count());
        }
        source.read(&parts);
        source
    });
    let tables = follow(client, import, receiver, &bar).await;
    bar.finish_and_clear();
    let source = reading.await;
    let source = source.map_err(|error| Failure::other(error.to_string()))?;
    Ok((source, tables?))
}

async fn follow(
    client: &Client,
    import: DatabaseImport,
    parts: mpsc::Receiver<io::Result<vault_client::DatabasePart>>,
    bar: &ProgressBar,
) -> Result<Vec<TableDigest>, Failure> {
    let mut reports = client.import_database(import, parts).await?;
    while let Some(report) = reports.next().await? {
        match report {
            DatabaseImportEvent::Rows(rows) => bar.set_position(rows),
            DatabaseImportEvent::Done(tables) => return Ok(tables),
        }
    }
    Err(Failure::other(
        "the daemon ended the import before it was complete: nothing was imported",
    ))
}
