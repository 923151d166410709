//! E1, E4, E14: what the program asks of the system, and in which order.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    BACKGROUND, LONG,
    common::{self, Form, Launch, faults::alone, folder, skip, tool},
    noise,
};

/// The system calls of a trace: the name of each, and the rest of its line.
///
/// A call during which another thread's was seen is written in two parts. What sends counts from its
/// begin, everything else from its end: that is the order in which the world sees them.
fn calls(trace: &str) -> Vec<(&str, String)> {
    let mut calls = Vec::new();
    let mut begun = HashMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if let Some((_, end)) = call.split_once(" resumed>") {
            if let Some((name, start)) = begun.remove(thread) {
                calls.push((name, format!("{start}{end}")));
            }
        } else if let Some((name, rest)) = call.split_once('(') {
            let sends = ["write", "writev", "sendto", "sendmsg"].contains(&name);
            match rest.strip_suffix(" <unfinished ...>") {
                Some(start) if !sends => drop(begun.insert(thread, (name, start))),
                _ => calls.push((name, rest.to_owned())),
            }
        }
    }
    calls
}

#[test]
fn calls_in_two_parts_are_put_together() {
    let trace = "7  openat(AT_FDCWD, \"/s\", O_TMPFILE <unfinished ...>\n8  sendto(9, \"a\", 1 <unfinished ...>\n\
        7  <... openat resumed>) = 21\n7  close(21 <unfinished ...>\n8  <... sendto resumed>) = 1\n\
        9  exit(0)\n7  <... close resumed>) = 0";
    let want = [
        ("sendto", "9, \"a\", 1 <unfinished ...>"),
        ("openat", "AT_FDCWD, \"/s\", O_TMPFILE) = 21"),
        ("exit", "0)"),
        ("close", "21) = 0"),
    ];
    assert_eq!(
        calls(trace),
        want.map(|(name, rest)| (name, rest.to_owned()))
    );
}

/// E1, E4, E14: what the system calls of two requests are, and their order.
#[test]
fn the_input_is_overwritten_and_closed_before_the_first_byte_of_the_answer() {
    let _alone = alone();
    let Some(strace) = tool(&["strace"]) else {
        return skip("E1, E4, E14", "strace");
    };
    let folder = folder("trace");
    let file = folder.join("trace");
    // ONNX Runtime reports to its maker unless it is told not to, or finds itself in a test: here
    // it must be the program that tells it.
    let suppressing = ["ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS"];
    let continuous = [
        "CI",
        "GITHUB_ACTIONS",
        "TF_BUILD",
        "GITLAB_CI",
        "JENKINS_URL",
    ];
    let unset = suppressing
        .iter()
        .chain(&continuous)
        .flat_map(|name| ["-u", name]);
    let through = [
        strace.to_str().unwrap(),
        "-f",
        "-D",
        "-s",
        "64",
        "-e",
        "trace=open,openat,openat2,creat,memfd_create,write,pwrite64,writev,sendto,sendmsg,\
         socket,connect,close,link,linkat,rename,renameat2,mkdir,mkdirat,mknodat,unlink,unlinkat",
        "-o",
        file.to_str().unwrap(),
    ];
    let spool = common::folder("traced");
    let through: Vec<_> = ["env"].into_iter().chain(unset).chain(through).collect();
    let launch = Launch {
        through: &through,
        spool: Some(&spool),
        ..Launch::default()
    };
    let mut server = launch.start();
    let picture = noise(200, 2);
    assert_eq!(server.post(BACKGROUND, "image/png", &picture).status, 200);
    assert_eq!(server.form("/v1/restore", Form::of(&picture)).status, 200);
    assert_eq!(
        server.form(BACKGROUND, Form::of(&picture[..9999])).status,
        422
    );
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait(LONG).code(), Some(0));
    let trace = finished(&file);
    let calls = calls(&trace);
    let calls: Vec<_> = calls.iter().map(|(n, rest)| (*n, rest.as_str())).collect();

    // E14: nothing is connected to, and there is no socket to ask for a name with: the only ones
    // are the two that listen.
    let sockets: Vec<_> = calls.iter().filter(|(name, _)| *name == "socket").collect();
    assert!(
        calls.iter().all(|(name, _)| *name != "connect"),
        "{sockets:?}"
    );
    let listens = |(_, rest): &&(&str, &str)| rest.starts_with("AF_INET, SOCK_STREAM");
    assert!(
        sockets.len() == 2 && sockets.iter().all(listens),
        "{sockets:?}"
    );
    // E1: the only files that are written are nameless ones in the spool.
    let place = format!("\"{}\"", spool.display());
    let opened: Vec<usize> = (0..calls.len())
        .filter(|i| {
            let (name, rest) = calls[*i];
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"];
            name.starts_with("open") && writes.iter().any(|flag| rest.contains(flag))
        })
        .collect();
    for i in &opened {
        let rest = calls[*i].1;
        assert!(
            rest.contains(&place) && rest.contains("O_TMPFILE") && rest.contains("O_EXCL"),
            "{rest}"
        );
    }
    let named = ["creat", "memfd_create", "link", "rename", "mk", "unlink"];
    for (name, rest) in &calls {
        assert!(!named.iter().any(|n| name.starts_with(n)), "{name}({rest}");
    }
    // E4: the first one is the look at the folder when the server starts; then one a request.
    let inputs = &opened[opened.len() - 3..];
    for i in inputs {
        let fd = calls[*i].1.rsplit(' ').next().unwrap();
        let after = &calls[*i + 1..];
        let position = |what: &str, is: &dyn Fn(&str, &str) -> bool| {
            let found = after.iter().position(|(name, rest)| is(name, rest));
            found.unwrap_or_else(|| panic!("no {what} of file {fd}"))
        };
        let zeros = position("zeroing", &|name, rest| {
            name == "pwrite64" && rest.starts_with(&format!("{fd}, \"\\0\\0\\0\\0"))
        });
        let closed = position("close", &|name, rest| {
            name == "close" && rest.starts_with(&format!("{fd})"))
        });
        let answered = position("answer", &|_, rest| rest.contains("\"HTTP/1.1 "));
        assert!(
            zeros < closed && closed < answered,
            "{zeros} {closed} {answered}"
        );
    }
    let _ = fs::remove_dir_all(folder);
}

/// The trace, once the tracer has written its end.
fn finished(file: &Path) -> String {
    let deadline = Instant::now() + LONG;
    loop {
        let trace = fs::read_to_string(file).unwrap_or_default();
        if trace.contains("+++ exited with 0 +++") {
            return trace;
        }
        assert!(Instant::now() < deadline, "the trace has no end");
        thread::sleep(Duration::from_millis(20));
    }
}
