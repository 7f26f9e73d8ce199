//! The files of the log.

use std::{io, path::PathBuf};

use vault_crypto::{Header, envelope};

use super::{Entry, SegmentStart, damaged, frame::Place, walk};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::EntryKind,
};

/// No segment comes near this, in bytes: what is larger is none.
const LIMIT: u64 = 64 << 20;

/// The record that begins a segment is short, in bytes.
const LONGEST_START: usize = 64 << 10;

/// Digits of a file name: for ever enough.
const DIGITS: usize = 12;

pub(super) fn file_name(number: u64) -> String {
    format!("{number:0DIGITS$}")
}

/// The number of the segment that a file name stands for, if it has the one form.
fn number(name: &str) -> Option<u64> {
    let number = name.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

impl Place {
    pub(super) fn folder(&self) -> PathBuf {
        self.root.audit()
    }

    pub(super) fn path(&self, segment: u64) -> PathBuf {
        self.folder().join(file_name(segment))
    }

    /// The segments that there are, in order.
    pub(super) fn segments(&self) -> StoreResult<Vec<u64>> {
        let folder = self.folder();
        let entries = match self.root.fs().read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("list", &folder, &error)),
        };
        let files = entries.iter().filter(|(_, kind)| *kind == EntryKind::File);
        let mut numbers: Vec<u64> = files.filter_map(|(name, _)| number(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// All of a segment.
    pub(super) fn read(&self, segment: u64) -> StoreResult<Vec<u8>> {
        let read = durable::read(self.root.fs(), &self.path(segment), LIMIT)?;
        read.ok_or_else(|| damaged(segment, "its file is gone"))
    }

    /// The record that begins a segment, and the number it has.
    pub(super) fn start_of(&self, segment: u64, bytes: &[u8]) -> StoreResult<(SegmentStart, u64)> {
        let span = walk::at(bytes, 0);
        let span = span.ok_or_else(|| damaged(segment, "it does not begin with a record"))?;
        let opened = self.open(segment, span.of(bytes))?;
        match opened.entry() {
            Some(Entry::Segment(start)) if start.number == segment => Ok((start, opened.sequence)),
            _ => Err(damaged(segment, "its first record is another one")),
        }
    }

    /// The same, with no more read than that.
    pub(super) fn read_start(&self, segment: u64) -> StoreResult<(SegmentStart, u64)> {
        let path = self.path(segment);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => damaged(segment, "its file is gone"),
            io::ErrorKind::UnexpectedEof => damaged(segment, "its file is cut short"),
            _ => StoreError::io("read", &path, &error),
        };
        let file = self.root.fs().open(&path).map_err(failed)?;
        let mut bytes = vec![0; envelope::HEADER_LEN];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        let header = Header::parse(&bytes).map_err(|error| damaged(segment, error))?;
        let len = usize::try_from(header.envelope_len()).ok();
        let len = len.filter(|len| *len <= LONGEST_START);
        let len = len.ok_or_else(|| damaged(segment, "its first record is another one"))?;
        bytes.resize(len, 0);
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        self.start_of(segment, &bytes)
    }

    /// Bytes of a segment's file.
    pub(super) fn len(&self, segment: u64) -> StoreResult<u64> {
        let path = self.path(segment);
        let len = self.root.fs().file_len(&path);
        len.map_err(|error| StoreError::io("read", &path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        assert_eq!(file_name(7), "000000000007");
        for segment in [1, 42, 1_000_000_000_000] {
            assert_eq!(number(&file_name(segment)), Some(segment));
        }
        for other in [
            "7",
            "0000000000007",
            "00000000000x",
            ".tmp-1",
            "+00000000007",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
