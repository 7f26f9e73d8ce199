//! What a file holds: its bytes, or, where it is a sealed object, what is sealed in it.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use vault_crypto::{Address, EnvelopeError, Header, envelope};
use zeroize::Zeroizing;

use super::{FileInfo, FileName, Inner};
use crate::{
    error::{StoreError, StoreResult},
    fs::{Inspected, OpenFile},
    kind::Part,
};

/// The content of an open file.
pub(super) enum Content {
    /// As it lies there.
    Plain(Box<dyn OpenFile>),
    /// Opened as a whole, since an envelope vouches for all of its content at once.
    Sealed(Zeroizing<Vec<u8>>),
}

impl Content {
    /// Fills `buffer` from `offset`; `UnexpectedEof` where the content ends before.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.read_exact_at(buffer, offset),
            Self::Sealed(bytes) => {
                let start = usize::try_from(offset).ok();
                let rest = start.and_then(|start| bytes.get(start..));
                let piece = rest.and_then(|rest| rest.get(..buffer.len()));
                buffer.copy_from_slice(piece.ok_or(ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// The header of a sealed file, well formed or not; none of any other file.
fn header(file: &dyn OpenFile, len: u64) -> io::Result<Option<Result<Header, EnvelopeError>>> {
    let mut beginning = [0; envelope::HEADER_LEN];
    let there = usize::try_from(len).map_or(beginning.len(), |len| len.min(beginning.len()));
    let beginning = &mut beginning[..there];
    if there < envelope::MAGIC.len() {
        return Ok(None);
    }
    file.read_exact_at(beginning, 0)?;
    let sealed = beginning.starts_with(&envelope::MAGIC);
    Ok(sealed.then(|| Header::parse(beginning)))
}

/// An open file with its length and, where it is sealed, its header.
type OpenedHead = (Box<dyn OpenFile>, u64, Option<Header>);

impl Inner {
    fn open(&self, path: &Path) -> StoreResult<Option<Box<dyn OpenFile>>> {
        match self.context.root.fs().open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("open", path, &error)),
        }
    }

    /// The file at a path, unless there is none.
    fn open_head(&self, name: &FileName, path: &Path) -> StoreResult<Option<OpenedHead>> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        let read = file
            .len()
            .and_then(|len| Ok((len, header(&*file, len)?)))
            .map_err(|error| self.failed(name, path, &error))?;
        let (len, header) = read;
        let damaged = |error| StoreError::envelope(self.describe(name.as_str()), &error);
        let header = header.transpose().map_err(damaged)?;
        if header
            .as_ref()
            .is_some_and(|header| header.envelope_len() != len)
        {
            return Err(damaged(EnvelopeError::Malformed));
        }
        Ok(Some((file, len, header)))
    }

    /// Why reading failed: a file that ends before its length was cut short by others.
    pub(super) fn failed(&self, name: &FileName, path: &Path, error: &io::Error) -> StoreError {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.changed(name),
            _ => StoreError::io("read", path, error),
        }
    }

    /// The header of the file at a path, where it is sealed.
    pub(super) fn header(&self, name: &FileName, path: &Path) -> StoreResult<Option<Header>> {
        let head = self.open_head(name, path)?;
        Ok(head.and_then(|(_, _, header)| header))
    }

    /// What is known of the file at a path; none where there is none any more.
    pub(super) fn info(
        &self,
        name: &FileName,
        path: &Path,
        inspected: Inspected,
    ) -> StoreResult<Option<FileInfo>> {
        let head = self.open_head(name, path)?;
        Ok(head.map(|(_, len, header)| info(name, inspected, len, header.as_ref())))
    }

    /// The content of the file at a path, and what is known of it.
    pub(super) fn open_content(
        &self,
        name: &FileName,
        path: &Path,
        inspected: Inspected,
    ) -> StoreResult<Option<(FileInfo, Content)>> {
        let Some((file, len, header)) = self.open_head(name, path)? else {
            return Ok(None);
        };
        let info = info(name, inspected, len, header.as_ref());
        let Some(header) = header else {
            return Ok(Some((info, Content::Plain(file))));
        };
        let sealed = self.read_whole(name, path, (&*file, len))?;
        let body = self.open_part(name, &header, &sealed, Part::Body)?;
        Ok(Some((info, Content::Sealed(body))))
    }

    fn read_whole(
        &self,
        name: &FileName,
        path: &Path,
        (file, len): (&dyn OpenFile, u64),
    ) -> StoreResult<Vec<u8>> {
        // Its header says that it is so long, and no header says more than an envelope holds.
        let too_large = |_| StoreError::damaged(self.describe(name.as_str()), "it is too large");
        let mut bytes = vec![0; usize::try_from(len).map_err(too_large)?];
        let read = file.read_exact_at(&mut bytes, 0);
        read.map_err(|error| self.failed(name, path, &error))?;
        Ok(bytes)
    }

    /// The whole of a sealed file, as it lies there.
    pub(super) fn read_sealed(
        &self,
        name: &FileName,
        path: &Path,
    ) -> StoreResult<Option<(Header, Vec<u8>)>> {
        match self.open_head(name, path)? {
            Some((file, len, Some(header))) => {
                Ok(Some((header, self.read_whole(name, path, (&*file, len))?)))
            }
            _ => Ok(None),
        }
    }

    /// Where a sealed file belongs.
    pub(super) fn address<'a>(&'a self, name: &'a FileName, revision: u64) -> Address<'a> {
        Address {
            vault: self.context.vault,
            store: self.context.record.id.as_bytes(),
            object: name.as_str().as_bytes(),
            revision,
        }
    }

    pub(super) fn open_part(
        &self,
        name: &FileName,
        header: &Header,
        sealed: &[u8],
        part: Part,
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        let address = self.address(name, header.revision());
        let object = || self.describe(name.as_str());
        self.context.open_envelope(address, sealed, part, &object)
    }
}

fn info(name: &FileName, inspected: Inspected, len: u64, header: Option<&Header>) -> FileInfo {
    FileInfo {
        name: name.clone(),
        size: header.map_or(len, Header::body_len),
        modified_ms: inspected.modified_ms.unwrap_or_default(),
        sealed: header.is_some(),
    }
}
