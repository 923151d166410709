//! What clients of other services send: pictures in base64, and answers in it.

use std::{thread, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    common::{Form, Launch, Server, faults::alone, http, pictures, skip, spawn},
    hooks,
    scan::{Kind, Pieces, assert_clean, scan},
    uploads::uncompressed,
};

const REMBG: &str = "/api/remove";
const REMOVEBG: &str = "/v1.0/removebg";
const COMPAT: &str = "--compat=withoutbg,backgroundremover";
const JSON: &str = "application/json";

fn escaped(text: &str) -> String {
    let plus = text.replace('+', "%2B");
    plus.replace('/', "%2F").replace('=', "%3D")
}

/// One after the other, by every way in and out of the peers' routes.
fn of_peers(server: &Server) -> Pieces {
    let mut pieces = Pieces::default();
    let mut seed = 800;
    let mut fresh = |pieces: &mut Pieces| {
        seed += 1;
        let subject = pictures::noisy(&pictures::subject(352, 352), 9.0, seed);
        let file = uncompressed(&subject);
        let text = STANDARD.encode(&file);
        pieces.file(Kind::Upload, &file);
        pieces.file(Kind::Upload, text.as_bytes());
        pieces.pixels(&subject.into());
        (file, text)
    };
    let expect = |what: &str, status: u16, answer: &http::Answer| {
        let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]);
        assert_eq!(answer.status, status, "{what}: {text}");
    };
    let (file, _) = fresh(&mut pieces);
    let form = Form::of(&file).text("a", "1").text("ppm", "1");
    let answer = server.form(REMBG, form.text("bgc", "9,99,199,255"));
    expect("rembg", 200, &answer);
    pieces.answer(&answer.body, false);

    let (file, ground) = (fresh(&mut pieces).0, fresh(&mut pieces).0);
    let form = Form::new()
        .file("image_file", "a", &file)
        .file("bg_image_file", "b", &ground)
        .text("size", "full");
    let answer = server.form(REMOVEBG, form);
    expect("a form", 200, &answer);
    pieces.answer(&answer.body, false);

    let (_, text) = fresh(&mut pieces);
    let form = Form::new().text("image_file_b64", &text);
    let answer = server.form(REMOVEBG, form.text("format", "zip"));
    expect("base64 in a form", 200, &answer);
    pieces.answer(&answer.body, false);

    let (_, text) = fresh(&mut pieces);
    let body = format!("{{\"image_file_b64\":\"{text}\",\"size\":\"full\"}}");
    let headers = [("Content-Type", JSON), ("Accept", JSON)];
    let answer = http::request(server.address, "POST", REMOVEBG, &headers, body.as_bytes());
    let answer = answer.expect("an answer");
    expect("JSON", 200, &answer);
    let json = answer.json();
    let encoded = json["data"]["result_b64"].as_str().unwrap();
    pieces.file(Kind::Answer, encoded.as_bytes());
    pieces.answer(&STANDARD.decode(encoded).unwrap(), false);

    let (_, text) = fresh(&mut pieces);
    let body = format!("size=full&image_file_b64={}", escaped(&text));
    let plain = "application/x-www-form-urlencoded";
    let answer = server.post(REMOVEBG, plain, body.as_bytes());
    expect("a plain form", 200, &answer);
    pieces.answer(&answer.body, false);

    let (_, text) = fresh(&mut pieces);
    let body = format!("{{\"image\":\"{text}\"}}");
    let answer = server.post("/v1/remove-background", JSON, body.as_bytes());
    expect("withoutBG's JSON", 200, &answer);
    let json = answer.json();
    for member in ["processed", "alphaMatte"] {
        let url = json[member].as_str().unwrap();
        let encoded = url.strip_prefix("data:image/png;base64,").unwrap();
        pieces.file(Kind::Answer, encoded.as_bytes());
        pieces.answer(&STANDARD.decode(encoded).unwrap(), false);
    }
    let (file, _) = fresh(&mut pieces);
    let answer = server.form("/?mt=127", Form::of(&file));
    expect("backgroundremover", 200, &answer);
    pieces.answer(&answer.body, false);

    // Refused: a wrong field, text that breaks off, half of a picture.
    let (file, text) = fresh(&mut pieces);
    let answer = server.form(REMBG, Form::of(&file).text("af", "no"));
    expect("a wrong parameter", 422, &answer);
    let body = format!("{{\"image_file_b64\":\"{text}");
    expect(
        "half of JSON",
        400,
        &server.post(REMOVEBG, JSON, body.as_bytes()),
    );
    let (file, _) = fresh(&mut pieces);
    let half = STANDARD.encode(&file[..file.len() / 2]);
    let form = Form::new().text("image_file_b64", &half);
    expect("half of a picture", 400, &server.form(REMOVEBG, form));
    pieces
}

/// E9: what clients of rembg and remove.bg send and get.
#[test]
fn nothing_stays_of_what_clients_of_other_services_send() {
    let _alone = alone();
    let server = spawn(&["--receipts", COMPAT]);
    let mut pieces = of_peers(&server);
    assert_clean(&server, "of other services", &mut pieces);
}

/// The same control for what comes in base64.
#[test]
fn without_wiping_text_of_clients_of_other_services_is_found() {
    let _alone = alone();
    let Some(program) = hooks() else {
        return skip(
            "the control of base64",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)",
        );
    };
    let launch = Launch {
        program: Some(&program),
        flags: &[COMPAT],
        variables: &[("SAFELIGHT_TEST_UNWIPED", "1")],
        ..Launch::default()
    };
    let server = launch.start();
    let mut pieces = of_peers(&server);
    pieces.seal();
    thread::sleep(Duration::from_millis(500));
    let Some(found) = scan(server.pid(), &pieces) else {
        return skip("the control of base64", "root or CAP_SYS_PTRACE");
    };
    println!("control, base64 unwiped: {:?}", found.counts);
    for kind in [Kind::Upload, Kind::Rgb, Kind::Answer] {
        assert!(found.of(kind) > 0, "{kind:?}: {found:#?}");
    }
}
