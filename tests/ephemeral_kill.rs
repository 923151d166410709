//! Ends that nobody planned: the process is killed, the client goes, the service is told to stop.
#![cfg(target_os = "linux")]

mod common;

#[path = "ephemeral_kill/client.rs"]
mod client;
#[path = "ephemeral_kill/killed.rs"]
mod killed;
#[path = "ephemeral_kill/stopped.rs"]
mod stopped;

use std::{net::TcpStream, time::Duration};

use common::{Server, http, pictures};
use image::ImageFormat;

pub const BACKGROUND: &str = "/v1/remove-background";
pub const RESTORE: &str = "/v1/restore?steps=denoise&format=png";

/// Ten times the contract's 100 ms, as everywhere where a wall clock is asked.
pub const SOON: Duration = Duration::from_secs(1);
/// For what is waited for on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// A picture that no format makes smaller.
pub fn noise(side: u32, seed: u32) -> Vec<u8> {
    pictures::encoded(pictures::noise(side, side, seed), ImageFormat::Png)
}

/// Sends a whole upload and does not read the answer.
pub fn begin(server: &Server, path: &str, body: &[u8]) -> TcpStream {
    http::begin(server.address, path, "image/png", body.len(), body)
}
