//! The listening socket that a service manager opened before it started this process: systemd for
//! a `.socket` unit, launchd for the `Sockets` of an agent.
#![cfg_attr(
    unix,
    expect(
        unsafe_code,
        reason = "descriptors are inherited by number; each block says why it is sound"
    )
)]

#[cfg(target_os = "macos")]
pub use launchd::inherited_sockets;
#[cfg(all(unix, not(target_os = "macos")))]
pub use systemd::inherited_sockets;
#[cfg(windows)]
pub use windows::{InheritedSocket, inherited_sockets};

/// A socket that was opened before this process began.
#[cfg(unix)]
pub type InheritedSocket = std::os::fd::OwnedFd;

#[cfg(all(unix, not(target_os = "macos")))]
mod systemd {
    use std::{
        io,
        os::fd::{FromRawFd as _, OwnedFd},
    };

    /// Takes the sockets that systemd passed to this process; none where it passed none.
    ///
    /// Called once, before this process opens a file of its own: what `LISTEN_FDS` counts is then
    /// nobody's but the service manager's.
    pub fn inherited_sockets() -> io::Result<Vec<OwnedFd>> {
        let numbers = sd_notify::listen_fds()?;
        // SAFETY: `sd_listen_fds(3)`: the descriptors from 3 on are handed to the process that
        // LISTEN_PID names, which `listen_fds` has compared with this one; it has set a flag on each,
        // so they are open. Nothing else has taken them, as this is called first and once.
        Ok(numbers
            .map(|number| unsafe { OwnedFd::from_raw_fd(number) })
            .collect())
    }
}

#[cfg(target_os = "macos")]
mod launchd {
    use std::{
        ffi::{CStr, c_char, c_int, c_void},
        io,
        os::fd::{FromRawFd as _, OwnedFd},
        ptr, slice,
    };

    use rustix::io::{Errno, FdFlags, fcntl_setfd};

    /// The key under `Sockets` in `org.vaultd.vaultd.plist`.
    const NAME: &CStr = c"vaultd";

    // Both are in libSystem, which every program is linked with.
    unsafe extern "C" {
        /// `launch_activate_socket(3)`.
        fn launch_activate_socket(
            name: *const c_char,
            descriptors: *mut *mut c_int,
            count: *mut usize,
        ) -> c_int;
        fn free(memory: *mut c_void);
    }

    /// Takes the sockets that launchd opened for this agent; none where it did not start this
    /// process. Called once: launchd hands each of them out once.
    pub fn inherited_sockets() -> io::Result<Vec<OwnedFd>> {
        let mut descriptors: *mut c_int = ptr::null_mut();
        let mut count = 0_usize;
        // SAFETY: the name ends with a zero byte, and both places to write to are valid for the call.
        let code =
            unsafe { launch_activate_socket(NAME.as_ptr(), &raw mut descriptors, &raw mut count) };
        match Errno::from_raw_os_error(code) {
            _ if code == 0 => {}
            // Not launchd's process, or an agent without that socket.
            Errno::SRCH | Errno::NOENT => return Ok(Vec::new()),
            error => return Err(error.into()),
        }
        if descriptors.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: on success it points to `count` descriptors, which are the caller's from now on:
        // each is open, and owned once.
        let sockets: Vec<OwnedFd> = unsafe { slice::from_raw_parts(descriptors, count) }
            .iter()
            .map(|number| unsafe { OwnedFd::from_raw_fd(*number) })
            .collect();
        // SAFETY: the manual page leaves it to the caller to free the array, which nothing refers to
        // any more.
        unsafe { free(descriptors.cast()) };
        for socket in &sockets {
            fcntl_setfd(socket, FdFlags::CLOEXEC)?;
        }
        Ok(sockets)
    }
}

#[cfg(windows)]
mod windows {
    /// There is none: pipes are made by whoever serves them.
    pub type InheritedSocket = std::convert::Infallible;

    /// None.
    pub fn inherited_sockets() -> std::io::Result<Vec<InheritedSocket>> {
        Ok(Vec::new())
    }
}
