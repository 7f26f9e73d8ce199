//! `vaultctl file ...`.

mod export;
mod put;

use vault_client::{Client, ContentRange, FileDownload, ListedFile};

use crate::{
    context::Context,
    failure::Failure,
    get::{Described, Get, Source},
    output,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum File {
    /// Write a file; creates the store when absent
    Put(put::Put),
    /// Print a file, or write it to one outside the vault
    Get(Get<One>),
    /// Show what is known of a file
    Stat(One),
    /// List files
    Ls(List),
    /// Delete files
    Rm(Remove),
    /// Write the files of a store to a folder
    Export(export::Export),
}

/// A file.
#[derive(clap::Args, Debug)]
pub(crate) struct One {
    store: String,
    /// Up to 16 parts joined by `/`
    name: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct List {
    store: String,
    /// Only names that begin with this
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    store: String,
    #[arg(required = true)]
    names: Vec<String>,
}

/// A file as JSON, for a command to add its own to.
fn as_json(file: &vault_client::File) -> serde_json::Value {
    serde_json::json!({
        "name": file.name,
        "size": file.size,
        "content_type": file.content_type,
        "modified": output::time(file.modified_ms),
        "sealed": file.sealed,
    })
}

impl Source for One {
    const WHAT: &'static str = "file";

    async fn size(&self, client: &Client) -> Result<u64, Failure> {
        Ok(client.stat_file(&self.store, &self.name).await?.size)
    }

    async fn download(
        &self,
        client: &Client,
        range: ContentRange,
    ) -> Result<impl Described, Failure> {
        Ok(client.download_file(&self.store, &self.name, range).await?)
    }
}

impl Described for FileDownload {
    fn content_type(&self) -> &str {
        &self.file().content_type
    }

    fn as_json(&self) -> serde_json::Value {
        as_json(self.file())
    }
}

impl File {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Put(put) => put.run(context).await,
            Self::Get(get) => get.run(context).await,
            Self::Stat(stat) => stat.run(context, &context.open().await?).await,
            Self::Ls(list) => list.run(context, &context.open().await?).await,
            Self::Rm(remove) => remove.run(context, &context.open().await?).await,
            Self::Export(export) => export.run(context).await,
        }
    }
}

impl One {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let file = client.stat_file(&self.store, &self.name).await?;
        if context.json() {
            return output::json(&as_json(&file));
        }
        output::facts(&[
            ("name", output::printable(&file.name)),
            ("size", file.size.to_string()),
            ("type", file.content_type),
            ("modified", output::time(file.modified_ms)),
            ("sealed", if file.sealed { "yes" } else { "no" }.to_owned()),
        ])
    }
}

/// Says what lies there and is not served, beside the output.
fn complain(name: &str, detail: &str) {
    eprintln!(
        "skipped: {}",
        output::printable(&format!("{name}: {detail}"))
    );
}

impl List {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut list = client.list_files(&self.store, &self.prefix).await?;
        let mut rows = Vec::new();
        while let Some(entry) = list.next().await? {
            match entry {
                ListedFile::File(file) if context.json() => output::json(&as_json(&file))?,
                ListedFile::File(file) => rows.push(vec![
                    output::printable(&file.name),
                    output::size(file.size),
                    output::time(file.modified_ms),
                    file.content_type,
                ]),
                ListedFile::Skipped { name, detail } => {
                    if context.json() {
                        output::json(&serde_json::json!({ "skipped": name, "detail": detail }))?;
                    }
                    complain(&name, &detail);
                }
            }
        }
        if !rows.is_empty() {
            output::table(&["NAME", "SIZE", "MODIFIED", "TYPE"], &rows)?;
        }
        Ok(())
    }
}

impl Remove {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        for name in &self.names {
            client.delete_file(&self.store, name).await?;
            if context.json() {
                output::json(&serde_json::json!({ "removed": name }))?;
            } else {
                output::line(&format!("{} removed", output::printable(name)))?;
            }
        }
        Ok(())
    }
}
