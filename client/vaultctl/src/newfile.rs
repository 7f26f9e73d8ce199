//! A file that is written whole or not at all, readable by its owner only.

use std::{
    fs::{self, File},
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::{context::Context, failure::Failure, output};

/// Where a file is to go: looked at before anything is asked for or called.
pub(crate) struct Target {
    path: PathBuf,
    force: bool,
}

impl Target {
    /// Refuses what would be overwritten without `force`, and a terminal. `-` is standard output.
    pub(crate) fn new(path: PathBuf, force: bool, context: &Context) -> Result<Self, Failure> {
        Self { path, force }.checked("; --force replaces it", context.json())
    }

    /// The same for a file that is never overwritten.
    pub(crate) fn exclusive(path: PathBuf, context: &Context) -> Result<Self, Failure> {
        let force = false;
        Self { path, force }.checked("", context.json())
    }

    /// A file of vaultctl's own, written anew.
    pub(crate) fn own(path: PathBuf) -> Result<Self, Failure> {
        Self { path, force: true }.checked("", false)
    }

    fn checked(self, way_out: &str, json: bool) -> Result<Self, Failure> {
        if self.is_stdout() {
            if io::stdout().is_terminal() {
                let text = "standard output is a terminal: name a file, or send it on by a pipe";
                return Err(Failure::usage(text));
            }
            if json {
                let text = "--json and the file cannot both go to standard output: name a file";
                return Err(Failure::usage(text));
            }
            return Ok(self);
        }
        let shown = self.path.display();
        if !self.folder().is_dir() {
            return Err(Failure::usage(format!("{shown}: there is no such folder")));
        }
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self),
            Err(error) => Err(Failure::usage(format!("{shown}: {error}"))),
            // A folder or a device is never what was meant.
            Ok(found) if !found.is_file() && !found.is_symlink() => {
                Err(Failure::usage(format!("{shown} is no file")))
            }
            Ok(_) if self.force => Ok(self),
            Ok(_) => Err(Failure::conflict(format!(
                "{shown} is there already{way_out}"
            ))),
        }
    }

    /// Where the file is written: in the same folder, since a rename does not leave a file system.
    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Whether it goes to standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// The path, as it is shown.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to write. A file appears under its name only when it is kept.
    pub(crate) fn create(self) -> Result<NewFile, Failure> {
        if self.is_stdout() {
            return Ok(NewFile::Stdout);
        }
        // Created exclusively with mode 0600, and removed when dropped.
        let part = tempfile::Builder::new()
            .prefix(".vaultctl-")
            .suffix(".part")
            .tempfile_in(self.folder())
            .map_err(|error| self.failed(&error))?;
        Ok(NewFile::Part { part, target: self })
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::other(format!("{} was not written: {error}", self.path.display()))
    }
}

/// A file being written. Dropped, it leaves nothing.
pub(crate) enum NewFile {
    /// Bytes that cannot be taken back.
    Stdout,
    /// A file under a name of its own.
    Part { part: NamedTempFile, target: Target },
}

impl NewFile {
    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Stdout => output::raw(bytes),
            Self::Part { part, target, .. } => {
                part.write_all(bytes).map_err(|error| target.failed(&error))
            }
        }
    }

    /// Lets others than its owner read or run it, as these bits say.
    #[cfg(unix)]
    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), Failure> {
        let Self::Part { part, target } = self else {
            return Ok(());
        };
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        let set = part.as_file().set_permissions(permissions);
        set.map_err(|error| target.failed(&error))
    }

    /// What was written, from its beginning and durable; `None` where it cannot be read again.
    pub(crate) fn reread(&self) -> Result<Option<File>, Failure> {
        let Self::Part { part, target, .. } = self else {
            return Ok(None);
        };
        let read = part.as_file().sync_all().and_then(|()| part.reopen());
        read.map(Some).map_err(|error| target.failed(&error))
    }

    /// Gives the file its name, durably.
    pub(crate) fn keep(self) -> Result<(), Failure> {
        let Self::Part { part, target } = self else {
            return Ok(io::stdout().flush()?);
        };
        let failed = |error: io::Error| target.failed(&error);
        part.as_file().sync_all().map_err(failed)?;
        let kept = if target.force {
            part.persist(&target.path)
        } else {
            // A file of this name may have come since it was looked for.
            part.persist_noclobber(&target.path)
        };
        kept.map_err(|error| failed(error.error))?;
        sync_folder(target.folder()).map_err(failed)
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(windows)]
fn sync_folder(_: &Path) -> io::Result<()> {
    // A folder cannot be opened for that; the rename is in the file system's journal.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &Path, force: bool) -> Result<Target, Failure> {
        let path = path.to_owned();
        Target { path, force }.checked("", false)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("readable").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_only_once_it_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let mut file = target(&path, false).and_then(Target::create).expect("new");
        file.write(b"whole").expect("written");
        assert!(!path.exists());
        drop(file);
        assert!(
            names(folder.path()).is_empty(),
            "dropped, it leaves nothing"
        );

        let mut file = target(&path, false).and_then(Target::create).expect("new");
        file.write(b"whole").expect("written");
        file.keep().expect("kept");
        assert_eq!(names(folder.path()), ["key"]);
        assert_eq!(fs::read(&path).expect("readable"), b"whole");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn nothing_is_overwritten_unless_that_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let mut late = target(&path, false).and_then(Target::create).expect("new");
        late.write(b"late").expect("written");
        fs::write(&path, "first").expect("written");
        assert!(target(&path, false).is_err(), "there before");
        assert!(late.keep().is_err(), "there since");
        assert_eq!(fs::read(&path).expect("readable"), b"first");

        let mut forced = target(&path, true).and_then(Target::create).expect("said");
        forced.write(b"forced").expect("written");
        forced.keep().expect("kept");
        assert_eq!(fs::read(&path).expect("readable"), b"forced");
        assert_eq!(names(folder.path()), ["key"]);
        assert!(target(folder.path(), true).is_err(), "a folder");
        assert!(target(&folder.path().join("no/key"), true).is_err());
    }
}
