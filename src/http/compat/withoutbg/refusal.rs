//! Errors in withoutBG's shapes.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde_json::json;

use super::{
    super::super::{
        error::{head, problem, status},
        images::shown,
    },
    Shape,
};
use crate::{error::Error, observe::Request};

/// The answer to a request that failed.
pub(super) fn refused(shape: Shape, error: &Error, mut request: Request) -> HttpResponse {
    request.failed(error, status(error).as_u16());
    answered(shape, shown(error), &request.id)
}

/// The answer to a request that is refused before its picture is looked at.
pub(super) fn before(http: &HttpRequest, error: &Error, request_id: &str) -> HttpResponse {
    match Shape::of(http) {
        Some(shape) => answered(shape, error, request_id),
        None => problem(error, request_id),
    }
}

/// The same of the cloud's route.
pub(super) fn before_cloud(_: &HttpRequest, error: &Error, request_id: &str) -> HttpResponse {
    answered(Shape::Cloud, error, request_id)
}

fn answered(shape: Shape, error: &Error, request_id: &str) -> HttpResponse {
    let own = status(error);
    // Whatever is wrong with a picture is 400 there.
    let (status, text) = match own {
        _ if *error == Error::MissingPicture => (own, missing(shape).to_owned()),
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => (
            StatusCode::BAD_REQUEST,
            format!("Invalid image input: {error}"),
        ),
        _ => (own, error.to_string()),
    };
    let (status, body) = match (shape, error) {
        (Shape::Json, _) => (status, json!({ "detail": text })),
        (Shape::Binary { .. }, _) => (status, json!({ "error": text })),
        (Shape::Cloud, Error::QuotaExceeded { .. }) => (StatusCode::PAYMENT_REQUIRED, both(&text)),
        (Shape::Cloud, _) => (status, both(&text)),
    };
    head(error, status, request_id).json(body)
}

/// Where a picture is looked for.
fn missing(shape: Shape) -> &'static str {
    match shape {
        Shape::Json => "Send the picture in base64 as the member `image` of a JSON object.",
        Shape::Cloud => "Send the picture in base64 as the member `image_base64` of a JSON object.",
        Shape::Binary { .. } => {
            "Send the picture as multipart field `image`, or as the body with an `image/*` content \
             type."
        }
    }
}

/// The cloud is documented to write `detail`, and its client reads `error`.
fn both(text: &str) -> serde_json::Value {
    json!({ "detail": text, "error": text })
}
