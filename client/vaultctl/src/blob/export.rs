//! `vaultctl blob export`: the blobs of a store as files of a folder.

use std::path::PathBuf;

use vault_client::{Client, ContentRange, ListedBlob};

use super::{InStore, ls::complain};
use crate::{
    context::Context,
    failure::Failure,
    folder::{Exported, Outward},
    interrupt,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Export {
    /// The folder, created when absent
    folder: PathBuf,
    #[command(flatten)]
    place: InStore,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let work = self.write(context, &client);
        let (exported, damaged) =
            interrupt::guarded("the files written so far are whole", work).await?;
        exported.report(context)?;
        if damaged > 0 {
            return Err(Failure::other(format!("{damaged} blobs cannot be read")));
        }
        Ok(())
    }

    async fn write(&self, context: &Context, client: &Client) -> Result<(Exported, u64), Failure> {
        let mut outward = Outward::new(&self.folder, self.force, context)?;
        let mut list = client.list_blobs(&self.place.store).await?;
        let mut damaged = 0;
        while let Some(entry) = list.next().await? {
            let blob = match entry {
                ListedBlob::Blob(blob) => blob,
                ListedBlob::Damaged(found) => {
                    damaged += 1;
                    complain(&found);
                    continue;
                }
            };
            let name = format!("{}{}", blob.reference, ending(&blob.content_type));
            let range = ContentRange::default();
            let download = client.download_blob(&self.place.store, &blob.reference, range);
            outward.write(&name, download.await?).await?;
        }
        Ok((outward.done(), damaged))
    }
}

/// What a file of this MIME type is commonly called; nothing where there is no common ending.
fn ending(content_type: &str) -> &'static str {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    match essence {
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "image/avif" => ".avif",
        "image/bmp" => ".bmp",
        "image/tiff" => ".tiff",
        "image/svg+xml" => ".svg",
        "video/mp4" => ".mp4",
        "video/webm" => ".webm",
        "video/quicktime" => ".mov",
        "audio/mpeg" => ".mp3",
        "audio/ogg" => ".ogg",
        "audio/flac" => ".flac",
        "audio/wav" | "audio/x-wav" => ".wav",
        "audio/mp4" | "audio/m4a" => ".m4a",
        "application/pdf" => ".pdf",
        "application/json" => ".json",
        "application/zip" => ".zip",
        "text/plain" => ".txt",
        "text/markdown" => ".md",
        "text/html" => ".html",
        "text/csv" => ".csv",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_tells_the_ending() {
        assert_eq!(ending("image/jpeg"), ".jpg");
        assert_eq!(ending("text/plain; charset=utf-8"), ".txt");
        assert_eq!(ending("application/octet-stream"), "");
        assert_eq!(ending(""), "");
    }
}
