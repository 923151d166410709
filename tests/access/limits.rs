//! Limits: requests of a key, megapixels of a key, requests of an address.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use super::{CUT, INSPECT, Keys, figure, send, send_picture, with_key};
use crate::common::{Answer, Form, Server, http, pictures, spawn};

fn unix_now() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[test]
fn a_key_is_held_to_its_rate_and_says_when_it_may_go_on() {
    let mut keys = Keys::new();
    let quick = keys.add("quick", "rate = \"30/min\"\nburst = 3\n");
    let other = keys.add("other", "rate = \"30/min\"\nburst = 3\n");
    let free = keys.add("free", "");
    let server = keys.spawn(&[]);
    for left in [2.0, 1.0, 0.0] {
        let answer = with_key(&server, INSPECT, &quick);
        assert_eq!(answer.status, 200);
        assert_eq!(figure(&answer, "x-ratelimit-limit"), 3.0);
        // A slow machine may have refilled a part of it.
        assert!(figure(&answer, "x-ratelimit-remaining") >= left);
        let until = figure(&answer, "x-ratelimit-reset") - unix_now();
        assert!((0.0..=7.0).contains(&until), "{until}");
    }
    let refused = (0..20)
        .map(|_| with_key(&server, INSPECT, &quick))
        .find(|answer| answer.status != 200)
        .expect("it is held");
    refused.assert_problem("too fast", 429, "rate_limited");
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    let seconds = figure(&refused, "retry-after");
    assert!(seconds == 1.0 || seconds == 2.0, "{seconds}");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("30/min"), "{detail}");
    assert_eq!(
        with_key(&server, INSPECT, &other).status,
        200,
        "another key"
    );
    let answer = with_key(&server, INSPECT, &free);
    assert_eq!(
        (answer.status, answer.header("x-ratelimit-limit")),
        (200, None)
    );
    // The promise of Retry-After is kept.
    thread::sleep(Duration::from_secs_f64(seconds));
    assert_eq!(with_key(&server, INSPECT, &quick).status, 200);
    assert!(server.metric("safelight_rejections_total{reason=\"rate\"}") >= 1.0);
}

#[test]
fn the_megapixels_of_an_hour_and_of_a_day_are_counted_after_the_header_is_read() {
    let mut keys = Keys::new();
    // A picture of these tests has 0.0192 megapixels.
    let hour = keys.add("hour", "megapixels_per_hour = 0.05\n");
    let day = keys.add(
        "day",
        "megapixels_per_day = 0.02\nmegapixels_per_hour = 9\n",
    );
    let server = keys.spawn(&[]);
    for left in ["0.03", "0.01"] {
        let answer = with_key(&server, CUT, &hour);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-quota-limit"), Some("0.05"));
        assert_eq!(answer.header("x-quota-remaining"), Some(left));
        let until = figure(&answer, "x-quota-reset") - unix_now();
        assert!((3500.0..=3601.0).contains(&until), "{until}");
    }
    let used = with_key(&server, CUT, &hour);
    used.assert_problem("the hour is used up", 429, "quota_exceeded");
    assert!((3500.0..=3600.0).contains(&figure(&used, "retry-after")));
    let detail = used.json()["detail"].as_str().unwrap().to_owned();
    for part in ["0.02", "0.05", "0.01", "megapixels_per_hour"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    // A smaller picture still fits, and a look at a header costs nothing.
    assert_eq!(with_key(&server, INSPECT, &hour).status, 200);
    let small = pictures::jpeg(100, 60);
    let key = [("X-API-Key", hour.as_str())];
    assert_eq!(send_picture(&server, CUT, &key, &small).status, 200);

    assert_eq!(with_key(&server, CUT, &day).status, 200);
    let used = with_key(&server, CUT, &day);
    used.assert_problem("the day is used up", 429, "quota_exceeded");
    assert!((86_300.0..=86_400.0).contains(&figure(&used, "retry-after")));
    // What could never fit is not told to wait.
    let key = [("X-API-Key", day.as_str())];
    let large = send_picture(&server, CUT, &key, &pictures::jpeg(200, 150));
    large.assert_problem("more than a day's", 422, "too_many_pixels");
    server.assert_books_balance();
    assert_eq!(
        server.metric("safelight_rejections_total{reason=\"quota\"}"),
        2.0
    );
}

#[test]
fn what_the_service_failed_to_do_is_not_counted() {
    let mut keys = Keys::new();
    let key = keys.add("shop", "megapixels_per_hour = 1\n");
    let server = keys.spawn(&["--timeout=1ms"]);
    let slow = send_picture(
        &server,
        CUT,
        &[("X-API-Key", &key)],
        &pictures::jpeg(800, 600),
    );
    slow.assert_problem("a millisecond", 504, "deadline_passed");
    assert_eq!(slow.header("x-quota-remaining"), Some("1.00"));
    let broken = pictures::jpeg(800, 600);
    let broken = send_picture(&server, CUT, &[("X-API-Key", &key)], &broken[..100]);
    assert_eq!(
        (broken.status, broken.header("x-quota-remaining")),
        (422, Some("1.00"))
    );
}

#[test]
fn what_the_service_failed_to_do_in_a_batch_is_not_counted_either() {
    let mut keys = Keys::new();
    let key = keys.add("shop", "megapixels_per_hour = 20\n");
    // Enough to begin with the picture, and by far too little to restore it.
    let server = keys.spawn(&["--workers=1", "--long-timeout=700ms"]);
    let large = pictures::encoded(pictures::plain(4000, 3000), image::ImageFormat::Jpeg);
    let ops = r#"[{"op":"restore","steps":"denoise"}]"#;
    let (mime, body) = Form::of(&large).text("ops", ops).finish();
    let headers = [("Content-Type", mime.as_str()), ("X-API-Key", &key)];
    let answer = http::request(server.address, "POST", "/v1/batch", &headers, &body).unwrap();
    assert_eq!(answer.status, 200);
    let entries = pictures::unzipped(&answer.joined().unwrap());
    assert_eq!(entries[0].0, "001.error.json");
    let problem: serde_json::Value = serde_json::from_slice(&entries[0].1).unwrap();
    assert_eq!(problem["code"], "deadline_passed");
    let after = with_key(&server, INSPECT, &key);
    assert_eq!(after.header("x-quota-remaining"), Some("20.00"));
}

fn from(server: &Server, forwarded: &[&str]) -> Answer {
    let headers: Vec<_> = forwarded
        .iter()
        .map(|list| ("X-Forwarded-For", *list))
        .collect();
    send(server, INSPECT, &headers)
}

#[test]
fn an_address_is_held_to_its_rate_whatever_it_says_that_it_is() {
    let mut server = spawn(&["--workers=1", "--rate-per-address=3/h"]);
    for n in 1..=3 {
        let invented = format!("203.0.113.{n}");
        let answer = from(&server, &[&invented]);
        assert_eq!(answer.status, 200);
        assert_eq!(figure(&answer, "x-ratelimit-remaining"), 3.0 - f64::from(n));
    }
    let refused = from(&server, &["203.0.113.9"]);
    refused.assert_problem("the fourth", 429, "rate_limited");
    assert!((1100.0..=1200.0).contains(&figure(&refused, "retry-after")));
    assert_eq!(server.get("/v1/models").status, 200, "only work is counted");
    // At the start, and when a header shows that there is a proxy: once each.
    server.wait_for_line("--rate-per-address without --trusted-proxies");
    let line = server.wait_for_line("\"event\":\"proxy\"");
    assert!(!line.contains("203.0.113"), "{line}");
    let lines = server
        .log()
        .into_iter()
        .filter(|l| l.contains("\"event\":\"proxy\""));
    assert_eq!(lines.count(), 1);
}

#[test]
fn behind_trusted_proxies_each_client_counts_and_cannot_count_as_another() {
    let server = spawn(&[
        "--workers=1",
        "--rate-per-address=2/h",
        "--trusted-proxies=127.0.0.0/8,10.0.0.0/8,::1",
    ]);
    let passes = |forwarded: &[&str]| match from(&server, forwarded).status {
        200 => true,
        429 => false,
        other => panic!("{other}"),
    };
    assert!(passes(&["198.51.100.7"]) && passes(&["198.51.100.7"]));
    // What stands left of the right-most address that is not trusted was made up by the client.
    assert!(!passes(&["1.1.1.1, 198.51.100.7"]));
    assert!(!passes(&["1.1.1.1", "2.2.2.2 , 198.51.100.7, 10.1.2.3"]));
    assert!(!passes(&["10.9.9.9, 198.51.100.7:4711"]));
    assert!(passes(&["198.51.100.7, 198.51.100.8"]));
    // Of IPv6, half an address is the client's own choice.
    let passed = |n: u32| passes(&[&format!("2001:db8::{n}")]);
    assert!(passed(1) && passed(2) && !passed(3));
    assert!(passes(&["[2001:db8:0:1::1]:443"]));
    let started = server.log().join("\n");
    assert!(!started.contains("without --trusted-proxies"), "{started}");
}

#[test]
fn who_has_no_valid_key_is_counted_by_address_and_who_has_one_is_not() {
    let mut keys = Keys::new();
    let key = keys.add("shop", "");
    let server = keys.spawn(&["--rate-per-address=3/h"]);
    for n in 0..3 {
        assert_eq!(
            with_key(&server, INSPECT, &format!("shop.{n}")).code(),
            "wrong_key"
        );
    }
    let refused = with_key(&server, INSPECT, "shop.3");
    refused.assert_problem("guessing", 429, "rate_limited");
    assert_eq!(send(&server, INSPECT, &[]).code(), "rate_limited");
    assert_eq!(with_key(&server, INSPECT, &key).status, 200);
}
