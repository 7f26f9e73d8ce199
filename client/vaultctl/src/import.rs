//! `vaultctl import`: streams any amount of JSON into a store with flat memory, or folders of any
//! content into one of files or blobs, taking what is good and naming what is not.

mod content;
mod folder;
mod source;

use std::path::PathBuf;

use indicatif::ProgressBar;
use tokio::sync::mpsc;
use vault_client::{Client, ImportItem, StoreKind, StoreOptions};

use crate::{bar, context::Context, failure::Failure, output};
use content::Walked;
use folder::Content;
use source::{Found, Source};

#[derive(clap::Args, Debug)]
pub(crate) struct Import {
    /// The store, created when absent
    store: String,
    /// Into documents: folders of *.json files, or files: an object of id to document, an array,
    /// JSON Lines; `-` is standard input. Into files or blobs: folders and files of any content
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// What the store holds, where it is absent
    #[arg(long, value_enum, value_name = "KIND", default_value_t = Kind::Documents)]
    kind: Kind,
    /// The member of each document that holds its id, for arrays and JSON Lines
    #[arg(long, value_name = "FIELD")]
    id_field: Option<String>,
}

/// What an import can go into.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Documents,
    Files,
    Blobs,
}

/// How an import ended.
pub(crate) struct Summary {
    pub(crate) imported: u64,
    pub(crate) unchanged: u64,
    pub(crate) rejected: Vec<String>,
    /// What is not imported by design, such as links.
    pub(crate) skipped: Vec<String>,
    /// What stopped a source before its end.
    pub(crate) broken: Vec<String>,
}

impl Summary {
    fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.json() {
            return output::json(&serde_json::json!({
                "imported": self.imported,
                "unchanged": self.unchanged,
                "rejected": self.rejected,
                "skipped": self.skipped,
                "broken": self.broken,
            }));
        }
        output::line(&format!("imported {}", self.imported))?;
        if self.unchanged > 0 {
            output::line(&format!("unchanged {}", self.unchanged))?;
        }
        Ok(())
    }
}

/// Items on their way to the daemon: few, since each holds a document.
const DEPTH: usize = 64;

impl Import {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let kind = self.kind(&client).await?;
        let summary = match kind {
            Kind::Documents => self.documents(&client).await?,
            Kind::Files => self.content(context, &client, Content::Files).await?,
            Kind::Blobs => self.content(context, &client, Content::Blobs).await?,
        };
        for skipped in &summary.skipped {
            eprintln!("skipped: {}", output::printable(skipped));
        }
        for problem in summary.rejected.iter().chain(&summary.broken) {
            eprintln!("rejected: {}", output::printable(problem));
        }
        // Of blobs, each was printed with its path then.
        if !(context.json() && kind == Kind::Blobs) {
            summary.print(context)?;
        }
        let failed = summary.rejected.len() + summary.broken.len();
        if failed > 0 {
            return Err(Failure::other(format!(
                "{failed} rejected, the rest imported"
            )));
        }
        Ok(())
    }

    /// What the store holds: as it is, or as it is to be.
    async fn kind(&self, client: &Client) -> Result<Kind, Failure> {
        let stores = client.stores().await?;
        let there = stores.iter().find(|store| store.name == self.store);
        let kind = match there.map(|store| store.kind) {
            None => return self.created(client).await,
            Some("documents") => Kind::Documents,
            Some("files") => Kind::Files,
            Some("blobs") => Kind::Blobs,
            Some(other) => {
                let text = format!(
                    "store `{}` holds {other}: nothing is imported into it",
                    self.store
                );
                return Err(Failure::usage(text));
            }
        };
        if self.kind != Kind::Documents && self.kind != kind {
            let text = format!("store `{}` is there and is not of this kind", self.store);
            return Err(Failure::conflict(text));
        }
        Ok(kind)
    }

    async fn created(&self, client: &Client) -> Result<Kind, Failure> {
        let kind = match self.kind {
            // With the first document.
            Kind::Documents => return Ok(self.kind),
            Kind::Files => StoreKind::Files,
            Kind::Blobs => StoreKind::Blobs,
        };
        let options = StoreOptions {
            kind,
            ..StoreOptions::default()
        };
        client.create_store(&self.store, &options).await?;
        Ok(self.kind)
    }

    async fn documents(self, client: &Client) -> Result<Summary, Failure> {
        let total = self.paths.iter().map(|path| source::len(path)).sum();
        let bar = bar::bytes(total, "importing");
        let summary = import(client, &self.store, self.paths, self.id_field, &bar).await;
        bar.finish_and_clear();
        summary
    }

    async fn content(
        self,
        context: &Context,
        client: &Client,
        what: Content,
    ) -> Result<Summary, Failure> {
        let walked = tokio::task::spawn_blocking(move || Walked::of(&self.paths));
        let walked = walked
            .await
            .map_err(|error| Failure::other(error.to_string()))?;
        let bar = bar::bytes(walked.bytes(), "importing");
        let import = folder::Import {
            client,
            store: &self.store,
            content: what,
            bar: &bar,
            json: context.json(),
        };
        let summary = import.run(walked).await;
        bar.finish_and_clear();
        summary
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
        skipped: Vec::new(),
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
