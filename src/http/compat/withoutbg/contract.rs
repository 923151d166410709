//! What withoutBG's routes take and answer.

use super::{
    super::{
        super::statuses::{
            FAILED, FULL, LARGE, LATE, NO_KEY, NO_SCOPE, NO_SPACE, SLOW, Status, TOO_FAST, USED_UP,
        },
        Contract, SCOPE, field,
    },
    refusal,
};
use crate::ops::options::{self, Spec};

/// The name in metrics and logs.
pub(super) const NAME: &str = "withoutbg";
/// The member of the server's JSON that holds a picture in base64.
pub(super) const IMAGE: &str = "image";
/// The same of the cloud's.
pub(super) const IMAGE_BASE64: &str = "image_base64";

const BASE64: options::Kind =
    options::Kind::Text("base64, with or without the head of a `data:` URL", "");
const JSON: &[&str] = &["application/json"];

const FIELDS: &[Spec] = &[field(IMAGE, "", BASE64, "The picture.")];
const CLOUD_FIELDS: &[Spec] = &[field(IMAGE_BASE64, "", BASE64, "The picture.")];

const CLOUD_ERRORS: &[Status] = &[
    (
        "400",
        "The request is wrong, or the picture cannot be worked on.",
    ),
    NO_KEY,
    USED_UP,
    NO_SCOPE,
    SLOW,
    LARGE,
    TOO_FAST,
    FAILED,
    FULL,
    LATE,
    NO_SPACE,
];

/// `POST /v1/remove-background`, which is ours as well: its errors and the rest of its answers are
/// those of ours.
pub const REMOVE: Contract = Contract {
    operation: "remove-background",
    scope: SCOPE,
    refuse: refusal::before,
    fields: FIELDS,
    query: false,
    about: "A body of JSON is withoutBG's: it is answered with JSON, `processed` and `alphaMatte` \
            as `data:` URLs of PNG and `latencyMs`. So is a query of `output=matte` or \
            `output=processed` and nothing else: it is answered with a PNG. Errors of both are \
            withoutBG's. Everything else is as it is without `--compat`, with X-Latency-Ms.",
    files: &[],
    bodies: JSON,
    answers: JSON,
    errors: &[],
    error: "WithoutbgError",
};

/// `POST /v1.0/alpha-channel-base64`, of the cloud.
pub const ALPHA: Contract = Contract {
    operation: NAME,
    refuse: refusal::before_cloud,
    fields: CLOUD_FIELDS,
    about: "Answers with `alpha_base64`, a grey PNG in base64.",
    errors: CLOUD_ERRORS,
    ..REMOVE
};
