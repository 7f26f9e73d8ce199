//! Where an archive goes, in which form.

use std::io::{self, BufWriter, Write};

use vault_crypto::sealed_stream::{SealedWriter, seal_stream};
use zstd::stream::write::Encoder;

use super::{ArchiveError, Form};

/// Writers below get no smaller pieces than this, but for the last.
const BUFFER: usize = 64 << 10;

/// Turns the bytes of a tar file into those of the form asked for.
pub(super) enum Sink<W: Write> {
    Tar(BufWriter<W>),
    Zstd(Box<Encoder<'static, BufWriter<W>>>),
    Sealed(Box<Encoder<'static, SealedWriter<BufWriter<W>>>>),
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W, form: &Form<'_>) -> Result<Self, ArchiveError> {
        let out = BufWriter::with_capacity(BUFFER, out);
        match form {
            Form::Tar => Ok(Self::Tar(out)),
            Form::TarZstd => Ok(Self::Zstd(Box::new(compress(out)?))),
            Form::Sealed(recipients) => {
                let sealed = seal_stream(out, recipients).map_err(ArchiveError::key)?;
                Ok(Self::Sealed(Box::new(compress(sealed)?)))
            }
        }
    }

    /// Writes what is still to be written. Until then, the file is cut short and reads as such.
    pub(super) fn finish(self) -> Result<(), ArchiveError> {
        let finish = || match self {
            Self::Tar(mut out) => out.flush(),
            Self::Zstd(encoder) => encoder.finish()?.flush(),
            Self::Sealed(encoder) => encoder.finish()?.finish()?.flush(),
        };
        finish().map_err(|error| ArchiveError::io(&error))
    }
}

fn compress<W: Write>(out: W) -> Result<Encoder<'static, W>, ArchiveError> {
    let encoder = Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL).and_then(|mut encoder| {
        encoder.include_checksum(true)?;
        Ok(encoder)
    });
    encoder.map_err(|error| ArchiveError::io(&error))
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tar(out) => out.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Sealed(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tar(out) => out.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Sealed(encoder) => encoder.flush(),
        }
    }
}
