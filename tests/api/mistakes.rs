//! Mistakes of clients, and the error code of each: cases of `errors.rs`.

use crate::{
    common::{
        Answer, Form, Server,
        http::{self, CANARY},
        pictures::{self, crafted},
    },
    errors::{CUT, Case, jpeg, png, raw, with},
};

fn multipart(server: &Server, body: &[u8]) -> Answer {
    server.post(CUT, "multipart/form-data; boundary=B", body)
}

/// What is wrong with a form or a route.
pub const FORMS: &[Case] = &[
    ("no boundary", "malformed_request", |s| {
        s.post(CUT, "multipart/form-data", b"--B")
    }),
    ("an end before the boundary", "malformed_request", |s| {
        let (mime, body) = Form::of(&jpeg()).finish();
        s.post(CUT, &mime, &body[..body.len() - 40])
    }),
    ("no part at all", "malformed_request", |s| {
        multipart(s, b"nothing of the kind")
    }),
    ("a part without a name", "malformed_request", |s| {
        multipart(
            s,
            b"--B\r\nContent-Type: text/plain\r\n\r\nzq7canary\r\n--B--\r\n",
        )
    }),
    ("a part whose head never ends", "malformed_request", |s| {
        let head = format!("--B\r\nX-{CANARY}: {}", "a".repeat(100 << 10));
        multipart(s, head.as_bytes())
    }),
    ("two pictures", "malformed_request", |s| {
        s.form(CUT, Form::of(&jpeg()).file("image", CANARY, &jpeg()))
    }),
    ("text that is not UTF-8", "malformed_request", |s| {
        s.form(
            CUT,
            Form::of(&jpeg()).file("feather", CANARY, &[0x31, 0xff]),
        )
    }),
    ("an unknown option", "unknown_option", |s| {
        with(s, "zq7canary=1")
    }),
    ("an unknown field", "unknown_option", |s| {
        s.form(CUT, Form::of(&jpeg()).text(CANARY, CANARY))
    }),
    ("an option of another route", "unknown_option", |s| {
        with(s, "steps=denoise")
    }),
    ("an option where there are none", "unknown_option", |s| {
        s.post("/v1/inspect?feather=1", "image/jpeg", &jpeg())
    }),
    ("a field where there are none", "unknown_option", |s| {
        s.form("/v1/inspect", Form::of(&jpeg()).text(CANARY, "1"))
    }),
    ("a value of a field", "bad_value", |s| {
        s.form(CUT, Form::of(&jpeg()).text("feather", CANARY))
    }),
    ("an empty body", "missing_picture", |s| raw(s, b"")),
    ("no type and no body", "missing_picture", |s| {
        http::request(s.address, "POST", CUT, &[], b"").unwrap()
    }),
    ("a type that is no picture", "missing_picture", |s| {
        s.post(CUT, "text/plain", &jpeg())
    }),
    ("a form of text only", "missing_picture", |s| {
        s.form(CUT, Form::new().text("feather", "1"))
    }),
    ("a file field left empty", "missing_picture", |s| {
        s.form(CUT, Form::of(b""))
    }),
    ("33 fields", "too_many_fields", |s| {
        let fields = (0..32).fold(Form::of(&jpeg()), |form, _| form.text("feather", "1"));
        s.form(CUT, fields)
    }),
    ("33 parameters", "too_many_fields", |s| {
        with(s, &["feather=1"; 33].join("&"))
    }),
    ("4,097 bytes of text", "field_too_long", |s| {
        s.form(CUT, Form::of(&jpeg()).text("background", &"f".repeat(4097)))
    }),
    ("no such route", "not_found", |s| {
        s.get("/zq7canary?zq7canary=1")
    }),
    ("no such route, with a body", "not_found", |s| {
        s.post("/v1/zq7canary", "image/png", &jpeg())
    }),
    ("GET of an operation", "method_not_allowed", |s| s.get(CUT)),
    ("POST to a page", "method_not_allowed", |s| {
        s.post("/healthz", "text/plain", b"1")
    }),
    ("POST to a part of the page", "method_not_allowed", |s| {
        s.post("/assets/app.css", "text/plain", b"1")
    }),
];

/// What is wrong with a picture, or with what is asked for it, at the limits of `errors.rs`.
pub const PICTURES: &[Case] = &[
    ("200 KiB and one byte", "body_too_large", |s| {
        raw(s, &vec![0; (200 << 10) + 1])
    }),
    ("a gigabyte announced", "body_too_large", |s| {
        let mut stream = http::begin(s.address, CUT, "image/png", 1 << 30, b"");
        http::read(&mut stream).unwrap()
    }),
    ("300 KiB in chunks", "body_too_large", |s| {
        http::chunked(s.address, CUT, "image/png", &pictures::long(300 << 10)).unwrap()
    }),
    ("300 KiB in a form", "body_too_large", |s| {
        s.form(
            CUT,
            Form::new().file("file", CANARY, &pictures::long(300 << 10)),
        )
    }),
    ("300 KiB in a form in chunks", "body_too_large", |s| {
        let (mime, body) = Form::of(&pictures::long(300 << 10)).finish();
        http::chunked(s.address, CUT, &mime, &body).unwrap()
    }),
    (
        "small pictures that add up, in chunks",
        "body_too_large",
        |s| {
            let part = pictures::long(150 << 10);
            let add = |form: Form, _| form.file("background_file", "b", &part);
            let (mime, body) = (0..4).fold(Form::new(), add).finish();
            http::chunked(s.address, CUT, &mime, &body).unwrap()
        },
    ),
    ("text", "unknown_format", |s| {
        raw(s, b"zq7canary is not a picture")
    }),
    ("a PDF", "unknown_format", |s| raw(s, b"%PDF-1.7 zq7canary")),
    ("an AVIF", "unknown_format", |s| {
        raw(s, b"\0\0\0\x20ftypavif\0\0\0\0avifmif1")
    }),
    ("a ground of text", "unknown_format", |s| {
        s.form(
            CUT,
            Form::of(&jpeg()).file("background_file", CANARY, CANARY.as_bytes()),
        )
    }),
    ("a GIF", "format_disabled", |s| {
        raw(
            s,
            &pictures::encoded(pictures::subject(32, 24), image::ImageFormat::Gif),
        )
    }),
    ("half a JPEG", "broken_picture", |s| {
        raw(s, &jpeg()[..jpeg().len() / 2])
    }),
    ("half a PNG", "broken_picture", |s| {
        raw(s, &pictures::png(64, 48)[..600])
    }),
    ("a PNG with wrong data", "broken_picture", |s| {
        let mut bytes = png(64, 48);
        let at = bytes.len() - 30;
        bytes[at] ^= 0x55;
        raw(s, &bytes)
    }),
    ("half a JPEG to inspect", "broken_picture", |s| {
        s.post("/v1/inspect", "image/jpeg", &jpeg()[..jpeg().len() / 2])
    }),
    ("0.6 megapixels", "too_many_pixels", |s| {
        raw(s, &png(1000, 600))
    }),
    ("1,001 pixels wide", "side_too_long", |s| {
        raw(s, &png(1001, 4))
    }),
    ("5,000 chunks", "bomb", |s| {
        raw(
            s,
            &crafted::pixel_with(&[(b"teSt", b"zq7canary".as_slice()); 5000]),
        )
    }),
    ("a region beyond the edge", "roi_outside", |s| {
        with(s, "roi=60,0,10,10")
    }),
    ("a result beyond the limits", "result_too_large", |s| {
        s.post(
            "/v1/transform?width=1001&enlarge=true",
            "image/jpeg",
            &jpeg(),
        )
    }),
    ("a fit without sides", "options_conflict", |s| {
        s.post("/v1/transform?fit=cover", "image/jpeg", &jpeg())
    }),
    ("an empty region", "roi_outside", |s| {
        with(s, "roi=0,0,0,10")
    }),
    ("a plain picture", "nothing_found", |s| {
        s.post(
            &format!("{CUT}?on_empty=error"),
            "image/png",
            &png(320, 240),
        )
    }),
    ("a model that is not installed", "model_missing", |s| {
        with(s, "model=u2netp")
    }),
    ("a step without its model", "step_missing", |s| {
        s.post("/v1/restore?steps=denoise,faces", "image/jpeg", &jpeg())
    }),
];
