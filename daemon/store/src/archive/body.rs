//! A body on its way through an archive, in small pieces.

use std::io::{self, Read};

use zeroize::Zeroizing;

use super::{ArchiveError, Tally};
use crate::id::StoreName;

/// Bytes held at once.
const PIECE: usize = 64 << 10;

/// After so many bytes of one body, progress is told, and asked whether to go on.
const TOLD_AFTER: u64 = 4 << 20;

/// What is held of a body.
pub(super) struct Piece(Zeroizing<Vec<u8>>);

impl Piece {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(vec![0; PIECE]))
    }

    /// Reads what is left.
    pub(super) fn drain<R: Read>(
        &mut self,
        body: &mut Body<'_, '_, '_, R>,
    ) -> Result<(), ArchiveError> {
        while self.next(body)?.is_some() {}
        Ok(())
    }

    /// The next piece; none at the end.
    pub(super) fn next<R: Read>(
        &mut self,
        body: &mut Body<'_, '_, '_, R>,
    ) -> Result<Option<&[u8]>, ArchiveError> {
        loop {
            match body.read(&mut self.0) {
                Ok(0) => return Ok(None),
                Ok(read) => return Ok(Some(&self.0[..read])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(body.failure(ArchiveError::of_body(error))),
            }
        }
    }
}

/// A body whose bytes are counted as they are read.
pub(super) struct Body<'a, 'r, 'b, R> {
    inner: R,
    tally: &'a mut Tally<'r, 'b>,
    store: &'a StoreName,
    untold: u64,
    failure: Option<ArchiveError>,
}

impl<'a, 'r, 'b, R: Read> Body<'a, 'r, 'b, R> {
    pub(super) fn new(inner: R, tally: &'a mut Tally<'r, 'b>, store: &'a StoreName) -> Self {
        Self {
            inner,
            tally,
            store,
            untold: 0,
            failure: None,
        }
    }

    /// Why whoever read this failed: if reading did, because of that, else because of `other`.
    pub(super) fn failure(&mut self, other: impl Into<ArchiveError>) -> ArchiveError {
        self.failure.take().unwrap_or_else(|| other.into())
    }

    /// Tells that the object is done.
    pub(super) fn done(self) -> Result<(), ArchiveError> {
        self.tally.add(self.store, 1, self.untold)
    }

    /// Whatever passes between us and its reader, the reason is kept as it is here.
    fn fail(&mut self, error: ArchiveError) -> io::Error {
        let passed = error.clone().into_body();
        self.failure = Some(error);
        passed
    }
}

impl<R: Read> Read for Body<'_, '_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(failed) = &self.failure {
            return Err(failed.clone().into_body());
        }
        let read = match self.inner.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(self.fail(ArchiveError::of_body(error)));
            }
            read => read?,
        };
        self.untold += read as u64;
        if self.untold >= TOLD_AFTER {
            let bytes = std::mem::take(&mut self.untold);
            let told = self.tally.add(self.store, 0, bytes);
            told.map_err(|error| self.fail(error))?;
        }
        Ok(read)
    }
}
