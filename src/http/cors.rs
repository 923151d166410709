//! Cross-origin access (the Fetch standard's CORS protocol): off unless `--cors-origin` names who
//! may call this service from a page of another origin.

use actix_cors::Cors;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};

use crate::config::Origin;

/// Headers that such a page may send, beyond those that every page may.
const TAKEN: [&str; 5] = [
    "Deletion-Receipt-Digest",
    "Deletion-Receipt-Nonce",
    "X-API-Key",
    "X-Progress-Id",
    "X-Timeout-Ms",
];

/// Headers that it may read: all that an answer has of its own.
const SHOWN: [&str; 26] = [
    "Deletion-Receipt",
    "Server-Timing",
    "X-Credits-Charged",
    "X-Foreground-Height",
    "X-Foreground-Left",
    "X-Foreground-Top",
    "X-Foreground-Width",
    "X-Height",
    "X-Image-Height",
    "X-Image-Width",
    "X-Latency-Ms",
    "X-Mask-Confidence",
    "X-Max-Height",
    "X-Max-Width",
    "X-Model",
    "X-Model-License",
    "X-Quota-Limit",
    "X-Quota-Remaining",
    "X-Quota-Reset",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
    "X-Restoration-Report",
    "X-Type",
    "X-Width",
];

/// Seconds that a browser may remember what it was allowed; more than Chromium's own limit of two
/// hours would have no effect.
const REMEMBERED: usize = 7200;

/// The middleware for these origins. Credentials are not allowed: there are no cookies to send.
pub fn allow(origins: &[Origin]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST"])
        .allowed_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE])
        .allowed_headers(TAKEN)
        .expose_headers([RETRY_AFTER])
        .expose_headers(SHOWN)
        .max_age(REMEMBERED);
    origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(&origin.0))
}
