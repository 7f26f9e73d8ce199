//! A file system in memory that records every operation, so that crashes can be enumerated.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use vault_store::fs::{EntryKind, FileSystem, NewFile, OpenFile};

use super::{keyring::Entries, secrets::Secrets};

/// A file apart from its names.
pub(crate) type Inode = usize;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Entry {
    File(Inode),
    Directory,
}

/// The entries of every directory.
pub(crate) type Tree = BTreeMap<PathBuf, BTreeMap<String, Entry>>;

/// What was asked of the file system, in order.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Create {
        path: PathBuf,
        inode: Inode,
    },
    Write {
        inode: Inode,
        bytes: Vec<u8>,
    },
    /// The file is cut to that length.
    Cut {
        inode: Inode,
        len: usize,
    },
    SyncFile {
        inode: Inode,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        inode: Inode,
    },
    Unlink {
        path: PathBuf,
    },
    MakeDirectory {
        path: PathBuf,
    },
    RemoveDirectory {
        path: PathBuf,
    },
    SyncDirectory {
        path: PathBuf,
    },
    /// A sync that reported a failure: a later one proves nothing about what was pending.
    FailedSync {
        directory: PathBuf,
    },
    /// Not of the file system: what the keyrings hold from now on.
    Keyring {
        entries: Entries,
    },
    /// Not of the file system: the secrets that the keyring holds from now on.
    Secrets {
        secrets: Secrets,
    },
    /// Not of the file system: the caller was told that all so far is done.
    Acknowledged,
}

impl Operation {
    pub(crate) fn is_sync(&self) -> bool {
        matches!(self, Self::SyncFile { .. } | Self::SyncDirectory { .. })
    }
}

/// A whole file system, all of it durable.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Image {
    pub(crate) tree: Tree,
    pub(crate) contents: Vec<Arc<Vec<u8>>>,
}

impl Image {
    pub(crate) fn file(&self, path: &Path) -> Option<&[u8]> {
        let (directory, name) = split(path);
        match self.tree.get(&directory)?.get(&name)? {
            Entry::File(inode) => Some(&self.contents[*inode]),
            Entry::Directory => None,
        }
    }

    pub(crate) fn without(&self, path: &Path) -> Self {
        let (directory, name) = split(path);
        let mut image = self.clone();
        image
            .tree
            .get_mut(&directory)
            .expect("a directory")
            .remove(&name);
        image
    }
}

struct State {
    image: Image,
    log: Vec<Operation>,
}

/// A file system in memory. Cloned, it is the same one.
#[derive(Clone)]
pub(crate) struct SimulatedFileSystem(Arc<Mutex<State>>);

pub(crate) fn split(path: &Path) -> (PathBuf, String) {
    let name = path.file_name().expect("no path here ends in `..`");
    let parent = path.parent().expect("nothing here is done to `/`");
    (parent.to_owned(), name.to_string_lossy().into_owned())
}

impl SimulatedFileSystem {
    /// A file system with one empty directory.
    pub(crate) fn new(root: &Path) -> Self {
        let tree = Tree::from([(root.to_owned(), BTreeMap::new())]);
        Self::of(Image {
            tree,
            contents: Vec::new(),
        })
    }

    pub(crate) fn of(image: Image) -> Self {
        Self(Arc::new(Mutex::new(State {
            image,
            log: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What programs see at the moment.
    pub(crate) fn image(&self) -> Image {
        self.state().image.clone()
    }

    /// Forgets the log, as if everything had been synced.
    pub(crate) fn settle(&self) {
        self.state().log.clear();
    }

    pub(crate) fn log(&self) -> Vec<Operation> {
        self.state().log.clone()
    }

    pub(crate) fn acknowledge(&self) {
        self.note(Operation::Acknowledged);
    }

    /// Notes what is not of the file system in its place among what is.
    pub(crate) fn note(&self, operation: Operation) {
        self.state().log.push(operation);
    }

    /// Notes that a sync of a directory failed.
    pub(crate) fn failed_sync(&self, directory: &Path) {
        self.state().log.push(Operation::FailedSync {
            directory: directory.to_owned(),
        });
    }
}

impl State {
    fn directory(&mut self, path: &Path) -> io::Result<&mut BTreeMap<String, Entry>> {
        self.image
            .tree
            .get_mut(path)
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn file(&mut self, path: &Path) -> io::Result<Inode> {
        let (directory, name) = split(path);
        match self.directory(&directory)?.get(&name) {
            None => Err(ErrorKind::NotFound.into()),
            Some(Entry::File(inode)) => Ok(*inode),
            Some(Entry::Directory) => Err(ErrorKind::InvalidInput.into()),
        }
    }
}

impl FileSystem for SimulatedFileSystem {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        let (directory, name) = split(path);
        let inode = state.image.contents.len();
        let entries = state.directory(&directory)?;
        if entries.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        entries.insert(name, Entry::File(inode));
        state.image.contents.push(Arc::default());
        state.log.push(Operation::Create {
            path: path.to_owned(),
            inode,
        });
        Ok(Box::new(Written {
            fs: self.clone(),
            inode,
        }))
    }

    fn append(&self, path: &Path, len: u64) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        let inode = state.file(path)?;
        let content = &mut state.image.contents[inode];
        let len = usize::try_from(len).map_err(|_| ErrorKind::InvalidInput)?;
        Arc::make_mut(content).resize(len, 0);
        state.log.push(Operation::Cut { inode, len });
        Ok(Box::new(Written {
            fs: self.clone(),
            inode,
        }))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        let mut state = self.state();
        let inode = state.file(path)?;
        Ok(state.image.contents[inode].len() as u64)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let mut state = self.state();
        let inode = state.file(path)?;
        Ok(Box::new(Opened(Arc::clone(&state.image.contents[inode]))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.file(from)?;
        let ((from_directory, from_name), (directory, name)) = (split(from), split(to));
        let target = state.directory(&directory)?;
        if target.get(&name) == Some(&Entry::Directory) {
            return Err(ErrorKind::IsADirectory.into());
        }
        target.insert(name, Entry::File(inode));
        state.directory(&from_directory)?.remove(&from_name);
        state.log.push(Operation::Rename {
            from: from.to_owned(),
            to: to.to_owned(),
            inode,
        });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.file(path)?;
        let (directory, name) = split(path);
        state.directory(&directory)?.remove(&name);
        state.log.push(Operation::Unlink {
            path: path.to_owned(),
        });
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let (directory, name) = split(path);
        let entries = state.directory(&directory)?;
        if entries.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        entries.insert(name, Entry::Directory);
        state.image.tree.insert(path.to_owned(), BTreeMap::new());
        state.log.push(Operation::MakeDirectory {
            path: path.to_owned(),
        });
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.directory(path)?.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        let (directory, name) = split(path);
        state.directory(&directory)?.remove(&name);
        state.image.tree.remove(path);
        state.log.push(Operation::RemoveDirectory {
            path: path.to_owned(),
        });
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        let kind = |entry: &Entry| match entry {
            Entry::File(_) => EntryKind::File,
            Entry::Directory => EntryKind::Directory,
        };
        let mut state = self.state();
        let entries = state.directory(path)?;
        Ok(entries
            .iter()
            .map(|(name, entry)| (name.clone(), kind(entry)))
            .collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.directory(path)?;
        state.log.push(Operation::SyncDirectory {
            path: path.to_owned(),
        });
        Ok(())
    }

    fn free_space(&self, _directory: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

struct Written {
    fs: SimulatedFileSystem,
    inode: Inode,
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.fs.state();
        let content = &mut state.image.contents[self.inode];
        Arc::make_mut(content).extend_from_slice(bytes);
        state.log.push(Operation::Write {
            inode: self.inode,
            bytes: bytes.to_vec(),
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Written {
    fn sync(&mut self) -> io::Result<()> {
        self.fs
            .state()
            .log
            .push(Operation::SyncFile { inode: self.inode });
        Ok(())
    }

    fn again(&self) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(Self {
            fs: self.fs.clone(),
            inode: self.inode,
        }))
    }
}

struct Opened(Arc<Vec<u8>>);

impl OpenFile for Opened {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| ErrorKind::UnexpectedEof)?;
        let end = start.saturating_add(buffer.len());
        let found = self.0.get(start..end).ok_or(ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}
