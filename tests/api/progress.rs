//! The progress of a request, seen by whoever knows the random id that its client chose.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use uuid::Uuid;

use crate::common::{Answer, Server, http, pictures, spawn};

const ID: &str = "X-Progress-Id";

/// A picture that takes a while.
fn long() -> Vec<u8> {
    let noisy = pictures::noisy(&pictures::subject(1600, 1200), 20.0, 3);
    pictures::encoded(noisy, image::ImageFormat::Png)
}

fn post(address: SocketAddr, path: &str, id: &str, picture: &[u8]) -> Answer {
    let headers = [("Content-Type", "image/png"), (ID, id)];
    http::request(address, "POST", path, &headers, picture).unwrap()
}

/// Begins to watch; what is read from the result are the head and the events.
fn watch(address: SocketAddr, id: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let head = http::head("GET", &format!("/v1/progress/{id}"), &[], 0);
    stream.write_all(head.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// The head, and every event until the stream ends: its name and its data.
fn events(stream: BufReader<TcpStream>) -> (String, Vec<(String, Value)>) {
    let lines: Vec<_> = stream.lines().map(|line| line.unwrap()).collect();
    let end = lines.iter().position(String::is_empty).expect("a head");
    let mut events = Vec::new();
    let mut name = String::new();
    for line in &lines[end..] {
        if let Some(event) = line.strip_prefix("event: ") {
            name = event.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            events.push((name.clone(), serde_json::from_str(data).unwrap()));
        }
    }
    (lines[..end].join("\n"), events)
}

#[test]
fn a_request_is_watched_by_the_id_that_its_client_chose() {
    let server = spawn(&["--workers=1"]);
    let id = Uuid::new_v4().to_string();
    let address = server.address;
    // The watcher may come first.
    let stream = watch(address, &id);
    let ops = r#"[{"op":"transform"},{"op":"restore","steps":"denoise"}]"#;
    let path = format!("/v1/pipeline?ops={}", ops.replace('"', "%22"));
    let answer = post(address, &path, &id, &long());
    assert_eq!(answer.status, 200);
    let (head, events) = events(stream);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let lower = head.to_lowercase();
    for line in ["content-type: text/event-stream", "cache-control: no-store"] {
        assert!(lower.contains(line), "{head}");
    }
    let (last, before) = events.split_last().unwrap();
    assert_eq!(last.0, "end");
    assert!(before.iter().all(|(name, _)| name == "progress"));
    let shares: Vec<f64> = before
        .iter()
        .filter(|(_, data)| data["step"] == "denoise" && data["operation"] == 2)
        .map(|(_, data)| data["share"].as_f64().unwrap())
        .collect();
    assert!(shares.len() > 2, "{events:?}");
    assert!(
        shares.is_sorted() && shares[0] < *shares.last().unwrap(),
        "{shares:?}"
    );
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
    // Every step is a word of the program, which it also says of its stages.
    let timing = answer.header("server-timing").unwrap();
    for (_, data) in before {
        let step = data["step"].as_str().unwrap();
        assert!(step.is_empty() || timing.contains(step), "{step}: {timing}");
        let keys: Vec<_> = data.as_object().unwrap().keys().collect();
        assert!(
            keys.iter()
                .all(|key| ["step", "share", "operation"].contains(&key.as_str()))
        );
    }
    server.assert_books_balance();
}

#[test]
fn nothing_is_left_of_an_id_and_it_is_in_no_record() {
    let server = spawn(&[]);
    let id = Uuid::new_v4().to_string();
    let picture = pictures::png(64, 48);
    let answer = post(server.address, "/v1/restore", &id, &picture);
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("x-request-id"), Some(id.as_str()));
    let begin = Instant::now();
    let gone = server.get(&format!("/v1/progress/{id}"));
    gone.assert_problem("a request that is over", 404, "not_found");
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "it does not wait for ever"
    );
    // The id is free again.
    assert_eq!(
        post(server.address, "/v1/restore", &id, &picture).status,
        200
    );
    // A request that fails is over as well.
    let failed = post(server.address, "/v1/restore?strength=2", &id, &picture);
    assert_eq!(failed.status, 400);
    server.get(&format!("/v1/progress/{id}")).assert_problem(
        "a request that failed",
        404,
        "not_found",
    );
    server.assert_books_balance();
    let log = server.log().join("\n");
    assert!(
        log.contains("\"operation\":\"restore\""),
        "it was written: {log}"
    );
    let metrics = http::request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let metrics = String::from_utf8(metrics.body).unwrap();
    for part in [id.as_str(), &id[..8], &id[24..]] {
        assert!(!log.contains(part) && !metrics.contains(part), "{part}");
    }
}

#[test]
fn ids_that_are_none_or_taken_are_refused_without_being_repeated() {
    let server = spawn(&["--workers=1"]);
    let picture = pictures::png(64, 48);
    for wrong in [
        "zq7canary",
        "5b1f8a3e-8f4e-1b43-9f0a-0c7c0d8e2f11",
        "5b1f8a3e8f4e4b439f0a0c7c0d8e2f11",
    ] {
        let answer = post(server.address, "/v1/restore", wrong, &picture);
        answer.assert_problem(wrong, 400, "bad_value");
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains(ID) && !text.contains(wrong), "{text}");
        let answer = server.get(&format!("/v1/progress/{wrong}"));
        answer.assert_problem(wrong, 400, "bad_value");
        assert!(!String::from_utf8(answer.body).unwrap().contains(wrong));
    }
    let id = Uuid::new_v4().to_string();
    let address = server.address;
    let (first, picture) = (id.clone(), long());
    let running =
        thread::spawn(move || post(address, "/v1/restore?steps=denoise", &first, &picture));
    let mut head = String::new();
    watch(address, &id).read_line(&mut head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "it runs: {head}");
    let second = post(address, "/v1/restore", &id, &pictures::png(64, 48));
    second.assert_problem("an id in use", 400, "bad_value");
    assert_eq!(running.join().unwrap().status, 200);
    server.assert_books_balance();
}

#[test]
fn no_more_may_watch_than_may_send() {
    let server: Server = spawn(&["--upload-permits=2", "--workers=1"]);
    let ids: Vec<_> = (0..3).map(|_| Uuid::new_v4().to_string()).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    // Now and then the third one is faster than one of the two.
    let answer = loop {
        let _waiting: Vec<_> = ids[..2]
            .iter()
            .map(|id| watch(server.address, id))
            .collect();
        let answer = server.get(&format!("/v1/progress/{}", ids[2]));
        if answer.status == 503 || Instant::now() > deadline {
            break answer;
        }
    };
    answer.assert_problem("a third watcher", 503, "busy");
    assert!(answer.header("retry-after").is_some());
    server.assert_books_balance();
}
