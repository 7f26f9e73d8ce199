//! Content on its way here, of any size: a blob or a file.

use std::io::{self, IsTerminal as _};

use indicatif::ProgressBar;
use vault_client::{BlobDownload, Error, FileDownload};

use crate::{bar, failure::Failure, newfile::NewFile};

/// Content that comes piece by piece.
pub(crate) trait Download {
    /// Bytes that come in all.
    fn size(&self) -> u64;
    /// The next of them; `None` at the end.
    async fn next(&mut self) -> Result<Option<impl AsRef<[u8]>>, Error>;
}

impl Download for BlobDownload {
    fn size(&self) -> u64 {
        Self::size(self)
    }

    async fn next(&mut self) -> Result<Option<impl AsRef<[u8]>>, Error> {
        Self::next(self).await
    }
}

impl Download for FileDownload {
    fn size(&self) -> u64 {
        Self::size(self)
    }

    async fn next(&mut self) -> Result<Option<impl AsRef<[u8]>>, Error> {
        Self::next(self).await
    }
}

/// Refuses to show on a terminal what is no text.
pub(crate) fn check_terminal(content_type: &str) -> Result<(), Failure> {
    let is_text = content_type.starts_with("text/") || content_type == "application/json";
    if io::stdout().is_terminal() && !is_text {
        let text = "it is no text, and standard output is a terminal: use -o FILE, or a pipe";
        return Err(Failure::usage(text));
    }
    Ok(())
}

/// Writes all of it, with a bar.
pub(crate) async fn write(download: impl Download, file: &mut NewFile) -> Result<(), Failure> {
    // Nothing moves on a terminal that shows the content itself.
    let bar = match file {
        NewFile::Stdout if io::stdout().is_terminal() => ProgressBar::hidden(),
        _ => bar::bytes(download.size(), "getting"),
    };
    let written = drain(download, file, &bar).await;
    bar.finish_and_clear();
    written
}

async fn drain(
    mut download: impl Download,
    file: &mut NewFile,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    while let Some(chunk) = download.next().await? {
        file.write(chunk.as_ref())?;
        bar.inc(chunk.as_ref().len() as u64);
    }
    Ok(())
}

/// Shows how much of something has been sent whose size need not be known.
pub(crate) fn advance(bar: &ProgressBar, grows: bool, sent: u64) {
    if grows {
        bar.set_length(sent);
    }
    bar.set_position(sent);
}
