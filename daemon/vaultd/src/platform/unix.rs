//! Unix: process hardening, and a folder for the socket that nobody else can touch.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::fd::OwnedFd,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use interprocess::local_socket::ListenerOptions;
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketType},
    process::{Resource, Rlimit},
};

use super::Hardening;

/// The effective user of this process.
pub fn user_id() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// Keeps secrets in: no core dumps, no debugger, nothing created that others can read.
pub fn harden() -> Hardening {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, no_core) {
        tracing::warn!(%error, "core dumps could not be turned off");
    }
    raise_file_limit();
    Hardening {
        non_dumpable: forbid_dumps(),
    }
}

#[cfg(target_os = "linux")]
fn forbid_dumps() -> bool {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

/// Core dumps are a matter of their limit here. A debugger that started this process ends it now, as
/// `ptrace(2)` says of this request.
#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "no safe wrapper has this request")]
fn forbid_dumps() -> bool {
    let no_core = rustix::process::getrlimit(Resource::Core).current == Some(0);
    // SAFETY: the request looks at no other argument, and at no memory of this process.
    let denied = unsafe { libc::ptrace(libc::PT_DENY_ATTACH, 0, std::ptr::null_mut(), 0) } == 0;
    no_core && denied
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn forbid_dumps() -> bool {
    false
}

/// A thousand idle peers must not use up the descriptors that files need.
fn raise_file_limit() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
}

fn refused(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// Makes sure that only this user can create, replace or reach what lies in `folder`: creates it
/// with mode 0700, or checks owner and mode of the one that is there. Links are refused.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let found = fs::symlink_metadata(folder)?;
    let shown = folder.display();
    if !found.is_dir() {
        return Err(refused(format!(
            "{shown} is not a folder (links are refused)"
        )));
    }
    if Some(found.uid()) != user_id() {
        return Err(refused(format!("{shown} belongs to user {}", found.uid())));
    }
    if found.mode() & 0o077 != 0 {
        return Err(refused(format!(
            "{shown} is open to others: run `chmod 700 {shown}`"
        )));
    }
    Ok(())
}

/// Locks the path of a socket, in a folder of this user, by a file beside it: whoever holds that may
/// put a socket there.
pub fn lock_name(path: &Path) -> Result<Option<File>, TryLockError> {
    if let Some(folder) = path.parent() {
        private_folder(folder).map_err(TryLockError::Error)?;
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = open_lock_file(Path::new(&lock_path)).map_err(TryLockError::Error)?;
    lock.try_lock()?;
    Ok(Some(lock))
}

/// A name that was locked is free.
pub fn is_name_taken(_: &io::Error) -> bool {
    false
}

/// Opens the file whose lock guards a socket's path. A link in its place is refused.
fn open_lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// Whether somebody listens on the socket at `path`. Waits for nobody: of a queue that is full, too,
/// somebody is in charge.
pub fn is_served(path: &Path) -> bool {
    let connected = || {
        let address = SocketAddrUnix::new(path)?;
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        rustix::net::connect(&socket, &address)
    };
    matches!(connected(), Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS))
}

/// Keeps other users from a socket that is about to be bound.
#[cfg(not(target_os = "macos"))]
pub fn for_owner(options: ListenerOptions<'_>) -> ListenerOptions<'_> {
    use interprocess::os::unix::local_socket::ListenerOptionsExt as _;
    options.mode(0o600)
}

/// macOS refuses a mode to a socket without a path. Other users are kept out by its folder, see
/// [`private_folder`], and by the umask of [`harden`].
#[cfg(target_os = "macos")]
pub fn for_owner(options: ListenerOptions<'_>) -> ListenerOptions<'_> {
    options
}

/// Whether a socket waits for connections.
#[cfg(not(target_os = "macos"))]
pub fn listens(socket: &OwnedFd) -> rustix::io::Result<bool> {
    rustix::net::sockopt::socket_acceptconn(socket)
}

/// macOS does not tell; where it is a connection, accepting from it fails.
#[cfg(target_os = "macos")]
pub fn listens(_socket: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(true)
}

/// Makes sure that `path` is a socket of this user which nobody else can connect to.
pub fn check_socket(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let shown = path.display();
    if !found.file_type().is_socket() || Some(found.uid()) != user_id() {
        return Err(refused(format!("{shown} is no socket of this user")));
    }
    if found.mode() & 0o077 != 0 {
        return Err(refused(format!(
            "{shown} is open to others: SocketMode=0600 keeps them out"
        )));
    }
    Ok(())
}

/// Removes a socket that no daemon serves any more; the caller holds its lock. Anything else at
/// its path is somebody's file, and refused.
pub fn remove_stale_socket(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let shown = path.display();
    if !found.file_type().is_socket() || Some(found.uid()) != user_id() {
        return Err(refused(format!(
            "{shown} is in the way and is no socket of this user: remove it"
        )));
    }
    fs::remove_file(path)
}
