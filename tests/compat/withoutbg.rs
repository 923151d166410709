//! withoutBG's interface, switched on: what its server and its cloud's route answer, and that the
//! route which is ours too stays ours to everyone else.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    WITHOUTBG,
    common::{Answer, Form, Server, http, http::CANARY, pictures, spawn},
    fields::base64,
    good, picture, send,
    table::Table,
};

pub const CUT: &str = "/v1/remove-background";
const ALPHA: &str = "/v1.0/alpha-channel-base64";
const JSON: &str = "application/json";

fn sent(server: &Server, path: &str, body: &str) -> Answer {
    send(server, path, JSON, &[], body.as_bytes())
}

/// The picture of a `data:` URL.
fn of_url(text: &serde_json::Value) -> image::DynamicImage {
    let text = text.as_str().unwrap();
    let text = text.strip_prefix("data:image/png;base64,").expect(text);
    pictures::decoded(&STANDARD.decode(text).unwrap())
}

fn latency(answer: &Answer) -> u32 {
    answer.header("x-latency-ms").unwrap().parse().unwrap()
}

#[test]
fn json_is_answered_with_cutout_and_matte() {
    let server = spawn(WITHOUTBG);
    let native = |query: &str| {
        let path = format!("{CUT}?format=png&{query}");
        pictures::decoded(&server.post(&path, "image/jpeg", &picture()).body)
    };
    let (cutout, mask) = (native(""), native("output=mask"));
    let text = base64(&picture());
    for body in [
        format!("{{\"image\":\"{text}\"}}"),
        format!("{{\"image\":\"data:image/jpeg;base64,{text}\"}}"),
        format!("{{\"later\":1,\"image\":\"{text}\",\"more\":null}}"),
    ] {
        let answer = sent(&server, CUT, &body);
        assert_eq!(answer.status, 200, "{}", &body[..30]);
        assert_eq!(answer.header("content-type"), Some(JSON));
        let json = answer.json();
        let members: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(members, ["alphaMatte", "latencyMs", "processed"]);
        assert!(of_url(&json["processed"]) == cutout, "our cutout");
        let matte = of_url(&json["alphaMatte"]);
        assert_eq!(matte.color(), image::ColorType::L8);
        assert!(matte == mask, "our mask");
        assert_eq!(json["latencyMs"], latency(&answer));
    }
    // What hides nothing has a matte all the same.
    let opaque = pictures::encoded(pictures::noise(48, 32, 3), image::ImageFormat::Png);
    let body = format!("{{\"image\":\"{}\"}}", base64(&opaque));
    let matte = of_url(&sent(&server, CUT, &body).json()["alphaMatte"]);
    assert_eq!((matte.width(), matte.height()), (48, 32));
    server.assert_books_balance();
}

#[test]
fn words_that_are_not_ours_are_answered_with_a_png() {
    let server = spawn(WITHOUTBG);
    let native = |query: &str| server.post(&format!("{CUT}?{query}"), "image/jpeg", &picture());
    for (query, same) in [
        ("output=matte", "format=png&output=mask"),
        ("output=MATTE", "format=png&output=mask"),
        ("output=processed", "format=png"),
    ] {
        let path = format!("{CUT}?{query}");
        let form = Form::new().file("image", "x.jpg", &picture());
        // Its server looks at no other field.
        let more = Form::new()
            .file("image", "x.jpg", &picture())
            .text("crop", CANARY);
        for answer in [
            native(query),
            server.form(&path, form),
            server.form(&path, more),
        ] {
            good(query, &answer);
            assert_eq!(answer.header("content-type"), Some("image/png"), "{query}");
            assert!(answer.body == native(same).body, "{query} is {same}");
            latency(&answer);
        }
    }
    let log = server.log().join("\n");
    assert!(log.contains("\"operation\":\"withoutbg\""), "{log}");
    server.assert_books_balance();
}

/// Everything that a client of ours may send, and what is wrong with it, is as without the switch.
#[test]
fn our_own_route_is_what_it_was() {
    let (plain, switched) = (spawn(&[]), spawn(WITHOUTBG));
    let raw =
        |path: &'static str| move |server: &Server| server.post(path, "image/jpeg", &picture());
    let field = |name: &'static str, value: &'static str| {
        move |server: &Server| server.form(CUT, Form::of(&picture()).text(name, value))
    };
    type Ask = Box<dyn Fn(&Server) -> Answer>;
    let asks: Vec<(&str, Ask)> = vec![
        ("raw", Box::new(raw("/v1/remove-background"))),
        (
            "output=cutout",
            Box::new(raw("/v1/remove-background?output=cutout")),
        ),
        (
            "output=mask",
            Box::new(raw("/v1/remove-background?output=mask")),
        ),
        (
            "output=both",
            Box::new(raw("/v1/remove-background?output=both")),
        ),
        (
            "options",
            Box::new(raw("/v1/remove-background?crop=true&format=webp")),
        ),
        ("a form", Box::new(field("background", "white"))),
        (
            "a wrong word",
            Box::new(raw("/v1/remove-background?output=alpha")),
        ),
        (
            "two words",
            Box::new(raw("/v1/remove-background?output=matte&crop=true")),
        ),
        (
            "another name",
            Box::new(raw("/v1/remove-background?background=matte")),
        ),
        ("in the form", Box::new(field("output", "matte"))),
        (
            "unknown",
            Box::new(raw("/v1/remove-background?zq7canary=1")),
        ),
        (
            "no picture",
            Box::new(|s: &Server| s.form(CUT, Form::new().text("crop", "true"))),
        ),
        (
            "broken",
            Box::new(|s: &Server| s.post(CUT, "image/png", &pictures::png(40, 30)[..99])),
        ),
        (
            "text",
            Box::new(|s: &Server| s.post(CUT, "text/plain", b"zq7canary")),
        ),
        ("nothing", Box::new(|s: &Server| s.get(CUT))),
    ];
    // These change with each request, and one is new.
    let moving = ["date", "server-timing", "x-request-id", "x-latency-ms"];
    for (what, ask) in asks {
        let (before, after) = (ask(&plain), ask(&switched));
        assert_eq!(after.status, before.status, "{what}");
        let head = |answer: &Answer| {
            let fixed = answer
                .headers
                .iter()
                .filter(|(name, _)| !moving.contains(&name.as_str()));
            let mut fixed: Vec<_> = fixed.cloned().collect();
            fixed.sort();
            fixed
        };
        assert_eq!(head(&after), head(&before), "{what}");
        assert_eq!(before.header("x-latency-ms"), None, "{what}");
        match after.status {
            200 => {
                assert!(after.body == before.body, "{what}");
                latency(&after);
            }
            _ => {
                let without = |answer: &Answer| {
                    let mut json = answer.json();
                    json["instance"].take();
                    json
                };
                assert_eq!(without(&after), without(&before), "{what}");
                after.assert_problem(what, after.status, &after.code());
            }
        }
    }
    switched.assert_books_balance();
}

#[test]
fn the_clouds_route_gives_the_matte() {
    let server = spawn(WITHOUTBG);
    let mask = server.post(
        &format!("{CUT}?format=png&output=mask"),
        "image/jpeg",
        &picture(),
    );
    let body = format!("{{\"image_base64\":\"{}\"}}", base64(&picture()));
    let answer = sent(&server, ALPHA, &body);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some(JSON));
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 1);
    let text = json["alpha_base64"].as_str().unwrap();
    assert!(STANDARD.decode(text).unwrap() == mask.body, "our mask");
    server.assert_books_balance();
}

#[test]
fn what_is_wrong_is_said_in_its_shapes() {
    let server = spawn(&[
        "--compat=withoutbg",
        "--max-megapixels=0.1",
        "--max-upload=60KiB",
    ]);
    let mut table = Table::of("any (withoutBG)");
    let wide = pictures::jpeg(640, 480);
    let large = pictures::encoded(pictures::noise(300, 280, 1), image::ImageFormat::Png);
    let pictures: &[(&str, Vec<u8>, u16)] = &[
        (
            "half of a picture",
            pictures::png(40, 30)[..99].to_vec(),
            400,
        ),
        (
            "text in place of a picture",
            b"a text of zq7canary".to_vec(),
            400,
        ),
        ("too many pixels", wide, 400),
        ("too many bytes", large, 413),
    ];
    let mut told = |what: &str, answer: &Answer, members: &[&str], status: u16| {
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{what}: {text}");
        assert_eq!(answer.header("content-type"), Some(JSON), "{what}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        assert!(answer.header("x-request-id").is_some(), "{what}");
        assert!(!text.contains(CANARY), "{what} repeats the client: {text}");
        let json = answer.json();
        let names: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(names, members, "{what}: {text}");
        let said = json[members[0]].as_str().unwrap().to_owned();
        assert!(
            members.iter().all(|name| json[name] == json!(said)),
            "{what}"
        );
        table.row(
            what,
            &format!("{status} with `{}`: {said}", members.join("` and `")),
        );
    };
    for (what, bytes, status) in pictures {
        let text = base64(bytes);
        let answer = server.post(&format!("{CUT}?output=matte"), "image/png", bytes);
        told(
            &format!("`?output=matte`, {what}"),
            &answer,
            &["error"],
            *status,
        );
        let body = format!("{{\"image\":\"{text}\"}}");
        told(
            &format!("JSON, {what}"),
            &sent(&server, CUT, &body),
            &["detail"],
            *status,
        );
        let body = format!("{{\"image_base64\":\"{text}\"}}");
        let answer = sent(&server, ALPHA, &body);
        told(
            &format!("the cloud's route, {what}"),
            &answer,
            &["detail", "error"],
            *status,
        );
    }
    for (what, body) in [
        ("no JSON", "{\"image\": zq7canary"),
        ("no member of the name", "{\"file\": \"zq7canary\"}"),
        ("empty", "{\"image\": \"\", \"image_base64\": null}"),
        ("a number", "{\"image\": 7, \"image_base64\": 7}"),
        ("an object", "{\"image\": {}, \"image_base64\": []}"),
        ("no base64", "{\"image\": \"!\", \"image_base64\": \"!\"}"),
    ] {
        told(
            &format!("JSON, {what}"),
            &sent(&server, CUT, body),
            &["detail"],
            400,
        );
        let answer = sent(&server, ALPHA, body);
        told(
            &format!("the cloud's route, {what}"),
            &answer,
            &["detail", "error"],
            400,
        );
    }
    let form = server.form(
        &format!("{CUT}?output=matte"),
        Form::new().text("crop", "x"),
    );
    told(
        "`?output=matte`, a form without a picture",
        &form,
        &["error"],
        400,
    );
    let raw = server.post(ALPHA, "image/jpeg", &picture());
    told(
        "the cloud's route, a picture in place of JSON",
        &raw,
        &["detail", "error"],
        400,
    );
    let get = server.get(ALPHA);
    told("the cloud's route, `GET`", &get, &["detail", "error"], 405);
    assert_eq!(get.header("allow"), Some("POST"));
    table.finish();
    server.assert_books_balance();
}

#[test]
fn its_documents_answer() {
    let server = spawn(WITHOUTBG);
    let health = server.get("/health");
    assert_eq!(health.status, 200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        health.json(),
        json!({ "status": "ok", "model": "cutout", "version": version })
    );
    // The fixture has waited until the service was ready.
    let ready = server.get("/ready");
    assert_eq!(
        (ready.status, ready.json()),
        (200, json!({ "status": "ready" }))
    );
    let licenses = server.get("/v1/licenses").json();
    assert_eq!(licenses["product_license"], "Apache-2.0");
    let models = licenses["upstream_components"].as_array().unwrap();
    let named: Vec<_> = models.iter().map(|m| m["name"].as_str().unwrap()).collect();
    let all = server.get("/v1/models").json();
    let loaded = all["models"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["loaded"] == true);
    let loaded: Vec<_> = loaded.map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(named, loaded);
    assert!(
        models.iter().all(|m| m["license"] == "Apache-2.0"),
        "{models:?}"
    );
    for path in ["/health", "/ready", "/v1/licenses"] {
        let answer = http::request(server.address, "POST", path, &[], b"").unwrap();
        answer.assert_problem(path, 405, "method_not_allowed");
    }
}
