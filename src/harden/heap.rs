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
pub use glibc::reusing;

/// Does the work; elsewhere nothing is kept for reuse.
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    not(fuzzing)
)))]
pub fn reusing<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    not(fuzzing)
))]
mod glibc {
    use std::{cell::Cell, ptr};

    use libc::{c_void, malloc, malloc_usable_size, memalign, size_t};

    use crate::harden::{
        alloc::{wipe, wiping},
        heap::prefer_large_pages,
    };

    /// Smaller blocks are overwritten faster than they are found again.
    const LEAST: usize = 64 << 10;
    /// What a run keeps at most: the tensors that are alive at one time are about as many.
    const MOST: usize = 32 << 20;

    /// Blocks that were given back during a piece of work.
    struct Kept {
        blocks: [*mut c_void; 32],
        count: usize,
        bytes: usize,
    }

    thread_local! {
        /// Those of the work that this thread is at; null outside of any.
        static KEPT: Cell<*mut Kept> = const { Cell::new(ptr::null_mut()) };
    }

    /// Does the work; large blocks that this thread gives back meanwhile are handed out again as they
    /// are, and overwritten and freed at its end. A net takes and gives back hundreds of tensors in a
    /// run: each was overwritten, its pages returned to the system and cleared by that for the
    /// next one, a fifth of the time of a run on large tiles.
    pub fn reusing<T>(work: impl FnOnce() -> T) -> T {
        /// Ends it, after a panic too.
        struct End(*mut Kept);
        impl Drop for End {
            fn drop(&mut self) {
                let ended = KEPT.replace(self.0);
                // SAFETY: it points to the frame below, which outlives this guard; nobody else has
                // a reference, since the thread is here.
                let kept = unsafe { &mut *ended };
                while let Some(block) = kept.pop() {
                    // SAFETY: whoever had the block gave it back, and nobody else got it.
                    unsafe { overwrite_and_free(block) };
                }
            }
        }
        let mut kept = Kept {
            blocks: [ptr::null_mut(); 32],
            count: 0,
            bytes: 0,
        };
        let _end = End(KEPT.replace(&raw mut kept));
        work()
    }

    impl Kept {
        /// Takes a block in, where there is room.
        ///
        /// # Safety
        /// The block is one of the heap, and nobody uses it any more.
        unsafe fn push(&mut self, block: *mut c_void, size: usize) -> bool {
            let fits = self.count < self.blocks.len() && self.bytes + size <= MOST;
            if fits {
                self.blocks[self.count] = block;
                self.count += 1;
                self.bytes += size;
            }
            fits
        }

        fn pop(&mut self) -> Option<*mut c_void> {
            self.count = self.count.checked_sub(1)?;
            Some(self.blocks[self.count])
        }

        /// The smallest block that holds so much, unless more than half of it would lie idle.
        fn take(&mut self, alignment: usize, size: usize) -> Option<*mut c_void> {
            let known = self.blocks[..self.count].iter().enumerate();
            // SAFETY: all of them are blocks of the heap.
            let sized = known.map(|(i, block)| (unsafe { malloc_usable_size(*block) }, i));
            let fits = sized.filter(|(held, i)| {
                (size..=2 * size).contains(held) && self.blocks[*i].addr().is_multiple_of(alignment)
            });
            let (held, i) = fits.min()?;
            let block = self.blocks[i];
            self.count -= 1;
            self.blocks[i] = self.blocks[self.count];
            self.bytes -= held;
            Some(block)
        }
    }

    /// What this thread keeps, where it is at work that reuses.
    ///
    /// # Safety
    /// The reference must be gone before anybody else asks for it on this thread.
    unsafe fn kept<'a>() -> Option<&'a mut Kept> {
        // After the end of the thread's own storage there is none.
        let kept = KEPT.try_with(Cell::get).ok()?;
        // SAFETY: it is null, or points to the frame of `reusing` on this thread.
        unsafe { kept.as_mut() }
    }

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
        // SAFETY: the caller promises that the block is its own, and does not use it any more; no
        // reference to what is kept outlives this.
        unsafe {
            let held = malloc_usable_size(block);
            if held >= LEAST && kept().is_some_and(|kept| kept.push(block, held)) {
                return;
            }
            overwrite_and_free(block);
        }
    }

    /// # Safety
    /// The block is one of the heap, and nobody uses it any more.
    unsafe fn overwrite_and_free(block: *mut c_void) {
        // SAFETY: it is nobody's, so all of it may be written to.
        unsafe {
            if wiping() {
                wipe(block.cast(), malloc_usable_size(block));
            }
            __libc_free(block);
        }
    }

    /// A block at a multiple of `alignment`: where C++ takes the tensors of ONNX Runtime from.
    ///
    /// # Safety
    /// As aligned_alloc(3): the block is freed by [`free`].
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn aligned_alloc(alignment: size_t, size: size_t) -> *mut c_void {
        // SAFETY: no reference to what is kept outlives this.
        unsafe {
            let again = match size >= LEAST {
                true => kept().and_then(|kept| kept.take(alignment, size)),
                false => None,
            };
            again.unwrap_or_else(|| {
                let block = memalign(alignment, size);
                prefer_large_pages(block.cast(), size);
                block
            })
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

#[cfg(all(
    test,
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    not(fuzzing)
))]
mod tests {
    use super::*;

    fn aligned(size: usize) -> *mut u8 {
        // SAFETY: it takes a block, and nothing else.
        let block = unsafe { libc::aligned_alloc(64, size) };
        assert!(!block.is_null() && block.addr().is_multiple_of(64));
        block.cast()
    }

    #[test]
    fn what_is_given_back_is_handed_out_again_until_the_end_of_the_work() {
        const SIZE: usize = 1 << 20;
        let free = |block: *mut u8| unsafe { libc::free(block.cast()) };
        reusing(|| {
            let first = aligned(SIZE);
            // SAFETY: the block is ours and that large.
            unsafe { first.write_bytes(7, SIZE) };
            free(first);
            let larger = aligned(SIZE + (64 << 10));
            assert_ne!(larger, first);
            let (half, other) = (aligned(SIZE / 2 + 4096), aligned(SIZE));
            assert_eq!(half, first, "the smallest that fits");
            // SAFETY: nobody has written to it since.
            assert_eq!(unsafe { *half.add(64) }, 7);
            assert_ne!(other, first, "it is in use");
            [larger, half, other].into_iter().for_each(free);
            let small = aligned(80 << 10);
            assert!([larger, half, other].iter().all(|block| *block != small));
            free(small);
        });
        let held = reusing(|| std::panic::catch_unwind(|| reusing(|| panic!("at work"))));
        assert!(held.is_err(), "the guard has ended both");
    }
}
