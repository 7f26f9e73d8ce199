//! What differs between operating systems, and what SQLite offers in C only. The only module that
//! may hold unsafe code.

mod activation;
mod figures;
mod files;
mod guards;
mod process;
mod service_manager;
mod sqlite;
mod tcp;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use activation::{InheritedSocket, inherited_sockets};
pub use figures::{ProcessFigures, process_figures};
pub use files::{FileSystemKind, Ownership, file_system, ownership, take_rights};
pub use guards::{Guards, guards};
#[cfg(unix)]
pub use process::peer_pid;
pub use process::{PeerProcess, ProcessInfo};
pub use service_manager::{Notice, notify, watchdog_interval};
pub use sqlite::{prepare_sqlite, sqlite_memory_used};
pub use tcp::tcp_owner;
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

/// What [`harden`] achieved.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hardening {
    /// Debuggers and core dumps of the same user are kept out.
    pub non_dumpable: bool,
}
