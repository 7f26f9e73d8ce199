//! Finds records among the bytes of a segment, whatever happened to them.

use vault_crypto::{Header, envelope};

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The number it claims.
    pub(super) sequence: u64,
}

impl Span {
    pub(super) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.end]
    }
}

/// The record that begins at `start`, by its form alone.
pub(super) fn at(bytes: &[u8], start: usize) -> Option<Span> {
    let rest = bytes.get(start..)?;
    let header = Header::parse(rest).ok()?;
    let len = usize::try_from(header.envelope_len()).ok()?;
    (len <= rest.len()).then(|| Span {
        start,
        end: start + len,
        sequence: header.revision(),
    })
}

/// The first record that begins at `from` or behind it.
pub(super) fn next(bytes: &[u8], from: usize) -> Option<Span> {
    let rest = bytes.get(from..)?;
    memchr::memmem::find_iter(rest, &envelope::MAGIC).find_map(|found| at(bytes, from + found))
}

/// The records from the beginning on, as long as each follows the one before.
pub(super) fn run(bytes: &[u8]) -> impl Iterator<Item = Span> {
    let mut start = 0;
    let mut expected = None;
    std::iter::from_fn(move || {
        let span = at(bytes, start)?;
        if expected.is_some_and(|expected| expected != span.sequence) {
            return None;
        }
        start = span.end;
        expected = span.sequence.checked_add(1);
        Some(span)
    })
}
