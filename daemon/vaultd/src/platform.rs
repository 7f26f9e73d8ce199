//! What differs between operating systems, and what SQLite offers in C only. The only module that
//! may hold unsafe code.

mod sqlite;
mod tcp;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

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
