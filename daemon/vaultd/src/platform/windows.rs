//! Windows: named pipes need no folder and no lock file of their own.

use std::{fs::File, io, path::Path};

use super::Hardening;

/// Pipes are guarded by their security descriptor, not by a numeric user.
pub fn user_id() -> Option<u32> {
    None
}

/// Nothing to do yet: Windows dumps no core unless error reporting is set up for the program.
pub fn harden() -> Hardening {
    Hardening::default()
}

/// Creates the folder of the lock file.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Opens the file whose lock guards a pipe's name.
pub fn open_lock_file(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Pipes vanish with their process.
pub fn remove_stale_socket(_path: &Path) -> io::Result<()> {
    Ok(())
}
