//! The socket comes to be: bound here, or taken over from the service manager.

use std::{
    fs::TryLockError,
    io,
    path::{Path, PathBuf},
};

use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName as _};

use super::{Listener, Slots, SocketListener};
use crate::platform::{self, InheritedSocket};

/// Longest path of a Unix socket, in bytes: `sun_path` less its terminator, on the strictest system.
const PATH_LIMIT: usize = 103;

/// Why the socket was not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon listens there.
    #[error("another vaultd already listens on {0}")]
    Served(PathBuf),
    /// What the service manager handed over is not the socket that clients dial.
    #[error("the socket of the service manager is not the one at {path}: {text}")]
    Inherited {
        /// Where clients dial.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
    /// The path, or its folder, cannot be used.
    #[error("cannot listen on {path}: {error}")]
    Unusable {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
}

impl Listener {
    /// Refuses a path on which somebody listens. Asked before the data root is locked: it may be the
    /// service manager, whose daemon then finds the root free.
    pub fn check_unserved(path: &Path) -> Result<(), BindError> {
        if platform::is_served(path) {
            Err(BindError::Served(path.to_owned()))
        } else {
            Ok(())
        }
    }

    /// Takes over what the service manager opened, or binds `path` where it opened nothing. The caller
    /// holds the data root's lock; a lock beside the socket keeps out a daemon of another root that was
    /// told to use the same path.
    pub fn open(inherited: Vec<InheritedSocket>, path: &Path) -> Result<Self, BindError> {
        let unusable = |error| BindError::Unusable {
            path: path.to_owned(),
            error,
        };
        let too_long = path.as_os_str().len() > PATH_LIMIT;
        if too_long && cfg!(unix) {
            let text =
                format!("the path is over {PATH_LIMIT} bytes: name another by VAULTD_SOCKET");
            return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        let lock = platform::lock_name(path).map_err(|error| match error {
            TryLockError::WouldBlock => BindError::Served(path.to_owned()),
            TryLockError::Error(error) => unusable(error),
        })?;
        let taken_over = take_over(inherited, path)?;
        let inherited = taken_over.is_some();
        let socket = match taken_over {
            Some(socket) => socket,
            None => bind(path).map_err(|error| {
                if platform::is_name_taken(&error) {
                    BindError::Served(path.to_owned())
                } else {
                    unusable(error)
                }
            })?,
        };
        Ok(Self {
            socket,
            path: path.to_owned(),
            inherited,
            slots: Slots::default(),
            _lock: lock,
        })
    }
}

/// What the service manager opened, if it is the socket at `path`.
#[cfg(unix)]
fn take_over(
    sockets: Vec<InheritedSocket>,
    path: &Path,
) -> Result<Option<SocketListener>, BindError> {
    let count = sockets.len();
    let mut sockets = sockets.into_iter();
    match (sockets.next(), count) {
        (None, _) => Ok(None),
        (Some(socket), 1) => super::inherited::take_over(socket, path).map(Some),
        _ => Err(BindError::Inherited {
            path: path.to_owned(),
            text: format!("it opened {count} sockets, and vaultd serves one"),
        }),
    }
}

#[cfg(windows)]
fn take_over(_: Vec<InheritedSocket>, _: &Path) -> Result<Option<SocketListener>, BindError> {
    Ok(None)
}

/// Binds `path`, in place of a socket that nobody serves any more. A named pipe must be the first of
/// its name, and is for this machine only.
fn bind(path: &Path) -> io::Result<SocketListener> {
    platform::remove_stale_socket(path)?;
    let options = ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?);
    #[cfg(unix)]
    // The name is removed by `Listener::drop`, under the lock.
    let options = platform::for_owner(options).reclaim_name(false);
    #[cfg(windows)]
    let options = {
        use interprocess::os::windows::local_socket::ListenerOptionsExt as _;
        options.security_descriptor(platform::owner_only()?)
    };
    options.create_tokio()
}
