//! Clients of other services, unchanged: their interfaces field by field, and the clients themselves.
//!
//! The table of docs/compat.md is what these tests saw: see compat/table.rs.

mod common;

#[path = "compat/backgroundremover.rs"]
mod backgroundremover;
#[path = "compat/clients.rs"]
mod clients;
#[path = "compat/faults.rs"]
mod faults;
#[path = "compat/fields.rs"]
mod fields;
#[path = "compat/keys.rs"]
mod keys;
#[path = "compat/kinds.rs"]
mod kinds;
#[path = "compat/refusals.rs"]
mod refusals;
#[path = "compat/rembg.rs"]
mod rembg;
#[path = "compat/removebg.rs"]
mod removebg;
#[path = "compat/switched.rs"]
mod switched;
#[path = "compat/table.rs"]
mod table;
#[path = "compat/uploads.rs"]
mod uploads;
#[path = "compat/withoutbg.rs"]
mod withoutbg;
#[path = "compat/withoutbg_clients.rs"]
mod withoutbg_clients;

use common::{Answer, Form, Server, http, pictures};

/// remove.bg's route.
pub const REMOVEBG: &str = "/v1.0/removebg";
/// rembg's route.
pub const REMBG: &str = "/api/remove";

/// The flags that switch withoutBG's routes on.
pub const WITHOUTBG: &[&str] = &["--compat=withoutbg"];
/// The same of backgroundremover's.
pub const BACKGROUNDREMOVER: &[&str] = &["--compat=backgroundremover"];

/// The test picture: a ball of radius 79 around (160, 125).
pub const SIZE: (u32, u32) = (320, 240);

pub fn picture() -> Vec<u8> {
    pictures::jpeg(SIZE.0, SIZE.1)
}

/// A form for remove.bg with the test picture and these fields.
pub fn form(fields: &[(&str, &str)]) -> Form {
    let form = Form::new().file("image_file", "photo.jpg", &picture());
    let text = |form: Form, (name, value): &(&str, &str)| form.text(name, value);
    fields.iter().fold(form, text)
}

/// Sends a body of a type with further headers.
pub fn send(
    server: &Server,
    path: &str,
    mime: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let all: Vec<_> = [("Content-Type", mime)]
        .iter()
        .chain(headers)
        .copied()
        .collect();
    http::request(server.address, "POST", path, &all, body).expect("an answer")
}

/// Asserts a picture, and gives it.
pub fn good(what: &str, answer: &Answer) -> image::RgbaImage {
    let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)]);
    assert_eq!(answer.status, 200, "{what}: {text}");
    answer.picture().to_rgba8()
}
