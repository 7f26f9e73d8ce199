//! What SQLite offers the whole process, and only in C.
#![expect(
    unsafe_code,
    reason = "calls into SQLite; each block says why it is sound"
)]

mod memory;
mod pages;

use std::ffi::{c_char, c_int};

use libsqlite3_sys::{
    SQLITE_OK, sqlite3, sqlite3_api_routines, sqlite3_auto_extension, sqlite3_memory_used,
};

use memory::share_memory_with_sqlite;

/// What SQLite calls on every connection that it opens.
type EntryPoint =
    unsafe extern "C" fn(*mut sqlite3, *mut *mut c_char, *const sqlite3_api_routines) -> c_int;

/// Called before anything else of SQLite.
pub fn prepare_sqlite() {
    // So that rows are zeroed as SQLite frees them, too.
    share_memory_with_sqlite();
    extend_sqlite();
}

/// Gives every connection of this process the functions and virtual tables of sqlite-vec. Called
/// before the first connection is opened; again, it does nothing.
fn extend_sqlite() {
    let entry: unsafe extern "C" fn() = sqlite_vec::sqlite3_vec_init;
    // SAFETY: the crate declares the function without its parameters. In sqlite-vec.c, which is
    // linked in, it is `int sqlite3_vec_init(sqlite3*, char**, const sqlite3_api_routines*)`: the
    // type of an entry point, and function pointers are of one size.
    let entry = unsafe { std::mem::transmute::<unsafe extern "C" fn(), EntryPoint>(entry) };
    // SAFETY: may be called from any thread at any time, and keeps the pointer, which is to code.
    // An entry point that it knows already is not added again.
    let added = unsafe { sqlite3_auto_extension(Some(entry)) };
    if added != SQLITE_OK {
        tracing::error!(
            code = added,
            "SQLite did not take sqlite-vec: databases cannot hold vectors"
        );
    }
}

/// Bytes of memory that SQLite uses now, all connections together.
pub fn sqlite_memory_used() -> u64 {
    // SAFETY: takes no arguments, and may be called from any thread at any time.
    let bytes = unsafe { sqlite3_memory_used() };
    u64::try_from(bytes).unwrap_or(0)
}
