//! Archives RPCs: files stream through, the daemon opens no path that a client names.

use std::{
    io::{self, Read, Write},
    ops::ControlFlow,
};

use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};
use vault_crypto::SecretBytes;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        ArchiveKey, ArchiveProgress, ArchiveStore, ArchiveSummary, ExportArchiveRequest,
        ExportArchiveResponse, Reason, RestoreArchiveRequest, RestoreArchiveResponse,
        VerifyArchiveRequest, VerifyArchiveResponse, archives_server::Archives,
        export_archive_request::Form, export_archive_response::Part, restore_archive_request,
        verify_archive_request,
    },
};
use vault_store::{
    archive::{self, ArchiveError, Contents, Progress, RestoreOptions, Summary},
    catalogue::Protection,
};

use super::{
    ANSWER_DEPTH, Answer, Services, convert, out_of_turn,
    sealing::{identities, recipients},
    vault::secret,
};
use crate::{
    error::refusal,
    keeper::{Keeper, keys::strong},
    key_error,
};

/// The `Archives` service.
#[derive(Clone)]
pub struct ArchivesService(pub Services);

fn summary(summary: &Summary) -> ArchiveSummary {
    let stores = summary.stores.iter().map(|store| ArchiveStore {
        name: store.name.to_string(),
        plain: store.protection == Protection::Plain,
        objects: store.objects,
        bytes: store.bytes,
    });
    ArchiveSummary {
        vault_id: summary.vault.to_string(),
        created: Some(convert::timestamp(summary.created_ms)),
        stores: stores.collect(),
        objects: summary.objects,
        bytes: summary.bytes,
        manifest_sha256: summary.manifest.to_vec(),
        secrets_left_out: summary.secrets_left_out,
    }
}

/// What a client sees of an archive's failure.
fn refuse(keeper: &Keeper, error: &ArchiveError) -> Status {
    let text = error.to_string();
    match error {
        ArchiveError::Damaged(_)
        | ArchiveError::NotAnArchive
        | ArchiveError::UnknownFormat(_)
        | ArchiveError::UnknownKind { .. }
        | ArchiveError::OtherManifest => refusal(Reason::ArchiveDamaged, text, &[]),
        ArchiveError::NeedsKey => refusal(Reason::UnfitSecret, text, &[]),
        ArchiveError::Key(error) => key_error::sealed_file(error),
        ArchiveError::NotEmpty => {
            let text = format!("{text}; `--merge` puts the archive into a vault that is in use");
            refusal(Reason::AlreadyExists, text, &[])
        }
        ArchiveError::Conflict { store, .. } => {
            refusal(Reason::AlreadyExists, text, &[("store", store)])
        }
        ArchiveError::Differing { count, .. } => refusal(
            Reason::RevisionConflict,
            text,
            &[("count", &count.to_string())],
        ),
        ArchiveError::Stopped => refusal(Reason::ShuttingDown, text, &[]),
        ArchiveError::Store(error) => keeper.refusal_of(error),
        ArchiveError::Io(..) => refusal(Reason::StorageFailed, text, &[("operation", "archive")]),
    }
}

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

type Sender = mpsc::Sender<Result<ExportArchiveResponse, Status>>;

/// Writes into the stream of an answer.
struct Outward {
    sender: Sender,
    chunk: Vec<u8>,
}

impl Outward {
    fn send(&self, part: Part) -> io::Result<()> {
        let message = ExportArchiveResponse { part: Some(part) };
        self.sender
            .blocking_send(Ok(message))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Outward {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_LIMIT - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_LIMIT {
            let next = Vec::with_capacity(CHUNK_LIMIT);
            let full = std::mem::replace(&mut self.chunk, next);
            self.send(Part::Chunk(full))?;
        }
        Ok(taken)
    }

    /// Not at every word of a compressor: chunks are sent when they are full, and at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads from the stream of a request.
struct Inward {
    receiver: mpsc::Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    read: usize,
}

impl Read for Inward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() {
            let Some(chunk) = self.receiver.blocking_recv() else {
                return Ok(0);
            };
            (self.chunk, self.read) = (chunk, 0);
        }
        let rest = &self.chunk[self.read..];
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        self.read += taken;
        Ok(taken)
    }
}

impl ArchivesService {
    /// Feeds the chunks of a client's stream to `work`, which reads them on a thread of its own.
    async fn feed<M, T: Send + 'static>(
        &self,
        mut stream: Streaming<M>,
        chunk: impl Fn(M) -> Option<Vec<u8>>,
        work: impl FnOnce(&Keeper, Inward) -> Result<T, Box<Status>> + Send + 'static,
    ) -> Result<T, Status> {
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let inward = Inward {
            receiver,
            chunk: Vec::new(),
            read: 0,
        };
        let reading = self.0.run(move |keeper| work(keeper, inward));
        let feeding = async {
            while let Some(message) = self.0.next(&mut stream).await? {
                let chunk = chunk(message).filter(|chunk| chunk.len() <= CHUNK_LIMIT);
                let chunk = chunk.ok_or_else(|| {
                    out_of_turn("after the first message come chunks of at most 256 KiB")
                })?;
                // Nobody reads on: whoever did has found what is wrong.
                if sender.send(chunk).await.is_err() {
                    break;
                }
            }
            drop(sender);
            Ok(())
        };
        let (fed, read): (Result<(), Status>, _) = tokio::join!(feeding, reading);
        // What stopped the stream is why the rest was not to be read.
        fed.and(read)
    }
}

fn key(key: Option<ArchiveKey>) -> (Option<SecretBytes>, Option<SecretBytes>) {
    let key = key.unwrap_or_default();
    (secret(key.passphrase), secret(key.identity))
}

/// An archive to be written: of what, and in which form.
pub(super) struct Exporting {
    pub(super) contents: Contents,
    pub(super) form: Form,
    /// Compress what is not sealed.
    pub(super) zstd: bool,
    pub(super) passphrase: Option<SecretBytes>,
    pub(super) recipients: Vec<String>,
}

impl Exporting {
    /// Begins on a thread of its own; what comes of it is the answer.
    pub(super) fn begin(self, services: &Services) -> Answer<ExportArchiveResponse> {
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let services = services.clone();
        tokio::spawn(async move {
            let answer = sender.clone();
            let work = move |keeper: &Keeper| self.write(keeper, answer);
            if let Err(status) = services.run(work).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Answer::new(receiver)
    }

    fn form(&self) -> Result<archive::Form<'_>, Box<Status>> {
        match self.form {
            Form::Sealed => {
                let recipients = recipients(self.passphrase.as_ref(), &self.recipients)?;
                if let Some(passphrase) = &self.passphrase {
                    strong(passphrase)?;
                }
                Ok(archive::Form::Sealed(recipients))
            }
            Form::Plaintext if self.zstd => Ok(archive::Form::TarZstd),
            Form::Plaintext => Ok(archive::Form::Tar),
            Form::Unspecified => Err(Box::new(out_of_turn(
                "say what form the archive is to have",
            ))),
        }
    }

    fn write(&self, keeper: &Keeper, sender: Sender) -> Result<(), Box<Status>> {
        let form = self.form()?;
        let _busy = keeper.busy();
        let vault = keeper.vault()?;
        let progress = sender.clone();
        let mut out = Outward {
            sender,
            chunk: Vec::with_capacity(CHUNK_LIMIT),
        };
        let mut report = |now: Progress<'_>| {
            let now = ArchiveProgress {
                store: now.store.to_owned(),
                objects_done: now.objects_done,
                objects_total: now.objects_total,
                bytes_done: now.bytes_done,
                bytes_total: now.bytes_total,
            };
            let message = ExportArchiveResponse {
                part: Some(Part::Progress(now)),
            };
            // Left out where there is no room: the next one says more.
            match progress.try_send(Ok(message)) {
                Err(mpsc::error::TrySendError::Closed(_)) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        let exported = archive::export(&vault, &mut out, &form, &self.contents, &mut report);
        let exported = exported.map_err(|error| Box::new(refuse(keeper, &error)))?;
        let rest = std::mem::take(&mut out.chunk);
        // A client that went away needs no answer.
        let _ = out.send(Part::Chunk(rest));
        let _ = out.send(Part::Summary(summary(&exported)));
        Ok(())
    }
}

#[tonic::async_trait]
impl Archives for ArchivesService {
    type ExportStream = Answer<ExportArchiveResponse>;

    async fn export(
        &self,
        request: Request<ExportArchiveRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let request = request.into_inner();
        let exporting = Exporting {
            contents: Contents {
                only: None,
                secrets: request.with_secrets,
            },
            form: request.form(),
            zstd: request.zstd,
            passphrase: secret(request.passphrase),
            recipients: request.recipients,
        };
        Ok(Response::new(exporting.begin(&self.0)))
    }

    async fn verify(
        &self,
        request: Request<Streaming<VerifyArchiveRequest>>,
    ) -> Result<Response<VerifyArchiveResponse>, Status> {
        use verify_archive_request::Part;

        let mut stream = request.into_inner();
        let Some(Part::Key(given)) = self.0.next(&mut stream).await?.and_then(|m| m.part) else {
            return Err(out_of_turn("the first message says what opens the archive"));
        };
        let (passphrase, identity) = key(Some(given));
        let chunk = |message: VerifyArchiveRequest| match message.part {
            Some(Part::Chunk(chunk)) => Some(chunk),
            _ => None,
        };
        let verified = self.feed(stream, chunk, move |keeper, inward| {
            let identities = identities(passphrase.as_ref(), identity.as_ref());
            archive::verify(inward, identities.as_ref(), &mut go_on)
                .map_err(|error| Box::new(refuse(keeper, &error)))
        });
        Ok(Response::new(VerifyArchiveResponse {
            summary: Some(summary(&verified.await?)),
        }))
    }

    async fn restore(
        &self,
        request: Request<Streaming<RestoreArchiveRequest>>,
    ) -> Result<Response<RestoreArchiveResponse>, Status> {
        use restore_archive_request::Part;

        let mut stream = request.into_inner();
        let Some(Part::Begin(begin)) = self.0.next(&mut stream).await?.and_then(|m| m.part) else {
            return Err(out_of_turn("the first message begins the restoring"));
        };
        let manifest = begin.manifest_sha256.try_into();
        let manifest: [u8; 32] = manifest.map_err(|_| {
            out_of_turn("`manifest_sha256` is the 32 bytes that Verify answered with")
        })?;
        let options = RestoreOptions {
            merge: begin.merge,
            manifest,
        };
        let (passphrase, identity) = key(begin.key);
        let chunk = |message: RestoreArchiveRequest| match message.part {
            Some(Part::Chunk(chunk)) => Some(chunk),
            _ => None,
        };
        let restored = self.feed(stream, chunk, move |keeper, inward| {
            let _busy = keeper.busy();
            let vault = keeper.vault()?;
            let identities = identities(passphrase.as_ref(), identity.as_ref());
            archive::restore(&vault, inward, identities.as_ref(), &options, &mut go_on)
                .map_err(|error| Box::new(refuse(keeper, &error)))
        });
        let restored = restored.await?;
        Ok(Response::new(RestoreArchiveResponse {
            summary: Some(summary(&restored.summary)),
            unchanged: restored.unchanged,
        }))
    }
}
