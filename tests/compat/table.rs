//! The table of docs/compat.md: client, what it sent, what it got. Each test makes the lines of its
//! client out of what it saw and compares them with those that are written there;
//! `SAFELIGHT_WRITE_TABLE=1` writes them instead.
#![allow(clippy::disallowed_methods, reason = "tests read their own switches")]

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

use crate::common::http::CANARY;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compat.md");
const HEAD: &str = "| client | what it sent | what it got |\n| --- | --- | --- |\n";
/// Every client that has lines, in their order.
pub const CLIENTS: [&str; 15] = [
    "curl (rembg)",
    "Python `requests` (rembg)",
    "any (rembg)",
    "curl (remove.bg)",
    "PyPI `removebg` 0.04",
    "npm `remove.bg` 1.3.0",
    "remove-bg-cli (replayed)",
    "any (remove.bg)",
    "curl (withoutBG)",
    "Python (withoutBG)",
    "PyPI `withoutbg` 1.1.1",
    "any (withoutBG)",
    "curl (backgroundremover)",
    "Python (backgroundremover)",
    "any (backgroundremover)",
];

/// How lines begin that have a test of their own; the others first.
const PARTS: [&str; 2] = ["", "keys on"];

/// One test writes at a time. Where one fails, the others go on.
static WRITING: Mutex<()> = Mutex::new(());

/// The lines of one client.
pub struct Table {
    client: &'static str,
    lines: Vec<String>,
}

impl Table {
    pub fn of(client: &'static str) -> Self {
        assert!(CLIENTS.contains(&client), "{client}");
        let lines = Vec::new();
        Self { client, lines }
    }

    pub fn row(&mut self, sent: &str, got: &str) {
        let cell = |text: &str| text.replace('|', "\\|").replace(CANARY, "nonsense");
        let line = format!("| {} | {} | {} |", self.client, cell(sent), cell(got));
        self.lines.push(line);
    }

    /// Compares the lines with the file, or writes them there.
    pub fn finish(self) {
        self.finish_part("");
    }

    /// The same for those lines of the client that tell of what begins with `part`; without one,
    /// for those that no other test tells of.
    pub fn finish_part(self, part: &str) {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let text = fs::read_to_string(FILE).unwrap();
        let (before, all, after) = parts(&text);
        let own = |line: &&str| client(line) == self.client && self::part(line) == part;
        if std::env::var_os("SAFELIGHT_WRITE_TABLE").is_none() {
            let written: Vec<_> = all.lines().filter(own).collect();
            assert_eq!(
                written, self.lines,
                "docs/compat.md says something else; SAFELIGHT_WRITE_TABLE=1 writes it anew"
            );
            return;
        }
        let others = all.lines().filter(|line| !own(line));
        let lines: Vec<_> = others.map(str::to_owned).chain(self.lines).collect();
        let mut sorted = String::new();
        for (name, part) in CLIENTS
            .iter()
            .flat_map(|name| PARTS.map(|part| (*name, part)))
        {
            let of = |line: &&String| client(line) == name && self::part(line) == part;
            sorted.extend(lines.iter().filter(of).map(|line| format!("{line}\n")));
        }
        fs::write(FILE, format!("{before}{HEAD}{sorted}{after}")).unwrap();
    }
}

fn client(line: &str) -> &str {
    let cell = line
        .strip_prefix("| ")
        .and_then(|rest| rest.split(" | ").next());
    cell.unwrap_or_default()
}

fn part(line: &str) -> &'static str {
    let sent = line.split(" | ").nth(1).unwrap_or_default();
    let mut parts = PARTS.into_iter().rev();
    parts
        .find(|part| sent.starts_with(part))
        .unwrap_or_default()
}

/// What stands before the table, its lines, and what stands after it.
fn parts(text: &str) -> (&str, &str, &str) {
    let (before, rest) = text.split_once(HEAD).expect("the table's head");
    let end = match rest.starts_with('\n') {
        true => 0,
        false => rest.find("\n\n").map_or(rest.len(), |at| at + 1),
    };
    let (lines, after) = rest.split_at(end);
    (before, lines, after)
}

#[test]
fn every_line_of_the_table_is_of_a_client_that_a_test_runs() {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(FILE).unwrap();
    let (_, lines, _) = parts(&text);
    for line in lines.lines() {
        assert!(CLIENTS.contains(&client(line)), "{line}");
    }
    for name in CLIENTS {
        assert!(lines.lines().any(|line| client(line) == name), "{name}");
    }
}
