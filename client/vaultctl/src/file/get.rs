//! `vaultctl file get`.

use std::path::PathBuf;

use vault_client::{BlobRange, Client, FileDownload};

use super::{One, as_json};
use crate::{
    archive::is_stdin,
    blob::range::Range,
    context::Context,
    failure::Failure,
    interrupt,
    newfile::{NewFile, Target},
    output, transfer,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    one: One,
    /// Write it to this file, whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long, requires = "output")]
    force: bool,
    /// Some of its bytes: A-B (from 0 on, both included), A- (from there on) or -N (the last N)
    #[arg(long, allow_hyphen_values = true)]
    range: Option<Range>,
}

impl Get {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let path = self.output.clone().filter(|path| !is_stdin(path));
        let Some(path) = path else {
            return self.print(context).await;
        };
        let target = Target::new(path.clone(), self.force, context)?;
        let client = context.open().await?;
        let work = async {
            let download = self.begin(&client).await?;
            let (file, size) = (download.file().clone(), download.size());
            let mut new = target.create()?;
            transfer::write(download, &mut new).await?;
            new.keep()?;
            if context.json() {
                let mut json = as_json(&file);
                json["file"] = serde_json::json!(path);
                json["written"] = size.into();
                return output::json(&json);
            }
            Ok(())
        };
        interrupt::guarded("no file was written", work).await
    }

    async fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.json() {
            let text =
                "--json and the file cannot both go to standard output: use -o FILE, or stat";
            return Err(Failure::usage(text));
        }
        let client = context.open().await?;
        let download = self.begin(&client).await?;
        transfer::check_terminal(&download.file().content_type)?;
        transfer::write(download, &mut NewFile::Stdout).await
    }

    async fn begin(&self, client: &Client) -> Result<FileDownload, Failure> {
        let (store, name) = (&self.one.store, &self.one.name);
        let range = match self.range {
            None => BlobRange::default(),
            Some(Range::From(range)) => range,
            Some(last) => last.of(client.stat_file(store, name).await?.size),
        };
        Ok(client.download_file(store, name, range).await?)
    }
}
