//! Memory for SQLite: large pieces are pages of their own where the system can make such a piece
//! larger without a copy, and go back to it at once; the rest is the allocator's, which zeroes it.

use std::alloc::{self, Layout};

/// # Safety
/// The layout is not empty.
pub(super) unsafe fn obtain(layout: Layout) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if large::is(layout) {
        return large::map(layout);
    }
    // SAFETY: the caller's.
    unsafe { alloc::alloc(layout) }
}

/// # Safety
/// `start` was obtained with this layout, or resized to it, and not given back since.
pub(super) unsafe fn give_back(start: *mut u8, layout: Layout) {
    #[cfg(target_os = "linux")]
    if large::is(layout) {
        // SAFETY: the caller's; whatever is large was mapped.
        return unsafe { large::unmap(start, layout) };
    }
    // SAFETY: the caller's.
    unsafe { alloc::dealloc(start, layout) }
}

/// Null where there is no memory: `start` is then what it was.
///
/// # Safety
/// As of [`give_back`] for `before`; `after` is not empty and of the same alignment.
pub(super) unsafe fn resize(start: *mut u8, before: Layout, after: Layout) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if large::is(before) && large::is(after) {
        // SAFETY: the caller's; whatever is large was mapped.
        return unsafe { large::remap(start, before, after) };
    }
    // SAFETY: the caller's; what is copied is within both, which are apart.
    unsafe {
        let next = obtain(after);
        if !next.is_null() {
            start.copy_to_nonoverlapping(next, before.size().min(after.size()));
            give_back(start, before);
        }
        next
    }
}

#[cfg(target_os = "linux")]
mod large {
    use std::{alloc::Layout, ffi::c_void, ptr};

    use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap};

    /// From so many bytes on.
    const LARGE: usize = 128 << 10;

    pub(super) const fn is(layout: Layout) -> bool {
        layout.size() >= LARGE
    }

    pub(super) fn map(layout: Layout) -> *mut u8 {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let (size, flags) = (layout.size(), MapFlags::PRIVATE);
        // SAFETY: a new mapping at a place of the system's choice touches no other.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), size, access, flags) };
        mapped.map_or(ptr::null_mut(), <*mut c_void>::cast)
    }

    /// # Safety
    /// `start` is a mapping of this layout, which nobody uses any more.
    pub(super) unsafe fn unmap(start: *mut u8, layout: Layout) {
        // SAFETY: the caller's. It fails for no mapping of ours.
        let _ = unsafe { munmap(start.cast(), layout.size()) };
    }

    /// # Safety
    /// `start` is a mapping of the layout `before`.
    pub(super) unsafe fn remap(start: *mut u8, before: Layout, after: Layout) -> *mut u8 {
        let (old, new, flags) = (before.size(), after.size(), MremapFlags::MAYMOVE);
        // SAFETY: the caller's.
        let moved = unsafe { mremap(start.cast(), old, new, flags) };
        moved.map_or(ptr::null_mut(), <*mut c_void>::cast)
    }
}
