//! `Error`: everything that can go wrong with a request or a job, each with a stable `code()`.
//!
//! The text of an error holds limits, figures and setting names that are ours; never a file name,
//! a field value or a parser's message that came with the picture. HTTP statuses are decided in
//! `http/error.rs`; exit codes in `cli/`.

mod text;

use std::{borrow::Cow, time::Duration};

pub use text::CODES;

/// What went wrong. The documentation of a variant says whose fault it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The request is not built as its content type promises.
    MalformedRequest(&'static str),
    /// An option that this route does not have. The name that was sent is not repeated.
    UnknownOption {
        /// Every option of the route, comma-separated.
        known: String,
        /// The known name nearest to the one that was sent, if any is near.
        nearest: Option<&'static str>,
    },
    /// An option whose value cannot be used.
    BadValue {
        /// The option's name, ours.
        option: &'static str,
        /// What it takes.
        expects: Cow<'static, str>,
    },
    /// Options that contradict each other, or lack one that they need.
    OptionsConflict(&'static str),
    /// An error of one operation in a pipeline, with its place.
    InStep {
        /// Place of the operation in the list, counted from 1.
        step: usize,
        /// What was wrong with it.
        error: Box<Error>,
    },
    /// No picture in the request.
    MissingPicture,
    /// More form fields than allowed.
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// A text field longer than allowed.
    FieldTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The route needs an API key, and none was sent.
    MissingKey,
    /// An API key that is not known here. Whether its id is, is not said.
    WrongKey,
    /// The API key does not allow this operation.
    NotAllowed {
        /// The operation, ours.
        operation: &'static str,
    },
    /// Requests come faster than the key, or the client's address, may send them.
    RateLimited {
        /// `this key` or `one address`.
        whose: &'static str,
        /// The rate, as it is set.
        rate: String,
        /// When there is room for one.
        retry_after: Duration,
    },
    /// The megapixels that the key has are used up.
    QuotaExceeded {
        /// The quota in pixels.
        limit: u64,
        /// What is left of it.
        left: u64,
        /// The picture's pixels.
        actual: u64,
        /// `hour` or `day`.
        period: &'static str,
        /// When it begins anew.
        retry_after: Duration,
    },
    /// More pixels than the key ever allows.
    KeyPixels {
        /// The limit in pixels.
        limit: u64,
        /// The picture's pixels.
        actual: u64,
    },
    /// No such route.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed {
        /// The methods that do, as in an `Allow` header.
        allow: &'static str,
    },
    /// The body came too slowly.
    UploadTooSlow {
        /// The deadline that passed.
        limit: Duration,
        /// The setting that changes it.
        setting: &'static str,
    },
    /// More bytes than allowed.
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The size, where it is known.
        actual: Option<u64>,
        /// The setting that changes the limit.
        setting: &'static str,
    },
    /// Not a picture of a format that this build knows.
    UnknownFormat {
        /// The formats that are enabled, comma-separated.
        enabled: String,
    },
    /// A picture of a known format that is switched off.
    FormatDisabled {
        /// The format.
        format: &'static str,
        /// The formats that are enabled, comma-separated.
        enabled: String,
    },
    /// The picture is broken or truncated.
    BrokenPicture,
    /// More pixels than allowed.
    TooManyPixels {
        /// The limit in pixels.
        limit: u64,
        /// The picture's pixels.
        actual: u64,
    },
    /// A side longer than allowed.
    SideTooLong {
        /// The limit in pixels.
        limit: u32,
        /// The longer side of the picture.
        actual: u32,
    },
    /// A picture built to cost far more than its size.
    Bomb {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// The figure at which reading stopped.
        actual: u64,
    },
    /// The job needs more memory than the whole budget.
    JobTooLarge {
        /// The budget in bytes.
        limit: u64,
        /// The job's estimated peak in bytes.
        actual: u64,
    },
    /// The region of an option does not lie inside the picture.
    RoiOutside {
        /// The option.
        option: &'static str,
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
    },
    /// The result would be larger than a picture may be.
    ResultTooLarge {
        /// The limit in pixels.
        limit: u64,
        /// The longer side, or the product of the sides, in pixels.
        actual: u64,
        /// The setting that changes the limit: `--max-side` or `--max-megapixels`.
        setting: &'static str,
    },
    /// Nothing to cut out, and the client asked to be told.
    NothingFound,
    /// A model that is known, but cannot be used here.
    ModelMissing {
        /// The model's name, from our catalogue.
        model: String,
        /// What is lacking.
        lack: Lack,
    },
    /// A restoration step that needs a model which is not installed here.
    StepMissing {
        /// The step's name, ours.
        step: &'static str,
        /// The models that it lacks, from our catalogue, separated by spaces; empty where the
        /// catalogue has none.
        models: String,
    },
    /// Every place, permit or byte of some bounded resource is taken.
    Busy {
        /// Which one.
        what: Resource,
        /// How much of it there is: a count, bytes, or of a time milliseconds.
        limit: u64,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The service is about to stop.
    ShuttingDown,
    /// The spool has no room left on the device.
    SpoolFull,
    /// The work took longer than allowed.
    DeadlinePassed {
        /// The limit.
        limit: Duration,
        /// The setting that changes it.
        setting: &'static str,
    },
    /// The client is gone; nobody reads the answer.
    Cancelled,
    /// Refused on purpose.
    RefusedByDesign(&'static str),
    /// A model could not be run.
    ModelFailed,
    /// A fault of ours.
    Internal,
}

/// Why a known model cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Its file.
    File,
    /// The operator's word that it is to be loaded: the file is in another program's folder.
    Choice,
    /// The operator's acceptance of a licence that forbids commercial use.
    License,
}

/// The bounded resources whose lack is answered with "busy".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `--upload-permits`: uploads in progress.
    UploadPermits,
    /// `--spool-budget`: bytes of uploads held at once.
    SpoolBudget,
    /// `--queue`: complete uploads that wait for a worker.
    Queue,
    /// `--queue-wait`: the time a complete upload may wait.
    QueueWait,
    /// `--upload-permits` as well: those who watch the progress of a request.
    Watchers,
}

impl Resource {
    /// The label in `safelight_rejections_total{reason}`.
    pub fn label(self) -> &'static str {
        match self {
            Self::UploadPermits => "upload_permits",
            Self::SpoolBudget => "spool_budget",
            Self::Queue => "queue_full",
            Self::QueueWait => "queue_wait",
            Self::Watchers => "watchers",
        }
    }

    /// The setting that changes its size.
    pub fn setting(self) -> &'static str {
        match self {
            Self::UploadPermits | Self::Watchers => "--upload-permits",
            Self::SpoolBudget => "--spool-budget",
            Self::Queue => "--queue",
            Self::QueueWait => "--queue-wait",
        }
    }
}

impl Error {
    /// The stable, machine-readable name of the error; one of [`CODES`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedRequest(_) => "malformed_request",
            Self::UnknownOption { .. } => "unknown_option",
            Self::BadValue { .. } => "bad_value",
            Self::OptionsConflict(_) => "options_conflict",
            Self::InStep { error, .. } => error.code(),
            Self::MissingPicture => "missing_picture",
            Self::TooManyFields { .. } => "too_many_fields",
            Self::FieldTooLong { .. } => "field_too_long",
            Self::MissingKey => "missing_key",
            Self::WrongKey => "wrong_key",
            Self::NotAllowed { .. } => "not_allowed",
            Self::RateLimited { .. } => "rate_limited",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::UploadTooSlow { .. } => "upload_too_slow",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::UnknownFormat { .. } => "unknown_format",
            Self::FormatDisabled { .. } => "format_disabled",
            Self::BrokenPicture => "broken_picture",
            Self::TooManyPixels { .. } | Self::KeyPixels { .. } => "too_many_pixels",
            Self::SideTooLong { .. } => "side_too_long",
            Self::Bomb { .. } => "bomb",
            Self::JobTooLarge { .. } => "job_too_large",
            Self::RoiOutside { .. } => "roi_outside",
            Self::ResultTooLarge { .. } => "result_too_large",
            Self::NothingFound => "nothing_found",
            Self::ModelMissing { .. } => "model_missing",
            Self::StepMissing { .. } => "step_missing",
            Self::Busy { .. } => "busy",
            Self::ShuttingDown => "shutting_down",
            Self::SpoolFull => "spool_full",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::Cancelled => "cancelled",
            Self::RefusedByDesign(_) => "refused_by_design",
            Self::ModelFailed => "model_failed",
            Self::Internal => "internal",
        }
    }

    /// The sentence of the error's code, the same for every error with that code.
    pub fn title(&self) -> &'static str {
        let code = self.code();
        CODES
            .iter()
            .find(|(known, _)| *known == code)
            .map_or("", |(_, title)| title)
    }

    /// The label in `safelight_rejections_total{reason}`, where it is one: for lack of room, of a
    /// key, or of what the key allows.
    pub fn rejection(&self) -> Option<&'static str> {
        match self {
            Self::Busy { what, .. } => Some(what.label()),
            Self::MissingKey | Self::WrongKey => Some("key"),
            Self::NotAllowed { .. } => Some("scope"),
            Self::RateLimited { .. } => Some("rate"),
            Self::QuotaExceeded { .. } => Some("quota"),
            _ => None,
        }
    }

    /// When it is worth trying again, in whole seconds, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Busy { retry_after, .. }
            | Self::RateLimited { retry_after, .. }
            | Self::QuotaExceeded { retry_after, .. } => Some(text::whole_seconds(*retry_after)),
            // A few seconds are what a restart or an emptied spool take.
            Self::ShuttingDown | Self::SpoolFull => Some(5),
            _ => None,
        }
    }

    /// A value that an option cannot take.
    pub fn bad_value(option: &'static str, expects: impl Into<Cow<'static, str>>) -> Self {
        Self::BadValue {
            option,
            expects: expects.into(),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_title() {
        for error in [Error::Internal, Error::MissingPicture, Error::NothingFound] {
            assert!(!error.title().is_empty());
        }
        let step = Error::InStep {
            step: 2,
            error: Box::new(Error::NothingFound),
        };
        assert_eq!(
            (step.code(), &step.to_string()[..12]),
            ("nothing_found", "Operation 2:")
        );
    }

    #[test]
    fn figures_and_settings_are_in_the_text() {
        let text = Error::TooManyPixels {
            limit: 50_000_000,
            actual: 61_440_000,
        }
        .to_string();
        assert!(
            text.contains("61.4") && text.contains("50.0") && text.contains("--max-megapixels")
        );
    }
}
