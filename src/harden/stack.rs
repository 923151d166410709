//! The stack: what a piece of work leaves on it is overwritten when the work is done.
//!
//! Rows, blocks and windows of a picture pass through arrays on the stack, in decoders above all,
//! and lie there until something else happens to need the place.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use super::alloc::{wipe, wiping};

/// Bytes that are overwritten. Decoders were seen to reach down 45 KiB, the matrix product of
/// ONNX Runtime has panels of 80 KiB; threads have 2 MiB.
const DEPTH: usize = 256 << 10;

/// Runs `work`, then overwrites the part of the stack that it has used.
pub fn scrubbed<T>(work: impl FnOnce() -> T) -> T {
    let result = framed(work);
    if wiping() {
        scrub();
    }
    result
}

/// A frame of its own, so that nothing of `work` lies above the frame of [`scrub`].
#[inline(never)]
fn framed<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn scrub() {
    let mut area = [MaybeUninit::<u8>::uninit(); DEPTH];
    // SAFETY: the array is this frame's own, and bytes that nobody has set may be written to.
    unsafe { wipe(area.as_mut_ptr().cast(), DEPTH) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_survives_the_scrubbing() {
        let deep = || {
            let mut block = [7_u8; 64 << 10];
            std::hint::black_box(&mut block);
            block[..4096].to_vec()
        };
        assert_eq!(scrubbed(deep), vec![7; 4096]);
    }
}
