//! Archives on this side of the socket: written, read again, told apart, described.

use std::{
    fs::File,
    io::{self, Cursor, IsTerminal as _, Read},
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;
use tokio::sync::mpsc;
use vault_client::{ArchiveSummary, Client, Error, ExportPart, ExportStream, FileChunks, OpenWith};

use crate::{
    bar,
    context::Context,
    failure::Failure,
    input,
    newfile::{NewFile, Target},
    output,
    seal::{self, OpenOptions, Opener},
};

/// Bytes read at a time.
const CHUNK: usize = vault_client::CHUNK_LIMIT;

/// How what was written can be read again.
pub(crate) enum Proof<'a> {
    /// As it is.
    Plain,
    /// By this.
    Sealed(OpenWith<'a>),
    /// Not at all, since the identity that opens it is elsewhere.
    Elsewhere,
}

/// An archive that was written.
pub(crate) struct Written {
    pub(crate) summary: ArchiveSummary,
    /// It was read again and found to be what was sent.
    pub(crate) verified: bool,
}

/// Writes what `export` hands out, reads it again, and only then gives the file its name.
pub(crate) async fn write(
    client: &Client,
    export: impl Future<Output = Result<ExportStream, Error>>,
    target: Target,
    proof: Proof<'_>,
) -> Result<Written, Failure> {
    let mut file = target.create()?;
    let summary = receive(export.await?, &mut file).await?;
    let verified = match (file.reread()?, proof) {
        (Some(written), Proof::Plain) => {
            verify_written(client, written, None, &summary).await?;
            true
        }
        (Some(written), Proof::Sealed(opened)) => {
            verify_written(client, written, Some(opened), &summary).await?;
            true
        }
        (None, _) => {
            eprintln!("not verified: what went to standard output cannot be read again");
            false
        }
        (Some(_), Proof::Elsewhere) => {
            eprintln!(
                "not verified: that takes the identity; `vaultctl backup verify FILE --identity \
                 IDENTITY` does it where it is kept"
            );
            false
        }
    };
    file.keep()?;
    Ok(Written { summary, verified })
}

async fn receive(export: ExportStream, file: &mut NewFile) -> Result<ArchiveSummary, Failure> {
    let bar = bar::objects(0, "writing");
    let summary = drain(export, file, &bar).await;
    bar.finish_and_clear();
    summary?.ok_or_else(|| Failure::other("the daemon ended the archive before it was complete"))
}

async fn drain(
    mut export: ExportStream,
    file: &mut NewFile,
    bar: &ProgressBar,
) -> Result<Option<ArchiveSummary>, Failure> {
    let mut summary = None;
    while let Some(part) = export.next().await? {
        match part {
            ExportPart::Chunk(chunk) => file.write(&chunk)?,
            ExportPart::Progress(progress) => {
                bar.set_length(progress.objects_total);
                bar.set_position(progress.objects_done);
            }
            ExportPart::Summary(complete) => summary = Some(complete),
        }
    }
    Ok(summary)
}

async fn verify_written(
    client: &Client,
    written: File,
    opened: Option<OpenWith<'_>>,
    sent: &ArchiveSummary,
) -> Result<(), Failure> {
    let bar = bar::bytes(len(&written), "verifying");
    let found = client
        .verify_archive(opened, chunks(written, bar.clone()))
        .await;
    bar.finish_and_clear();
    let found = found
        .map_err(|error| Failure::from(error).with("what was written cannot be read again"))?;
    if found == *sent {
        Ok(())
    } else {
        Err(Failure::other(
            "what was written is not what the daemon sent: nothing was kept",
        ))
    }
}

fn len(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

/// The bytes of a file, read off the async threads.
fn chunks(mut file: impl Read + Send + 'static, bar: ProgressBar) -> FileChunks {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk);
            let read = match read {
                Ok(0) => return,
                Ok(count) => {
                    bar.inc(count as u64);
                    Ok(chunk)
                }
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// An archive that is there, and what opens it.
pub(crate) struct Archive {
    path: PathBuf,
    opener: Option<Opener>,
    /// The bytes that were read to tell what it is, and those that follow.
    unread: Option<(Box<dyn Read + Send>, u64)>,
}

impl Archive {
    /// Looks at a file's first bytes, and where it is sealed, asks for what opens it.
    pub(crate) fn open(path: PathBuf, options: &OpenOptions) -> Result<Self, Failure> {
        let shown = path.display();
        let unreadable = |error: io::Error| Failure::usage(format!("cannot read {shown}: {error}"));
        let (mut file, len): (Box<dyn Read + Send>, u64) = if is_stdin(&path) {
            if io::stdin().is_terminal() {
                return Err(Failure::usage("standard input is a terminal: name a file"));
            }
            input::take_stdin()?;
            (Box::new(io::stdin()), 0)
        } else {
            let file = File::open(&path).map_err(unreadable)?;
            let len = len(&file);
            (Box::new(file), len)
        };
        let mut head = Vec::new();
        let read = (&mut file).take(seal::HEAD).read_to_end(&mut head);
        read.map_err(unreadable)?;
        let opener = if seal::is_sealed(&head) {
            Some(options.read()?)
        } else if options.named() {
            // Whoever can write where backups lie must not get away with one of their own.
            return Err(Failure::usage(format!(
                "{shown} is not sealed, though what opens it was named: it is not the backup that \
                 was meant"
            )));
        } else {
            None
        };
        let whole = Cursor::new(head).chain(file);
        Ok(Self {
            opener,
            unread: Some((Box::new(whole), len)),
            path,
        })
    }

    /// Whether it is sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.opener.is_some()
    }

    /// What opens it, if anything must.
    pub(crate) fn opener(&self) -> Option<OpenWith<'_>> {
        self.opener.as_ref().map(Opener::wire)
    }

    /// Its bytes from the beginning, and a bar over them. Opened anew after the first time.
    pub(crate) fn read(
        &mut self,
        what: &'static str,
    ) -> Result<(FileChunks, ProgressBar), Failure> {
        let (file, len) = if let Some(unread) = self.unread.take() {
            unread
        } else {
            let file = File::open(&self.path).map_err(|error| {
                Failure::other(format!("cannot read {}: {error}", self.path.display()))
            })?;
            let len = len(&file);
            (Box::new(file) as Box<dyn Read + Send>, len)
        };
        let bar = bar::bytes(len, what);
        Ok((chunks(file, bar.clone()), bar))
    }

    /// Reads it whole and checks it against its manifest.
    pub(crate) async fn verify(&mut self, client: &Client) -> Result<ArchiveSummary, Failure> {
        let (file, bar) = self.read("verifying")?;
        let found = client.verify_archive(self.opener(), file).await;
        bar.finish_and_clear();
        Ok(found?)
    }
}

/// Whether a path means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// What an archive holds, as JSON, for a command to add its own to.
pub(crate) fn as_json(summary: &ArchiveSummary) -> serde_json::Value {
    let stores = summary.stores.iter().map(|store| {
        serde_json::json!({
            "name": store.name,
            "plain": store.plain,
            "objects": store.objects,
            "bytes": store.bytes,
        })
    });
    serde_json::json!({
        "vault_id": summary.vault_id,
        "created": output::time(summary.created_ms),
        "stores": stores.collect::<Vec<_>>(),
        "objects": summary.objects,
        "bytes": summary.bytes,
        "secrets_left_out": summary.secrets_left_out,
        "manifest_sha256": data_encoding::HEXLOWER.encode(&summary.manifest_sha256),
    })
}

/// What an archive holds, in a line.
pub(crate) fn describe(summary: &ArchiveSummary) -> String {
    format!(
        "{} in {}, {}",
        output::count(summary.objects, "object"),
        output::count(summary.stores.len() as u64, "store"),
        output::size(summary.bytes)
    )
}

/// Says of how many secrets an archive holds the name and not the value.
pub(crate) fn tell_what_is_left_out(summary: &ArchiveSummary) {
    if summary.secrets_left_out > 0 {
        eprintln!(
            "It holds {} without the value; --with-secrets takes values along.",
            output::count(summary.secrets_left_out, "secret")
        );
    }
}

/// Says what was written; `verb` as in "exported".
pub(crate) fn report(
    context: &Context,
    verb: &str,
    written: &Written,
    path: &Path,
) -> Result<(), Failure> {
    if context.json() {
        let mut json = as_json(&written.summary);
        json["file"] = serde_json::json!(path);
        json["verified"] = written.verified.into();
        return output::json(&json);
    }
    tell_what_is_left_out(&written.summary);
    let text = format!("{verb} {}", describe(&written.summary));
    if path == Path::new("-") {
        eprintln!("{text}");
        return Ok(());
    }
    let verified = if written.verified { ", verified" } else { "" };
    output::line(&format!("{text}, to {}{verified}", path.display()))
}
