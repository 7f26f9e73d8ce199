//! Importing folders into a store of files or of blobs. Repeated, it leaves alone what is equal.

use std::{collections::HashMap, io, path::Path};

use indicatif::ProgressBar;
use tokio::io::AsyncReadExt as _;
use vault_client::{Client, ContentRange, Error, ListedFile, NewBlob, NewFile, file_resume_key};

use super::{
    Summary,
    content::{Found, Walked},
};
use crate::{blob::by_name, failure::Failure, output};

/// Bytes read at once.
const PIECE: usize = 256 << 10;

/// Where a folder goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Files,
    Blobs,
}

/// What became of one file.
enum Outcome {
    Imported,
    Unchanged,
}

/// An import under way.
pub(super) struct Import<'a> {
    pub(super) client: &'a Client,
    pub(super) store: &'a str,
    pub(super) content: Content,
    pub(super) bar: &'a ProgressBar,
    /// Print each blob's path and ref.
    pub(super) json: bool,
}

impl Import<'_> {
    pub(super) async fn run(&self, walked: Walked) -> Result<Summary, Failure> {
        let there = match self.content {
            Content::Files => self.sizes().await?,
            Content::Blobs => HashMap::new(),
        };
        let mut summary = Summary {
            imported: 0,
            unchanged: 0,
            rejected: walked.rejected,
            skipped: walked.skipped,
            broken: Vec::new(),
        };
        for found in &walked.files {
            let outcome = match self.content {
                Content::Files => self.file(found, there.get(&found.name).copied()).await,
                Content::Blobs => self.blob(found).await,
            };
            self.bar.inc(found.len);
            match outcome {
                Ok(Outcome::Imported) => summary.imported += 1,
                Ok(Outcome::Unchanged) => summary.unchanged += 1,
                Err(Error::Refused(refusal)) if concerns_one(&refusal.reason) => {
                    summary
                        .rejected
                        .push(format!("`{}`: {}", found.name, refusal.message));
                }
                Err(Error::Local(why)) => summary.rejected.push(format!("`{}`: {why}", found.name)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(summary)
    }

    async fn sizes(&self) -> Result<HashMap<String, u64>, Failure> {
        let mut list = self.client.list_files(self.store, "").await?;
        let mut sizes = HashMap::new();
        while let Some(entry) = list.next().await? {
            if let ListedFile::File(file) = entry {
                sizes.insert(file.name, file.size);
            }
        }
        Ok(sizes)
    }

    async fn file(&self, found: &Found, there: Option<u64>) -> Result<Outcome, Error> {
        if there == Some(found.len) && self.is_equal(found).await? {
            return Ok(Outcome::Unchanged);
        }
        let new = NewFile {
            name: found.name.clone(),
            size: Some(found.len),
            ..NewFile::default()
        };
        let source = open(&found.path).await?;
        self.client
            .put_file(self.store, new, source, |_| {})
            .await?;
        Ok(Outcome::Imported)
    }

    /// Compares a file with the one that is there, piece by piece.
    async fn is_equal(&self, found: &Found) -> Result<bool, Error> {
        let range = ContentRange::default();
        let download = self.client.download_file(self.store, &found.name, range);
        let mut there = download.await?;
        let mut source = open(&found.path).await?;
        let mut piece = vec![0; PIECE];
        while let Some(chunk) = there.next().await? {
            for expected in chunk.chunks(PIECE) {
                let piece = &mut piece[..expected.len()];
                match source.read_exact(piece).await {
                    Ok(_) if piece == expected => {}
                    Ok(_) => return Ok(false),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                    Err(error) => return Err(unreadable(&error)),
                }
            }
        }
        let more = source.read(&mut [0]).await;
        Ok(more.map_err(|error| unreadable(&error))? == 0)
    }

    async fn blob(&self, found: &Found) -> Result<Outcome, Error> {
        let source = open(&found.path).await?;
        let metadata = source
            .metadata()
            .await
            .map_err(|error| unreadable(&error))?;
        let resume_key = file_resume_key(self.store, &found.path, &metadata);
        let new = NewBlob {
            content_type: by_name(&found.path),
            size: Some(found.len),
            resume_key: resume_key.map_err(|error| unreadable(&error))?,
            ..NewBlob::default()
        };
        let stored = self
            .client
            .resume_blob(self.store, new, source, |_| {})
            .await?;
        if self.json {
            let line = serde_json::json!({
                "path": found.path,
                "ref": stored.blob.reference,
                "size": stored.blob.size,
                "existed": stored.existed,
            });
            output::json(&line).map_err(|_| Error::Local("the output failed".to_owned()))?;
        }
        Ok(if stored.existed {
            Outcome::Unchanged
        } else {
            Outcome::Imported
        })
    }
}

/// Whether a refusal is about one file, so that the others can go on.
fn concerns_one(reason: &str) -> bool {
    matches!(
        reason,
        "INVALID_ID" | "INVALID_ARGUMENT" | "ALREADY_EXISTS" | "TOO_LARGE" | "CORRUPT"
    )
}

async fn open(path: &Path) -> Result<tokio::fs::File, Error> {
    let file = tokio::fs::File::open(path).await;
    file.map_err(|error| unreadable(&error))
}

fn unreadable(error: &io::Error) -> Error {
    Error::Local(format!("cannot be read: {error}"))
}
