//! Other services' interfaces, so that their clients work unchanged: a request becomes a plan of
//! ours and goes the same way as any other; only what is read and what is answered has their shape.

pub mod backgroundremover;
mod bodies;
mod json;
pub mod rembg;
pub mod removebg;
pub mod withoutbg;

use actix_web::{HttpRequest, http::header};

use super::{error::Refuse, statuses::Status};
use crate::ops::{
    Kind,
    options::{self, Spec},
};

/// What a route of another service's interface takes and answers, for the OpenAPI document.
#[derive(Debug)]
pub struct Contract {
    /// Its name in metrics and logs.
    pub operation: &'static str,
    /// The operation that a key must allow; empty where any key will do.
    pub scope: &'static str,
    /// Writes an error that comes before the route's handler, such as that of a wrong key.
    pub refuse: Refuse,
    /// Text fields.
    pub fields: &'static [Spec],
    /// Whether they may also be query parameters.
    pub query: bool,
    /// What else there is to say of it.
    pub about: &'static str,
    /// Files of a form, by field name; none where it takes none.
    pub files: &'static [(&'static str, &'static str)],
    /// Media types of bodies that hold the text fields only.
    pub bodies: &'static [&'static str],
    /// Media types of its answers.
    pub answers: &'static [&'static str],
    /// Statuses of its errors.
    pub errors: &'static [Status],
    /// The component that describes an error.
    pub error: &'static str,
}

impl Contract {
    /// Whether a picture comes with it.
    pub const fn takes_picture(&self) -> bool {
        !self.files.is_empty() || !self.bodies.is_empty()
    }
}

/// What is said where a client asks for a picture to be fetched.
const NO_URLS: &str = "URL input is disabled on this server";

/// The operation of ours that the peers' routes stand for.
const SCOPE: &str = Kind::RemoveBackground.name();

/// A truth value in any of the words that these services take, in any case (those of pydantic).
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

const fn field(
    name: &'static str,
    default: &'static str,
    kind: options::Kind,
    doc: &'static str,
) -> Spec {
    Spec {
        name,
        default,
        kind,
        doc,
    }
}

/// Whether a request's body is JSON.
fn is_json(http: &HttpRequest) -> bool {
    let kind = header_text(http, header::CONTENT_TYPE).trim();
    kind.to_ascii_lowercase()
        .starts_with(bodies::Form::TYPES[0])
}

/// A request's header as text; empty where there is none.
fn header_text(http: &HttpRequest, name: header::HeaderName) -> &str {
    let value = http.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
