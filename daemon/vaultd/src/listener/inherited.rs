//! A socket that the service manager opened: it must be the one that clients of this vault dial, and
//! as hard to reach for others as if it had been bound here.

use std::{fs, io, os::fd::OwnedFd, os::unix::net::UnixListener, path::Path};

use interprocess::os::unix::uds_local_socket::tokio::Listener as UdSocketListener;
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};

use super::{BindError, SocketListener};
use crate::platform;

/// Takes `socket` over if it is the one at `path`, whose folder is known to be private.
pub(super) fn take_over(socket: OwnedFd, path: &Path) -> Result<SocketListener, BindError> {
    let refused = |text: String| BindError::Inherited {
        path: path.to_owned(),
        text,
    };
    let unusable = |error: io::Error| refused(error.to_string());
    check_kind(&socket).map_err(refused)?;
    let listener = UnixListener::from(socket);
    check_name(&listener, path).map_err(refused)?;
    platform::check_socket(path).map_err(unusable)?;
    let listener = UdSocketListener::try_from(OwnedFd::from(listener)).map_err(unusable)?;
    Ok(SocketListener::UdSocket(listener))
}

/// A stream socket of this machine that listens: nothing else is one that clients can be served on.
fn check_kind(socket: &OwnedFd) -> Result<(), String> {
    let is = |what: bool, text: &str| if what { Ok(()) } else { Err(text.to_owned()) };
    let unreadable = |error: rustix::io::Errno| format!("it is no socket: {error}");
    let address = getsockname(socket).map_err(unreadable)?;
    is(
        address.address_family() == AddressFamily::UNIX,
        "it is no Unix socket",
    )?;
    let kind = sockopt::socket_type(socket).map_err(unreadable)?;
    is(
        kind == SocketType::STREAM,
        "it is no stream socket: use ListenStream=",
    )?;
    let listens = platform::listens(socket).map_err(unreadable)?;
    is(
        listens,
        "it is a connection, not a listening socket: use Accept=no",
    )
}

/// Clients find the socket by its path alone. Folders are compared as they are, whatever links lead
/// to them.
fn check_name(listener: &UnixListener, path: &Path) -> Result<(), String> {
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let Some(bound) = address.as_pathname() else {
        return Err("it has no path".to_owned());
    };
    let folder = |path: &Path| {
        path.parent()
            .and_then(|folder| fs::canonicalize(folder).ok())
    };
    let same = bound.file_name() == path.file_name() && folder(bound) == folder(path);
    if same {
        return Ok(());
    }
    Err(format!(
        "it is {}: name the same path in the unit's ListenStream= (or the agent's SockPathName) and \
         to the daemon, by --socket or VAULTD_SOCKET",
        bound.display()
    ))
}
