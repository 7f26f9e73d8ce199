//! Writing a blob's file, chunk by chunk.
//!
//! A large file is synced piece by piece while it is written: else the disk would have nothing to
//! do until all of it lies in memory, and then everybody would wait for the disk.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use vault_crypto::{
    Position, StreamKeys, Trailer,
    blob_stream::{self, CHUNK, SEALED_CHUNK},
};

use super::spoiled::Spoiled;
use crate::{
    error::{StoreError, StoreResult},
    fs::{FileSystem, NewFile},
};

/// So many bytes are synced at once, while more are written.
const SYNCED_AHEAD: usize = 32 << 20;

/// A file that is being written, and the keys of it.
pub(super) struct Sealer {
    file: Box<dyn NewFile>,
    path: PathBuf,
    keys: Arc<StreamKeys>,
    /// Number of the next chunk.
    next: u64,
    /// What was sealed last, on its way to the file.
    sealed: Vec<u8>,
    /// Bytes written since a sync was begun.
    unsynced: usize,
    /// The sync under way.
    syncing: Option<JoinHandle<io::Result<()>>>,
    /// Told where a sync fails.
    spoiled: Spoiled,
}

impl Sealer {
    /// Begins a new file.
    pub(super) fn create(
        fs: &dyn FileSystem,
        path: &Path,
        keys: Arc<StreamKeys>,
        spoiled: &Spoiled,
    ) -> StoreResult<Self> {
        let file = fs
            .create_new(path)
            .map_err(|error| StoreError::io("create", path, &error))?;
        spoiled.begun_anew(path);
        let header = *keys.header().bytes();
        let mut sealer = Self::new(file, path, keys, spoiled);
        sealer.sealed.extend_from_slice(&header);
        Ok(sealer)
    }

    /// Goes on with a file that ends behind chunk `next - 1`.
    pub(super) fn append(
        fs: &dyn FileSystem,
        path: &Path,
        keys: Arc<StreamKeys>,
        next: u64,
        spoiled: &Spoiled,
    ) -> StoreResult<Self> {
        let file = fs
            .append(path, blob_stream::chunk_offset(next))
            .map_err(|error| StoreError::io("open", path, &error))?;
        let mut sealer = Self::new(file, path, keys, spoiled);
        sealer.next = next;
        Ok(sealer)
    }

    fn new(file: Box<dyn NewFile>, path: &Path, keys: Arc<StreamKeys>, spoiled: &Spoiled) -> Self {
        Self {
            file,
            path: path.to_owned(),
            keys,
            next: 0,
            sealed: Vec::new(),
            unsynced: 0,
            syncing: None,
            spoiled: spoiled.clone(),
        }
    }

    /// Seals and writes whole chunks.
    pub(super) fn write(&mut self, content: &[u8]) -> StoreResult<()> {
        self.sealed
            .reserve(content.len().div_ceil(CHUNK) * SEALED_CHUNK);
        for chunk in content.chunks(CHUNK) {
            self.seal(chunk, false)?;
        }
        self.flush()
    }

    /// Seals and writes what is left, which is less than a chunk, and the trailer; syncs the file.
    /// Returns the keys of it.
    pub(super) fn finish(mut self, rest: &[u8], trailer: &Trailer) -> StoreResult<Arc<StreamKeys>> {
        self.seal(rest, true)?;
        let sealed = self.keys.seal_trailer(trailer);
        let trailer = sealed.map_err(|error| self.failed(&error))?;
        self.sealed.extend_from_slice(&trailer);
        self.flush()?;
        let synced = self.synced_ahead().and_then(|()| self.file.sync());
        synced.map_err(|error| self.unsound(&error))?;
        Ok(Arc::clone(&self.keys))
    }

    fn seal(&mut self, content: &[u8], last: bool) -> StoreResult<()> {
        let position = Position {
            index: self.next,
            last,
        };
        let sealed = self.keys.seal_chunk(position, content, &mut self.sealed);
        sealed.map_err(|error| self.failed(&error))?;
        self.next += 1;
        Ok(())
    }

    fn flush(&mut self) -> StoreResult<()> {
        let written = self.file.write_all(&self.sealed);
        self.unsynced += self.sealed.len();
        self.sealed.clear();
        written.map_err(|error| StoreError::io("write", &self.path, &error))?;
        self.sync_ahead().map_err(|error| self.unsound(&error))
    }

    /// Begins to sync what was written, when that is much and none is under way.
    fn sync_ahead(&mut self) -> io::Result<()> {
        let busy = (self.syncing.as_ref()).is_some_and(|syncing| !syncing.is_finished());
        if self.unsynced < SYNCED_AHEAD || busy {
            return Ok(());
        }
        self.synced_ahead()?;
        let Ok(mut file) = self.file.again() else {
            // All of it is synced at the end.
            return Ok(());
        };
        self.unsynced = 0;
        // Without a thread, too.
        self.syncing = thread::Builder::new().spawn(move || file.sync()).ok();
        Ok(())
    }

    /// Waits for the sync under way. One that has failed is never done again: the file is lost.
    fn synced_ahead(&mut self) -> io::Result<()> {
        let syncing = self.syncing.take().map(JoinHandle::join);
        syncing.map_or(Ok(()), |joined| {
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Nobody must go on with the file.
    fn unsound(&self, error: &io::Error) -> StoreError {
        self.spoiled.add(&self.path);
        StoreError::io("sync", &self.path, error)
    }

    fn failed(&self, error: &vault_crypto::EnvelopeError) -> StoreError {
        StoreError::envelope(self.path.display(), error)
    }
}

impl Drop for Sealer {
    /// Whoever goes on with the file must know how the sync under way ended.
    fn drop(&mut self) {
        let joined = self.syncing.take().map(JoinHandle::join);
        if joined.is_some_and(|synced| !matches!(synced, Ok(Ok(())))) {
            self.spoiled.add(&self.path);
        }
    }
}
