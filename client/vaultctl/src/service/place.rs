//! Files on their way into their place.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::record::{self, Record};
use crate::{failure::Failure, folder, newfile::Target};

/// What a file is to hold.
#[derive(Debug)]
pub(super) enum Content {
    /// The program at this path.
    Program(PathBuf),
    /// A text.
    Text(String),
}

impl Content {
    fn digest(&self) -> Result<String, Failure> {
        match self {
            Self::Text(text) => Ok(record::digest_of(text)),
            Self::Program(path) => record::digest(path).map_err(|error| failed(path, &error)),
        }
    }

    /// Programs may be run by all who may reach them; units hold nothing that is secret.
    const fn mode(&self) -> u32 {
        match self {
            Self::Program(_) => 0o755,
            Self::Text(_) => 0o644,
        }
    }
}

/// How a place stands to what is to go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is there.
    Free,
    /// It is there.
    Same,
    /// An earlier one is there, as it was put.
    Earlier,
    /// Something else is there: changed since, or put by other means.
    Foreign,
}

/// A file for a place.
#[derive(Debug)]
pub(super) struct Placement {
    path: PathBuf,
    content: Content,
    digest: String,
    standing: Standing,
}

impl Placement {
    /// Looks at the place, and changes nothing.
    pub(super) fn new(path: PathBuf, content: Content, record: &Record) -> Result<Self, Failure> {
        let digest = content.digest()?;
        let standing = standing(&path, &digest, record).map_err(|error| failed(&path, &error))?;
        Ok(Self {
            path,
            content,
            digest,
            standing,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    /// Notes what is about to be done.
    pub(super) fn announce(&self, record: &mut Record) {
        if self.standing != Standing::Same {
            record.expect(&self.path, &self.digest);
        }
    }

    /// Notes what was done.
    pub(super) fn settle(&self, record: &mut Record) {
        record.settle(&self.path, &self.digest);
    }

    /// Puts the file in place, whole or not at all. A program that runs goes on as it was.
    pub(super) fn put(&self) -> Result<(), Failure> {
        self.path.parent().map_or(Ok(()), folder::create)?;
        let mut file = Target::own(self.path.clone())?.create()?;
        match &self.content {
            Content::Text(text) => file.write(text.as_bytes())?,
            Content::Program(source) => {
                let mut source = File::open(source).map_err(|error| failed(source, &error))?;
                let mut piece = vec![0; 64 << 10];
                loop {
                    match source.read(&mut piece)? {
                        0 => break,
                        read => file.write(&piece[..read])?,
                    }
                }
            }
        }
        file.set_mode(self.content.mode())?;
        file.keep()
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::other(format!("{}: {error}", path.display()))
}

fn standing(path: &Path, digest: &str, record: &Record) -> io::Result<Standing> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Free),
        found => found?,
    };
    if found.is_symlink() {
        // The user's own way to put it there, such as from a folder of dotfiles.
        let same = record::digest(path).is_ok_and(|there| there == digest);
        return Ok(if same {
            Standing::Same
        } else {
            Standing::Foreign
        });
    }
    if !found.is_file() {
        return Err(io::Error::other("this is no file"));
    }
    let there = record::digest(path)?;
    Ok(match there {
        there if there == digest => Standing::Same,
        there if record.knows(path, &there) => Standing::Earlier,
        _ => Standing::Foreign,
    })
}

/// Whether a file is still what was put there; `None` where it is gone.
pub(super) fn is_untouched(path: &Path, record: &Record) -> Result<Option<bool>, Failure> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
        Ok(found) if !found.is_file() => Ok(Some(false)),
        Ok(_) => {
            let there = record::digest(path).map_err(|error| failed(path, &error))?;
            Ok(Some(record.knows(path, &there)))
        }
    }
}
