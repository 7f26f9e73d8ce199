//! Files as a store kind: what rotation, export, doctor and upkeep use.

use std::{
    collections::BTreeSet,
    io::Read,
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool, atomic::Ordering},
};

use vault_crypto::{ContentHash, ContentHasher, KeyId};

use super::{
    FileName, FileStore, Inner,
    commit::Writing,
    reading::FileReader,
    snapshot::{FileSnapshot, Metadata, Moments},
    tree::{Seen, Tree},
};
use crate::{
    catalogue::{Protection, StoreRecord},
    durable,
    error::{StoreError, StoreResult},
    fs::EntryKind,
    id::Revision,
    kind::{
        Amount, Entry, Exported, Quiesced, Report, Snapshot, Store, StoreContext, StoreKind,
        StoreStats, import_each, pour,
    },
    root::DataRoot,
    vault::lock,
};

/// Makes and opens stores of files.
#[derive(Debug, Clone, Copy)]
pub struct FileKind;

impl StoreKind for FileKind {
    fn create(&self, context: &StoreContext) -> StoreResult<()> {
        must_be_plain(context.record.protection)?;
        let (root, record) = (&context.root, &context.record);
        let fs = root.fs();
        // Where files are written until they are whole.
        durable::ensure_dir(fs, &root.store(record.id))?;
        durable::sync_dir(fs, &root.stores())?;
        let tree = Tree::new(root, &record.name);
        // Whatever people have put there beforehand is in the store, but no link is followed.
        tree.is_there()?;
        // What is there was perhaps made a moment ago, by a daemon that was killed then.
        for folder in tree.base_folders() {
            durable::ensure_dir(fs, &folder)?;
            let parent = folder.parent().unwrap_or(root.path());
            durable::sync_dir(fs, parent)?;
        }
        Ok(())
    }

    fn open(&self, context: StoreContext) -> StoreResult<Arc<dyn Store>> {
        let own = context.root.store(context.record.id);
        durable::sweep(context.root.fs(), &own);
        Ok(Arc::new(FileStore(Arc::new(Inner {
            tree: Tree::new(&context.root, &context.record.name),
            context,
            writing: Mutex::new(Writing::default()),
            moments: Moments::default(),
            closed: AtomicBool::new(false),
        }))))
    }

    fn remove_files(&self, root: &DataRoot, record: &StoreRecord) {
        let tree = Tree::new(root, &record.name);
        if tree.is_there().unwrap_or_default() {
            remove_all(root, &tree.base);
        }
        remove_all(root, &root.store(record.id));
    }

    fn check_import(
        &self,
        protection: Protection,
        id: &str,
        metadata: &[u8],
    ) -> StoreResult<String> {
        must_be_plain(protection)?;
        let name = FileName::parse(id)?;
        let unfit = |error| StoreError::InvalidArgument(format!("its metadata: {error}"));
        let _: Metadata = serde_json::from_slice(metadata).map_err(unfit)?;
        Ok(name.content_type().to_owned())
    }

    fn streams(&self) -> bool {
        true
    }
}

fn must_be_plain(protection: Protection) -> StoreResult<()> {
    if protection == Protection::Protected {
        return Err(StoreError::InvalidArgument(
            "a store of files is never encrypted, so that they can be browsed: for content that is, \
             use one of blobs"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Removes a folder and all in it; of a link the link itself.
fn remove_all(root: &DataRoot, folder: &Path) {
    for (name, kind) in root.fs().read_dir(folder).unwrap_or_default() {
        let path = folder.join(name);
        if kind == EntryKind::Directory {
            remove_all(root, &path);
        } else {
            let _ = root.fs().remove_file(&path);
        }
    }
    let _ = root.fs().remove_dir(folder);
}

impl FileStore {
    /// Whether this is the content already, for sure.
    fn is_already(&self, name: &FileName, size: u64, sha256: ContentHash) -> StoreResult<bool> {
        if self.0.is_in_doubt(name) {
            return Ok(false);
        }
        let equal = || {
            let mut reader = self.open_file(name)?;
            Ok(reader.info().size == size && hash(&mut reader)? == sha256)
        };
        match equal() {
            // All the more reason to replace it.
            Err(
                StoreError::NoSuchFile { .. }
                | StoreError::Damaged { .. }
                | StoreError::PlaintextRefused { .. }
                | StoreError::ChangedMeanwhile { .. },
            ) => Ok(false),
            equal => equal,
        }
    }
}

fn hash(reader: &mut FileReader) -> StoreResult<ContentHash> {
    let mut hasher = ContentHasher::new();
    let mut piece = Vec::new();
    loop {
        reader.next(&mut piece)?;
        if piece.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(&piece);
    }
}

impl Store for FileStore {
    fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.moments.close();
        // Waits for the write in flight.
        drop(lock(&self.0.writing));
    }

    fn quiesce(&self) -> Quiesced<'_> {
        Quiesced {
            _guard: Box::new(lock(&self.0.writing)),
        }
    }

    fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>> {
        Ok(Box::new(FileSnapshot::take(&self.0)?))
    }

    fn import_one(&self, object: Exported) -> StoreResult<()> {
        self.put(FileName::parse(&object.id)?, &object.body, false)
            .map(|_| ())
    }

    fn import(&self, objects: Vec<Exported>) -> StoreResult<u64> {
        import_each(self, "", objects)
    }

    fn import_stream(&self, object: Entry, body: &mut dyn Read) -> StoreResult<bool> {
        let name = FileName::parse(&object.id)?;
        if self.is_already(&name, object.size, object.sha256)? {
            return Ok(true);
        }
        let mut upload = self.begin(name, false, Some(object.size))?;
        pour(&object.id, body, |piece| upload.write(piece))?;
        upload.finish()?;
        Ok(false)
    }

    fn outdated(&self) -> StoreResult<Amount> {
        self.0.outdated()
    }

    fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        self.0.reencrypt(report)
    }

    /// Of the sealed ones: no key is needed for the others.
    fn verify(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        for name in self.0.sealed_names()? {
            let read = self.open_file(&name);
            match read.map(|reader| reader.info().size) {
                Ok(bytes) => {
                    if report(Amount { objects: 1, bytes }).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(StoreError::Damaged { object, detail }) => {
                    tracing::error!(object, detail, "damaged");
                }
                // Others have removed or changed it.
                Err(StoreError::NoSuchFile { .. } | StoreError::ChangedMeanwhile { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn older_keys_in_use(&self) -> StoreResult<BTreeSet<KeyId>> {
        self.0.older_keys()
    }

    fn verify_one(&self, id: &str) -> StoreResult<()> {
        hash(&mut self.open_file(&FileName::parse(id)?)?).map(|_| ())
    }

    fn references(&self) -> StoreResult<Vec<String>> {
        Ok(Vec::new())
    }

    fn stats(&self) -> StoreResult<StoreStats> {
        self.0.check_open()?;
        let mut stats = StoreStats {
            revision: Revision::ZERO,
            ..StoreStats::default()
        };
        let _ = self.0.tree.walk("", &mut |seen| {
            match seen {
                Seen::File {
                    name,
                    path,
                    inspected,
                } => match self.0.info(&name, &path, inspected) {
                    Ok(Some(info)) => {
                        stats.objects += 1;
                        stats.body_bytes += info.size;
                    }
                    Ok(None) => {}
                    Err(_) => stats.damaged += 1,
                },
                Seen::Skipped { .. } => {}
                Seen::Unreadable { .. } => stats.damaged += 1,
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(stats)
    }
}
