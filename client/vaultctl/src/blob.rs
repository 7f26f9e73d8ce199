//! `vaultctl blob ...`.

mod export;
mod gc;
mod ls;
mod put;
mod verify;

pub(crate) use put::by_name;
use vault_client::{BlobDownload, Client, ContentRange};

use crate::{
    context::Context,
    failure::Failure,
    get::{Described, Get, Source},
    output,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Blob {
    /// Put content, and print its ref
    Put(put::Put),
    /// Print a blob, or write it to a file
    Get(Get<One>),
    /// Show what is known of a blob
    Stat(One),
    /// List blobs
    Ls(ls::List),
    /// Delete blobs that nothing names
    Rm(Remove),
    /// Write the blobs of a store to a folder, each under its ref
    Export(export::Export),
    /// Remove what no document and no database has named for a while
    Gc(gc::Collect),
    /// Read every blob whole, and check it
    Verify(verify::Verify),
}

/// The store of a command.
#[derive(clap::Args, Debug)]
pub(crate) struct InStore {
    /// The store [default: blobs]
    #[arg(
        long,
        value_name = "STORE",
        default_value = "",
        hide_default_value = true
    )]
    store: String,
}

/// A blob.
#[derive(clap::Args, Debug)]
pub(crate) struct One {
    /// Its ref, as `put` printed it
    #[arg(value_name = "REF", value_parser = parse_ref)]
    reference: String,
    #[command(flatten)]
    place: InStore,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    /// Their refs
    #[arg(required = true, value_name = "REF", value_parser = parse_ref)]
    references: Vec<String>,
    #[command(flatten)]
    place: InStore,
}

/// A whole ref: the beginning of one could come to name another blob.
fn parse_ref(text: &str) -> Result<String, String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == 64 && text.bytes().all(is_digit) {
        return Ok(text.to_owned());
    }
    Err("a ref is the SHA-256 of the content, 64 lower-case hex digits, all of them".to_owned())
}

/// A blob as JSON, for a command to add its own to.
fn as_json(blob: &vault_client::Blob) -> serde_json::Value {
    serde_json::json!({
        "ref": blob.reference,
        "size": blob.size,
        "content_type": blob.content_type,
        "created": output::time(blob.created_ms),
        "stored_bytes": blob.stored_bytes,
    })
}

impl Source for One {
    const WHAT: &'static str = "blob";

    async fn size(&self, client: &Client) -> Result<u64, Failure> {
        Ok(client
            .stat_blob(&self.place.store, &self.reference)
            .await?
            .size)
    }

    async fn download(
        &self,
        client: &Client,
        range: ContentRange,
    ) -> Result<impl Described, Failure> {
        Ok(client
            .download_blob(&self.place.store, &self.reference, range)
            .await?)
    }
}

impl Described for BlobDownload {
    fn content_type(&self) -> &str {
        &self.blob().content_type
    }

    fn as_json(&self) -> serde_json::Value {
        as_json(self.blob())
    }
}

impl Blob {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Put(put) => put.run(context).await,
            Self::Get(get) => get.run(context).await,
            Self::Stat(stat) => stat.run(context, &context.open().await?).await,
            Self::Ls(list) => list.run(context, &context.open().await?).await,
            Self::Export(export) => export.run(context).await,
            Self::Rm(remove) => remove.run(context, &context.open().await?).await,
            Self::Gc(collect) => collect.run(context, &context.open().await?).await,
            Self::Verify(verify) => verify.run(context, &context.open().await?).await,
        }
    }
}

impl One {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let blob = client.stat_blob(&self.place.store, &self.reference).await?;
        if context.json() {
            return output::json(&as_json(&blob));
        }
        output::facts(&[
            ("ref", blob.reference),
            ("size", blob.size.to_string()),
            ("type", output::printable(&blob.content_type)),
            ("created", output::time(blob.created_ms)),
            ("stored", blob.stored_bytes.to_string()),
        ])
    }
}

impl Remove {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        for reference in &self.references {
            client.delete_blob(&self.place.store, reference).await?;
            if context.json() {
                output::json(&serde_json::json!({ "removed": reference }))?;
            } else {
                output::line(&format!("removed {reference}"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_given_whole() {
        let whole = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(parse_ref(whole).as_deref(), Ok(whole));
        for bad in [&whole[..63], &whole[..8], &whole.to_uppercase(), ""] {
            let why = parse_ref(bad).expect_err("refused");
            assert!(why.contains("64 lower-case hex digits"), "{why}");
        }
    }
}
