//! The bytes of a tar file, from whatever form it came in.

use std::{
    cell::RefCell,
    io::{self, BufRead, BufReader, Cursor, Read},
    rc::Rc,
};

use vault_crypto::{Identities, sealed_stream::open_stream};
use zstd::stream::read::Decoder;

use super::ArchiveError;

const AGE: &[u8] = b"age-encryption.org/";
const ZSTD: &[u8] = b"\x28\xB5\x2F\xFD";

/// log2 of the largest window accepted: what the decoder may allocate, whatever a frame asks for.
/// Ours have 21; 23 is the most that the ordinary levels of zstd give.
const WINDOW: u32 = 23;

const BUFFER: usize = 64 << 10;

/// Why the input could not be read: what is wrong in the layers above it is damage.
type Failure = Rc<RefCell<Option<ArchiveError>>>;

/// The bytes of a tar file.
pub(super) struct Source<'a> {
    reader: Box<dyn Read + 'a>,
    failure: Failure,
}

impl<'a> Source<'a> {
    /// Finds out the form by the first bytes.
    pub(super) fn open<R: Read + 'a>(
        input: R,
        identities: Option<&Identities<'_>>,
    ) -> Result<Self, ArchiveError> {
        let failure = Failure::default();
        let input = Watched {
            input,
            failure: Rc::clone(&failure),
        };
        let opened = Self::layers(input, identities);
        let failed = failure.borrow_mut().take();
        match (opened, failed) {
            (_, Some(failed)) => Err(failed),
            (Ok(reader), None) => Ok(Self {
                reader: Box::new(BufReader::with_capacity(BUFFER, reader)),
                failure,
            }),
            (Err(error), None) => Err(error),
        }
    }

    fn layers<R: Read + 'a>(
        input: R,
        identities: Option<&Identities<'_>>,
    ) -> Result<Box<dyn Read + 'a>, ArchiveError> {
        let (sealed, input) = begins_with(AGE, input)?;
        if !sealed {
            return compressed(input);
        }
        let identities = identities.ok_or(ArchiveError::NeedsKey)?;
        compressed(open_stream(input, identities).map_err(ArchiveError::key)?)
    }

    /// Fills `buffer` as far as there is something; returns how far.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        fill(&mut self.reader, buffer).map_err(|error| {
            let failed = self.failure.borrow_mut().take();
            failed.unwrap_or_else(|| ArchiveError::Damaged(error.to_string()))
        })
    }
}

fn compressed<'a, R: Read + 'a>(input: R) -> Result<Box<dyn Read + 'a>, ArchiveError> {
    let damaged = |error: io::Error| ArchiveError::Damaged(error.to_string());
    let (compressed, input) = begins_with(ZSTD, input).map_err(|error| match error {
        // Of the layer below: the input itself was read.
        ArchiveError::Io(_, text) => ArchiveError::Damaged(text),
        other => other,
    })?;
    if !compressed {
        return Ok(Box::new(input));
    }
    let input = BufReader::with_capacity(BUFFER, input);
    let mut decoder = Decoder::with_buffer(input).map_err(damaged)?.single_frame();
    decoder.window_log_max(WINDOW).map_err(damaged)?;
    Ok(Box::new(Frame(decoder)))
}

/// Whether the input begins with these bytes; and the whole input.
fn begins_with<R: Read>(
    magic: &[u8],
    mut input: R,
) -> Result<(bool, impl Read + use<R>), ArchiveError> {
    let mut beginning = vec![0; magic.len()];
    let len = fill(&mut input, &mut beginning).map_err(|error| ArchiveError::io(&error))?;
    beginning.truncate(len);
    let begins = beginning == magic;
    Ok((begins, Cursor::new(beginning).chain(input)))
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// One compressed frame, behind which nothing may come.
struct Frame<R: BufRead>(Decoder<'static, R>);

impl<R: BufRead> Read for Frame<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !self.0.get_mut().fill_buf()?.is_empty() {
            let text = "something follows the compressed data";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(read)
    }
}

/// The input, remembering why it failed.
struct Watched<R> {
    input: R,
    failure: Failure,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                *self.failure.borrow_mut() = Some(ArchiveError::io(error));
            }
        })
    }
}
