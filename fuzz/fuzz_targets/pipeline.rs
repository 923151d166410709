//! Any text as the list of a pipeline's operations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use safelight::ops::Recipe;

/// Stands in the list of the second round; no error may repeat it.
const CANARY: &str = "zq7canary";

fuzz_target!(|text: &str| {
    let plan = || Recipe::Pipeline.plan([("ops", text)]);
    if let Ok(right) = plan() {
        // A plan that exists is right: it is made alike again.
        assert_eq!(Ok(right), plan());
    }
    for place in text.match_indices('"').map(|(at, _)| at + 1) {
        let marked = [&text[..place], CANARY, &text[place..]].concat();
        if let Err(error) = Recipe::Pipeline.plan([("ops", marked.as_str())]) {
            assert!(!error.to_string().contains(CANARY), "{error}");
        }
    }
});
