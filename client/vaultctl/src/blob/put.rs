//! `vaultctl blob put`.

use std::{
    fs::Metadata,
    io,
    path::{Path, PathBuf},
};

use tokio::io::AsyncRead;
use vault_client::{Client, Fetched, NewBlob, StoredBlob, file_resume_key};

use super::{InStore, as_json};
use crate::{
    archive::is_stdin, bar, context::Context, failure::Failure, fetch, input, output, transfer,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Put {
    /// Files; standard input where `-` or nothing is given
    files: Vec<PathBuf>,
    /// Fetch this, from a public address, up to 200 MiB
    #[arg(long, value_name = "URL", conflicts_with = "files")]
    url: Option<String>,
    #[command(flatten)]
    place: InStore,
    /// MIME type of the content [default: by the file's name, or as the server says]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
}

impl Put {
    pub(super) async fn run(mut self, context: &Context) -> Result<(), Failure> {
        if let Some(url) = &self.url {
            let (fetched, stored) = self.fetch(context, url).await?;
            return report_fetched(context, &fetched, &stored);
        }
        if self.files.is_empty() {
            self.files.push(PathBuf::from("-"));
        }
        let client = context.open().await?;
        for file in &self.files {
            let stored = if is_stdin(file) {
                self.stdin(&client).await?
            } else {
                self.file(context, &client, file).await?
            };
            self.report(context, file, &stored)?;
        }
        Ok(())
    }

    async fn fetch(&self, context: &Context, url: &str) -> Result<(Fetched, StoredBlob), Failure> {
        let client = context.open().await?;
        let (fetched, body) = fetch::begin(url).await?;
        let content_type = self.content_type.clone();
        let new = NewBlob {
            content_type: content_type.unwrap_or_else(|| fetched.content_type.clone()),
            size: fetched.size,
            ..NewBlob::default()
        };
        let stored = put(&client, &self.place.store, new, body).await?;
        Ok((fetched, stored))
    }

    async fn stdin(&self, client: &Client) -> Result<StoredBlob, Failure> {
        let source = input::content_of_stdin()?;
        let new = NewBlob {
            content_type: self.content_type.clone().unwrap_or_default(),
            ..NewBlob::default()
        };
        let source = tokio::fs::File::from_std(source);
        put(client, &self.place.store, new, source).await
    }

    async fn file(
        &self,
        context: &Context,
        client: &Client,
        path: &Path,
    ) -> Result<StoredBlob, Failure> {
        let (file, metadata) = input::content_of(path)?;
        let content_type = self.content_type.clone();
        let mut new = NewBlob {
            content_type: content_type.unwrap_or_else(|| by_name(path)),
            ..NewBlob::default()
        };
        let source = tokio::fs::File::from_std(file);
        if !metadata.is_file() {
            // A pipe, say.
            return put(client, &self.place.store, new, source).await;
        }
        new.size = Some(metadata.len());
        new.resume_key = self
            .resume_key(path, &metadata)
            .map_err(|error| input::unreadable(path, &error))?;
        let bar = bar::bytes(metadata.len(), "putting");
        let progress = |sent| bar.set_position(sent);
        let stored = client
            .resume_blob(&self.place.store, new, source, progress)
            .await;
        bar.finish_and_clear();
        let stored = stored?;
        if stored.resumed > 0 && !context.json() {
            eprintln!(
                "{}: taken up again, {} of {} were there",
                path.display(),
                output::size(stored.resumed),
                output::size(metadata.len())
            );
        }
        Ok(stored)
    }

    fn resume_key(&self, path: &Path, metadata: &Metadata) -> io::Result<Vec<u8>> {
        file_resume_key(&self.place.store, path, metadata)
    }

    /// The ref; beside it the file, where there are several.
    fn report(&self, context: &Context, file: &Path, stored: &StoredBlob) -> Result<(), Failure> {
        if context.json() {
            let mut json = as_json(&stored.blob);
            json["file"] = serde_json::json!(file);
            json["existed"] = stored.existed.into();
            json["resumed"] = stored.resumed.into();
            return output::json(&json);
        }
        if self.files.len() == 1 {
            return output::line(&stored.blob.reference);
        }
        let name = output::printable(&file.to_string_lossy());
        output::line(&format!("{}  {name}", stored.blob.reference))
    }
}

/// The ref; beside it the size, and where the content came from in the end.
fn report_fetched(
    context: &Context,
    fetched: &Fetched,
    stored: &StoredBlob,
) -> Result<(), Failure> {
    if context.json() {
        let mut json = as_json(&stored.blob);
        json["url"] = fetched.url.as_str().into();
        json["file_name"] = fetched.file_name.as_deref().into();
        json["existed"] = stored.existed.into();
        return output::json(&json);
    }
    let size = stored.blob.size;
    let url = output::printable(&fetched.url);
    output::line(&format!("{}  {size}  {url}", stored.blob.reference))
}

/// Puts what can be read once, of whatever size.
async fn put(
    client: &Client,
    store: &str,
    new: NewBlob,
    source: impl AsyncRead + Unpin,
) -> Result<StoredBlob, Failure> {
    let bar = bar::bytes(new.size.unwrap_or_default(), "putting");
    let grows = new.size.is_none();
    let stored = client
        .upload_blob(store, new, source, |sent| {
            transfer::advance(&bar, grows, sent);
        })
        .await;
    bar.finish_and_clear();
    Ok(stored?)
}

/// The MIME type that a file's name stands for; empty where it says nothing.
pub(crate) fn by_name(path: &Path) -> String {
    let guess = mime_guess::from_path(path).first_raw();
    guess.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_type() {
        for (name, expected) in [
            ("a.png", "image/png"),
            ("folder.png/A.JPG", "image/jpeg"),
            ("notes.txt", "text/plain"),
            ("model.gguf", ""),
            ("README", ""),
        ] {
            assert_eq!(by_name(Path::new(name)), expected, "{name}");
        }
    }
}
