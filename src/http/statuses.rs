//! What the statuses of errors mean, for the OpenAPI document.

/// A status and its meaning.
pub type Status = (&'static str, &'static str);

pub const WRONG: Status = ("400", "The request is wrong.");
pub const NO_KEY: Status = (
    "401",
    "An API key is needed, or the one sent is not known; see WWW-Authenticate.",
);
pub const USED_UP: Status = ("402", "The API key's megapixels are used up.");
pub const NO_SCOPE: Status = ("403", "The API key does not allow this operation.");
pub const SLOW: Status = ("408", "The upload was too slow.");
pub const LARGE: Status = ("413", "The body is too large.");
pub const FORMAT: Status = ("415", "The format is unknown or disabled.");
pub const PICTURE: Status = ("422", "The picture cannot be worked on.");
pub const TOO_FAST: Status = ("429", "Too fast; see Retry-After.");
pub const TOO_MUCH: Status = (
    "429",
    "Too fast, or the key's megapixels are used up; see Retry-After.",
);
pub const FAILED: Status = ("500", "The service failed.");
pub const FULL: Status = ("503", "The service is full or stopping; see Retry-After.");
pub const LATE: Status = ("504", "The work took too long.");
pub const NO_SPACE: Status = ("507", "The spool is full; see Retry-After.");

/// Those of every route of ours that takes a picture; they follow from the closed list of codes.
pub const ALL: &[Status] = &[
    WRONG, NO_KEY, NO_SCOPE, SLOW, LARGE, FORMAT, PICTURE, TOO_MUCH, FAILED, FULL, LATE, NO_SPACE,
];
