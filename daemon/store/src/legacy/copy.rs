//! A copy of a legacy root, compared with what it was made of.

use std::path::{Path, PathBuf};

use vault_crypto::{ContentHash, ContentHasher};
use zeroize::Zeroizing;

use super::{LegacyError, MARKER, RECORD, Report, STAGING, clear, staged};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::{EntryKind, FileSystem},
    root::{DataRoot, is_of_daemon},
};

/// Read and written at once, in bytes.
const PIECE: usize = 256 << 10;

/// Left free on the disk beside the copy, in bytes.
const RESERVE: u64 = 16 << 20;

/// What was copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Links, sockets and such, which are not copied.
    pub passed_over: u64,
}

/// What a root holds, by names and sizes and times.
#[derive(PartialEq, Eq)]
struct Survey {
    found: Copied,
    print: ContentHash,
}

/// Copies the legacy root into the folder [`STAGING`] of `active`; one that is there, from an attempt
/// that was interrupted, goes first.
///
/// `times` says how often the disk must have room for what is copied: twice, where it is sealed anew.
pub fn copy(
    from: &DataRoot,
    active: &DataRoot,
    times: u64,
    report: &mut Report<'_>,
) -> Result<Copied, LegacyError> {
    clear(active)?;
    let before = survey(from)?;
    let total = before.found.bytes;
    make_room(active, total.saturating_mul(times))?;
    let target = staged(active);
    durable::ensure_dir(active.fs(), target.path())?;
    let mut copying = Copying {
        fs: active.fs(),
        piece: Zeroizing::new(vec![0; PIECE]),
        done: 0,
        // Each is read, and its copy, too.
        total: total.saturating_mul(2),
        report,
    };
    copying.folder(from.path(), target.path(), true)?;
    durable::sync_dir(active.fs(), active.path())?;
    // What was changed meanwhile may be a mixture that there never was.
    if survey(from)? != before {
        return Err(LegacyError::Changed(from.path().to_owned()));
    }
    Ok(before.found)
}

fn make_room(active: &DataRoot, bytes: u64) -> StoreResult<()> {
    let needed = bytes.saturating_add(RESERVE);
    match active.fs().free_space(active.path()) {
        Ok(free) if free < needed => Err(StoreError::NoSpace {
            operation: "moving a legacy root in",
            needed,
            free,
        }),
        // Where nobody can tell, a full disk shows.
        _ => Ok(()),
    }
}

/// The entries of a folder that are copied, in the order of their names. Of the root itself, not what
/// belongs to a daemon, or to an earlier moving in.
fn entries(
    fs: &dyn FileSystem,
    folder: &Path,
    is_root: bool,
) -> StoreResult<Vec<(String, EntryKind)>> {
    let mut entries = durable::list(fs, folder)?;
    if is_root {
        entries.retain(|(name, _)| {
            !is_of_daemon(name) && ![STAGING, RECORD, MARKER].contains(&name.as_str())
        });
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(entries)
}

/// Looks at everything without opening it.
fn survey(root: &DataRoot) -> StoreResult<Survey> {
    let fs = root.fs();
    let mut found = Copied::default();
    let mut print = ContentHasher::new();
    let mut folders: Vec<PathBuf> = vec![root.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for (name, kind) in entries(fs, &folder, folder == root.path())? {
            let path = folder.join(&name);
            match kind {
                EntryKind::Directory => folders.push(path),
                EntryKind::Other => found.passed_over += 1,
                EntryKind::File => {
                    let inspected = fs
                        .inspect(&path)
                        .map_err(|error| StoreError::io("look at", &path, &error))?;
                    found.files += 1;
                    found.bytes += inspected.len;
                    let seen = (inspected.len, inspected.modified_ms);
                    print.update(format!("{}\0{seen:?}\n", path.display()).as_bytes());
                }
            }
        }
    }
    Ok(Survey {
        found,
        print: print.finish(),
    })
}

struct Copying<'a, 'r> {
    fs: &'a dyn FileSystem,
    piece: Zeroizing<Vec<u8>>,
    done: u64,
    total: u64,
    report: &'a mut Report<'r>,
}

impl Copying<'_, '_> {
    /// Copies what lies in a folder, durably.
    fn folder(&mut self, from: &Path, to: &Path, is_root: bool) -> Result<(), LegacyError> {
        for (name, kind) in entries(self.fs, from, is_root)? {
            let (from, to) = (from.join(&name), to.join(&name));
            match kind {
                EntryKind::File => self.file(&from, &to)?,
                EntryKind::Directory => {
                    durable::ensure_dir(self.fs, &to)?;
                    self.folder(&from, &to, false)?;
                }
                EntryKind::Other => {}
            }
        }
        Ok(durable::sync_dir(self.fs, to)?)
    }

    /// Copies a file, syncs it, and reads the copy.
    fn file(&mut self, from: &Path, to: &Path) -> Result<(), LegacyError> {
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |error| StoreError::io(operation, &path, &error)
        };
        let mut copy = self.fs.create_new(to).map_err(failed("create", to))?;
        let source = self.read(from, &mut |piece| {
            copy.write_all(piece).map_err(failed("write", to))
        })?;
        copy.sync().map_err(failed("sync", to))?;
        drop(copy);
        let copied = self.read(to, &mut |_| Ok(()))?;
        if source == copied {
            Ok(())
        } else {
            Err(LegacyError::NotTheSame(from.to_owned()))
        }
    }

    /// Reads a file to its end, piece by piece. Returns its hash.
    fn read(
        &mut self,
        path: &Path,
        take: &mut dyn FnMut(&[u8]) -> StoreResult<()>,
    ) -> Result<ContentHash, LegacyError> {
        let failed = |error| StoreError::io("read", path, &error);
        let file = self.fs.open(path).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let mut hasher = ContentHasher::new();
        let mut at = 0;
        while at < len {
            let wanted = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
            let piece = &mut self.piece[..wanted];
            file.read_exact_at(piece, at).map_err(failed)?;
            hasher.update(piece);
            take(piece)?;
            at += wanted as u64;
            self.done += wanted as u64;
            if (self.report)(self.done.min(self.total), self.total).is_break() {
                return Err(LegacyError::Stopped);
            }
        }
        Ok(hasher.finish())
    }
}
