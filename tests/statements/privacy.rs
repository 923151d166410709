//! The privacy notice: that it follows the settings, lists what there is, and is the same everywhere.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::{is_test, on_disk, run};
use crate::common::{Launch, Server, folder, http, pictures, spawn};

fn accepted(server: &Server, accept: &str) -> (String, String) {
    let headers = [("Accept", accept)];
    let answer = http::request(server.address, "GET", "/v1/privacy", &headers, b"").unwrap();
    assert_eq!(answer.status, 200, "{accept}");
    let mime = answer.header("content-type").unwrap().to_owned();
    (mime, String::from_utf8(answer.body).unwrap())
}

fn notice(flags: &[&str]) -> Value {
    let ran = run(&[["privacy", "--format=json"].as_slice(), flags].concat());
    assert_eq!(ran.code, Some(0), "{flags:?}: {}", ran.stderr);
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn section<'a>(notice: &'a Value, id: &str) -> &'a Value {
    let mut sections = notice["sections"].as_array().unwrap().iter();
    sections.find(|section| section["id"] == id).unwrap()
}

fn sentences(section: &Value) -> Vec<&str> {
    let all = section["statements"].as_array().unwrap().iter();
    all.map(|said| said["text"].as_str().unwrap()).collect()
}

fn names(section: &Value) -> BTreeSet<&str> {
    let all = section["items"].as_array().unwrap().iter();
    all.map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn the_notice_is_the_same_on_the_command_line_and_over_http() {
    let more = [
        "--workers=1",
        "--receipts",
        "--upload-total=7s",
        "--formats=png,tiff",
        "--max-upload=3MiB",
    ];
    let server = spawn(&more);
    let spool = format!("--spool={}", server.spool.display());
    for (form, accept, mime) in [
        ("json", "", "application/json"),
        ("json", "*/*", "application/json"),
        (
            "json",
            "application/json, text/markdown",
            "application/json",
        ),
        ("markdown", "text/markdown", "text/markdown; charset=utf-8"),
        (
            "markdown",
            "Text/Markdown;q=0.9, */*;q=0.1",
            "text/markdown; charset=utf-8",
        ),
        ("text", "text/plain", "text/plain; charset=utf-8"),
        (
            "text",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain; charset=utf-8",
        ),
    ] {
        let format = format!("--format={form}");
        let words = [&["privacy", &format, &spool], more.as_slice()].concat();
        let ran = run(&words);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let (found, body) = accepted(&server, accept);
        assert_eq!(found, mime, "{accept}");
        assert_eq!(body.trim_end(), ran.text().trim_end(), "{accept}");
    }
    // Text is what a terminal gets; the settings come from a file as those of `serve` do.
    let file = folder("notice").join("safelight.toml");
    let lines = "receipts = true\nupload_total = \"7s\"\nformats = [\"png\", \"tiff\"]\n\
                 max_upload = \"3MiB\"\nworkers = 1\n";
    fs::write(&file, lines).unwrap();
    let ran = run(&["privacy", &spool, "--config", file.to_str().unwrap()]);
    assert_eq!(
        ran.text().trim_end(),
        accepted(&server, "text/plain").1.trim_end()
    );
    let _ = fs::remove_dir_all(file.parent().unwrap());
}

#[test]
fn the_notice_follows_the_settings() {
    let plain = notice(&[]);
    for (flag, id, part) in [
        ("--max-upload=3MiB", "received", "at most 3MiB each"),
        ("--max-megapixels=7.5", "received", "7.5 megapixels"),
        ("--formats=png,bmp", "received", "(png, bmp,"),
        (
            "--upload-total=45s",
            "duration",
            "3m 57s for the longest upload",
        ),
        ("--queue-wait=3s", "duration", "3s for the longest wait"),
        ("--upload-idle=9s", "duration", "pauses for 9s"),
        ("--timeout=11s", "duration", "worked on for 11s at most"),
        (
            "--long-timeout=77s",
            "duration",
            "for 1m 17s in a restoration",
        ),
        ("--read-timeout=4s", "duration", "takes nothing for 4s"),
        ("--shutdown-grace=12s", "duration", "has 12s to end"),
        ("--ephemerality=strict", "storage", "refuses to start"),
        ("--receipts", "receipts", "header Deletion-Receipt"),
    ] {
        let changed = notice(&[flag]);
        assert_ne!(changed, plain, "{flag}");
        let holds = |notice: &Value| {
            let all = sentences(section(notice, id)).join("\n");
            all.contains(part)
        };
        assert!(holds(&changed), "{flag}: {changed:#}");
        assert!(!holds(&plain), "{flag}: said without it too");
    }
    // The longest time is the sum of its parts: 30 s, 96 MiB at 256 KiB a second, 300 s of work for a
    // batch; 1 s, 2 MiB and 0.5 s of waiting where no batch takes longer.
    let held = |notice: &Value| notice["figures"]["input_held_at_most_seconds"].clone();
    assert_eq!(held(&plain), 30.0 + 96.0 * 4.0 + 300.0);
    let short = notice(&[
        "--upload-total=1s",
        "--max-upload=1MiB",
        "--queue-wait=500ms",
        "--max-batch=1MiB",
        "--long-timeout=1s",
    ]);
    assert_eq!(held(&short), 1.0 + 2.0 * 4.0 + 0.5);
    assert_eq!(plain["figures"]["receipts"], false);
    assert_eq!(notice(&["--receipts=true"])["figures"]["receipts"], true);
    assert_eq!(
        notice(&["--receipts", "--receipts=false"])["figures"]["receipts"],
        false
    );
    assert_eq!(plain["figures"]["outgoing_connections"], 0);
}

#[test]
fn the_notice_says_what_was_found_about_the_storage() {
    let memory = folder("notice-memory");
    let flag = format!("--spool={}", memory.display());
    let good = notice(&[&flag]);
    if cfg!(target_os = "linux") {
        let text = sentences(section(&good, "storage")).join("\n");
        assert!(text.contains("Uploads lie in memory (tmpfs)"), "{text}");
        assert_eq!(good["figures"]["spool_in_memory"], true);
        assert_eq!(good["figures"]["spool_nameless"], true);
    }
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    assert_eq!(good["figures"]["swap_on"], swaps.lines().count() > 1);
    let _ = fs::remove_dir_all(memory);
    let Some(disk) = on_disk() else { return };
    let flag = format!("--spool={}", disk.display());
    let bad = notice(&[&flag]);
    let text = sentences(section(&bad, "storage")).join("\n");
    assert!(text.contains("do NOT lie on a tmpfs"), "{text}");
    assert_eq!(bad["figures"]["ephemerality_holds"], false);
    let missing = sentences(section(&bad, "not_covered")).join("\n");
    assert!(missing.contains("bytes may reach a disk"), "{missing}");
    let launch = Launch {
        spool: Some(&disk.join(format!("notice-{}", std::process::id()))),
        flags: &["--workers=1"],
        ..Launch::default()
    };
    fs::create_dir_all(launch.spool.unwrap()).unwrap();
    let server = launch.start();
    let served: Value = server.get("/v1/privacy").json();
    assert_eq!(section(&served, "storage"), section(&bad, "storage"));
}

#[test]
fn the_notice_lists_every_field_of_the_log_and_every_metric() {
    let mut server = spawn(&["--workers=1"]);
    let picture = pictures::png(64, 48);
    assert_eq!(
        server
            .post("/v1/restore?steps=denoise", "image/png", &picture)
            .status,
        200
    );
    assert_eq!(
        server
            .post("/v1/inspect", "image/png", b"no picture")
            .status,
        415
    );
    server.assert_books_balance();
    // The log comes through a pipe, and may be behind.
    server.wait_for_line("\"code\":\"unknown_format\"");
    let notice = server.get("/v1/privacy").json();
    let fields = names(section(&notice, "logged"));
    let mut seen = BTreeSet::new();
    for line in server.log() {
        let record: Value = serde_json::from_str(&line).unwrap();
        seen.extend(record.as_object().unwrap().keys().cloned());
    }
    assert!(seen.len() > 12, "{seen:?}");
    for key in &seen {
        assert!(
            fields.contains(key.as_str()),
            "{key} is logged and not in the notice"
        );
    }
    let listed = names(section(&notice, "measured"));
    let answer = http::request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let text = String::from_utf8(answer.body).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown: BTreeSet<_> = types.map(|rest| rest.split(' ').next().unwrap()).collect();
    assert!(shown.len() > 20, "{shown:?}");
    for name in shown {
        assert!(
            listed.contains(name),
            "{name} is measured and not in the notice"
        );
    }
}

#[test]
fn every_sentence_names_a_test_that_exists() {
    for flags in [&[][..], &["--receipts"], &["--ephemerality=strict"]] {
        let notice = notice(flags);
        let mut count = 0;
        for section in notice["sections"].as_array().unwrap() {
            for said in section["statements"].as_array().unwrap() {
                let tests = said["tests"].as_array().unwrap();
                // What is not promised cannot be tested.
                let promised = section["id"] != "not_covered";
                assert_eq!(!tests.is_empty(), promised, "{said}");
                for test in tests {
                    let name = test.as_str().unwrap();
                    assert!(is_test(name), "there is no test {name}: {said}");
                    count += 1;
                }
            }
        }
        assert!(count > 25, "{count}");
    }
    let gaps = notice(&[]);
    let gaps = sentences(section(&gaps, "not_covered")).join("\n");
    for word in ["root", "proxy", "SIGKILL", "sockets", "graphics", "Clear"] {
        assert!(gaps.contains(word), "{word}");
    }
}

#[test]
fn the_page_links_to_the_notice_and_a_browser_can_read_it() {
    let server = spawn(&["--workers=1"]);
    let page = String::from_utf8(server.get("/").body).unwrap();
    let foot = page.split_once("<footer>").unwrap().1;
    assert!(foot.contains("href=\"v1/privacy\">"), "{foot}");
    // What browsers ask for when a link is followed.
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    let (_, text) = accepted(&server, browser);
    assert!(text.starts_with("What this Safelight keeps"), "{text}");
    assert_eq!(json!(text.contains('#')), json!(false), "no mark-up");
}
