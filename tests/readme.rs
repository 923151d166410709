//! The README says what the program does: every setting, option, route and error code is in it.

use safelight::{
    config::Settings,
    error::CODES,
    ops::{
        Kind,
        options::{Options, Output},
    },
};

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn every_setting_is_in_the_readme_with_its_default() {
    let readme = readme();
    for (flag, default, _) in Settings::table() {
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{flag}` |")));
        let row = row.unwrap_or_else(|| panic!("{flag} has no row"));
        assert!(
            row.contains(&format!("`{default}`")) || default.is_empty(),
            "{flag}: {default}"
        );
    }
}

#[test]
fn every_option_and_its_default_is_in_the_readme() {
    let readme = readme();
    for kind in Kind::ALL {
        assert!(
            readme.contains(&format!("`POST /v1/{}`", kind.name())),
            "{}",
            kind.name()
        );
        for spec in kind.specs().iter().chain(Output::SPECS) {
            let name = format!("`{}`", spec.name);
            let mut rows = readme
                .lines()
                .filter(|line| line.starts_with('|') && line.contains(&name));
            let found = rows
                .any(|row| row.contains(&format!("`{}`", spec.default)) || spec.default.is_empty());
            assert!(found, "{} with its default {:?}", spec.name, spec.default);
        }
    }
}

#[test]
fn every_error_code_that_a_client_can_see_is_in_the_readme() {
    let readme = readme();
    for (code, _) in CODES.iter().filter(|(code, _)| *code != "cancelled") {
        assert!(readme.contains(&format!("`{code}`")), "{code}");
    }
}
