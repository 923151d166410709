//! Reload at SIGHUP: keys change under load, what is broken changes nothing.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{INSPECT, Keys, figure, send, with_key};
use crate::common::{self, Server, spawn};

/// Sends SIGHUP and waits until the service has said what became of it.
fn reload(server: &Server) -> String {
    let told = || {
        let log = server.log();
        let told = log
            .into_iter()
            .filter(|line| line.contains("\"event\":\"reload\""));
        told.collect::<Vec<_>>()
    };
    let before = told().len();
    server.signal(Signal::HUP);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let lines = told();
        if lines.len() > before {
            assert_eq!(lines.len(), before + 1, "one line: {lines:?}");
            return lines.last().unwrap().clone();
        }
        assert!(Instant::now() < deadline, "nothing was said about it");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_key_is_replaced_under_load_without_a_failed_request() {
    let mut keys = Keys::new();
    let old = keys.add("old", "");
    let server = keys.spawn(&[]);
    let current = Mutex::new(old.clone());
    let (stop, done) = (AtomicBool::new(false), AtomicU32::new(0));
    let since = |before: u32| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while done.load(Ordering::Relaxed) < before + 12 {
            assert!(Instant::now() < deadline, "the load stands still");
            thread::sleep(Duration::from_millis(2));
        }
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let key = current.lock().unwrap().clone();
                    let answer = with_key(&server, INSPECT, &key);
                    // Whoever began with the old key just before it went may still be refused; the
                    // test switches the clients over before.
                    if answer.status != 200 {
                        stop.store(true, Ordering::Relaxed);
                        panic!("{}", String::from_utf8_lossy(&answer.body));
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        since(0);
        let new = keys.add("new", "");
        assert!(reload(&server).contains("2 API keys"));
        assert_eq!(
            with_key(&server, INSPECT, &old).status,
            200,
            "both are in force"
        );
        *current.lock().unwrap() = new.clone();
        // Requests under way with the old key end.
        since(done.load(Ordering::Relaxed));
        let only_new = keys.text.rfind("[[key]]").unwrap();
        keys.text.drain(..only_new);
        keys.write();
        assert!(reload(&server).contains("1 API key,"));
        with_key(&server, INSPECT, &old).assert_problem("the old key", 401, "wrong_key");
        since(done.load(Ordering::Relaxed));
        stop.store(true, Ordering::Relaxed);
    });
    let use_of_old = server
        .log()
        .into_iter()
        .find(|line| line.contains("key old: "));
    assert!(use_of_old.is_some(), "before it goes, its use is told");
    server.assert_books_balance();
}

#[test]
fn a_broken_file_keeps_what_was_and_says_so_in_one_line() {
    let mut keys = Keys::new();
    let key = keys.add("shop", "rate = \"2/h\"\n");
    let server = keys.spawn(&[]);
    assert_eq!(with_key(&server, INSPECT, &key).status, 200);
    let good = keys.text.clone();
    let hash = good.split('"').nth(3).unwrap().to_owned();
    for (text, part) in [
        ("[[key".to_owned(), "near line 1"),
        (String::new(), "no [[key]]"),
        (good.replace("2/h", "often"), "a rate such as"),
        (format!("{good}scopes = [\"fly\"]\n"), "takes names out of"),
    ] {
        keys.text = text;
        keys.write();
        let line = reload(&server);
        assert!(
            line.contains("everything stays as it was") && line.contains(part),
            "{line}"
        );
        assert!(
            line.contains("\"level\":\"warn\"") && !line.contains(&hash),
            "{line}"
        );
    }
    fs::remove_file(&keys.file).unwrap();
    assert!(reload(&server).contains("everything stays as it was"));
    // The key, and what it has used, are as before.
    let answer = with_key(&server, INSPECT, &key);
    assert_eq!(
        (answer.status, figure(&answer, "x-ratelimit-remaining")),
        (200, 0.0)
    );
    keys.text = good.replace("2/h", "3/h");
    keys.write();
    assert!(reload(&server).contains("read again: 1 API key"));
    let refused = with_key(&server, INSPECT, &key);
    refused.assert_problem("a reload fills no bucket", 429, "rate_limited");
    assert_eq!(figure(&refused, "x-ratelimit-limit"), 3.0);
}

#[test]
fn the_settings_file_is_read_again_and_what_needs_a_restart_is_named() {
    let mut keys = Keys::new();
    let key = keys.add("shop", "");
    let file = keys.file.with_file_name("safelight.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write("queue = 5\n");
    let config = format!("--config={}", file.display());
    let server = spawn(&["--workers=1", &config]);
    assert_eq!(send(&server, INSPECT, &[]).status, 200);

    write("queue = 5\nrate_per_address = \"1/h\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n");
    let line = reload(&server);
    assert!(
        line.contains("no key needed, 1/h per address") && !line.contains("restart"),
        "{line}"
    );
    assert_eq!(send(&server, INSPECT, &[]).status, 200);
    assert_eq!(send(&server, INSPECT, &[]).code(), "rate_limited");

    let with_keys = format!(
        "queue = 6\nmax_side = 5000\nkeys = \"{}\"\n",
        keys.file.display()
    );
    write(&with_keys);
    let line = reload(&server);
    assert!(line.contains("1 API key, no limit per address"), "{line}");
    assert!(
        line.contains("needs a restart: --max-side, --queue"),
        "{line}"
    );
    assert_eq!(send(&server, INSPECT, &[]).code(), "missing_key");
    assert_eq!(with_key(&server, INSPECT, &key).status, 200);

    // A line that went missing does not open the service.
    for text in [
        "queue = 5\n",
        "queue = = 5\n",
        "colour = 1\n",
        "queue = \"many\"\n",
    ] {
        write(text);
        let line = reload(&server);
        assert!(line.contains("everything stays as it was"), "{line}");
        assert_eq!(send(&server, INSPECT, &[]).code(), "missing_key", "{text}");
    }
    assert!(
        reload(&server).contains("many"),
        "the file's own mistake is named"
    );
}

#[test]
fn without_a_file_to_read_again_a_hangup_ends_the_service() {
    let mut server = common::spawn(&["--workers=1"]);
    server.signal(Signal::HUP);
    assert!(!server.wait(Duration::from_secs(10)).success());
}
