//! Safelight: an ephemeral image service.
//!
//! A picture comes in over HTTP or the command line, rests only in memory-backed, nameless
//! storage, has its background removed or is restored, is answered, and is gone.
//!
//! The way of one picture reads downwards through these modules; a module imports only what stands
//! above it in this list (`tests/layering.rs` checks that):
//!
//! | module | its job |
//! | --- | --- |
//! | [`error`] | what can go wrong, with stable codes |
//! | [`digest`] | SHA-256 of bytes, files, the program itself |
//! | [`progress`] | how far a job is |
//! | [`cancel`] | the flag and the deadline that travel with a job |
//! | [`config`] | every setting, its default, its check |
//! | [`harden`] | the wiping allocator, no dumps |
//! | [`cores`] | cores that have nothing to do, and work on rows side by side |
//! | [`observe`] | metrics, closed-schema logs, and the guard that writes both |
//! | [`frame`] | decoded pixels |
//! | [`ephemeral`] | the spool, the ledger, the lease |
//! | [`receipt`] | signed statements of how inputs ended, and their check |
//! | [`privacy`] | the notice of what is kept, logged and measured, made of the settings |
//! | [`codec`] | probe, decode, encode |
//! | [`engine`] | models, by name |
//! | [`ops`] | operations on pixels, and the plan that lists them |
//! | [`job`] | probe, reserve, decode, apply, encode; the workers |
//! | [`http`] | the service |
//! | [`cli`] | the commands |
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod cancel;
pub mod cli;
pub mod codec;
pub mod config;
pub mod cores;
pub mod digest;
pub mod engine;
pub mod ephemeral;
pub mod error;
pub mod frame;
pub mod harden;
pub mod http;
pub mod job;
pub mod observe;
pub mod ops;
pub mod privacy;
pub mod progress;
pub mod receipt;
