//! The spool, the deadlines, panics and the books: what the contract says of inputs while they exist.
#![cfg(target_os = "linux")]

mod common;

#[path = "ephemeral/deadlines.rs"]
mod deadlines;
#[path = "ephemeral/panics.rs"]
mod panics;
#[path = "ephemeral/process.rs"]
mod process;
#[path = "ephemeral/room.rs"]
mod room;
#[path = "ephemeral/spool.rs"]
mod spool;
#[path = "ephemeral/storage.rs"]
mod storage;
#[path = "ephemeral/trace.rs"]
mod trace;

use std::time::Duration;

use common::pictures;
use image::ImageFormat;

pub const BACKGROUND: &str = "/v1/remove-background";
/// For what is waited for on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// A picture that no format makes smaller.
pub fn noise(side: u32, seed: u32) -> Vec<u8> {
    pictures::encoded(pictures::noise(side, side, seed), ImageFormat::Png)
}
