//! What lies in the folder of a store of files. No link is ever followed, wherever it stands.
//!
//! Every part of a path is looked at before the next is gone into. Whoever can put a link there
//! between the look and the step runs as the same user, and can read whatever a link could lead to.

use std::{
    collections::HashMap,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::{
    FileInfo, FileName, Inner, Listed,
    name::{check_part, folded},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::{EntryKind, Inspected},
    id::StoreName,
    root::DataRoot,
};

/// Whether a name is found under its own spelling alone.
const TELLS_CASE: bool = !cfg!(any(windows, target_vendor = "apple"));

/// Why a link is not served.
pub(super) const LINK: &str = "it is a link or a device, which is never followed";

/// The folder of a store, and all that is below.
pub(super) struct Tree {
    pub(super) root: DataRoot,
    pub(super) store: StoreName,
    /// The folder.
    pub(super) base: PathBuf,
}

/// What a walk comes upon.
pub(super) enum Seen {
    File {
        name: FileName,
        path: PathBuf,
        inspected: Inspected,
    },
    Skipped {
        name: String,
        detail: String,
    },
    Unreadable {
        name: String,
        error: StoreError,
    },
}

/// Told of what a walk comes upon.
pub(super) type Each<'a> = &'a mut dyn FnMut(Seen) -> StoreResult<ControlFlow<()>>;

impl Tree {
    pub(super) fn new(root: &DataRoot, store: &StoreName) -> Self {
        Self {
            root: root.clone(),
            store: store.clone(),
            base: root.plain(store),
        }
    }

    /// The folders that lead to the store's own, from the vault's on, and that one.
    pub(super) fn base_folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.root.plain_base()];
        for part in self.store.as_str().split('/') {
            let folder = folders.last().map(|folder| folder.join(part));
            folders.extend(folder);
        }
        folders
    }

    pub(super) fn path(&self, name: &FileName) -> PathBuf {
        let mut path = self.base.clone();
        path.extend(name.parts());
        path
    }

    /// Looks at one entry; none where there is none.
    pub(super) fn look(&self, path: &Path) -> StoreResult<Option<Inspected>> {
        use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};

        match self.root.fs().inspect(path) {
            Ok(found) => Ok(Some(found)),
            // What no name can be on this system is not there.
            Err(error) if matches!(error.kind(), NotFound | NotADirectory | InvalidFilename) => {
                Ok(None)
            }
            Err(error) => Err(StoreError::io("look at", path, &error)),
        }
    }

    /// What lies under a name; none where no file does.
    pub(super) fn find(&self, name: &FileName) -> StoreResult<Option<(PathBuf, Inspected)>> {
        if !self.is_there()? {
            return Ok(None);
        }
        let mut path = self.base.clone();
        let mut found = None;
        for part in name.parts() {
            if !TELLS_CASE && !self.is_spelled(&path, part)? {
                return Ok(None);
            }
            path.push(part);
            match self.look(&path)? {
                Some(inspected) if inspected.kind == EntryKind::Other => {
                    let object = format!("file `{name}` in store `{}`", self.store);
                    return Err(StoreError::damaged(object, LINK));
                }
                // A file is the end of the way; if parts are left, they are looked for in vain.
                Some(inspected) => found = Some(inspected),
                None => return Ok(None),
            }
        }
        let file = found.filter(|found| found.kind == EntryKind::File);
        Ok(file.map(|file| (path, file)))
    }

    /// Whether the store's folder is there, at the end of no link.
    pub(super) fn is_there(&self) -> StoreResult<bool> {
        for folder in self.base_folders() {
            match self.look(&folder)? {
                Some(found) if found.kind == EntryKind::Directory => {}
                Some(_) => {
                    return Err(StoreError::damaged(
                        folder.display(),
                        "it is no folder; a link is never followed",
                    ));
                }
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn is_spelled(&self, folder: &Path, part: &str) -> StoreResult<bool> {
        let entries = match self.root.fs().read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            entries => entries.map_err(|error| StoreError::io("list", folder, &error))?,
        };
        Ok(entries.iter().any(|(name, _)| name == part))
    }

    /// Tells of all whose name begins with `prefix`, ordered by name.
    pub(super) fn walk(&self, prefix: &str, each: Each<'_>) -> StoreResult<ControlFlow<()>> {
        if !self.is_there()? {
            return Ok(ControlFlow::Continue(()));
        }
        let walk = Walk { tree: self, prefix };
        walk.folder(&self.base, "", 1, each)
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    prefix: &'a str,
}

impl Walk<'_> {
    fn folder(
        &self,
        folder: &Path,
        above: &str,
        depth: usize,
        each: Each<'_>,
    ) -> StoreResult<ControlFlow<()>> {
        let mut entries = match durable::list(self.tree.root.fs(), folder) {
            Ok(entries) => entries,
            // Removed since it was seen.
            Err(StoreError::Damaged { .. }) => return Ok(ControlFlow::Continue(())),
            Err(error) => {
                let name = above.trim_end_matches('/').to_owned();
                return each(Seen::Unreadable { name, error });
            }
        };
        // A folder's files all begin with its name and `/`, which comes after `-` and `.`.
        let order = |(name, kind): &(String, EntryKind)| match kind {
            EntryKind::Directory => format!("{name}/"),
            _ => name.clone(),
        };
        entries.sort_by_cached_key(order);
        let mut taken: HashMap<String, String> = HashMap::with_capacity(entries.len());
        for (part, kind) in entries {
            let name = format!("{above}{part}");
            if !self.concerns(&name, kind) {
                continue;
            }
            let unfit = match check_part(&part) {
                Err(why) => Some(why.into_owned()),
                Ok(()) if kind == EntryKind::Other => Some(LINK.to_owned()),
                Ok(()) if depth > FileName::PARTS => Some("its name has over 16 parts".to_owned()),
                Ok(()) => taken.insert(folded(&part), part.clone()).map(|other| {
                    format!(
                        "it differs from `{other}` only by case, or not at all for some systems"
                    )
                }),
            };
            let path = folder.join(&part);
            let flow = match unfit {
                Some(detail) => each(Seen::Skipped { name, detail })?,
                None if kind == EntryKind::Directory => {
                    self.folder(&path, &format!("{name}/"), depth + 1, each)?
                }
                None => self.file(&name, path, each)?,
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn file(&self, name: &str, path: PathBuf, each: Each<'_>) -> StoreResult<ControlFlow<()>> {
        let name = FileName::parse(name)?;
        let seen = match self.tree.look(&path) {
            Ok(Some(inspected)) if inspected.kind == EntryKind::File => Seen::File {
                name,
                path,
                inspected,
            },
            // Removed or replaced since it was seen.
            Ok(_) => return Ok(ControlFlow::Continue(())),
            Err(error) => Seen::Unreadable {
                name: name.to_string(),
                error,
            },
        };
        each(seen)
    }

    /// Whether it is asked for, or anything in it may be.
    fn concerns(&self, name: &str, kind: EntryKind) -> bool {
        let inside = || {
            let rest = self.prefix.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        name.starts_with(self.prefix) || (kind == EntryKind::Directory && inside())
    }
}

impl Inner {
    pub(super) fn find(&self, name: &FileName) -> StoreResult<Option<(PathBuf, Inspected)>> {
        self.check_open()?;
        self.tree.find(name)
    }

    /// See [`super::FileStore::list`].
    pub(super) fn list(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> StoreResult<()> {
        self.check_open()?;
        let mut listed = |seen| {
            let (name, found) = match seen {
                Seen::Skipped { name, detail } => {
                    return Ok(each(Listed::Skipped { name, detail }));
                }
                Seen::Unreadable { name, error } => (name, Err(error)),
                Seen::File {
                    name,
                    path,
                    inspected,
                } => (name.to_string(), self.info(&name, &path, inspected)),
            };
            Ok(match found {
                Ok(Some(info)) => each(Listed::File(info)),
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => each(Listed::Skipped {
                    name,
                    detail: error.to_string(),
                }),
            })
        };
        self.tree.walk(prefix, &mut listed).map(|_| ())
    }

    /// Tells of every file that is served. One that cannot be read is an error.
    pub(super) fn every(
        &self,
        each: &mut dyn FnMut(FileInfo, PathBuf) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<ControlFlow<()>> {
        self.check_open()?;
        self.tree.walk("", &mut |seen| match seen {
            Seen::File {
                name,
                path,
                inspected,
            } => match self.info(&name, &path, inspected)? {
                Some(info) => each(info, path),
                None => Ok(ControlFlow::Continue(())),
            },
            Seen::Skipped { .. } => Ok(ControlFlow::Continue(())),
            Seen::Unreadable { error, .. } => Err(error),
        })
    }
}
