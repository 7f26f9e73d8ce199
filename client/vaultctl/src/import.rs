//! `vaultctl import`: streams any amount of JSON into a store with flat memory, taking what is
//! good and naming what is not.

mod source;

use std::path::PathBuf;

use indicatif::ProgressBar;
use tokio::sync::mpsc;
use vault_client::{Client, ImportItem};

use crate::{bar, context::Context, failure::Failure, output};
use source::{Found, Source};

#[derive(clap::Args, Debug)]
pub(crate) struct Import {
    /// The store, created when absent
    store: String,
    /// Folders of *.json files, or files: an object of id to document, an array, JSON Lines;
    /// `-` is standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The member of each document that holds its id, for arrays and JSON Lines
    #[arg(long, value_name = "FIELD")]
    id_field: Option<String>,
}

/// How an import ended.
pub(crate) struct Summary {
    pub(crate) imported: u64,
    pub(crate) unchanged: u64,
    pub(crate) rejected: Vec<String>,
    /// What stopped a source before its end.
    pub(crate) broken: Vec<String>,
}

/// Items on their way to the daemon: few, since each holds a document.
const DEPTH: usize = 64;

impl Import {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let total = self.paths.iter().map(|path| source::len(path)).sum();
        let bar = bar::bytes(total, "importing");
        let summary = import(&client, &self.store, self.paths, self.id_field, &bar).await;
        bar.finish_and_clear();
        let summary = summary?;
        for problem in summary.rejected.iter().chain(&summary.broken) {
            eprintln!("rejected: {}", output::printable(problem));
        }
        if context.json() {
            output::json(&serde_json::json!({
                "imported": summary.imported,
                "unchanged": summary.unchanged,
                "rejected": summary.rejected,
                "broken": summary.broken,
            }))?;
        } else {
            output::line(&format!("imported {}", summary.imported))?;
            if summary.unchanged > 0 {
                output::line(&format!("unchanged {}", summary.unchanged))?;
            }
        }
        let failed = summary.rejected.len() + summary.broken.len();
        if failed > 0 {
            return Err(Failure::other(format!(
                "{failed} rejected, the rest imported"
            )));
        }
        Ok(())
    }
}

/// Imports `paths` into `store`.
pub(crate) async fn import(
    client: &Client,
    store: &str,
    paths: Vec<PathBuf>,
    id_field: Option<String>,
    bar: &ProgressBar,
) -> Result<Summary, Failure> {
    let (items, receiver) = mpsc::channel(DEPTH);
    let mut reports = client.import(store, receiver).await?;
    let reader = Reader {
        items,
        bar: bar.clone(),
        rejected: Vec::new(),
        gone: false,
    };
    let reading = tokio::task::spawn_blocking(move || reader.read_all(&paths, id_field.as_deref()));

    let mut summary = Summary {
        imported: 0,
        unchanged: 0,
        rejected: Vec::new(),
        broken: Vec::new(),
    };
    let mut refused = None;
    loop {
        match reports.next().await {
            Ok(Some(report)) => {
                summary.imported = report.imported;
                summary.unchanged = report.unchanged;
                let named = |rejection: vault_client::Rejection| {
                    format!("`{}`: {}", rejection.id, rejection.message)
                };
                summary
                    .rejected
                    .extend(report.rejected.into_iter().map(named));
            }
            Ok(None) => break,
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    if let Some(error) = refused {
        let failure = Failure::from(error);
        if summary.imported > 0 {
            eprintln!("imported {} before this:", summary.imported);
        }
        return Err(failure);
    }
    let (rejected, broken) = reading
        .await
        .map_err(|error| Failure::other(error.to_string()))?;
    summary.rejected.extend(rejected);
    summary.broken = broken;
    Ok(summary)
}

/// Reads the sources and hands their items on.
struct Reader {
    items: mpsc::Sender<ImportItem>,
    bar: ProgressBar,
    rejected: Vec<String>,
    /// The daemon takes no more.
    gone: bool,
}

impl Reader {
    fn read_all(mut self, paths: &[PathBuf], id_field: Option<&str>) -> (Vec<String>, Vec<String>) {
        let mut broken = Vec::new();
        for path in paths {
            let bar = self.bar.clone();
            let source = Source {
                path,
                id_field,
                bar: &bar,
            };
            let read = source.read(&mut |found| self.take(found));
            if let Err(error) = read
                && !self.gone
            {
                broken.push(format!("{}: {error}", path.display()));
            }
        }
        (self.rejected, broken)
    }

    /// False where there is no point in going on.
    fn take(&mut self, found: Found) -> bool {
        match found {
            Found::Item { id, body } => {
                self.gone = self.items.blocking_send(ImportItem { id, body }).is_err();
                !self.gone
            }
            Found::Rejected(why) => {
                self.rejected.push(why);
                true
            }
        }
    }
}
