//! Any text as a query, as its options, and as an `Accept` header: the names and values that a
//! request, a form and the command line hand to the same parser.
#![no_main]

use libfuzzer_sys::fuzz_target;
use safelight::{
    http::fuzzing,
    job::Accept,
    ops::{Kind, Plan},
};

/// Stands in every value of the second round; no error may repeat it.
const CANARY: &str = "zq7canary";

fuzz_target!(|text: &str| {
    let _ = Accept::parse(text);
    let Ok(pairs) = fuzzing::query(text) else {
        return;
    };
    for kind in Kind::ALL {
        let all = || {
            pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
        };
        if let Ok(plan) = Plan::single(kind, all()) {
            // A plan that exists is right: its figures can be asked for.
            assert_eq!(plan.last().kind(), kind);
            assert_eq!(Ok(plan), Plan::single(kind, all()));
        }
        for (name, value) in &pairs {
            for (name, value) in [
                (name.clone(), format!("{value}{CANARY}")),
                (format!("{CANARY}{name}"), value.clone()),
            ] {
                if let Err(error) = Plan::single(kind, [(name.as_str(), value.as_str())]) {
                    assert!(!error.to_string().contains(CANARY), "{error}");
                }
            }
        }
    }
});
