//! What errors say: the closed list of codes with their titles, and the sentence of each error.

use std::{fmt, time::Duration};

use super::{Error, Lack, Resource};

/// Every code that [`Error::code`] can return with a sentence of what it means: the closed list
/// that the OpenAPI document publishes.
pub const CODES: &[(&str, &str)] = &[
    (
        "malformed_request",
        "The body is not what its content type promises.",
    ),
    ("unknown_option", "An option that this route does not have."),
    ("bad_value", "An option's value cannot be used."),
    (
        "options_conflict",
        "Options that contradict each other, or lack one that they need.",
    ),
    ("missing_picture", "The request holds no picture."),
    ("too_many_fields", "More form fields than allowed."),
    ("field_too_long", "A text field is longer than allowed."),
    ("missing_key", "The route needs an API key."),
    ("wrong_key", "The API key is not known."),
    ("not_allowed", "The API key does not allow this operation."),
    ("rate_limited", "Requests come too fast; try again later."),
    (
        "quota_exceeded",
        "The API key's megapixels are used up; try again later.",
    ),
    ("not_found", "No such route."),
    ("method_not_allowed", "The route does not take this method."),
    ("upload_too_slow", "The upload stalled or took too long."),
    ("body_too_large", "More bytes than allowed."),
    ("unknown_format", "Not a picture of a known format."),
    (
        "format_disabled",
        "A picture of a format that is switched off.",
    ),
    ("broken_picture", "The picture is broken or truncated."),
    (
        "too_many_pixels",
        "The picture has more pixels than allowed.",
    ),
    (
        "side_too_long",
        "A side of the picture is longer than allowed.",
    ),
    (
        "bomb",
        "The picture is built to cost far more than its size.",
    ),
    (
        "job_too_large",
        "The job needs more memory than the whole budget.",
    ),
    (
        "roi_outside",
        "The region of an option does not lie inside the picture.",
    ),
    (
        "result_too_large",
        "The result would be larger than a picture may be.",
    ),
    (
        "nothing_found",
        "There is nothing to cut out, and `on_empty=error` was asked for.",
    ),
    (
        "model_missing",
        "The model is known, but cannot be used here.",
    ),
    ("step_missing", "A restoration step is not available here."),
    ("busy", "A bounded resource is fully taken; try again."),
    (
        "shutting_down",
        "The service is about to stop; try again elsewhere.",
    ),
    ("spool_full", "The spool has no room left; try again."),
    ("deadline_passed", "The work took longer than allowed."),
    ("cancelled", "The client is gone."),
    (
        "refused_by_design",
        "This service does not do that on purpose.",
    ),
    ("model_failed", "A model could not be run."),
    ("internal", "A fault of the service."),
];

/// Seconds until a time has passed for sure: at least one.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

fn megapixels(pixels: u64) -> f64 {
    pixels as f64 / 1e6
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedRequest(why) => f.write_str(why),
            Self::UnknownOption { known, nearest } => {
                write!(f, "An option that is named does not exist here.")?;
                if let Some(name) = nearest {
                    write!(f, " Did you mean `{name}`?")?;
                }
                write!(f, " The options are: {known}.")
            }
            Self::BadValue { option, expects } => write!(f, "`{option}` takes {expects}."),
            Self::OptionsConflict(why) => f.write_str(why),
            Self::InStep { step, error } => write!(f, "Operation {step}: {error}"),
            Self::MissingPicture => f.write_str(
                "Send the picture as multipart field `file` (also `image`, `image_file`), or as \
                 the body with an `image/*` content type.",
            ),
            Self::TooManyFields { limit } => {
                write!(f, "The form has more than {limit} fields.")
            }
            Self::FieldTooLong { limit } => {
                write!(f, "A text field of the form is longer than {limit} bytes.")
            }
            Self::MissingKey => f.write_str(
                "Send an API key as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.",
            ),
            Self::WrongKey => f.write_str("The API key is not one of this service."),
            Self::NotAllowed { operation } => {
                write!(f, "This key does not allow {operation} (its `scopes`).")
            }
            Self::RateLimited {
                whose,
                rate,
                retry_after,
            } => write!(
                f,
                "The limit of {whose} is {rate}; there is room for the next request in {} s.",
                whole_seconds(*retry_after)
            ),
            Self::QuotaExceeded {
                limit,
                left,
                actual,
                period,
                retry_after,
            } => write!(
                f,
                "The picture has {:.2} megapixels; of the {:.2} that this key has for {} {period}, \
                 {:.2} are left (its `megapixels_per_{period}`). They begin anew in {} s.",
                megapixels(*actual),
                megapixels(*limit),
                if *period == "hour" { "an" } else { "a" },
                megapixels(*left),
                whole_seconds(*retry_after)
            ),
            Self::KeyPixels { limit, actual } => write!(
                f,
                "The picture has {:.2} megapixels; this key allows {:.2} at most (its \
                 `max_megapixels` or quota).",
                megapixels(*actual),
                megapixels(*limit)
            ),
            Self::NotFound => f.write_str("There is no such route; /openapi.json lists them."),
            Self::MethodNotAllowed { allow } => write!(f, "This route takes {allow}."),
            Self::UploadTooSlow { limit, setting } => {
                write!(
                    f,
                    "The upload passed its limit of {limit:?} (setting {setting})."
                )
            }
            Self::BodyTooLarge {
                limit,
                actual,
                setting,
            } => {
                write!(f, "The limit is {limit} bytes (setting {setting})")?;
                match actual {
                    Some(actual) => write!(f, "; this was {actual}."),
                    None => write!(f, "; this was more."),
                }
            }
            Self::UnknownFormat { enabled } => {
                write!(
                    f,
                    "The bytes are not a picture that this service reads; it takes {enabled}."
                )
            }
            Self::FormatDisabled { format, enabled } => {
                write!(
                    f,
                    "{format} is not among the enabled formats {enabled} (setting --formats)."
                )
            }
            Self::BrokenPicture => {
                f.write_str("The picture is broken or truncated and cannot be decoded.")
            }
            Self::TooManyPixels { limit, actual } => write!(
                f,
                "The picture has {:.1} megapixels; the limit is {:.1} (setting --max-megapixels).",
                *actual as f64 / 1e6,
                *limit as f64 / 1e6
            ),
            Self::SideTooLong { limit, actual } => write!(
                f,
                "The longer side has {actual} pixels; the limit is {limit} (setting --max-side)."
            ),
            Self::Bomb {
                what,
                limit,
                actual,
            } => {
                write!(
                    f,
                    "The picture has too many {what}: {actual} where {limit} are allowed."
                )
            }
            Self::JobTooLarge { limit, actual } => write!(
                f,
                "This job needs about {} MiB of memory; the whole budget is {} MiB \
                 (setting --memory-budget).",
                actual.div_ceil(1 << 20),
                limit >> 20
            ),
            Self::RoiOutside {
                option,
                width,
                height,
            } => {
                write!(
                    f,
                    "`{option}` does not lie inside the picture of {width} x {height} pixels."
                )
            }
            Self::ResultTooLarge {
                limit,
                actual,
                setting,
            } => match *setting {
                "--max-side" => write!(
                    f,
                    "The longer side of the result would have {actual} pixels; the limit is \
                     {limit} (setting {setting})."
                ),
                _ => write!(
                    f,
                    "The result would have {:.1} megapixels; the limit is {:.1} \
                     (setting {setting}).",
                    *actual as f64 / 1e6,
                    *limit as f64 / 1e6
                ),
            },
            Self::NothingFound => {
                f.write_str("No foreground was found in the picture, and `on_empty` is `error`.")
            }
            Self::ModelMissing { model, lack } => match lack {
                Lack::File => write!(
                    f,
                    "The model {model} is not installed; the operator can install it with \
                     `safelight models pull {model}` (with the same --models-dir and --catalogue, \
                     where there are any); a service finds it when it starts again."
                ),
                Lack::Choice => write!(
                    f,
                    "The model {model} is installed, but not loaded; the operator can load it \
                     with `--model {model}`."
                ),
                Lack::License => write!(
                    f,
                    "The licence of the model {model} forbids commercial use; the operator can \
                     accept it with `--accept-license {model}`."
                ),
            },
            Self::StepMissing { step, models } if models.is_empty() => write!(
                f,
                "The step {step} needs a model that is not installed, and none is known."
            ),
            Self::StepMissing { step, models } => write!(
                f,
                "The step {step} needs a model that is not installed; the operator can install it \
                 with `safelight models pull {models}`."
            ),
            Self::Busy { what, limit, .. } => {
                let most = match what {
                    Resource::QueueWait => format!("{:?}", Duration::from_millis(*limit)),
                    Resource::SpoolBudget => format!("{limit} bytes"),
                    _ => limit.to_string(),
                };
                let setting = what.setting();
                let what = match what {
                    Resource::UploadPermits => "Too many uploads are in progress",
                    Resource::SpoolBudget => "The uploads in progress fill the spool budget",
                    Resource::Queue => "Too many pictures are waiting",
                    Resource::QueueWait => "No worker became free in time",
                    Resource::Watchers => "Too many watch the progress of requests",
                };
                write!(
                    f,
                    "{what} (at most {most}, setting {setting}); try again later."
                )
            }
            Self::ShuttingDown => f.write_str("The service is about to stop; try again."),
            Self::SpoolFull => f.write_str("The spool has no room left; try again later."),
            Self::DeadlinePassed { limit, setting } => {
                write!(
                    f,
                    "The work took longer than its limit of {limit:?} (setting {setting})."
                )
            }
            Self::Cancelled => f.write_str("The client went away."),
            Self::RefusedByDesign(why) => f.write_str(why),
            // A cause could quote the picture or the machine: these two say nothing more.
            Self::ModelFailed | Self::Internal => f.write_str("The service failed; try again."),
        }
    }
}
