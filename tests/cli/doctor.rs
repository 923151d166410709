//! `doctor`: what it looks at, and when it ends with 1.

use std::{collections::BTreeMap, fs, net::TcpListener, os::unix::fs::PermissionsExt};

use serde_json::Value;

use super::{Folder, on_disk, run};
use crate::common;

/// Flags that no running service on this machine can disturb.
const FREE: [&str; 4] = [
    "doctor",
    "--workers=1",
    "--listen=127.0.0.1:0",
    "--metrics-listen=127.0.0.1:0",
];

/// Whether each check holds, by name; and its whole entry.
fn checked(more: &[&str]) -> BTreeMap<String, Value> {
    let ran = run(&[FREE.as_slice(), &["--json"], more].concat());
    let report: Value = serde_json::from_slice(&ran.stdout).expect(&ran.stderr);
    let mut found = BTreeMap::new();
    let checks = report["checks"].as_array().unwrap();
    for check in checks {
        let name = check["name"].as_str().unwrap().to_owned();
        assert!(!check["detail"].as_str().unwrap().is_empty(), "{name}");
        assert!(
            found.insert(name, check.clone()).is_none(),
            "{check} is there twice"
        );
    }
    let all = !checks.iter().any(|check| check["holds"] == false);
    assert_eq!(report["holds"], all);
    assert_eq!(ran.code, Some(i32::from(!all)), "{}", ran.stderr);
    found
}

#[test]
fn doctor_ends_with_1_if_and_only_if_something_fails() {
    let memory = Folder::new("cli");
    let mut spools = vec![memory.path(""), "/nonexistent".to_owned()];
    spools.extend(on_disk().map(str::to_owned));
    for spool in spools {
        let ran = run(&[FREE.as_slice(), &["--spool", &spool]].concat());
        let text = ran.text();
        let failed = text.lines().filter(|line| line.starts_with("FAIL")).count();
        let code = Some(i32::from(failed > 0));
        assert_eq!(ran.code, code, "{text}{}", ran.stderr);
        assert!(
            text.contains("models that run (on cpu): cutout, inpaint, kind, restore, scratch"),
            "{text}"
        );
        assert!(text.contains("ONNX Runtime 1."), "{text}");
        if failed > 0 {
            let count = format!("{failed} of these do not hold");
            assert!(ran.stderr.contains(&count), "{}", ran.stderr);
        }
        if spool != memory.path("") {
            assert!(failed > 0, "{spool} is no place for uploads:\n{text}");
        }
    }
}

#[test]
fn doctor_looks_at_everything_that_serve_would_meet() {
    let memory = Folder::new("cli");
    let found = checked(&["--spool", &memory.path("")]);
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    let known = [
        "c_heap_wiped",
        "clock",
        "cpu",
        "descriptors",
        "keys",
        "listen",
        "memory",
        "metrics_listen",
        "models",
        "no_core",
        "no_swap",
        "not_dumpable",
        "onnxruntime",
        "spool",
        "spool_in_memory",
        "spool_nameless",
        "spool_room",
        "threads",
    ];
    assert_eq!(names, known);
    assert_eq!(found["keys"]["holds"], Value::Null, "a fact, not a fault");
    for name in [
        "clock",
        "cpu",
        "listen",
        "metrics_listen",
        "models",
        "spool",
    ] {
        assert_eq!(found[name]["holds"], true, "{}", found[name]);
    }
}

#[test]
fn doctor_finds_what_is_wrong_with_the_settings() {
    let folder = Folder::new("cli");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let hash = "ab".repeat(32);
    let good = format!("[[key]]\nid = \"shop\"\nhash = \"{hash}\"\n");
    let keys = folder.write("keys.toml", good.as_bytes());
    let open = folder.write("open.toml", good.as_bytes());
    let broken = folder.write("broken.toml", b"[[key");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let config = format!("keys = {keys:?}\n");
    let config = folder.write("safelight.toml", config.as_bytes());
    for (flags, name, holds, part) in [
        (
            vec!["--listen", &address],
            "listen",
            false,
            address.as_str(),
        ),
        (
            vec!["--metrics-listen", &address],
            "metrics_listen",
            false,
            &address,
        ),
        (vec!["--workers=512"], "cpu", false, "512 workers"),
        (
            vec!["--memory-budget=4000GiB"],
            "memory",
            false,
            "4096000 MiB of memory",
        ),
        (
            vec!["--spool-budget=4000GiB"],
            "spool_room",
            false,
            "4000GiB",
        ),
        (vec!["--keys", &keys], "keys", true, "keys: 1 in"),
        (vec!["--keys", &keys], "keys_private", true, "every user"),
        (vec!["--keys", &open], "keys_private", false, "every user"),
        (vec!["--keys", &broken], "keys", false, "near line 1"),
        (
            vec!["--keys", "/nonexistent"],
            "keys",
            false,
            "/nonexistent",
        ),
        (vec!["--config", &config], "keys", true, "keys: 1 in"),
    ] {
        let found = checked(&flags);
        let check = &found[name];
        assert_eq!(check["holds"], holds, "{flags:?}: {check}");
        let detail = check["detail"].as_str().unwrap();
        assert!(detail.contains(part) && !detail.contains(&hash), "{detail}");
        // What is wrong comes with what to do about it.
        let told = check.get("remedy").is_some();
        assert!(holds != told || name == "keys", "{check}");
    }
    let limits = checked(&["--rate-per-address=60/min"]);
    assert_eq!(limits["limits"]["holds"], Value::Null);
    let wrong = run(&["doctor", "--queue=many"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

#[test]
fn doctor_beside_a_running_service_does_not_call_its_address_taken() {
    let server = common::spawn(&["--workers=1"]);
    let listen = format!("--listen={}", server.address);
    let metrics = format!("--metrics-listen={}", server.metrics);
    let found = checked(&[&listen, &metrics]);
    assert_eq!(found["listen"]["holds"], true, "{}", found["listen"]);
    assert!(
        found["listen"]["detail"]
            .as_str()
            .unwrap()
            .contains("is ready")
    );
    assert_eq!(found["metrics_listen"]["holds"], true);
}
