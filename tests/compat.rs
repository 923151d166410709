//! Clients of other services, unchanged: their interfaces field by field, and the clients themselves.
//!
//! The table of docs/compat.md is what these tests saw: see compat/table.rs.

mod common;

#[path = "compat/backgroundremover.rs"]
mod backgroundremover;
#[path = "compat/client.rs"]
mod client;
#[path = "compat/faults.rs"]
mod faults;
#[path = "compat/fields.rs"]
mod fields;
#[path = "compat/keys.rs"]
mod keys;
#[path = "compat/kinds.rs"]
mod kinds;
#[path = "compat/npm.rs"]
mod npm;
#[path = "compat/refusals.rs"]
mod refusals;
#[path = "compat/rembg.rs"]
mod rembg;
#[path = "compat/rembg_clients.rs"]
mod rembg_clients;
#[path = "compat/removebg.rs"]
mod removebg;
#[path = "compat/removebg_clients.rs"]
mod removebg_clients;
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

/// Asserts what every refusal has, whatever its shape: the status, JSON of one member, headers of a
/// service that keeps nothing, an id, and nothing of what was sent.
pub fn refused_as_json(what: &str, answer: &Answer, status: u16) -> serde_json::Value {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{what}: {text}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}: {name}");
    }
    assert!(answer.header("x-request-id").is_some(), "{what}");
    assert!(
        !text.contains(http::CANARY),
        "{what} repeats the client: {text}"
    );
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 1, "{what}: {text}");
    json
}
