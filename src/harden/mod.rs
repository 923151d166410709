//! What the process does to itself before it touches a picture: memory is wiped when it is freed,
//! nothing can be dumped, nobody of the same user can look in. And where the test build breaks.

pub mod alloc;
pub mod fault;
pub mod heap;
#[cfg(feature = "test-hooks")]
pub mod hooks;
pub mod process;
pub mod stack;
