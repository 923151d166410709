//! What the tests switch off to see that they would notice. Compiled with the feature `test-hooks`
//! only: the plain program knows neither the names nor the code.

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
};

static UNWIPED: AtomicBool = AtomicBool::new(false);

/// Reads the switches. Call it first in `main`.
#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the tests is no setting, and must work before there are settings"
)]
pub fn apply() {
    let unwiped = env::var_os("SAFELIGHT_TEST_UNWIPED").is_some();
    UNWIPED.store(unwiped, Ordering::Relaxed);
}

/// Whether freed memory is left as it was.
pub(super) fn unwiped() -> bool {
    UNWIPED.load(Ordering::Relaxed)
}
