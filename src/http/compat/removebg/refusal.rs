//! Errors in remove.bg's shape: its codes and titles where it has them, ours elsewhere.

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde_json::json;

use super::{
    super::super::{
        error::{head, status},
        images::shown,
    },
    rate_limit,
};
use crate::{config::Settings, error::Error, observe::Request, ops::geometry::Length};

/// Why a request is not answered with a picture.
#[derive(Debug)]
pub struct Refusal {
    /// What it is to metrics and logs.
    error: Box<Error>,
    status: StatusCode,
    code: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
}

/// What has to be known to say what an error means.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Bytes of a picture at most.
    max_bytes: u64,
    /// Megapixels of a picture at most.
    max_megapixels: u64,
    /// Whether the picture's header was read.
    pub has_header: bool,
    /// The corners of the region that was asked for.
    pub region: Option<[Length; 4]>,
}

impl Place {
    /// Before the picture is looked at.
    pub fn at(settings: &Settings) -> Self {
        Self {
            max_bytes: settings.max_upload.0,
            max_megapixels: settings.engine.limits().max_pixels / 1_000_000,
            has_header: false,
            region: None,
        }
    }

    /// The same when what is wrong is not the header.
    pub fn with_header(self) -> Self {
        Self {
            has_header: true,
            ..self
        }
    }
}

impl Refusal {
    /// One of remove.bg's own codes.
    pub fn new(error: Error, code: &'static str, title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            error: Box::new(error),
            status: StatusCode::BAD_REQUEST,
            code: code.into(),
            title: title.into(),
            detail: None,
        }
    }

    /// A field whose value cannot be used; what it takes is the detail.
    pub fn field(name: &'static str, expects: impl Into<Cow<'static, str>>) -> Self {
        let error = Error::bad_value(name, expects);
        // Two titles are of another form than the others.
        let title = match name {
            "channels" | "size" => format!("Invalid value for parameter '{name}'"),
            _ => format!("Invalid {name} parameter given"),
        };
        let detail = error.to_string();
        Self {
            error: Box::new(error),
            status: StatusCode::BAD_REQUEST,
            code: format!("invalid_{name}").into(),
            title: title.into(),
            detail: Some(detail.into()),
        }
    }

    /// The same with a detail.
    pub fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// What an error of ours is to a client of remove.bg.
    pub fn of(error: &Error, place: &Place) -> Self {
        let of = |code, title: &'static str| Self::new(error.clone(), code, title);
        // Where remove.bg has no code, ours says what it is.
        let own = |status| Self {
            error: Box::new(error.clone()),
            status,
            code: error.code().into(),
            title: error.title().into(),
            detail: Some(error.to_string().into()),
        };
        // What is not its own code, but its own status and title.
        let titled = |status, code: &'static str, title: &'static str| Self {
            code: code.into(),
            title: title.into(),
            ..own(status)
        };
        let megapixels = |actual: u64| {
            let limit = place.max_megapixels;
            format!(
                "Input image has {actual} megapixels, maximum supported input resolution is \
                 {limit} megapixels"
            )
        };
        match error {
            Error::MissingPicture => Self::missing_source(),
            Error::BodyTooLarge { .. } => of("file_too_large", "File too large")
                .detail(format!("File exceeds limit of {}MB", place.max_bytes >> 20)),
            Error::UnknownFormat { enabled } => of("invalid_file_type", "Invalid file type")
                .detail(format!("Expected {enabled}, received another type")),
            Error::FormatDisabled { format, enabled } => {
                of("invalid_file_type", "Invalid file type")
                    .detail(format!("Expected {enabled}, received {format}"))
            }
            Error::BrokenPicture | Error::Bomb { .. } if !place.has_header => {
                of("invalid_dimensions", "Failed to read image dimensions")
            }
            Error::BrokenPicture | Error::Bomb { .. } => of(
                "failed_to_read_image",
                "There was an error reading the image.",
            ),
            Error::TooManyPixels { actual, .. } => {
                // Rounded up, so that it never reads as within the limit.
                of("resolution_too_high", "Image resolution too high")
                    .detail(megapixels(actual.div_ceil(1_000_000)))
            }
            Error::SideTooLong { .. }
            | Error::JobTooLarge { .. }
            | Error::KeyPixels { .. }
            | Error::ResultTooLarge { .. } => {
                of("resolution_too_high", "Image resolution too high").detail(error.to_string())
            }
            Error::RoiOutside { width, height, .. } => {
                let exceeds = place.region.is_none_or(|corners| {
                    let sides = [*width, *height, *width, *height];
                    corners
                        .into_iter()
                        .zip(sides)
                        .any(|(corner, side)| corner.pixels(side) > i64::from(side))
                });
                match exceeds {
                    true => Self::roi_exceeds_bounds(error.clone()),
                    false => Self::roi_region_empty(error.clone()),
                }
            }
            Error::NothingFound => of(
                "unknown_foreground",
                "Could not identify foreground in image. For details and recommendations see \
                 https://www.remove.bg/supported-images.",
            ),
            // The only status after which clients of remove.bg wait and try again.
            Error::Busy { .. } | Error::SpoolFull | Error::RateLimited { .. } => titled(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limit_exceeded",
                "Rate limit exceeded",
            ),
            Error::QuotaExceeded { .. } => titled(
                StatusCode::PAYMENT_REQUIRED,
                "insufficient_credits",
                "Insufficient credits",
            ),
            Error::MissingKey => titled(StatusCode::FORBIDDEN, "auth_failed", "Missing API Key"),
            Error::WrongKey => titled(StatusCode::FORBIDDEN, "auth_failed", "API Key invalid"),
            // To the books the client is gone; should it be there, it is told what it sent.
            Error::Cancelled => Self {
                error: Box::new(Error::Cancelled),
                ..Self::of(shown(error), place)
            },
            Error::MalformedRequest(_)
            | Error::UnknownOption { .. }
            | Error::BadValue { .. }
            | Error::OptionsConflict(_)
            | Error::InStep { .. }
            | Error::TooManyFields { .. }
            | Error::FieldTooLong { .. }
            | Error::ModelMissing { .. }
            | Error::StepMissing { .. } => own(StatusCode::BAD_REQUEST),
            Error::NotAllowed { .. }
            | Error::NotFound
            | Error::MethodNotAllowed { .. }
            | Error::UploadTooSlow { .. }
            | Error::ShuttingDown
            | Error::DeadlinePassed { .. }
            | Error::RefusedByDesign(_)
            | Error::ModelFailed
            | Error::Internal => own(status(error)),
        }
    }

    /// No picture.
    pub fn missing_source() -> Self {
        Self::new(Error::MissingPicture, "missing_source", "No image given").detail(
            "Please provide the source image in the image_url, image_file or image_file_b64 \
             parameter.",
        )
    }

    /// A corner of the region lies outside the picture.
    pub fn roi_exceeds_bounds(error: Error) -> Self {
        Self::new(error, "roi_exceeds_bounds", "ROI exceeds image bounds")
    }

    /// The region has no area.
    pub fn roi_region_empty(error: Error) -> Self {
        Self::new(error, "roi_region_empty", "ROI region is empty")
    }

    /// The answer.
    pub fn answer(&self, mut request: Request) -> HttpResponse {
        // Metrics tell "full" from "wrong" by the status that it has elsewhere.
        request.failed(&self.error, status(&self.error).as_u16());
        self.respond(&request.id)
    }

    fn respond(&self, request_id: &str) -> HttpResponse {
        let mut entry = json!({ "title": self.title, "code": self.code });
        if let Some(detail) = &self.detail {
            entry["detail"] = json!(detail);
        }
        let mut response = head(&self.error, self.status, request_id);
        rate_limit(&mut response).json(json!({ "errors": [entry] }))
    }
}

/// The answer to a request that is refused before its picture is looked at.
pub fn before(_: &HttpRequest, error: &Error, request_id: &str) -> HttpResponse {
    Refusal::of(error, &Place::default()).respond(request_id)
}
