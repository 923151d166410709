//! `Error` to an HTTP answer: status, headers, and a body of RFC 9457 (problem details).

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde::Serialize;

use crate::error::Error;

/// The body of every error.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// A URI that names the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sentence of the code.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The code, of a closed list.
    pub code: &'static str,
    /// What was wrong this time: the limit, the figure, the setting.
    pub detail: String,
    /// The request's id, as a URI.
    pub instance: String,
}

/// Writes the answer to a request that is refused before its handler sees it, with its id.
pub type Refuse = fn(&HttpRequest, &Error, &str) -> HttpResponse;

/// How a key is to be sent (RFC 6750, section 3).
const BEARER: &str = "Bearer realm=\"safelight\"";

/// The status of an error. There is no catch-all arm: a new error does not compile until it has
/// one.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::MalformedRequest(_)
        | Error::UnknownOption { .. }
        | Error::BadValue { .. }
        | Error::OptionsConflict(_)
        | Error::MissingPicture
        | Error::TooManyFields { .. }
        | Error::FieldTooLong { .. } => StatusCode::BAD_REQUEST,
        Error::InStep { error, .. } => status(error),
        Error::MissingKey | Error::WrongKey => StatusCode::UNAUTHORIZED,
        Error::NotAllowed { .. } => StatusCode::FORBIDDEN,
        Error::RateLimited { .. } | Error::QuotaExceeded { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Error::UploadTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
        Error::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnknownFormat { .. } | Error::FormatDisabled { .. } => {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        }
        Error::BrokenPicture
        | Error::TooManyPixels { .. }
        | Error::KeyPixels { .. }
        | Error::SideTooLong { .. }
        | Error::Bomb { .. }
        | Error::JobTooLarge { .. }
        | Error::RoiOutside { .. }
        | Error::ResultTooLarge { .. }
        | Error::NothingFound
        | Error::ModelMissing { .. }
        | Error::StepMissing { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Busy { .. } | Error::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        Error::SpoolFull => StatusCode::INSUFFICIENT_STORAGE,
        Error::DeadlinePassed { .. } => StatusCode::GATEWAY_TIMEOUT,
        // Nobody reads it; nginx's number for it shows in no metric but our own outcome does.
        Error::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Error::RefusedByDesign(_) => StatusCode::NOT_IMPLEMENTED,
        Error::ModelFailed | Error::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The head of the answer to a request that failed, whatever its body looks like.
pub fn head(error: &Error, status: StatusCode, request_id: &str) -> HttpResponseBuilder {
    let mut response = HttpResponseBuilder::new(status);
    response.insert_header(("X-Request-Id", request_id));
    if let Some(seconds) = error.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    match error {
        Error::MissingKey => {
            response.insert_header((header::WWW_AUTHENTICATE, BEARER));
        }
        Error::WrongKey => {
            let value = format!("{BEARER}, error=\"invalid_token\"");
            response.insert_header((header::WWW_AUTHENTICATE, value));
        }
        Error::MethodNotAllowed { allow } => {
            response.insert_header((header::ALLOW, *allow));
        }
        _ => {}
    }
    response
}

/// The answer to a request that failed.
pub fn problem(error: &Error, request_id: &str) -> HttpResponse {
    let mut response = head(error, status(error), request_id);
    let body = problem_text(error, request_id);
    response.content_type("application/problem+json").body(body)
}

/// [`problem`], as a [`Refuse`].
pub fn refuse(_: &HttpRequest, error: &Error, request_id: &str) -> HttpResponse {
    problem(error, request_id)
}

/// The body of an error, as JSON.
pub fn problem_text(error: &Error, request_id: &str) -> String {
    let body = Problem {
        kind: format!("urn:safelight:error:{}", error.code()),
        title: error.title(),
        status: status(error).as_u16(),
        code: error.code(),
        detail: error.to_string(),
        instance: format!("urn:uuid:{request_id}"),
    };
    // Only text and a number: there is nothing in it that JSON cannot hold.
    serde_json::to_string(&body).unwrap_or_default()
}
