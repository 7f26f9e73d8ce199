//! What the operating system says of the process at the other end of the socket.

use std::sync::OnceLock;

#[cfg(unix)]
use interprocess::local_socket::PeerCreds;

/// A process, for people who read what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// What it is called.
    pub comm: String,
    /// The unit of systemd that it belongs to, or its control group.
    pub unit: String,
    /// Its program, where that can be read.
    pub exe: String,
}

/// The process at the other end of a connection. Looked at when it is first asked for, and once.
#[derive(Debug, Default)]
pub struct PeerProcess {
    #[cfg(target_os = "linux")]
    handle: linux::Handle,
    info: OnceLock<ProcessInfo>,
}

impl PeerProcess {
    /// The process `pid`, which opened this connection.
    #[cfg(unix)]
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "there is no way to ask here")
    )]
    pub fn of(connection: std::os::fd::BorrowedFd<'_>, pid: Option<i32>) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            handle: linux::Handle::of(connection, pid),
            info: OnceLock::new(),
        }
    }

    /// What is known of it; nothing of one that has ended meanwhile.
    pub fn info(&self) -> &ProcessInfo {
        self.info.get_or_init(|| {
            #[cfg(target_os = "linux")]
            return self.handle.read().unwrap_or_default();
            #[cfg(not(target_os = "linux"))]
            return ProcessInfo::default();
        })
    }
}

/// The process that opened a connection, where the system tells.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn peer_pid(_connection: std::os::fd::BorrowedFd<'_>, credentials: &PeerCreds) -> Option<i32> {
    credentials.pid()
}

/// The process that opened a connection: on macOS no part of its credentials, but an option of its own
/// (`sys/un.h`).
#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "no safe wrapper has this socket option")]
pub fn peer_pid(connection: std::os::fd::BorrowedFd<'_>, _credentials: &PeerCreds) -> Option<i32> {
    let mut pid: libc::pid_t = 0;
    let mut len = libc::socklen_t::try_from(size_of::<libc::pid_t>()).ok()?;
    // SAFETY: `pid` and `len` are valid for writes of their types, and `len` says how long `pid` is.
    let result = unsafe {
        libc::getsockopt(
            std::os::fd::AsRawFd::as_raw_fd(&connection),
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            (&raw mut pid).cast(),
            &raw mut len,
        )
    };
    (result == 0 && pid > 0).then_some(pid)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        path::Path,
        sync::{Mutex, PoisonError},
    };

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::ProcessInfo;

    /// Longest text that is kept, in characters.
    const LONGEST: usize = 256;

    /// A process that is not taken for a later one of its number: while a pidfd shows that it lives, its
    /// number is its own.
    #[derive(Debug, Default)]
    pub(super) struct Handle {
        pid: Option<i32>,
        /// Until it was looked at. None where the kernel gives none (before 5.3).
        pidfd: Mutex<Option<OwnedFd>>,
    }

    impl Handle {
        pub(super) fn of(connection: BorrowedFd<'_>, pid: Option<i32>) -> Self {
            // The kernel remembers who connected (6.5); else whoever has the number now.
            let pidfd = peer_pidfd(connection).or_else(|| {
                let pid = Pid::from_raw(pid?)?;
                pidfd_open(pid, PidfdFlags::empty()).ok()
            });
            Self {
                pid,
                pidfd: Mutex::new(pidfd),
            }
        }

        pub(super) fn read(&self) -> Option<ProcessInfo> {
            let mut pidfd = self.pidfd.lock().unwrap_or_else(PoisonError::into_inner);
            let pidfd = pidfd.take();
            let info = describe(self.pid?);
            // Only now: what was read before is its own if it still lives.
            let lives = pidfd.as_ref().is_none_or(|pidfd| !has_ended(pidfd));
            lives.then_some(info)
        }
    }

    fn describe(pid: i32) -> ProcessInfo {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let exe = fs::read_link(format!("/proc/{pid}/exe"));
        ProcessInfo {
            comm: short(read("comm").unwrap_or_default().trim_end_matches('\n')),
            unit: short(unit(&read("cgroup").unwrap_or_default())),
            exe: exe.map_or_else(|_| String::new(), |path| short(&path.to_string_lossy())),
        }
    }

    fn short(text: &str) -> String {
        text.chars().take(LONGEST).collect()
    }

    /// The innermost unit of a control group, or else its path (`cgroups(7)`, `systemd.unit(5)`).
    fn unit(cgroup: &str) -> &str {
        let path = cgroup
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .or_else(|| {
                let mut lines = cgroup.lines();
                lines.find_map(|line| Some(line.split_once(":name=systemd:")?.1))
            });
        let path = path.unwrap_or_default();
        let is_unit = |part: &&str| {
            let kind = Path::new(part).extension().and_then(|kind| kind.to_str());
            matches!(kind, Some("service" | "scope"))
        };
        match path.rsplit('/').find(is_unit) {
            Some(unit) => unit,
            None if path == "/" => "",
            None => path,
        }
    }

    /// The process that opened the connection, whatever has its number by now.
    #[expect(unsafe_code, reason = "no safe wrapper has this socket option")]
    fn peer_pidfd(connection: BorrowedFd<'_>) -> Option<OwnedFd> {
        let mut fd: libc::c_int = -1;
        let mut len = libc::socklen_t::try_from(size_of::<libc::c_int>()).ok()?;
        // SAFETY: `fd` and `len` are valid for writes of their types, and `len` says how long `fd` is.
        let result = unsafe {
            libc::getsockopt(
                connection.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERPIDFD,
                (&raw mut fd).cast(),
                &raw mut len,
            )
        };
        if result != 0 || fd < 0 {
            return None;
        }
        // SAFETY: the kernel has just opened it for this call, and nobody else knows of it.
        Some(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// A pidfd can be read from once its process has ended (`pidfd_open(2)`).
    #[expect(unsafe_code, reason = "of one call, as above")]
    fn has_ended(pidfd: &OwnedFd) -> bool {
        let mut poll = libc::pollfd {
            fd: pidfd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: it points to one entry, as the count says.
        let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
        ready != 0
    }

    #[cfg(test)]
    mod tests {
        use std::os::{fd::AsFd as _, unix::net::UnixStream};

        use super::*;

        #[test]
        fn the_innermost_unit_is_found_or_else_the_path() {
            for (cgroup, expected) in [
                (
                    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/chat.service\n",
                    "chat.service",
                ),
                (
                    "0::/user.slice/user-1000.slice/session-3.scope\n",
                    "session-3.scope",
                ),
                ("0::/docker/abc\n", "/docker/abc"),
                ("0::/\n", ""),
                (
                    "12:pids:/x\n1:name=systemd:/system.slice/a.service\n",
                    "a.service",
                ),
                ("", ""),
            ] {
                assert_eq!(unit(cgroup), expected, "{cgroup}");
            }
        }

        #[test]
        fn this_process_is_described_and_one_that_has_ended_is_not() {
            let (one, _other) = UnixStream::pair().expect("sockets");
            let own = i32::try_from(std::process::id()).expect("a pid");
            let info = Handle::of(one.as_fd(), Some(own)).read().expect("it lives");
            let program = std::env::current_exe().expect("a program");
            assert_eq!(info.exe, short(&program.to_string_lossy()));
            assert!(!info.comm.is_empty() && !info.comm.contains('\n'));

            let mut child = std::process::Command::new("/bin/sleep");
            let mut child = child.arg("60").spawn().expect("a child");
            let pid = i32::try_from(child.id()).expect("a pid");
            let open = || pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok();
            let handle = Handle {
                pid: Some(pid),
                pidfd: Mutex::new(open()),
            };
            child.kill().expect("killed");
            child.wait().expect("reaped");
            assert_eq!(handle.read(), None);
        }
    }
}
