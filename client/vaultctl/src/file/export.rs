//! `vaultctl file export`: the files of a store as files of a folder.

use std::path::{Component, Path, PathBuf};

use vault_client::{Client, ContentRange, ListedFile};

use super::complain;
use crate::{
    context::Context,
    failure::Failure,
    folder::{Exported, Outward},
    interrupt,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Export {
    store: String,
    /// The folder, created when absent
    folder: PathBuf,
    /// Only names that begin with this
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let work = self.write(context, &client);
        let exported = interrupt::guarded("the files written so far are whole", work).await?;
        exported.report(context)
    }

    async fn write(&self, context: &Context, client: &Client) -> Result<Exported, Failure> {
        let mut outward = Outward::new(&self.folder, self.force, context)?;
        let mut list = client.list_files(&self.store, &self.prefix).await?;
        while let Some(entry) = list.next().await? {
            let file = match entry {
                ListedFile::File(file) => file,
                ListedFile::Skipped { name, detail } => {
                    complain(&name, &detail);
                    continue;
                }
            };
            if !is_inside(&file.name) {
                return Err(Failure::other(format!("`{}` is no name", file.name)));
            }
            let download = client.download_file(&self.store, &file.name, ContentRange::default());
            outward.write(&file.name, download.await?).await?;
        }
        Ok(outward.done())
    }
}

/// Whether a name leads nowhere but into the folder it is joined to, whatever daemon sent it.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}
