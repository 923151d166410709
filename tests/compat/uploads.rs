//! Pictures in base64: however they are laid out, within the same limits as any other, and gone
//! like any other.

use std::{io::Write, time::Duration};

use crate::{
    REMOVEBG,
    common::{Server, http, pictures, spawn},
    fields::{base64, escaped},
    form, good, picture, send,
};

const JSON: &str = "application/json";
const PAIRS: &str = "application/x-www-form-urlencoded";

fn posted(server: &Server, mime: &str, body: &str) -> http::Answer {
    send(server, REMOVEBG, mime, &[], body.as_bytes())
}

#[test]
fn base64_is_read_however_it_is_laid_out() {
    let server = spawn(&[]);
    let plain = server.form(REMOVEBG, form(&[])).body;
    let text = base64(&picture());
    let url = format!("data:image/jpeg;base64,{text}");
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(76)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect();
    let bare = text.trim_end_matches('=');
    for (what, mime, body) in [
        ("JSON", JSON, format!("{{\"image_file_b64\":\"{text}\"}}")),
        (
            "a data URL",
            JSON,
            format!("{{\"image_file_b64\":\"{url}\"}}"),
        ),
        (
            "escaped slashes",
            JSON,
            format!("{{\"image_file_b64\":\"{}\"}}", url.replace('/', "\\/")),
        ),
        (
            "escaped letters",
            JSON,
            format!(
                "{{\"image_file_b64\":\"{}\"}}",
                text.replace('+', "\\u002b")
            ),
        ),
        (
            "lines",
            JSON,
            format!("{{\"image_file_b64\":\"{}\"}}", lines.join("\\r\\n")),
        ),
        (
            "no padding",
            JSON,
            format!("{{\"image_file_b64\":\"{bare}\"}}"),
        ),
        (
            "twice",
            JSON,
            format!("{{\"image_file_b64\":\"AAAA\",\"image_file_b64\":\"{text}\"}}"),
        ),
        (
            "a plain form",
            PAIRS,
            format!("image_file_b64={}", escaped(&text)),
        ),
        ("not escaped", PAIRS, format!("image_file_b64={text}")),
        (
            "an escaped data URL",
            PAIRS,
            format!("image_file_b64={}", escaped(&url)),
        ),
        (
            "escaped lines",
            PAIRS,
            format!("image_file_b64={}", escaped(&lines.join("\n"))),
        ),
    ] {
        let answer = posted(&server, mime, &body);
        good(what, &answer);
        assert!(answer.body == plain, "{what}");
    }
    for text in [&text, &url, &lines.join("\r\n")] {
        let form = crate::common::Form::new().text("image_file_b64", "").file(
            "image_file_b64",
            "",
            text.as_bytes(),
        );
        assert!(
            server.form(REMOVEBG, form).body == plain,
            "in a part of a form"
        );
    }
    let body = format!("{{\"image_file_b64\":\"{text}\"}}");
    let chunks = http::chunked(server.address, REMOVEBG, JSON, body.as_bytes()).unwrap();
    assert!(chunks.body == plain, "in chunks");
    server.assert_books_balance();
}

#[test]
fn the_limit_is_that_of_the_picture_not_of_its_text() {
    let server = spawn(&["--max-upload", "300KiB"]);
    let noise = pictures::encoded(pictures::noise(300, 280, 1), image::ImageFormat::Png);
    assert!(
        (240 << 10..300 << 10).contains(&noise.len()),
        "{}",
        noise.len()
    );
    let body = |bytes: &[u8]| format!("{{\"image_file_b64\":\"{}\"}}", base64(bytes));
    assert!(
        body(&noise).len() > 320 << 10,
        "the text is longer than a picture may be"
    );
    let code = |answer: &http::Answer| {
        answer.json()["errors"][0]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // Noise has no subject: but it was read to its end.
    let answer = posted(&server, JSON, &body(&noise));
    assert!(answer.status == 200 || code(&answer) == "unknown_foreground");
    let larger = [noise.clone(), vec![0; 80 << 10]].concat();
    assert_eq!(
        code(&posted(&server, JSON, &body(&larger))),
        "file_too_large"
    );
    let form = crate::common::Form::new().file("image_file_b64", "", base64(&larger).as_bytes());
    assert_eq!(code(&server.form(REMOVEBG, form)), "file_too_large");
    server.assert_books_balance();
}

#[test]
fn a_body_of_fields_is_gone_when_its_client_goes() {
    let server = spawn(&[]);
    for mime in [JSON, PAIRS] {
        let mut stream = http::begin(
            server.address,
            REMOVEBG,
            mime,
            1 << 20,
            b"{\"image_file_b64\":\"AAAA",
        );
        stream.flush().unwrap();
        server.wait_until(Duration::from_secs(10), "the body is held", |m| {
            m.get("safelight_inputs_live").copied() == Some(1.0)
        });
        drop(stream);
        server.assert_books_balance();
    }
    assert_eq!(
        server.metric("safelight_requests_total{operation=\"removebg\",outcome=\"client_gone\"}"),
        2.0
    );
}
