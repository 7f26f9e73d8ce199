//! Sealed streams of any length, for backups: age v1 files written and read in flat memory.
//!
//! Not armored: a backup is binary, and armor has no bound on a line's length.

use std::io::{self, BufReader, Read, Write};

use age::stream::StreamWriter;

use crate::{
    age_file,
    passphrase::PassphraseError,
    recipients::{Identities, Recipients},
};

/// Seals what is written to it. The file is valid once [`SealedWriter::finish`] has returned, and
/// not before: dropped earlier, it leaves a file that never opens to its end.
#[must_use = "a stream that is not finished does not open"]
pub struct SealedWriter<W: Write> {
    writer: StreamWriter<W>,
    failed: bool,
}

/// Writes the header of a stream for `recipients` to `out`. `out` gets writes of about 64 KiB.
pub fn seal_stream<W: Write>(
    out: W,
    recipients: &Recipients<'_>,
) -> Result<SealedWriter<W>, PassphraseError> {
    let writer = age_file::seal(out, recipients)?;
    Ok(SealedWriter {
        writer,
        failed: false,
    })
}

impl<W: Write> SealedWriter<W> {
    /// Seals the end of the stream and gives back what it was written to, neither flushed nor
    /// synced. An error where this or any earlier write failed.
    pub fn finish(self) -> io::Result<W> {
        self.check()?;
        self.writer.finish()
    }

    /// After a failed write a chunk may be missing or cut short, and its number is used up, so
    /// going on would make a file that looks finished and does not open.
    fn check(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write to the stream failed"));
        }
        Ok(())
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let written = self.writer.write(bytes);
        self.failed = written.is_err();
        written
    }

    /// Flushes what was sealed so far; up to 64 KiB wait for the end of their chunk.
    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.writer.flush()
    }
}

/// The plaintext of a stream. What was read is authentic; that it is all there is known only once
/// the end was reached: a stream that was cut short gives an error there, never the end.
pub struct SealedReader<R: Read>(age_file::Opened<BufReader<R>>);

/// Reads the header of a stream and finds its key. `Send` where `input` is.
pub fn open_stream<R: Read>(
    input: R,
    identities: &Identities<'_>,
) -> Result<SealedReader<R>, PassphraseError> {
    age_file::open(BufReader::new(input), identities).map(SealedReader)
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

#[cfg(test)]
mod tests;
