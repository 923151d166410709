//! `docs/promises.md`: every promise is there, with tests that exist.

use std::{fs, path::Path};

use super::is_test;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Every `target::function` between back-quotes.
fn named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
    quoted
        .filter(|word| word.contains("::") && word.chars().all(plain))
        .collect()
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page = read("docs/promises.md");
    for number in 1..=20 {
        let head = format!("| E{number} |");
        let mut rows = page.lines().filter(|line| line.starts_with(&head));
        let row = rows
            .next()
            .unwrap_or_else(|| panic!("E{number} has no row"));
        assert!(rows.next().is_none(), "E{number} has two rows");
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(
            cells.len(),
            5,
            "id, promise, tests, control, remarks: {row}"
        );
        assert!(!named(cells[2]).is_empty(), "E{number} names no test");
        // Only a remark may be missing.
        assert!(cells[..4].iter().all(|cell| !cell.is_empty()), "{row}");
    }
    let all = named(&page);
    assert!(all.len() > 30, "{all:?}");
    for name in all {
        assert!(is_test(name), "there is no test {name}");
    }
}

#[test]
fn the_readme_links_to_the_promises_and_names_tests_that_exist() {
    let readme = read("README.md");
    assert!(readme.contains("](docs/promises.md)"));
    for name in named(&readme) {
        assert!(is_test(name), "there is no test {name}");
    }
}
