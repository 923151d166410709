//! What an operator puts around the program: metrics in a real Prometheus, the container's
//! confinement, proxies, manifests, releases. What is shipped under `deploy/` is what runs here.

mod common;

#[cfg(target_os = "linux")]
#[path = "operate/confined.rs"]
mod confined;
#[path = "operate/manifests.rs"]
mod manifests;
#[path = "operate/monitoring.rs"]
mod monitoring;
#[path = "operate/peer.rs"]
mod peer;
#[path = "operate/release.rs"]
mod release;
#[path = "operate/scale_out.rs"]
mod scale_out;
#[cfg(target_os = "linux")]
#[path = "operate/systemd.rs"]
mod systemd;
#[path = "operate/tls.rs"]
mod tls;

/// A file of the project as text.
fn project(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `text` with `from` replaced, which must be in it: a shipped file is changed only in the places
/// that a test names.
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no `{from}` in\n{text}");
    text.replace(from, to)
}
