//! Private folders for the files of runs: where they are, and that none outlives its run.
//!
//! Each run has a folder of its own, locked (`flock`) by `vaultctl` and by its supervisor for as
//! long as they live. A folder that nobody locks is left over from a run that was killed together
//! with its supervisor, and is swept by the next run.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};
use vault_client::paths;

/// Every folder of a run begins with this.
const PREFIX: &str = "run-";

/// Where the folders of this user's runs lie.
///
/// In the runtime directory, `$XDG_RUNTIME_DIR/vaultd` or else `/run/user/UID/vaultd`, which is
/// memory and the user's own. Where there is none: `vaultd-UID` in `/dev/shm`, which is memory, or
/// else among the temporary files.
pub(super) fn place() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let is_own = |path: &PathBuf| {
        let found = fs::metadata(path);
        path.is_absolute() && found.is_ok_and(|found| found.is_dir() && found.uid() == user)
    };
    let runtime = paths::runtime_dirs(user).into_iter().find(is_own);
    runtime.map_or_else(
        || paths::shared_memory_dir(user),
        |runtime| paths::own_runtime_dir(&runtime),
    )
}

/// The folder in which those of the runs lie, made sure of and open.
pub(super) struct Place {
    path: PathBuf,
    folder: File,
}

impl Place {
    /// Makes it where it is not there. One that others own or may enter is refused: in a folder that
    /// all can write to, it may be anybody's.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Self::open(path),
        }
    }

    fn open(path: &Path) -> io::Result<Self> {
        let folder = open_folder(path)?;
        let found = folder.metadata()?;
        let is_own = found.uid() == rustix::process::geteuid().as_raw();
        if !is_own || found.mode() & 0o077 != 0 {
            let text = "it is another user's, or others may enter it";
            return Err(io::Error::new(ErrorKind::PermissionDenied, text));
        }
        let path = path.to_owned();
        Ok(Self { path, folder })
    }

    /// Makes a folder for a run.
    pub(super) fn make_folder(&self) -> io::Result<Folder> {
        // Nobody sweeps while it is there and not yet locked.
        self.folder.lock()?;
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(16)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&self.path)?;
        let folder = Folder::open(made.path());
        if folder.is_ok() {
            // From now on it is removed with the folder that is given back.
            let _ = made.keep();
        }
        self.folder.unlock()?;
        folder
    }
}

/// Removes what killed runs have left in a place. Nothing depends on it, so that it fails silently.
pub(super) fn sweep(path: &Path) {
    let Ok(place) = Place::open(path) else { return };
    // Another run that makes its folder now sweeps next time, as this one does.
    if place.folder.try_lock().is_err() {
        return;
    }
    let entries = fs::read_dir(&place.path).into_iter().flatten().flatten();
    for entry in entries {
        let is_folder = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let folder = open_folder(&entry.path());
        if is_folder && folder.is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The folder of one run, which nobody sweeps as long as this is there.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Opens and locks one that is there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let lock = open_folder(path)?;
        lock.try_lock_shared()?;
        let path = path.to_owned();
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that its owner alone may read.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        // It must not be there: nothing is written into a file, or through a link, of others.
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(bytes)?;
        Ok(path)
    }

    /// Removes the folder with all that is in it. It may be gone already.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Opens a folder; a link to one is refused.
fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place::make(&folder.join("vaultd")).expect("made")
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("there").mode() & 0o777
    }

    #[test]
    fn a_file_is_its_owners_alone_and_goes_with_its_folder() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = place(root.path()).make_folder().expect("made");
        let file = folder.write("KEY", b"hush").expect("written");
        assert_eq!((mode(folder.path()), mode(&file)), (0o700, 0o600));
        assert_eq!(fs::read(&file).expect("readable"), b"hush");
        assert!(folder.write("KEY", b"other").is_err(), "there already");
        folder.remove().expect("removed");
        assert!(!folder.path().exists());
        folder.remove().expect("gone already");
    }

    #[test]
    fn only_folders_that_nobody_holds_are_swept() {
        let root = tempfile::tempdir().expect("a folder");
        let place = place(root.path());
        let held = place.make_folder().expect("made");
        // `vaultctl` holds it, too, when its supervisor is killed.
        let left = place.make_folder().expect("made");
        let left_path = left.path().to_owned();
        let also = Folder::open(&left_path).expect("opened");
        drop(left);
        fs::write(place.path.join("vaultd.sock"), "").expect("written");
        std::os::unix::fs::symlink(root.path(), place.path.join("run-link")).expect("linked");

        sweep(&place.path);
        assert!(held.path().exists() && left_path.exists());
        also.write("KEY", b"hush").expect("written");
        drop(also);
        sweep(&place.path);
        assert!(held.path().exists() && !left_path.exists());
        let left = fs::read_dir(&place.path).expect("readable").count();
        assert_eq!(left, 3, "the socket and the link are not ours");
    }

    #[test]
    fn a_place_that_others_may_enter_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("vaultd");
        fs::create_dir(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        assert!(Place::make(&path).is_err());
        let link = root.path().join("link");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("set");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        assert!(Place::make(&link).is_err(), "a link");
        assert!(Place::make(&path).is_ok());
    }
}
