//! A database as of one moment, as an ordinary SQLite file.
//!
//! A connection of its own holds a read transaction for as long as the snapshot is held. Writers go
//! on; what they write stays in the log, which therefore grows meanwhile, and a file that is
//! replaced stays until the snapshot is dropped.

use std::{
    cell::OnceCell,
    io::{self, Read},
    sync::Arc,
};

use rusqlite::CachedStatement;
use vault_crypto::{ContentHash, ContentHasher};
use zeroize::Zeroizing;

use super::{
    Database,
    connection::{Bounded, Purpose, page_size},
    fault::Place,
    generation::Generation,
    plain_form::{self, CONTENT_TYPE, Metadata, OBJECT},
};
use crate::{
    error::{StoreError, StoreResult},
    id::{Revision, StoreName},
    kind::{Amount, Entry, Snapshot, no_object},
};

/// The changes of a database are not counted where it lies: it is one object, of one revision.
const REVISION: Revision = Revision(1);

/// Pages read by one statement: running one takes longer than reading a page.
const TOGETHER: u32 = 16;

const SELECT: &str = "WITH RECURSIVE number(n) AS \
    (SELECT ?1 UNION ALL SELECT n + 1 FROM number WHERE n < ?2) \
    SELECT data FROM number CROSS JOIN sqlite_dbpage('main') ON pgno = n";

/// See [`Snapshot`].
pub(super) struct DatabaseSnapshot {
    own: Bounded,
    generation: Arc<Generation>,
    name: StoreName,
    limit: u64,
    pages: u32,
    page_size: u32,
    user_version: i64,
    sha256: OnceCell<ContentHash>,
}

impl DatabaseSnapshot {
    pub(super) fn take(database: &Database) -> StoreResult<Self> {
        let generation = database.generation()?;
        let place = database.place();
        let own = generation.connect(Purpose::Own, place)?;
        let connection = &own.connection;
        let begin = || {
            connection.execute_batch("BEGIN")?;
            // The transaction begins with the first thing read in it.
            let pages = connection.query_row("PRAGMA page_count", (), |row| row.get(0))?;
            let version = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
            Ok((pages, page_size(connection)?, version))
        };
        let (pages, page_size, user_version) = place.own(begin())?;
        Ok(Self {
            own,
            generation,
            name: database.context.record.name.clone(),
            limit: database.context.body_limit,
            pages,
            page_size,
            user_version,
            sha256: OnceCell::new(),
        })
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        u64::from(self.pages) * u64::from(self.page_size)
    }

    /// Reads all of it, once.
    pub(super) fn sha256(&self) -> StoreResult<ContentHash> {
        if let Some(sha256) = self.sha256.get() {
            return Ok(*sha256);
        }
        let mut hasher = ContentHasher::new();
        let mut pages = self.pages()?;
        loop {
            let pages = pages.next()?;
            if pages.is_empty() {
                break;
            }
            hasher.update(pages);
        }
        Ok(*self.sha256.get_or_init(|| hasher.finish()))
    }

    fn place(&self) -> Place<'_> {
        Place {
            name: &self.name,
            limit: self.limit,
        }
    }

    fn pages(&self) -> StoreResult<Pages<'_>> {
        Ok(Pages {
            statement: self
                .place()
                .own(self.own.connection.prepare_cached(SELECT))?,
            snapshot: self,
            read: 0,
            held: Zeroizing::new(Vec::with_capacity(
                TOGETHER as usize * self.page_size as usize,
            )),
            given: 0,
        })
    }
}

impl Snapshot for DatabaseSnapshot {
    fn revision(&self) -> Revision {
        REVISION
    }

    fn amount(&self) -> Amount {
        Amount {
            objects: 1,
            bytes: self.size(),
        }
    }

    fn entry(&self, index: usize) -> StoreResult<Option<Entry>> {
        if index > 0 {
            return Ok(None);
        }
        let metadata = Metadata {
            page_size: self.page_size,
            user_version: self.user_version,
        };
        Ok(Some(Entry {
            id: OBJECT.to_owned(),
            revision: REVISION,
            content_type: CONTENT_TYPE.to_owned(),
            size: self.size(),
            sha256: self.sha256()?,
            metadata: serde_json::to_vec(&metadata)
                .map_err(|error| StoreError::damaged(self.place().object(), error))?,
        }))
    }

    fn body(&self, index: usize) -> StoreResult<Box<dyn Read + '_>> {
        if index > 0 {
            return Err(no_object(index));
        }
        Ok(Box::new(self.pages()?))
    }
}

/// The pages of a snapshot, one after the other.
struct Pages<'a> {
    statement: CachedStatement<'a>,
    snapshot: &'a DatabaseSnapshot,
    /// How many were read so far.
    read: u32,
    /// Those read last.
    held: Zeroizing<Vec<u8>>,
    /// How much of them was given out.
    given: usize,
}

impl Pages<'_> {
    /// Reads the next pages; none after the last.
    fn next(&mut self) -> StoreResult<&[u8]> {
        self.held.clear();
        self.given = 0;
        let snapshot = self.snapshot;
        if self.read == snapshot.pages {
            return Ok(&[]);
        }
        if snapshot.generation.is_closed() {
            return Err(StoreError::Closed);
        }
        let place = snapshot.place();
        let first = self.read + 1;
        let last = self.read.saturating_add(TOGETHER).min(snapshot.pages);
        place.own(self.read_pages(first, last))?;
        self.read = last;
        let size = snapshot.page_size as usize;
        // Where the reserved part of each page begins is a property of the file; that of ours is
        // known.
        let ours = first > 1 || self.held.get(20) == Some(&plain_form::RESERVED);
        if !ours || self.held.len() != (last - first + 1) as usize * size {
            let detail = format!("pages {first} to {last} are not what was written");
            return Err(StoreError::damaged(place.object(), detail));
        }
        for (number, page) in (first..).zip(self.held.chunks_mut(size)) {
            plain_form::make_plain(page, number, snapshot.pages);
        }
        Ok(&self.held)
    }

    fn read_pages(&mut self, first: u32, last: u32) -> rusqlite::Result<()> {
        let mut rows = self.statement.query((first, last))?;
        while let Some(row) = rows.next()? {
            let page = row.get_ref(0)?.as_blob()?;
            // Never more than there is room for: growing would leave an unzeroed copy behind.
            if page.len() <= self.held.capacity() - self.held.len() {
                self.held.extend_from_slice(page);
            }
        }
        Ok(())
    }
}

impl Read for Pages<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.held.len() && self.next().map_err(io::Error::other)?.is_empty() {
            return Ok(0);
        }
        let rest = &self.held[self.given..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.given += len;
        Ok(len)
    }
}
