//! `vaultctl store ...`.

mod attachments;

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use vault_client::{AdoptFile, Client, SizeClass, StoreKind, StoreOptions};

use crate::{bar, context::Context, failure::Failure, output, preset, prompt};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Store {
    /// Create a store
    Create(Create),
    /// Change what becomes of the attachments of a store of documents
    Configure(attachments::Configure),
    /// List stores
    Ls,
    /// Delete a store and everything in it
    Rm(Remove),
    /// Take over the *.json files of an earlier application, source untouched
    Adopt(Adopt),
    /// Seal every file that still awaits migration
    Migrate(Migrate),
    /// Create the stores of an application in one go
    #[command(subcommand)]
    Preset(preset::Command),
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Kind {
    Documents,
    /// An SQL database, for `vaultctl db`
    Database,
    /// Content of any size, for `vaultctl blob`
    Blobs,
    /// Ordinary files, never encrypted, for `vaultctl file`
    Files,
    /// API keys, for `vaultctl secret`
    Secrets,
}

impl From<Kind> for StoreKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Documents => Self::Documents,
            Kind::Database => Self::Database,
            Kind::Blobs => Self::Blobs,
            Kind::Files => Self::Files,
            Kind::Secrets => Self::Secrets,
        }
    }
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub(crate) enum Class {
    /// 64 KiB
    Auth,
    /// 2 MiB
    Card,
    /// 16 MiB
    Chat,
    /// 50 MiB
    Image,
    /// 60 MiB
    Voice,
    /// 200 MiB
    Download,
    /// Whatever fits on the disk: for blobs and files only
    Any,
}

impl From<Class> for SizeClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Auth => Self::Auth,
            Class::Card => Self::Card,
            Class::Chat => Self::Chat,
            Class::Image => Self::Image,
            Class::Voice => Self::Voice,
            Class::Download => Self::Download,
            Class::Any => Self::Any,
        }
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct Create {
    /// Its name, a path such as chat/conversations
    store: String,
    /// What it holds
    #[arg(long, value_enum)]
    kind: Kind,
    /// Ordinary files, never encrypted
    #[arg(long)]
    plain: bool,
    /// Largest document, row of a database, blob or file [default: chat; of blobs and files, any]
    #[arg(long, value_enum)]
    class: Option<Class>,
    #[command(flatten)]
    attachments: attachments::Flags,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    /// The store
    store: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Adopt {
    /// The store, created when absent
    store: String,
    /// The folder of the earlier application
    dir: PathBuf,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Migrate {
    /// The store
    store: String,
}

impl Store {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(&context.open().await?).await,
            Self::Configure(configure) => configure.run(context, &context.open().await?).await,
            Self::Ls => list(context, &context.open().await?).await,
            Self::Rm(remove) => remove.run(&context.open().await?).await,
            Self::Adopt(adopt) => adopt.run(&context.open().await?).await,
            Self::Migrate(migrate) => migrate.run(&context.open().await?).await,
            // Most of it needs no daemon.
            Self::Preset(preset) => preset.run(context).await,
        }
    }
}

impl Create {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let options = StoreOptions {
            kind: self.kind.into(),
            plain: self.plain,
            size_class: self.class.map(SizeClass::from),
            attachments: self.attachments.policy(),
        };
        let store = client.create_store(&self.store, &options).await?;
        output::line(&format!("created {}", store.name))
    }
}

async fn list(context: &Context, client: &Client) -> Result<(), Failure> {
    let stores = client.stores().await?;
    if context.json() {
        for store in &stores {
            output::json(&serde_json::json!({
                "name": store.name,
                "kind": store.kind,
                "plain": store.plain,
                "max_body_bytes": store.max_body_bytes,
                "documents": store.documents,
                "body_bytes": store.body_bytes,
                "revision": store.revision,
                "awaiting_migration": store.awaiting_migration,
                "damaged": store.damaged,
                "attachments": store.attachments.as_ref().map(attachments::json),
            }))?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = stores
        .iter()
        .map(|store| {
            let mut notes = Vec::new();
            if store.plain {
                notes.push("plain".to_owned());
            }
            if store.awaiting_migration > 0 {
                notes.push(format!("{} await migration", store.awaiting_migration));
            }
            if !store.damaged.is_empty() {
                notes.push(format!("DAMAGED: {}", output::printable(&store.damaged)));
            }
            vec![
                store.name.clone(),
                store.kind.to_owned(),
                store.documents.to_string(),
                output::size(store.body_bytes),
                notes.join(", "),
            ]
        })
        .collect();
    output::table(&["STORE", "KIND", "OBJECTS", "SIZE", "NOTES"], &rows)
}

impl Remove {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        if !self.yes {
            let stores = client.stores().await?;
            let store = stores.iter().find(|store| store.name == self.store);
            if let Some(store) = store.filter(|store| store.documents > 0) {
                let content = match store.kind {
                    "database" => format!("its database of {}", output::size(store.body_bytes)),
                    _ => format!("{} documents", store.documents),
                };
                let question = format!("Delete store {} with {content}?", self.store);
                prompt::confirm(&question, "nothing was deleted")?;
            }
        }
        client.remove_store(&self.store).await?;
        output::line(&format!("removed {}", self.store))
    }
}

/// The *.json files below `folder`, by their path in it.
fn json_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.path().extension().is_some_and(|e| e == "json") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

impl Adopt {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let shown = self.dir.display();
        let unreadable = |error| Failure::other(format!("cannot read {shown}: {error}"));
        let files = json_files(&self.dir).map_err(unreadable)?;
        if files.is_empty() {
            return Err(Failure::usage(format!(
                "there is no *.json file in {shown}"
            )));
        }
        let (sender, receiver) = mpsc::channel(4);
        let base = self.dir.clone();
        let bar = bar::objects(files.len() as u64, "adopting");
        let counting = bar.clone();
        tokio::task::spawn_blocking(move || {
            for file in files {
                let relative = file.strip_prefix(&base).expect("found below the folder");
                let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
                let read = std::fs::read(&file).map(|body| AdoptFile {
                    path: parts.join("/"),
                    body,
                });
                if sender.blocking_send(read).is_err() {
                    return;
                }
                counting.inc(1);
            }
        });
        let adopted = client.adopt(&self.store, receiver).await;
        bar.finish_and_clear();
        let adopted = adopted?;
        output::line(&format!(
            "adopted {adopted} files; `vaultctl store migrate {}` seals them",
            self.store
        ))
    }
}

impl Migrate {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut migration = client.migrate(&self.store).await?;
        let bar = bar::objects(0, "sealing");
        let (mut done, mut failed) = (0, 0);
        while let Some(report) = migration.next().await? {
            bar.set_length(report.total);
            bar.set_position(report.done);
            done = report.done;
            if let Some((id, why)) = report.failed {
                failed += 1;
                bar.suspend(|| eprintln!("not sealed: {}: {why}", output::printable(&id)));
            }
        }
        bar.finish_and_clear();
        output::line(&format!("sealed {done}"))?;
        if failed > 0 {
            return Err(Failure::other(format!("{failed} files were not sealed")));
        }
        Ok(())
    }
}
