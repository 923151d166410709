//! The C heap: what ONNX Runtime and libwebp free is overwritten too.
//!
//! glibc has a switch for that, `M_PERTURB`, but it leaves blocks of up to 1,032 bytes alone: they
//! go into the thread's own cache as they are (`tcache`, glibc 2.26 and newer), and an encoder's
//! first kilobyte of output with them. So this program has a `free` and a `realloc` of its own,
//! which the linker and the loader prefer to the library's, for every library in the process. Not
//! while fuzzing: the address sanitizer has a heap of its own.
#![allow(unsafe_code)]

/// Whether `free` overwrites, so that nobody else has to.
pub(super) const OVERWRITES: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    not(fuzzing)
));

/// One heap for all threads of the process; whether the system has taken that.
///
/// glibc gives each thread a heap of its own, in parts of 64 MiB. What a tile of a picture had taken
/// stayed there in pieces, beside those of the thread that did the next tile, and the next model's
/// tensors fitted into neither: two models over a picture of 3 MP grew the process by 475 MiB, and
/// with one heap by 265. Nobody waits for it: a job takes hundreds of blocks, not millions.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn one_for_all() -> bool {
    // SAFETY: `mallopt` changes a process-wide setting of malloc and touches no memory of ours.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) == 1 }
}

/// Other heaps are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn one_for_all() -> bool {
    false
}

/// Asks for large pages under a block that is large itself (`madvise`, Linux). Pixels are written
/// once from end to end, and the system clears and maps each page at its first touch: 48 MiB, the
/// pixels of 12 MP, took 23 ms in pages of 4 KiB, where overwriting them takes 6.
#[cfg(target_os = "linux")]
pub(super) fn prefer_large_pages(block: *mut u8, size: usize) {
    /// Two large pages of x86-64: in a smaller block there may be no whole one.
    const LARGE: usize = 4 << 20;
    const PAGE: usize = 4 << 10;
    if size < LARGE || block.is_null() {
        return;
    }
    let inset = block.align_offset(PAGE);
    // SAFETY: the pages lie within the block, which is the caller's; the advice changes how they
    // are mapped and not what is in them. Where the system takes none, all stays as it is.
    unsafe {
        libc::madvise(
            block.add(inset).cast(),
            (size - inset) & !(PAGE - 1),
            libc::MADV_HUGEPAGE,
        );
    }
}

/// Elsewhere the system decides by itself.
#[cfg(not(target_os = "linux"))]
pub(super) fn prefer_large_pages(_: *mut u8, _: usize) {}

/// Gives pages of the heap that are free back to the system, as far as the system's heap can do
/// that. Loading models leaves many: what a net is read from, and its weights in other forms; so does
/// running one over many tiles, and the next one's tensors would lie beside what it has left.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn trim() {
    // SAFETY: it takes locks of its own and changes nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Elsewhere the system decides by itself.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn trim() {}

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    not(fuzzing)
))]
mod glibc {
    use std::ptr;

    use libc::{c_void, malloc, malloc_usable_size, size_t};

    use crate::harden::alloc::{wipe, wiping};

    unsafe extern "C" {
        /// glibc's `free`, whoever defines `free`.
        fn __libc_free(block: *mut c_void);
    }

    /// Overwrites a block and gives it back.
    ///
    /// # Safety
    /// As free(3): `block` is null or a block of the heap that was not given back.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn free(block: *mut c_void) {
        if block.is_null() {
            return;
        }
        // SAFETY: the caller promises that the block is its own, so all of it may be written to.
        unsafe {
            if wiping() {
                wipe(block.cast(), malloc_usable_size(block));
            }
            __libc_free(block);
        }
    }

    /// Moves a block to one of another size; the old place is overwritten.
    ///
    /// # Safety
    /// As realloc(3): `block` is null or a block of the heap that was not given back.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn realloc(block: *mut c_void, size: size_t) -> *mut c_void {
        // SAFETY: the caller promises that the block is its own; the new one does not overlap it,
        // and no more is copied than both hold.
        unsafe {
            if block.is_null() {
                return malloc(size);
            }
            if size == 0 {
                free(block);
                return ptr::null_mut();
            }
            let held = malloc_usable_size(block);
            // What fits stays where it is, unless that would waste more than half of it.
            if (held / 2..=held).contains(&size) {
                return block;
            }
            let new = malloc(size);
            if !new.is_null() {
                ptr::copy_nonoverlapping::<u8>(block.cast(), new.cast(), held.min(size));
                free(block);
            }
            new
        }
    }
}
