//! Windows: the operating system guards the names of pipes by itself.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use widestring::{U16CStr, u16cstr};

use super::Hardening;

/// Full access for whoever owns the pipe, who is the user of the process that made it, and none for
/// anybody else. Protected: nothing is inherited.
const OWNER_ONLY: &U16CStr = u16cstr!("D:P(A;;GA;;;S-1-3-4)");

/// Pipes are guarded by their security descriptor, not by a numeric user.
pub fn user_id() -> Option<u32> {
    None
}

/// Nothing to do: Windows dumps no core unless error reporting is set up for the program.
pub fn harden() -> Hardening {
    Hardening::default()
}

/// Whoever makes the first pipe of a name keeps others from it: no lock is needed.
pub fn lock_name(_path: &Path) -> Result<Option<File>, TryLockError> {
    Ok(None)
}

/// Whether a pipe was not made because there is one of its name.
pub fn is_name_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// What keeps other users from a pipe.
pub fn owner_only() -> io::Result<SecurityDescriptor> {
    SecurityDescriptor::deserialize(OWNER_ONLY)
}

/// `ERROR_PIPE_BUSY`: a pipe of this name is there, and nobody waits at it at the moment.
const PIPE_BUSY: i32 = 231;

/// Whether somebody serves the pipe. Between this look and the making of one, the system keeps a second
/// server out.
pub fn is_served(path: &Path) -> bool {
    match File::options().read(true).write(true).open(path) {
        Ok(_) => true,
        Err(error) => error.raw_os_error() == Some(PIPE_BUSY),
    }
}

/// Pipes vanish with their process.
pub fn remove_stale_socket(_path: &Path) -> io::Result<()> {
    Ok(())
}
