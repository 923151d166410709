//! Tables of `docs/performance.md` that a benchmark writes.

use std::{env, fs};

/// Prints a table, and with the argument `--write` (`cargo bench --bench NAME -- --write`) puts it
/// into the document between the two comments with its name.
pub fn publish(name: &str, table: &str) {
    println!("{table}");
    if env::args().all(|argument| argument != "--write") {
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
    let text = fs::read_to_string(path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the place of the table");
    let (_, after) = rest.split_once(&end).expect("the end of the table");
    fs::write(path, format!("{before}{begin}\n{table}\n{end}{after}")).unwrap();
}
