//! What the head of a picture says is enough: who sends what is refused is told so before the rest of
//! it is on its way.

use std::time::Duration;

use crate::{
    common::{
        Answer, Form, Server, http,
        pictures::{self, crafted},
        spawn,
    },
    errors::CUT,
};

/// What is sent of a body that is said to be ten times as long.
const SENT: usize = 200 << 10;

/// The answer to the first part of a body, whose rest never comes.
fn early(server: &Server, mime: &str, mut body: Vec<u8>) -> Answer {
    body.resize(SENT, 7);
    let mut stream = http::begin(server.address, CUT, mime, 10 * SENT, &body);
    http::read(&mut stream).expect("an answer")
}

/// The same in a form.
fn early_form(server: &Server, mut picture: Vec<u8>) -> Answer {
    picture.resize(SENT, 7);
    let (mime, body) = Form::of(&picture).finish();
    // Without the end of the part.
    let start = body[..body.len() - 100].to_vec();
    let mut stream = http::begin(server.address, CUT, &mime, 10 * SENT, &start);
    http::read(&mut stream).expect("an answer")
}

#[test]
fn what_the_head_of_a_picture_refuses_is_refused_before_the_rest_comes() {
    // Were it not refused by its head, each of these would be 408 after that.
    let server = spawn(&["--upload-idle=8s", "--max-side=5000", "--max-megapixels=20"]);
    let large = crafted::png(&[(b"IHDR", &crafted::ihdr(90_000, 20, 8, 2, false))]);
    let many = crafted::png(&[(b"IHDR", &crafted::ihdr(4900, 4900, 8, 2, false))]);
    let gif = b"GIF89a\x10\0\x10\0".to_vec();
    for (what, head, status, code) in [
        ("no format", b"nonsense".to_vec(), 415, "unknown_format"),
        ("a format that is off", gif, 415, "format_disabled"),
        ("too long", large, 422, "side_too_long"),
        ("too many", many, 422, "too_many_pixels"),
    ] {
        early(&server, "image/png", head.clone()).assert_problem(what, status, code);
        early_form(&server, head).assert_problem(what, status, code);
    }
    // What only the end can tell is waited for: a sound head, then nothing.
    let sound = pictures::encoded(pictures::noise(400, 300, 3), image::ImageFormat::Png);
    let mut stream = http::begin(
        server.address,
        CUT,
        "image/png",
        sound.len(),
        &sound[..SENT],
    );
    let pause = Some(Duration::from_secs(2));
    stream.set_read_timeout(pause).unwrap();
    assert!(http::read(&mut stream).is_err(), "it still waits");
    std::io::Write::write_all(&mut stream, &sound[SENT..]).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    assert_eq!(http::read(&mut stream).unwrap().status, 200);
    server.assert_books_balance();
}
