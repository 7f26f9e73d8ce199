//! A file being read, whole or a range of it, in pieces.

use std::{path::PathBuf, sync::Arc};

use super::{FileInfo, FileName, Inner, content::Content};
use crate::error::{StoreError, StoreResult};

/// Bytes of a piece.
const PIECE: u64 = 256 << 10;

/// A file being read.
pub struct FileReader {
    store: Arc<Inner>,
    info: FileInfo,
    path: PathBuf,
    content: Content,
    at: u64,
    end: u64,
}

impl FileReader {
    pub(super) fn open(store: &Arc<Inner>, name: &FileName) -> StoreResult<Self> {
        let found = store.find(name)?;
        let (path, inspected) = found.ok_or_else(|| store.no_such(name))?;
        let opened = store.open_content(name, &path, inspected)?;
        let (info, content) = opened.ok_or_else(|| store.no_such(name))?;
        Ok(Self {
            store: Arc::clone(store),
            path,
            content,
            at: 0,
            end: info.size,
            info,
        })
    }

    /// What is known of the file.
    pub fn info(&self) -> &FileInfo {
        &self.info
    }

    /// Goes to a range: at most `length` bytes from `offset` on. Refused where it begins behind the
    /// end.
    pub fn range(&mut self, offset: u64, length: Option<u64>) -> StoreResult<()> {
        if offset > self.info.size {
            return Err(StoreError::InvalidArgument(format!(
                "the range begins at byte {offset}, and the file has {}",
                self.info.size
            )));
        }
        let end = length.and_then(|length| offset.checked_add(length));
        self.at = offset;
        self.end = end.map_or(self.info.size, |end| end.min(self.info.size));
        Ok(())
    }

    /// Replaces `buffer`'s content by what comes next, at most 256 KiB; empty at the end.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> StoreResult<()> {
        self.store.check_open()?;
        let piece = (self.end - self.at).min(PIECE);
        buffer.clear();
        buffer.resize(usize::try_from(piece).expect("at most 256 KiB"), 0);
        let read = self.content.read_exact_at(buffer, self.at);
        read.map_err(|error| self.store.failed(&self.info.name, &self.path, &error))?;
        self.at += piece;
        Ok(())
    }
}
