//! What the tests switch off to see that they would notice, and what they break to see what holds.
//! Compiled with the feature `test-hooks` only: the plain program knows neither the names nor the
//! code.

use std::{
    env, fs,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::fault::Place;

static UNWIPED: AtomicBool = AtomicBool::new(false);
static DIVIDES: OnceLock<bool> = OnceLock::new();
static FAULTS: OnceLock<PathBuf> = OnceLock::new();
static MACHINE: OnceLock<PathBuf> = OnceLock::new();

/// Reads the switches. Call it first in `main`.
#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the tests is no setting, and must work before there are settings"
)]
pub fn apply() {
    let unwiped = env::var_os("SAFELIGHT_TEST_UNWIPED").is_some();
    UNWIPED.store(unwiped, Ordering::Relaxed);
    // Set once, since this runs once.
    if let Some(always) = env::var_os("SAFELIGHT_TEST_DIVIDES") {
        let _ = DIVIDES.set(always == "always");
    }
    if let Some(file) = env::var_os("SAFELIGHT_TEST_FAULTS") {
        let _ = FAULTS.set(file.into());
    }
    if let Some(folder) = env::var_os("SAFELIGHT_TEST_MACHINE") {
        let _ = MACHINE.set(folder.into());
    }
}

/// Whether what is freed, closed or kept by ONNX Runtime is left as it was.
pub fn unwiped() -> bool {
    UNWIPED.load(Ordering::Relaxed)
}

/// Whether work is divided among cores always, or never.
pub fn divides() -> Option<bool> {
    DIVIDES.get().copied()
}

/// Panics where the file of faults has the place's name in it; waits as long as it has the name
/// with `:wait`.
///
/// # Panics
/// On demand.
pub fn pass(place: Place) {
    let name = name(place);
    while armed(&format!("{name}:wait")) {
        thread::sleep(Duration::from_millis(2));
    }
    assert!(!armed(name), "armed failpoint");
}

/// Whether the file of faults has the place's name with `:error` in it.
pub fn fails(place: Place) -> bool {
    armed(&format!("{}:error", name(place)))
}

/// The file is read at each pass, so that one server can fail in each place in turn.
fn armed(word: &str) -> bool {
    let text = FAULTS.get().and_then(|file| fs::read_to_string(file).ok());
    text.is_some_and(|text| text.split_whitespace().any(|other| other == word))
}

fn name(place: Place) -> &'static str {
    match place {
        Place::Upload => "upload",
        Place::Probe => "probe",
        Place::Decode => "decode",
        Place::Operation => "operation",
        Place::Inference => "inference",
        Place::Encode => "encode",
        Place::Response => "response",
        Place::Body => "body",
    }
}

/// The table of swap, which a test may have written itself.
pub fn swap_table() -> PathBuf {
    let own = MACHINE.get().map(|folder| folder.join("swaps"));
    own.unwrap_or_else(|| "/proc/swaps".into())
}

/// The limit of swap, where a test has written one.
pub fn swap_limit() -> Option<PathBuf> {
    let file = MACHINE.get()?.join("memory.swap.max");
    file.is_file().then_some(file)
}
