//! `vaultctl file put`.

use std::path::PathBuf;

use tokio::io::AsyncRead;
use vault_client::{Client, NewFile};

use super::{One, as_json};
use crate::{
    archive::is_stdin, bar, context::Context, failure::Failure, fetch, input, output, transfer,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Put {
    #[command(flatten)]
    one: One,
    /// The content; standard input where `-` or nothing is given
    file: Option<PathBuf>,
    /// Fetch this instead, from a public address, up to 200 MiB
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    url: Option<String>,
    /// Only if there is no such file
    #[arg(long)]
    create: bool,
}

impl Put {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if let Some(url) = &self.url {
            return self.fetch(context, url).await;
        }
        let path = self.file.as_deref().filter(|path| !is_stdin(path));
        let (source, size) = match path {
            Some(path) => {
                let (file, metadata) = input::content_of(path)?;
                (file, metadata.is_file().then_some(metadata.len()))
            }
            None => (input::content_of_stdin()?, None),
        };
        let client = context.open().await?;
        let new = self.new_file(size);
        let source = tokio::fs::File::from_std(source);
        let file = put(&client, &self.one.store, new, source).await?;
        if context.json() {
            return output::json(&as_json(&file));
        }
        let (name, size) = (output::printable(&file.name), output::size(file.size));
        output::line(&format!("{name} {size}"))
    }

    async fn fetch(&self, context: &Context, url: &str) -> Result<(), Failure> {
        let client = context.open().await?;
        let (fetched, body) = fetch::begin(url).await?;
        let file = put(&client, &self.one.store, self.new_file(fetched.size), body).await?;
        if context.json() {
            let mut json = as_json(&file);
            json["url"] = fetched.url.into();
            return output::json(&json);
        }
        let (name, size) = (output::printable(&file.name), output::size(file.size));
        let url = output::printable(&fetched.url);
        output::line(&format!("{name} {size} {url}"))
    }

    fn new_file(&self, size: Option<u64>) -> NewFile {
        NewFile {
            name: self.one.name.clone(),
            size,
            create: self.create,
            ..NewFile::default()
        }
    }
}

/// Puts whatever a source gives, with a bar.
pub(crate) async fn put(
    client: &Client,
    store: &str,
    new: NewFile,
    source: impl AsyncRead + Unpin,
) -> Result<vault_client::File, Failure> {
    let bar = bar::bytes(new.size.unwrap_or_default(), "putting");
    let grows = new.size.is_none();
    let progress = |sent| transfer::advance(&bar, grows, sent);
    let file = client.put_file(store, new, source, progress).await;
    bar.finish_and_clear();
    Ok(file?)
}
