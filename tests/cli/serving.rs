//! `serve` and what goes with it: what it refuses to start with, where its settings come from, and
//! `health`.

use std::{net::TcpListener, path::Path};

use super::{Folder, on_disk, run};
use crate::common::{self, PROGRAM, Server, pictures};

#[test]
fn strict_refuses_a_spool_on_a_disk_and_names_the_flags_for_a_container() {
    let serve = [
        "serve",
        "--listen=127.0.0.1:0",
        "--metrics-listen=127.0.0.1:0",
    ];
    let with = |more: &[&str]| run(&[serve.as_slice(), more].concat());
    let ran = with(&["--spool=/nonexistent"]);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("/nonexistent is not a folder"),
        "{}",
        ran.stderr
    );
    // Where every folder is in memory there is no disk to refuse.
    if let Some(folder) = on_disk() {
        let ran = with(&["--ephemerality", "strict", "--spool", folder]);
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        for part in [
            "not on a tmpfs",
            "docker: --tmpfs /spool:uid=65532,mode=0700,size=512m",
            folder,
        ] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = run(&[
        "serve",
        "--listen",
        &address,
        "--metrics-listen=127.0.0.1:0",
    ]);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("--listen {address}")),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_missing_runtime_library_is_a_clear_error() {
    let folder = Folder::new("cli");
    let input = folder.write("in.jpg", &pictures::jpeg(64, 48));
    let wrong = folder.write("wrong.so", b"no library");
    let serve = [
        "serve",
        "--listen=127.0.0.1:0",
        "--metrics-listen=127.0.0.1:0",
    ];
    for library in ["/nonexistent", wrong.as_str()] {
        let flag = ["--onnxruntime", library];
        let ran = run(&[["remove-background", &input, "-o", "-"].as_slice(), &flag].concat());
        assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "{}", ran.stderr);
        assert!(ran.stderr.contains(library), "{}", ran.stderr);
        let ran = run(&[serve.as_slice(), &flag].concat());
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        let ran = run(&["doctor", "--onnxruntime", library]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.text().contains("FAIL"));
    }
    let ran = run(&["doctor", "--onnxruntime", "/nonexistent"]);
    assert!(
        ran.text().contains("make runtime"),
        "names the command: {}",
        ran.text()
    );
}

#[test]
fn a_wrong_configuration_file_is_2_and_names_the_key() {
    let folder = Folder::new("cli");
    for (text, part) in [
        ("colour_of_the_sky = 1\n", "colour_of_the_sky"),
        ("queue = \"many\"\n", "--queue"),
        ("queue = { deep = 1 }\n", "queue"),
        ("queue = = 1\n", "is not TOML"),
        ("config = \"other.toml\"\n", "config"),
    ] {
        let file = folder.write("wrong.toml", text.as_bytes());
        for arguments in [
            vec!["serve", "--config", &file],
            vec!["serve", &format!("--config={file}")],
        ] {
            let ran = run(&arguments);
            assert_eq!(ran.code, Some(2), "{text}: {}", ran.stderr);
            assert!(ran.stderr.contains(part), "{text}: {}", ran.stderr);
        }
    }
    let ran = run(&["serve", "--config", "/nonexistent.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("/nonexistent.toml cannot be read"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let folder = Folder::new("cli");
    let file = folder.write("safelight.toml", b"max_side = 100\nformats = [\"png\"]\n");
    let limit = |flags: &[&str], variables: &[(&str, &str)]| {
        let server = Server::start_with(Path::new(PROGRAM), flags, variables);
        let wide = server.post("/v1/inspect", "image/png", &pictures::png(400, 4));
        let jpeg = server.post("/v1/inspect", "image/jpeg", &pictures::jpeg(8, 8));
        assert_eq!(jpeg.code(), "format_disabled", "the rest of the file holds");
        let text = wide.json()["detail"].as_str().unwrap().to_owned();
        let (_, rest) = text.split_once("the limit is ").unwrap();
        rest.split(' ').next().unwrap().to_owned()
    };
    let config = ["--workers=1", "--config", &file];
    let variable = [("SAFELIGHT_MAX_SIDE", "200")];
    assert_eq!(limit(&config, &[]), "100");
    assert_eq!(limit(&config, &variable), "200");
    let flag = [config.as_slice(), &["--max-side=300"]].concat();
    assert_eq!(limit(&flag, &variable), "300");
    let named = [("SAFELIGHT_CONFIG", file.as_str())];
    assert_eq!(
        limit(&["--workers=1"], &named),
        "100",
        "the file named by a variable"
    );
}

#[test]
fn health_asks_a_running_service_and_misses_an_absent_one() {
    let server = common::spawn(&["--workers=1"]);
    let address = server.address.to_string();
    let ran = run(&["health", "--address", &address]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    // The metrics listener answers, but not as a service that is ready.
    let other = server.metrics.to_string();
    let ran = run(&["health", "--address", &other]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("is not ready"), "{}", ran.stderr);
    drop(server);
    let ran = run(&["health", "--address", &address]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains(&format!("{address} does not answer")),
        "{}",
        ran.stderr
    );
    let ran = run(&["health", "--address", "localhost"]);
    assert_eq!(ran.code, Some(2));
}

#[test]
fn the_start_says_what_is_enforced_and_what_is_not() {
    let mut server = common::spawn(&["--workers=1"]);
    let yes = server.wait_for_line("\"start\",\"message\":\"enforced: ");
    let no = server.wait_for_line("\"start\",\"message\":\"not enforced: ");
    assert!(yes.contains("no core file is written"), "{yes}");
    for part in ["API keys (--keys)", "--rate-per-address", "TLS"] {
        assert!(no.contains(part) && !yes.contains(part), "{part}: {no}");
    }
    let server = &mut common::spawn(&["--workers=1", "--rate-per-address=60/min"]);
    let yes = server.wait_for_line("\"message\":\"enforced: ");
    assert!(yes.contains("60/min for each address"), "{yes}");
}
