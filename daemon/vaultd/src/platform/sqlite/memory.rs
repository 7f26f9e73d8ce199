//! SQLite's memory from the allocator of this process, which zeroes what is freed: sorted rows,
//! results of functions, text of statements and pages of databases lie in memory of SQLite's, and it
//! returns most of it as it is. What is large goes back to the system as soon as it is freed, and is
//! not touched for that: one statement's sorting would else stay with the process for good.

use std::{
    alloc::Layout,
    ffi::{c_int, c_void},
    ptr,
};

use libsqlite3_sys::{SQLITE_CONFIG_MALLOC, SQLITE_OK, sqlite3_config, sqlite3_mem_methods};

use super::pages;

/// Stands before each allocation and holds its size; as long as SQLite's alignment, 8 bytes, allows
/// and as allocators align anyway.
const HEADER: usize = 16;

type Size = [u8; size_of::<usize>()];

/// Lets SQLite allocate as Rust does. Called before anything else of SQLite; later it does nothing.
pub fn share_memory_with_sqlite() {
    let methods = sqlite3_mem_methods {
        xMalloc: Some(allocate),
        xFree: Some(free),
        xRealloc: Some(reallocate),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(begin),
        xShutdown: Some(end),
        pAppData: ptr::null_mut(),
    };
    // SAFETY: with this option the one argument is a pointer to the methods, which SQLite copies. No
    // other thread uses SQLite yet; where one did, it answers SQLITE_MISUSE and changes nothing.
    let configured = unsafe { sqlite3_config(SQLITE_CONFIG_MALLOC, &raw const methods) };
    if configured != SQLITE_OK {
        tracing::error!(
            code = configured,
            "SQLite keeps its own memory: rows may stay in it after they are freed"
        );
    }
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(HEADER)?, HEADER).ok()
}

/// The whole of an allocation, header included, and the size after that.
///
/// # Safety
/// `memory` is an answer of [`allocate`] or [`reallocate`] that was not freed since.
unsafe fn whole(memory: *mut c_void) -> (*mut u8, usize) {
    // SAFETY: each such answer has a header before it that holds the size.
    unsafe {
        let start = memory.cast::<u8>().sub(HEADER);
        (start, usize::from_ne_bytes(start.cast::<Size>().read()))
    }
}

/// Notes the size in the header; the memory after it, or null where there is none.
///
/// # Safety
/// `start` is null, or an allocation with the layout of `size`.
unsafe fn after_header(start: *mut u8, size: usize) -> *mut c_void {
    if start.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the allocation has room for the header.
    unsafe {
        start.cast::<Size>().write(size.to_ne_bytes());
        start.add(HEADER).cast()
    }
}

unsafe extern "C" fn allocate(bytes: c_int) -> *mut c_void {
    let size = usize::try_from(bytes).unwrap_or(0);
    let Some(layout) = layout(size) else {
        return ptr::null_mut();
    };
    // SAFETY: the layout is never empty, for the header is in it.
    unsafe { after_header(pages::obtain(layout), size) }
}

unsafe extern "C" fn free(memory: *mut c_void) {
    if memory.is_null() {
        return;
    }
    // SAFETY: SQLite frees what it was given, once. The layout is that of its allocation.
    unsafe {
        let (start, size) = whole(memory);
        if let Some(layout) = layout(size) {
            pages::give_back(start, layout);
        }
    }
}

unsafe extern "C" fn reallocate(memory: *mut c_void, bytes: c_int) -> *mut c_void {
    if memory.is_null() {
        // SAFETY: takes any size.
        return unsafe { allocate(bytes) };
    }
    let wanted = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: SQLite resizes what it was given and did not free. Both layouts are valid.
    unsafe {
        let (start, size) = whole(memory);
        let (Some(before), Some(after)) = (layout(size), layout(wanted)) else {
            return ptr::null_mut();
        };
        let next = pages::resize(start, before, after);
        after_header(next, wanted)
    }
}

unsafe extern "C" fn size(memory: *mut c_void) -> c_int {
    if memory.is_null() {
        return 0;
    }
    // SAFETY: SQLite asks about what it was given and did not free.
    let (_, size) = unsafe { whole(memory) };
    c_int::try_from(size).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

unsafe extern "C" fn begin(_: *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn end(_: *mut c_void) {}
