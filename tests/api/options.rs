//! Every option, as parameter and as form field, and those of the answer's format.

use image::RgbaImage;
use safelight::ops::options::{Options, Output, RemoveBackground};

use crate::{
    common::{Answer, Form, Server, http, pictures, spawn},
    errors::CUT,
};

/// The test picture: a ball of radius 79 around (160, 125).
pub const SIZE: (u32, u32) = (320, 240);

pub fn picture() -> Vec<u8> {
    pictures::png(SIZE.0, SIZE.1)
}

pub fn ask(server: &Server, query: &str) -> Answer {
    send(server, query, &picture())
}

pub fn send(server: &Server, query: &str, picture: &[u8]) -> Answer {
    let answer = server.post(&format!("{CUT}?{query}"), "image/png", picture);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{query}: {text}");
    answer
}

pub fn cut(server: &Server, query: &str) -> RgbaImage {
    ask(server, query).picture().to_rgba8()
}

/// Each option with a value and whether the answer differs from that without it, which it does not
/// where the value is the default. The text before it is the query that it is tried with.
const EACH: &[(&str, &str, &str, bool)] = &[
    ("", "model", "cutout", false),
    ("", "output", "mask", true),
    ("", "background", "#336699", true),
    ("", "crop", "true", true),
    ("crop=true", "crop_margin", "3 5%", true),
    ("", "scale", "50%", true),
    ("", "position", "0% 100%", true),
    ("", "feather", "6.5", true),
    ("", "shift", "-4", true),
    ("", "refine", "false", true),
    ("", "trimap", "0,0,0", true),
    ("", "postprocess", "true", true),
    ("", "shadow", "drop", true),
    ("", "roi", "10%,0,60%,100%", true),
    ("", "max_megapixels", "0.02", true),
    ("", "threshold", "0.5", true),
    ("", "on_empty", "transparent", false),
    ("", "format", "webp", true),
    ("format=webp", "quality", "30", true),
    ("format=webp", "lossless", "true", true),
    ("", "compression", "small", true),
    ("format=jpeg", "progressive", "true", true),
    ("format=jpeg", "subsampling", "4:4:4", true),
];

#[test]
fn every_option_works_alike_as_parameter_and_as_field() {
    let mut listed: Vec<_> = EACH.iter().map(|(_, name, ..)| *name).collect();
    let specs = RemoveBackground::SPECS.iter().chain(Output::SPECS);
    let mut known: Vec<_> = specs.map(|spec| spec.name).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known, "every option has its line here");

    let server = spawn(&[]);
    for (base, name, value, changes) in EACH {
        let without = ask(&server, base).body;
        let escaped = value
            .replace('%', "%25")
            .replace('#', "%23")
            .replace(' ', "+");
        let parameter = ask(&server, &format!("{base}&{name}={escaped}")).body;
        let form = Form::of(&picture()).text(name, value);
        let field = server.form(&format!("{CUT}?{base}"), form).body;
        assert!(parameter == field, "{name}: parameter and field differ");
        assert_eq!(parameter != without, *changes, "{name}={value}");
    }
    server.assert_books_balance();
}

#[test]
fn a_field_wins_over_a_parameter_and_the_last_one_over_those_before() {
    let server = spawn(&[]);
    let plain = ask(&server, "").body;
    let feathered = ask(&server, "feather=8").body;
    assert!(plain != feathered);
    let form = |query: &str, fields: &[&str]| {
        let add = |form: Form, value: &&str| form.text("feather", value);
        let form = fields.iter().fold(Form::of(&picture()), add);
        server.form(&format!("{CUT}?{query}"), form).body
    };
    assert!(form("feather=0", &["8"]) == feathered, "a field wins");
    assert!(form("feather=8", &["0"]) == plain, "a field wins");
    assert!(form("", &["3", "8"]) == feathered, "the last field wins");
    assert!(ask(&server, "feather=3&feather=8").body == feathered);
    // Fields may come before the picture.
    let first = Form::new()
        .text("feather", "8")
        .file("file", "p", &picture());
    assert!(server.form(CUT, first).body == feathered);
}

#[test]
fn the_picture_comes_under_three_names_or_as_the_body() {
    let server = spawn(&[]);
    let expected = ask(&server, "").body;
    for name in ["file", "image", "image_file"] {
        let form = Form::new().file(name, "../../etc/passwd", &picture());
        assert!(server.form(CUT, form).body == expected, "{name}");
    }
    // The declared type says how the body is built, not what the picture is.
    for mime in ["image/jpeg", "image/x-unknown", "application/octet-stream"] {
        assert!(
            server.post(CUT, mime, &picture()).body == expected,
            "{mime}"
        );
    }
    let chunks = http::chunked(server.address, CUT, "image/png", &picture()).unwrap();
    assert!(chunks.body == expected, "in chunks");
    let (mime, body) = Form::of(&picture()).finish();
    let chunks = http::chunked(server.address, CUT, &mime, &body).unwrap();
    assert!(chunks.body == expected, "a form in chunks");
    server.assert_books_balance();
}

#[test]
fn the_format_is_as_asked_or_as_accepted_or_as_it_suits() {
    let server = spawn(&[]);
    let accepting = |query: &str, accept: &str, picture: &[u8]| {
        let headers = [("Content-Type", "image/png"), ("Accept", accept)];
        let path = format!("{CUT}?{query}");
        let answer = http::request(server.address, "POST", &path, &headers, picture).unwrap();
        let mime = answer.header("content-type").unwrap().to_owned();
        let guessed = image::guess_format(&answer.body).unwrap().to_mime_type();
        assert_eq!(mime, guessed, "{query} {accept}: it is what it says");
        mime
    };
    let (png, jpeg) = (picture(), pictures::jpeg(320, 240));
    let webp = pictures::webp_of(&pictures::subject(320, 240).into(), Some(90.0));
    for (query, accept, picture, mime) in [
        ("", "*/*", &png, "image/png"),
        ("", "*/*", &jpeg, "image/png"),
        ("", "image/avif,image/webp,*/*;q=0.8", &png, "image/webp"),
        ("", "image/webp;q=0.2, image/jpeg;q=0.8", &png, "image/jpeg"),
        ("", "image/png;q=0", &jpeg, "image/png"),
        ("", "nonsense;;;", &png, "image/png"),
        ("format=png", "image/webp", &png, "image/png"),
        ("format=jpeg", "image/webp", &png, "image/jpeg"),
        ("background=white", "*/*", &jpeg, "image/jpeg"),
        ("background=white", "*/*", &png, "image/png"),
        ("background=white", "*/*", &webp, "image/webp"),
        (
            "background=white&format=auto",
            "image/png",
            &jpeg,
            "image/png",
        ),
    ] {
        assert_eq!(accepting(query, accept, picture), mime, "{query} {accept}");
    }
    let flat = ask(&server, "format=jpeg").picture().to_rgb8();
    assert!(
        flat.get_pixel(4, 4).0.iter().all(|v| *v > 250),
        "JPEG is put on white"
    );
}

#[test]
fn quality_losslessness_and_compression_change_the_size_and_only_what_they_may() {
    let server = spawn(&[]);
    let size = |query: &str| ask(&server, query).body.len();
    for format in ["jpeg", "webp"] {
        let sizes = [20, 60, 95].map(|q| size(&format!("format={format}&quality={q}")));
        assert!(
            sizes[0] < sizes[1] && sizes[1] < sizes[2],
            "{format}: {sizes:?}"
        );
    }
    let pixels = cut(&server, "");
    let lossless = cut(&server, "format=webp&lossless=true");
    assert!(lossless == pixels, "every pixel is the same");
    let lossy = cut(&server, "format=webp");
    assert!(lossy != pixels && size("format=webp") < size("format=webp&lossless=true"));
    let alpha = |p: &RgbaImage| p.pixels().map(|p| p[3]).collect::<Vec<_>>();
    assert!(alpha(&lossy) == alpha(&pixels), "alpha is kept exactly");
    let efforts = ["fast", "balanced", "small"].map(|e| format!("compression={e}"));
    for effort in &efforts {
        assert!(cut(&server, effort) == pixels, "{effort}");
    }
    assert!(size(&efforts[2]) < size(&efforts[0]));
}
