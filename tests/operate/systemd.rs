//! The calls of the program, held against those that the systemd unit allows.

use std::{collections::BTreeSet, fs, path::Path, process::Command, thread, time::Duration};

use super::project;
use crate::common::{self, Launch, pictures};

#[test]
fn the_systemd_unit_allows_every_call_that_the_main_job_makes_and_no_writable_code() {
    const TEST: &str =
        "the_systemd_unit_allows_every_call_that_the_main_job_makes_and_no_writable_code";
    let (Some(strace), Some(analyze)) = (
        common::tool(&["strace"]),
        common::tool(&["systemd-analyze"]),
    ) else {
        return common::skip(TEST, "strace and systemd-analyze");
    };
    let folder = common::folder("calls");
    let calls = folder.join("calls");
    let (strace, file) = (strace.display().to_string(), calls.display().to_string());
    // -D: the service is the child, and strace goes when it goes.
    let through = [
        strace.as_str(),
        "-D",
        "-f",
        "-qq",
        "-e",
        "signal=none",
        "-o",
        &file,
    ];
    let launch = Launch {
        through: &through,
        flags: &["--workers=1"],
        ..Launch::default()
    };
    let mut server = launch.start();
    let answer = server.post(
        "/v1/remove-background",
        "image/jpeg",
        &pictures::jpeg(320, 240),
    );
    assert_eq!(answer.status, 200);
    let answer = server.post("/v1/restore", "image/png", &pictures::png(64, 48));
    assert_eq!(answer.status, 200);
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait(Duration::from_secs(40)).success());
    // strace may still be writing its last line.
    thread::sleep(Duration::from_millis(200));
    let text = fs::read_to_string(&calls).unwrap();
    let _ = fs::remove_dir_all(&folder);

    let unit = project("deploy/systemd/safelight.service");
    let filters: Vec<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
        .collect();
    let [allowed, denied] = filters[..] else {
        panic!("two filters, not {filters:?}");
    };
    let allowed = expand(&analyze, allowed);
    let denied = expand(
        &analyze,
        denied.strip_prefix('~').expect("what is not allowed"),
    );
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        // PID NAME(arguments) = result
        let Some((name, rest)) = line
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')
            .split_once('(')
        else {
            continue;
        };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        seen.insert(name.to_owned());
        let maps = ["mmap", "mprotect", "pkey_mprotect"].contains(&name);
        let both = rest.contains("PROT_WRITE") && rest.contains("PROT_EXEC");
        assert!(!(maps && both), "MemoryDenyWriteExecute: {line}");
        assert!(
            !rest.starts_with("AF_NETLINK"),
            "RestrictAddressFamilies: {line}"
        );
    }
    assert!(
        seen.contains("accept4") && seen.len() > 30,
        "strace saw {seen:?}"
    );
    // The tests' own loader of the process, not the service's.
    let outside: Vec<_> = seen
        .iter()
        .filter(|name| !allowed.contains(*name) || denied.contains(*name))
        .collect();
    assert!(outside.is_empty(), "the unit does not allow {outside:?}");
}

/// The calls of some of systemd's sets, as this machine's systemd knows them.
fn expand(analyze: &Path, sets: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let mut waiting: Vec<String> = sets.split_whitespace().map(str::to_owned).collect();
    while let Some(name) = waiting.pop() {
        if !name.starts_with('@') {
            calls.insert(name);
            continue;
        }
        let ran = common::run(Command::new(analyze).args(["syscall-filter", &name]), b"");
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        let text = ran.text();
        let lines = text.lines().map(str::trim).skip(1);
        waiting.extend(
            lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned),
        );
    }
    calls
}
