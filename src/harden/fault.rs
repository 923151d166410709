//! Where a test can let the program fail, and the files in which a test can show it another
//! machine. In the plain program all of this is nothing: the calls are empty and the paths are the
//! system's.

#[cfg(not(feature = "test-hooks"))]
use std::path::PathBuf;

/// A place in the way of a picture at which the test build can be told to fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A piece of the body has come.
    Upload,
    /// The header is about to be read.
    Probe,
    /// The pixels are about to be decoded.
    Decode,
    /// The operations are about to be applied to the decoded picture.
    Operation,
    /// A model is about to run.
    Inference,
    /// The result is about to be encoded.
    Encode,
    /// The head of the answer is about to be made.
    Response,
    /// A piece of the answer is about to be sent.
    Body,
}

#[cfg(feature = "test-hooks")]
pub use super::hooks::{divides, fails, pass, swap_limit, swap_table, unwiped};

/// Whether memory and files are left as they are when they are no longer needed: never, but in the
/// test build, where a scan must find what is left, and the cost of the care is measured.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn unwiped() -> bool {
    false
}

/// Whether work is divided among cores whatever else these do; `None`: only where they are idle. In
/// the test build the other policies can be measured.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn divides() -> Option<bool> {
    None
}

/// Goes on. In the test build: panics or waits, where that was asked for.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn pass(_: Place) {}

/// Whether an error has to be reported here: never, but in the test build.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn fails(_: Place) -> bool {
    false
}

/// The table of what memory is swapped out to (proc_swaps(5)).
#[cfg(not(feature = "test-hooks"))]
pub fn swap_table() -> PathBuf {
    PathBuf::from("/proc/swaps")
}

/// A file to be read in place of the control group's `memory.swap.max`; only ever in the test
/// build.
#[cfg(not(feature = "test-hooks"))]
pub fn swap_limit() -> Option<PathBuf> {
    None
}
