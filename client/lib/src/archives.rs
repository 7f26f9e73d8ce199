//! A vault's content as one file.

use std::io;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        self, ArchiveKey, ExportArchiveRequest, ExportArchiveResponse, RestoreArchiveRequest,
        VerifyArchiveRequest,
        export_archive_request::Form,
        export_archive_response::Part as Exported,
        restore_archive_request::{Begin, Part as RestorePart},
        verify_archive_request::Part as VerifyPart,
    },
};

use crate::{Client, Error, OpenWith, SealFor, feed::fed, vault::millis};

/// How an archive is written. Without `Debug`: it may hold a passphrase.
#[derive(Clone, Copy)]
pub enum ArchiveForm<'a> {
    /// A tar file, readable by anyone who gets it.
    Plaintext {
        /// Compressed.
        zstd: bool,
    },
    /// A tar file, compressed and sealed by age.
    Sealed(SealFor<'a>),
}

/// How far an export has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveProgress {
    /// The store being read.
    pub store: String,
    /// Objects written.
    pub objects_done: u64,
    /// Objects to be written in all.
    pub objects_total: u64,
    /// Bytes of bodies written.
    pub bytes_done: u64,
    /// Bytes of bodies to be written in all.
    pub bytes_total: u64,
}

/// A store in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedStore {
    /// Its name.
    pub name: String,
    /// Ordinary files, never encrypted.
    pub plain: bool,
    /// Objects of it.
    pub objects: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// What an archive holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// The vault it was made of.
    pub vault_id: String,
    /// When, in milliseconds since 1970.
    pub created_ms: i64,
    /// Every store.
    pub stores: Vec<ArchivedStore>,
    /// Objects in all.
    pub objects: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// SHA-256 of the manifest, which holds that of every object: 32 bytes.
    pub manifest_sha256: Vec<u8>,
    /// Secrets whose value is not in it.
    pub secrets_left_out: u64,
}

impl From<v1::ArchiveSummary> for ArchiveSummary {
    fn from(summary: v1::ArchiveSummary) -> Self {
        let stores = summary.stores.into_iter().map(|store| ArchivedStore {
            name: store.name,
            plain: store.plain,
            objects: store.objects,
            bytes: store.bytes,
        });
        Self {
            vault_id: summary.vault_id,
            created_ms: millis(summary.created),
            stores: stores.collect(),
            objects: summary.objects,
            bytes: summary.bytes,
            manifest_sha256: summary.manifest_sha256,
            secrets_left_out: summary.secrets_left_out,
        }
    }
}

/// A part of an export. Without `Debug`: a chunk may be plaintext.
pub enum ExportPart {
    /// The next bytes of the file, at most 256 KiB.
    Chunk(Vec<u8>),
    /// A report.
    Progress(ArchiveProgress),
    /// The file is complete. The last part.
    Summary(ArchiveSummary),
}

/// An export under way.
pub struct ExportStream(tonic::Streaming<ExportArchiveResponse>);

impl ExportStream {
    pub(crate) const fn new(stream: tonic::Streaming<ExportArchiveResponse>) -> Self {
        Self(stream)
    }

    /// The next part; `None` at the end. A file whose summary did not come is not complete.
    pub async fn next(&mut self) -> Result<Option<ExportPart>, Error> {
        while let Some(message) = self.0.message().await? {
            let part = match message.part {
                Some(Exported::Chunk(chunk)) => ExportPart::Chunk(chunk),
                Some(Exported::Progress(progress)) => ExportPart::Progress(ArchiveProgress {
                    store: progress.store,
                    objects_done: progress.objects_done,
                    objects_total: progress.objects_total,
                    bytes_done: progress.bytes_done,
                    bytes_total: progress.bytes_total,
                }),
                Some(Exported::Summary(summary)) => ExportPart::Summary(summary.into()),
                // A part of a later version.
                None => continue,
            };
            return Ok(Some(part));
        }
        Ok(None)
    }
}

/// An archive that was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What it holds.
    pub summary: ArchiveSummary,
    /// Objects that were there already, equal.
    pub unchanged: u64,
}

/// The bytes of a file, in order. An error ends the call without effect.
pub type FileChunks = mpsc::Receiver<io::Result<Vec<u8>>>;

fn wire(key: Option<OpenWith<'_>>) -> ArchiveKey {
    key.map(OpenWith::wire).unwrap_or_default()
}

/// Sends `first`, then the file in chunks no larger than the wire takes.
async fn feed<T>(
    sender: mpsc::Sender<T>,
    first: T,
    mut file: FileChunks,
    chunk: impl Fn(Vec<u8>) -> T,
) -> io::Result<()> {
    // Where nobody takes any more, the call has ended, and says why.
    if sender.send(first).await.is_err() {
        return Ok(());
    }
    while let Some(bytes) = file.recv().await {
        let mut bytes = bytes?;
        while !bytes.is_empty() {
            let rest = bytes.split_off(bytes.len().min(CHUNK_LIMIT));
            if sender.send(chunk(bytes)).await.is_err() {
                return Ok(());
            }
            bytes = rest;
        }
    }
    Ok(())
}

impl Client {
    /// Every object of every store as one file, each store as of one moment. The values of secrets
    /// go along only `with_secrets`.
    pub async fn export_archive(
        &self,
        form: ArchiveForm<'_>,
        with_secrets: bool,
    ) -> Result<ExportStream, Error> {
        let request = match form {
            ArchiveForm::Plaintext { zstd } => ExportArchiveRequest {
                form: Form::Plaintext.into(),
                zstd,
                with_secrets,
                ..ExportArchiveRequest::default()
            },
            ArchiveForm::Sealed(seal) => {
                let (passphrase, recipients) = seal.wire();
                ExportArchiveRequest {
                    form: Form::Sealed.into(),
                    passphrase,
                    recipients,
                    with_secrets,
                    ..ExportArchiveRequest::default()
                }
            }
        };
        let stream = self.services.archives().export(request).await?.into_inner();
        Ok(ExportStream::new(stream))
    }

    /// Reads an archive whole and checks it against its manifest. Needs no open vault.
    pub async fn verify_archive(
        &self,
        key: Option<OpenWith<'_>>,
        file: FileChunks,
    ) -> Result<ArchiveSummary, Error> {
        let request = |part| VerifyArchiveRequest { part: Some(part) };
        let (sender, receiver) = mpsc::channel(4);
        let first = request(VerifyPart::Key(wire(key)));
        let feed = feed(sender, first, file, |bytes| {
            request(VerifyPart::Chunk(bytes))
        });
        let mut archives = self.services.archives();
        let call = archives.verify(ReceiverStream::new(receiver));
        Ok(fed(feed, call).await?.summary.unwrap_or_default().into())
    }

    /// Puts an archive back: into a vault without stores, or, with `merge`, into any.
    /// `manifest_sha256` is what `verify_archive` found; any other is refused before the first
    /// byte is replaced.
    pub async fn restore_archive(
        &self,
        key: Option<OpenWith<'_>>,
        merge: bool,
        manifest_sha256: &[u8],
        file: FileChunks,
    ) -> Result<Restored, Error> {
        let request = |part| RestoreArchiveRequest { part: Some(part) };
        let (sender, receiver) = mpsc::channel(4);
        let first = request(RestorePart::Begin(Begin {
            key: Some(wire(key)),
            merge,
            manifest_sha256: manifest_sha256.to_vec(),
        }));
        let feed = feed(sender, first, file, |bytes| {
            request(RestorePart::Chunk(bytes))
        });
        let mut archives = self.services.archives();
        let call = archives.restore(ReceiverStream::new(receiver));
        let restored = fed(feed, call).await?;
        Ok(Restored {
            summary: restored.summary.unwrap_or_default().into(),
            unchanged: restored.unchanged,
        })
    }
}
