//! A store of files as of one moment.
//!
//! A snapshot knows the names and sizes of that moment. What a writer is about to replace or remove
//! while a snapshot still needs it is kept open until the snapshot is dropped. What people change
//! meanwhile is beyond anybody's reach: a file is hashed before it is told of, and reading another
//! content then fails and says so.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap},
    io::{self, Read},
    ops::ControlFlow,
    sync::{Arc, Mutex, Weak},
};

use serde::{Deserialize, Serialize};
use vault_crypto::{ContentHash, ContentHasher};

use super::{FileInfo, FileName, Inner, content::Content};
use crate::{
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{Amount, Entry, Snapshot, no_object},
    vault::lock,
};

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// What an archive says of a file besides its name and content. For people: it is not restored.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct Metadata {
    /// Milliseconds since 1970.
    #[serde(default)]
    modified: i64,
}

/// The content of a file that several may read.
type Shared = Arc<Mutex<Content>>;

/// The moments that snapshots in use show.
#[derive(Default)]
pub(super) struct Moments(Mutex<Vec<Weak<Moment>>>);

struct Moment {
    names: BTreeSet<FileName>,
    /// Of the files written since, what they were, or why that could not be kept.
    kept: Mutex<HashMap<FileName, StoreResult<Shared>>>,
}

impl Moments {
    /// Drops all that is kept.
    pub(super) fn close(&self) {
        for moment in lock(&self.0).iter().filter_map(Weak::upgrade) {
            lock(&moment.kept).clear();
        }
    }
}

/// See [`Snapshot`].
pub(super) struct FileSnapshot {
    inner: Arc<Inner>,
    moment: Arc<Moment>,
    files: Vec<(FileInfo, OnceCell<ContentHash>)>,
    amount: Amount,
}

impl FileSnapshot {
    pub(super) fn take(inner: &Arc<Inner>) -> StoreResult<Self> {
        let writing = lock(&inner.writing);
        let (mut files, mut amount) = (Vec::new(), Amount::default());
        let _ = inner.every(&mut |info, _| {
            amount.objects += 1;
            amount.bytes += info.size;
            files.push((info, OnceCell::new()));
            Ok(ControlFlow::Continue(()))
        })?;
        let names = files.iter().map(|(info, _)| info.name.clone());
        let moment = Arc::new(Moment {
            names: names.collect(),
            kept: Mutex::default(),
        });
        let mut moments = lock(&inner.moments.0);
        moments.retain(|moment| moment.strong_count() > 0);
        moments.push(Arc::downgrade(&moment));
        drop((moments, writing));
        Ok(Self {
            inner: Arc::clone(inner),
            moment,
            files,
            amount,
        })
    }

    /// What a file was at that moment.
    fn content(&self, info: &FileInfo) -> StoreResult<Shared> {
        self.inner.check_open()?;
        // In this order: a writer keeps a file before it replaces it, so what was opened is the
        // old one where nothing is kept afterwards.
        let found = self.inner.open_shared(&info.name);
        let kept = lock(&self.moment.kept).get(&info.name).cloned();
        kept.unwrap_or(found)
    }

    fn sha256(&self, info: &FileInfo, known: &OnceCell<ContentHash>) -> StoreResult<ContentHash> {
        if let Some(sha256) = known.get() {
            return Ok(*sha256);
        }
        let mut hasher = ContentHasher::new();
        let mut body = self.body_of(info, None)?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = body.read(&mut piece);
            match read.map_err(|error| StoreError::of_body(info.name.as_str(), error))? {
                0 => return Ok(*known.get_or_init(|| hasher.finish())),
                read => hasher.update(&piece[..read]),
            }
        }
    }

    fn body_of<'a>(
        &'a self,
        info: &'a FileInfo,
        expected: Option<ContentHash>,
    ) -> StoreResult<Body<'a>> {
        Ok(Body {
            store: &self.inner,
            content: self.content(info)?,
            info,
            at: 0,
            hasher: expected.map(|expected| (ContentHasher::new(), expected)),
        })
    }
}

/// A file on its way out. Its end is reached only where it is as long as was said, and, where that
/// is known, of the hash that was said.
struct Body<'a> {
    store: &'a Inner,
    content: Shared,
    info: &'a FileInfo,
    at: u64,
    hasher: Option<(ContentHasher, ContentHash)>,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let changed = || io::Error::other(self.store.changed(&self.info.name));
        let left = self.info.size - self.at;
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if wanted == 0 && !buffer.is_empty() {
            let unlike =
                (self.hasher.take()).filter(|(found, said)| found.clone().finish() != *said);
            let longer = lock(&self.content).read_exact_at(&mut [0], self.at).is_ok();
            return match unlike {
                None if !longer => Ok(0),
                _ => Err(changed()),
            };
        }
        let piece = &mut buffer[..wanted];
        let read = lock(&self.content).read_exact_at(piece, self.at);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed(),
            _ => error,
        })?;
        self.at += wanted as u64;
        if let Some((hasher, _)) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(wanted)
    }
}

impl Snapshot for FileSnapshot {
    /// Changes are not counted: the files of a moment are numbered by their names.
    fn revision(&self) -> Revision {
        Revision(self.amount.objects)
    }

    fn amount(&self) -> Amount {
        self.amount
    }

    fn entry(&self, index: usize) -> StoreResult<Option<Entry>> {
        let Some((info, sha256)) = self.files.get(index) else {
            return Ok(None);
        };
        let modified = info.modified_ms;
        let metadata = serde_json::to_vec(&Metadata { modified });
        Ok(Some(Entry {
            id: info.name.to_string(),
            revision: Revision(index as u64 + 1),
            content_type: info.name.content_type().to_owned(),
            size: info.size,
            sha256: self.sha256(info, sha256)?,
            metadata: metadata.map_err(|error| {
                StoreError::damaged(self.inner.describe(info.name.as_str()), error)
            })?,
        }))
    }

    fn body(&self, index: usize) -> StoreResult<Box<dyn Read + '_>> {
        let (info, sha256) = self.files.get(index).ok_or_else(|| no_object(index))?;
        Ok(Box::new(self.body_of(info, sha256.get().copied())?))
    }
}

impl Inner {
    fn open_shared(&self, name: &FileName) -> StoreResult<Shared> {
        let found = self.tree.find(name)?;
        let (path, inspected) = found.ok_or_else(|| self.changed(name))?;
        let opened = self.open_content(name, &path, inspected)?;
        let (_, content) = opened.ok_or_else(|| self.changed(name))?;
        Ok(Arc::new(Mutex::new(content)))
    }

    /// Keeps, for the snapshots that need it, what is about to be replaced or removed. The caller
    /// keeps writers out.
    ///
    /// Where that fails, the write goes on: the snapshot has the error, for when it gets there.
    pub(super) fn keep_for_snapshots(&self, name: &FileName) {
        let moments: Vec<_> = lock(&self.moments.0)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let mut opened = None;
        for moment in moments {
            let mut kept = lock(&moment.kept);
            if moment.names.contains(name) && !kept.contains_key(name) {
                let content = opened.get_or_insert_with(|| self.open_shared(name));
                kept.insert(name.clone(), content.clone());
            }
        }
    }
}
