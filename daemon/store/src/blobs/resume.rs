//! Uploads that were broken off and are taken up again.
//!
//! An unfinished file is found by the keyed hash of its resume key and content type: under another
//! type, the upload starts anew. What is in it is believed only as far as it is authentic, chunk by
//! chunk, and hashed anew, so that a daemon that was killed, or a machine that lost its power,
//! leaves nothing worse than a shorter beginning. A file a sync of which failed is never taken up:
//! what reads show of it may not be on the disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use vault_crypto::{
    KeyId, ObjectName, Position, StreamKeys,
    blob_stream::{self, CHUNK, SEALED_CHUNK},
};
use zeroize::Zeroizing;

use super::{
    Inner, NewBlob, OCTET_STREAM,
    file::{self, BATCH, Failure},
    sealer::Sealer,
    sessions::Session,
    spoiled::Spoiled,
    upload::{Plan, Unfinished, Upload, Work, check_content_type},
};
use crate::{
    error::{StoreError, StoreResult},
    fs::{EntryKind, OpenFile},
    vault::lock,
};

/// Longest resume key, in bytes.
const KEY_LIMIT: usize = 64;

/// What nobody has taken up again for so long is removed: a week.
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Uploads that can be taken up again.
#[derive(Default)]
pub(super) struct Resumable {
    /// Those under way.
    live: Mutex<BTreeMap<ObjectName, Weak<Mutex<Option<Work>>>>>,
    pub(super) spoiled: Spoiled,
}

/// What is left of an upload: its file, and whole chunks in it.
struct Rest {
    path: std::path::PathBuf,
    file: Box<dyn OpenFile>,
    keys: Arc<StreamKeys>,
    len: u64,
}

impl Inner {
    /// Begins an upload, or takes one up again.
    pub(super) fn begin(self: &Arc<Self>, new: NewBlob) -> StoreResult<Upload> {
        self.upload(self.plan(new)?)
    }

    pub(super) fn upload(self: &Arc<Self>, plan: Plan) -> StoreResult<Upload> {
        self.check_open()?;
        let session: Session<Work> = Session::default();
        self.sessions.add(&session);
        let mut place = lock(&session);
        let work = match plan.resume {
            None => Work::create(self, plan)?,
            Some(name) => {
                self.take_over(name, &session);
                self.sweep_uploads();
                self.take_up(name, plan)?
            }
        };
        let kept = work.so_far();
        *place = Some(work);
        drop(place);
        if let Err(closed) = self.check_open() {
            lock(&session).take();
            return Err(closed);
        }
        Ok(Upload {
            store: Arc::clone(self),
            session,
            kept,
        })
    }

    fn plan(&self, new: NewBlob) -> StoreResult<Plan> {
        let limit = self.context.body_limit;
        if let Some(size) = new.size.filter(|size| *size > limit) {
            return Err(StoreError::TooLarge { size, limit });
        }
        let content_type = match new.content_type {
            none if none.is_empty() => OCTET_STREAM.to_owned(),
            given => given,
        };
        check_content_type(&content_type)?;
        let key = new.resume_key.unwrap_or_default();
        if key.len() > KEY_LIMIT {
            return Err(StoreError::InvalidArgument(format!(
                "a resume key has at most {KEY_LIMIT} bytes"
            )));
        }
        let resume = (!key.is_empty()).then(|| self.name_of_upload(&key, &content_type));
        Ok(Plan {
            content_type,
            size: new.size,
            created_ms: None,
            resume,
        })
    }

    fn name_of_upload(&self, key: &[u8], content_type: &str) -> ObjectName {
        let store = [b"uploads/", &self.context.record.id.as_bytes()[..]].concat();
        // The length keeps key and type apart.
        let length = (key.len() as u64).to_le_bytes();
        let id = [&length[..], key, content_type.as_bytes()].concat();
        self.context.names.object_name(&store, &id)
    }

    /// Ends the upload of this name that is under way, after the call it is in.
    fn take_over(&self, name: ObjectName, session: &Session<Work>) {
        let earlier = {
            let mut uploads = lock(&self.resumable.live);
            uploads.retain(|_, upload| upload.strong_count() > 0);
            uploads.insert(name, Arc::downgrade(session))
        };
        if let Some(earlier) = earlier.as_ref().and_then(Weak::upgrade) {
            let ended = lock(&earlier).take();
            drop(ended);
        }
    }

    /// Where a new unfinished file goes.
    pub(super) fn unfinished_path(&self, name: &ObjectName) -> std::path::PathBuf {
        let now = self.context.clock.now_ms();
        self.folders.uploads.join(format!("{name}-{now}"))
    }

    /// Goes on with what is left of an upload; begins anew where nothing is.
    fn take_up(&self, name: ObjectName, plan: Plan) -> StoreResult<Work> {
        let fs = self.context.root.fs();
        let uploads = &self.folders.uploads;
        for (file, kind) in crate::durable::list(fs, uploads)? {
            if kind != EntryKind::File || parse(&file).is_none_or(|(of, _)| of != name) {
                continue;
            }
            let path = uploads.join(&file);
            let spoiled = &self.resumable.spoiled;
            if !spoiled.contains(&path)
                && let Some(rest) = self.rest(&path)?
            {
                return self.go_on(rest, plan);
            }
            spoiled.remove(fs, &path)?;
        }
        Work::create(self, plan)
    }

    /// What is left, where it can be gone on with: sealed under the current key.
    fn rest(&self, path: &std::path::Path) -> StoreResult<Option<Rest>> {
        let read = || {
            let file = self.context.root.fs().open(path)?;
            let len = file.len()?;
            let keys = file::keys_of(&self.context, &file::beginning(&*file, len)?)?;
            Ok::<_, Failure>((file, len, keys))
        };
        let (file, len, keys) = match read() {
            Ok(read) => read,
            Err(failure) => match failure.of(path, "an unfinished upload") {
                StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. } => {
                    return Ok(None);
                }
                error => return Err(error),
            },
        };
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        if keys.header().key_id() != current {
            return Ok(None);
        }
        Ok(Some(Rest {
            path: path.to_owned(),
            file,
            keys: Arc::new(keys),
            len,
        }))
    }

    /// Reads the whole chunks that are authentic, and cuts off what is behind them.
    fn go_on(&self, rest: Rest, plan: Plan) -> StoreResult<Work> {
        let mut chunks = Vec::new();
        let mut content = Zeroizing::new(Vec::new());
        let mut next = 0;
        let mut hasher = vault_crypto::ContentHasher::new();
        let whole = rest.len.saturating_sub(blob_stream::chunk_offset(0)) / SEALED_CHUNK as u64;
        'all: while next < whole {
            // Whoever closes the store waits for this.
            self.check_open()?;
            let count = (whole - next).min(BATCH as u64);
            let bytes = usize::try_from(count).unwrap_or(BATCH) * SEALED_CHUNK;
            chunks.resize(bytes, 0);
            rest.file
                .read_exact_at(&mut chunks, blob_stream::chunk_offset(next))
                .map_err(|error| StoreError::io("read", &rest.path, &error))?;
            for chunk in chunks.chunks(SEALED_CHUNK) {
                let position = Position {
                    index: next,
                    last: false,
                };
                content.clear();
                if rest.keys.open_chunk(position, chunk, &mut content).is_err() {
                    break 'all;
                }
                hasher.update(&content);
                next += 1;
            }
        }
        let fs = self.context.root.fs();
        let spoiled = self.resumable.spoiled.clone();
        let sealer = Sealer::append(fs, &rest.path, Arc::clone(&rest.keys), next, &spoiled)?;
        let file = Unfinished {
            root: self.context.root.clone(),
            path: rest.path,
            keep: true,
            spoiled,
        };
        Ok(Work::new(file, sealer, plan, (next * CHUNK as u64, hasher)))
    }

    /// Removes what no upload will go on with, since it was sealed under another key. Best effort.
    pub(super) fn sweep_outdated_uploads(&self, current: KeyId) {
        let fs = self.context.root.fs();
        for (file, _) in fs.read_dir(&self.folders.uploads).unwrap_or_default() {
            let path = self.folders.uploads.join(&file);
            let Some((name, _)) = parse(&file) else {
                continue;
            };
            let uploads = lock(&self.resumable.live);
            let live = uploads
                .get(&name)
                .is_some_and(|upload| upload.strong_count() > 0);
            let under = self.key_of(&path).ok().flatten();
            if !live && !under.is_some_and(|under| under.is(current)) {
                let _ = fs.remove_file(&path);
            }
        }
    }

    /// Removes what was broken off long ago. Best effort.
    pub(super) fn sweep_uploads(&self) {
        let fs = self.context.root.fs();
        let uploads = lock(&self.resumable.live);
        let since = self.context.clock.now_ms().saturating_sub(KEPT_MS);
        for (file, kind) in fs.read_dir(&self.folders.uploads).unwrap_or_default() {
            let Some((name, begun)) = parse(&file).filter(|_| kind == EntryKind::File) else {
                continue;
            };
            let live = uploads
                .get(&name)
                .is_some_and(|upload| upload.strong_count() > 0);
            if begun < since && !live {
                let _ = fs.remove_file(&self.folders.uploads.join(&file));
            }
        }
    }
}

/// The name and the time in the name of an unfinished file.
fn parse(file: &str) -> Option<(ObjectName, i64)> {
    let (name, begun) = file.split_once('-')?;
    Some((name.parse().ok()?, begun.parse().ok()?))
}
