//! `vaultctl blob get`.

use std::path::PathBuf;

use vault_client::{BlobDownload, BlobRange, Client};

use super::{One, as_json, range::Range};
use crate::{
    archive::is_stdin,
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
        let file = self.output.clone().filter(|file| !is_stdin(file));
        let Some(file) = file else {
            return self.print(context).await;
        };
        let target = Target::new(file.clone(), self.force, context)?;
        let client = context.open().await?;
        let work = async {
            let download = self.begin(&client).await?;
            let (blob, size) = (download.blob().clone(), download.size());
            let mut new = target.create()?;
            transfer::write(download, &mut new).await?;
            new.keep()?;
            if context.json() {
                let mut json = as_json(&blob);
                json["file"] = serde_json::json!(file);
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
                "--json and the blob cannot both go to standard output: use -o FILE, or stat";
            return Err(Failure::usage(text));
        }
        let client = context.open().await?;
        let download = self.begin(&client).await?;
        transfer::check_terminal(&download.blob().content_type)?;
        transfer::write(download, &mut NewFile::Stdout).await
    }

    async fn begin(&self, client: &Client) -> Result<BlobDownload, Failure> {
        let (store, reference) = (&self.one.place.store, &self.one.reference);
        let range = match self.range {
            None => BlobRange::default(),
            Some(Range::From(range)) => range,
            Some(last) => last.of(client.stat_blob(store, reference).await?.size),
        };
        Ok(client.download_blob(store, reference, range).await?)
    }
}
