//! The wiping allocator: every block is overwritten before it goes back to the system's heap.
//!
//! Pictures live in ordinary vectors here and in the crates that decode them. Wiping at the one
//! place through which all of them are freed needs no cooperation from any of them. Where C's own
//! `free` overwrites already, that is the place, and this one only keeps `realloc` away.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    arch::asm,
    ptr,
};

use super::heap;

/// The system's allocator, with every freed block overwritten by zeros.
pub struct Wiping;

/// Whether freed memory is overwritten: always, but in the test build that leaves it.
pub(super) fn wiping() -> bool {
    !super::fault::unwiped()
}

/// Overwrites `len` bytes at `block` in a way that the optimiser may not remove.
///
/// # Safety
/// `block` must be valid for writes of `len` bytes.
pub(super) unsafe fn wipe(block: *mut u8, len: usize) {
    // SAFETY: the caller promises that the block is writable; the empty assembly takes its
    // address, so the writes before it count as observed.
    unsafe {
        ptr::write_bytes(block, 0, len);
        asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags));
    }
}

// SAFETY: every call is handed on to `System` with the layout that it came with; a block is only
// written to while it still belongs to the caller that gives it back.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the same contract.
        let block = unsafe { System.alloc(layout) };
        heap::prefer_large_pages(block, layout.size());
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the same contract.
        let block = unsafe { System.alloc_zeroed(layout) };
        heap::prefer_large_pages(block, layout.size());
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's until `System` has it back.
        unsafe {
            if !heap::OVERWRITES && wiping() {
                wipe(block, layout.size());
            }
            System.dealloc(block, layout);
        }
    }

    /// Never the system's own `realloc`: it may move the block and free the old place unwiped.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the new layout has a valid alignment, and the caller promises that `new_size`
        // does not overflow with it; both blocks hold the bytes that are copied and do not
        // overlap.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
