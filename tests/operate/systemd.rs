//! The calls of the program, held against those that the systemd unit allows.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::project;
use crate::common::{self, Form, Launch, pictures};

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
    // -D: the service is the child, and strace goes when it goes. -q: only what is said of ends.
    let through = [
        strace.as_str(),
        "-D",
        "-f",
        "-q",
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
    let small = pictures::png(64, 48);
    let answer = server.post("/v1/restore", "image/png", &small);
    assert_eq!(answer.status, 200);
    // The nets of a restoration, the one that is only run where there is something to fill too.
    let found = "/v1/restore?steps=scratches,denoise";
    let answer = server.post(found, "image/png", &small);
    assert_eq!(answer.status, 200);
    let models = answer.header("x-model").unwrap_or_default();
    assert!(models.contains("restore"), "{models}");
    let shown = Form::of(&small).file("mask_file", "m", &small);
    let answer = server.form(found, shown);
    assert_eq!(answer.header("x-model"), Some("inpaint, restore"));
    let both = "/v1/remove-background?output=both&format=webp";
    assert_eq!(server.post(both, "image/png", &small).status, 200);
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait(Duration::from_secs(40)).success());
    let text = whole(&calls, server.pid());
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

/// What strace has written when it has written that the process is over, which is its last line.
fn whole(calls: &Path, pid: u32) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(calls).unwrap();
        let ended = |line: &str| {
            let rest = line.strip_prefix(&pid.to_string());
            rest.is_some_and(|rest| rest.trim_start() == "+++ exited with 0 +++")
        };
        if text.lines().any(ended) {
            return text;
        }
        let last = text.lines().next_back();
        assert!(Instant::now() < deadline, "{pid} goes on: {last:?}");
        thread::sleep(Duration::from_millis(20));
    }
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
