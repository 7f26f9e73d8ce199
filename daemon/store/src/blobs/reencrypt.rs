//! Sealing blobs anew under the store's current key, while others read and write.
//!
//! The new file is written and synced beside the old one, then takes its name. Interrupted
//! anywhere, each blob is sealed under the old key or the new, and its header says which: that is
//! all a rotation has to remember. Readers at work go on with the file they have opened.

use std::{collections::BTreeSet, ops::ControlFlow, path::Path, sync::Arc};

use vault_crypto::{BlobHeader, KeyId, ObjectName, StreamKeys, Suite, blob_stream::CHUNK};
use zeroize::Zeroizing;

use super::{
    Inner,
    file::{self, BATCH, BlobFile, Failure},
    folders::{Folders, Found},
    listing::Length,
    sealer::Sealer,
    snapshot::Held,
    upload::Unfinished,
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    kind::{Amount, Report},
    vault::lock,
};

/// How many blobs, and bytes of content, are given their names with one sync.
const GROUP: usize = 32;
const GROUP_BYTES: u64 = 4 << 20;

/// How many bytes of one blob are sealed before progress is told.
const TOLD_AFTER: u64 = 64 << 20;

/// A blob's name, its file, and the key that is under.
type OneKey<'a> = (ObjectName, &'a Path, Under);

/// Which key a file is sealed under.
pub(super) enum Under {
    Key(KeyId),
    /// It cannot be told: damaged, or no sealed file.
    Nobody,
}

impl Under {
    /// Whether it is this one.
    pub(super) fn is(&self, key: KeyId) -> bool {
        matches!(self, Self::Key(key_id) if *key_id == key)
    }
}

/// Blobs sealed anew that have not their names yet.
#[derive(Default)]
struct Group {
    renewed: Vec<(ObjectName, Unfinished)>,
    amount: Amount,
}

impl Inner {
    /// Which key a file is sealed under; `None` where there is none.
    pub(super) fn key_of(&self, path: &Path) -> StoreResult<Option<Under>> {
        let read = || {
            let file = self.context.root.fs().open(path)?;
            let len = file.len()?;
            Ok::<_, Failure>(BlobHeader::parse(&file::beginning(&*file, len)?)?.key_id())
        };
        match read() {
            Ok(key_id) => Ok(Some(Under::Key(key_id))),
            Err(Failure::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(failure) => match failure.of(path, "a file") {
                StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. } => {
                    Ok(Some(Under::Nobody))
                }
                error => Err(error),
            },
        }
    }

    fn current_key(&self) -> StoreResult<KeyId> {
        self.check_open()?;
        let ring = self.context.keys.ring();
        ring.current().map(|(key_id, _)| key_id)
    }

    /// Tells `each` of every blob's name, file and key, until it breaks.
    fn each_key(
        &self,
        each: &mut dyn FnMut(OneKey<'_>) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<ControlFlow<()>> {
        for folder in &self.folders.shards {
            for found in Folders::list(self.context.root.fs(), folder)? {
                self.check_open()?;
                let Found::Blob(name) = found else { continue };
                let path = folder.join(name.to_string());
                let Some(under) = self.key_of(&path)? else {
                    continue;
                };
                if each((name, &path, under))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    pub(super) fn outdated(&self) -> StoreResult<Amount> {
        let current = self.current_key()?;
        let mut amount = Amount::default();
        let _ = self.each_key(&mut |(_, path, under)| {
            if matches!(under, Under::Key(key_id) if key_id != current)
                && let Length::Of(bytes) = self.length_of(path)?
            {
                amount += Amount { objects: 1, bytes };
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(amount)
    }

    pub(super) fn older_keys(&self) -> StoreResult<BTreeSet<KeyId>> {
        let current = self.current_key()?;
        let ring = self.context.keys.ring();
        let mut used = BTreeSet::new();
        let _ = self.each_key(&mut |(_, _, under)| {
            match under {
                Under::Key(key_id) => used.extend([key_id]),
                Under::Nobody => used.extend(ring.ids()),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        used.extend(self.unnamed.key()?);
        used.remove(&current);
        Ok(used)
    }

    pub(super) fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        let current = self.current_key()?;
        // Whoever found another key in force has named what was sealed with it, once this was held;
        // whoever comes later seals with the current one.
        drop(self.quiet());
        self.unnamed.reseal()?;
        self.sweep_outdated_uploads(current);
        let mut group = Group::default();
        let mut shard = 0;
        let flow = self.each_key(&mut |(name, path, under)| {
            let of = super::folders::shard_of(&name);
            let of_another = std::mem::replace(&mut shard, of);
            if (of_another != of || group.is_full())
                && self
                    .put_in_place(of_another, &mut group, report)?
                    .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            match under {
                Under::Key(key_id) if key_id == current => Ok(ControlFlow::Continue(())),
                Under::Key(_) => self.renew(name, path, &mut group, report),
                Under::Nobody => {
                    tracing::error!(object = %path.display(), "not sealed anew: it is damaged");
                    Ok(ControlFlow::Continue(()))
                }
            }
        })?;
        if flow.is_break() || self.put_in_place(shard, &mut group, report)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.renew_removed(current)?;
        // The old key may be destroyed from now on: nothing must come back that needs it.
        let fs = self.context.root.fs();
        self.names
            .confirm_all(fs, &self.folders, &|| self.check_open())?;
        Ok(ControlFlow::Continue(()))
    }

    /// Seals one blob anew. A damaged one keeps its key.
    fn renew(
        &self,
        name: ObjectName,
        path: &Path,
        group: &mut Group,
        report: &mut Report<'_>,
    ) -> StoreResult<ControlFlow<()>> {
        let object = format!("file {name} in store `{}`", self.context.record.name);
        let mut told = 0;
        let sealed = BlobFile::open(&self.context, path, &object).and_then(|opened| {
            let Some(opened) = opened else {
                return Ok(None);
            };
            self.reseal(&opened, (path, &object), &mut |bytes| {
                told += bytes;
                report(Amount { objects: 0, bytes })
            })
        });
        match sealed {
            Ok(Some((file, size))) => {
                group.renewed.push((name, file));
                group.amount += Amount {
                    objects: 1,
                    bytes: size - told,
                };
                Ok(ControlFlow::Continue(()))
            }
            // Gone meanwhile, or asked to stop.
            Ok(None) if self.is_there(&name)? => Ok(ControlFlow::Break(())),
            Ok(None) => Ok(ControlFlow::Continue(())),
            Err(StoreError::Damaged { object, detail }) => {
                tracing::error!(object, detail, "not sealed anew");
                Ok(ControlFlow::Continue(()))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a file with the content of another one, sealed under the current key, and syncs it.
    /// `None` where `tell`, which is told of bytes done in a large one, says to stop.
    pub(super) fn reseal(
        &self,
        from: &BlobFile,
        (path, object): (&Path, &str),
        tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> StoreResult<Option<(Unfinished, u64)>> {
        let file = Unfinished {
            path: durable::temporary_path(&self.folders.uploads)?,
            root: self.context.root.clone(),
            keep: false,
            spoiled: self.resumable.spoiled.clone(),
        };
        let keys = self.new_keys(&file.path)?;
        let fs = self.context.root.fs();
        let mut sealer = Sealer::create(fs, &file.path, keys, &file.spoiled)?;
        let mut content = Zeroizing::new(Vec::new());
        let mut untold = 0;
        for first in (0..from.chunks()).step_by(BATCH) {
            self.check_open()?;
            from.read_chunks(first, BATCH, &mut content)
                .map_err(|failure| failure.of(path, object))?;
            if first + BATCH as u64 >= from.chunks() {
                break;
            }
            sealer.write(&content)?;
            untold += content.len() as u64;
            if untold >= TOLD_AFTER && tell(std::mem::take(&mut untold)).is_break() {
                return Ok(None);
            }
        }
        let whole = content.len() / CHUNK * CHUNK;
        sealer.write(&content[..whole])?;
        sealer.finish(&content[whole..], &from.trailer)?;
        Ok(Some((file, from.trailer.size)))
    }

    /// Keys for a new file at `path`.
    pub(super) fn new_keys(&self, path: &Path) -> StoreResult<Arc<StreamKeys>> {
        let ring = self.context.keys.ring();
        let (key_id, key) = ring.current()?;
        let address = file::address(&self.context);
        StreamKeys::create(key, key_id, &address, Suite::best())
            .map(Arc::new)
            .map_err(|error| StoreError::envelope(path.display(), &error))
    }

    /// Gives those of a group that are still there their names, and tells of them.
    fn put_in_place(
        &self,
        shard: usize,
        group: &mut Group,
        report: &mut Report<'_>,
    ) -> StoreResult<ControlFlow<()>> {
        let Group { renewed, amount } = std::mem::take(group);
        if renewed.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        {
            let _writing = self.writing();
            self.check_open()?;
            let mut renewed = renewed.into_iter();
            let mut shard = self.names.lock_shard(shard);
            shard.give_all(self.context.root.fs(), &self.folders, || {
                for (name, mut file) in renewed.by_ref() {
                    if self.is_there(&name)? {
                        file.rename(&self.folders.object(&name))?;
                        return Ok(Some(name));
                    }
                }
                Ok(None)
            })?;
        }
        Ok(report(amount))
    }

    /// What was removed, and a snapshot still reads.
    fn renew_removed(&self, current: KeyId) -> StoreResult<()> {
        self.sweep_removed(&lock(&self.snapshots));
        // What is there stays meanwhile, and snapshots come and go.
        let _held = Held::new(self);
        for found in Folders::list(self.context.root.fs(), &self.folders.removed)? {
            let Found::Blob(name) = found else { continue };
            let path = self.folders.removed(&name);
            if !self.key_of(&path)?.is_some_and(|under| under.is(current))
                && let Some(opened) = BlobFile::open(&self.context, &path, "a removed blob")?
            {
                let go_on = &mut |_| ControlFlow::Continue(());
                let sealed = self.reseal(&opened, (&path, "a removed blob"), go_on)?;
                if let Some((mut file, _)) = sealed {
                    file.rename(&path)?;
                }
            }
        }
        Ok(())
    }
}

impl Group {
    fn is_full(&self) -> bool {
        self.renewed.len() >= GROUP || self.amount.bytes >= GROUP_BYTES
    }
}
