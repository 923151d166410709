//! Where a picture or what a client says of it must not come out: logs, metrics, errors, other
//! answers, routes.
#![cfg(target_os = "linux")]

mod common;

#[path = "ephemeral_leaks/metadata.rs"]
mod metadata;
#[path = "ephemeral_leaks/others.rs"]
mod others;
#[path = "ephemeral_leaks/said.rs"]
mod said;
#[path = "ephemeral_leaks/schema.rs"]
mod schema;
#[path = "ephemeral_leaks/tagged.rs"]
mod tagged;

use common::http::CANARY;

pub const BACKGROUND: &str = "/v1/remove-background";

/// The canary as UTF-16, in which EXIF keeps some of its texts.
pub fn wide() -> Vec<u8> {
    CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Whether `what` is anywhere in `bytes`.
pub fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Asserts that the canary is nowhere in `bytes`.
pub fn assert_silent(what: &str, bytes: &[u8]) {
    let lower = bytes.to_ascii_lowercase();
    assert!(
        !contains(&lower, CANARY.as_bytes()),
        "{what} repeats the client"
    );
    assert!(!contains(&lower, &wide()), "{what} repeats the client");
}
