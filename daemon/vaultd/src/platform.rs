//! What differs between operating systems. The only module that may hold unsafe code; so far none
//! is needed.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

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
