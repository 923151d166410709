//! What rembg's route takes and answers.

use super::{
    super::{
        super::statuses::{
            FAILED, FORMAT, FULL, LARGE, LATE, NO_KEY, NO_SCOPE, NO_SPACE, SLOW, Status, TOO_FAST,
            TOO_MUCH,
        },
        Contract, SCOPE, field,
    },
    refuse,
};
use crate::ops::options::{self, Spec};

/// The name in metrics and logs.
pub(super) const NAME: &str = "rembg";

/// The models that rembg knows by name. One that is not installed here is refused as such, not as
/// a typing error.
pub(super) const MODELS: &[&str] = &[
    "ben_custom",
    "birefnet-cod",
    "birefnet-dis",
    "birefnet-general",
    "birefnet-general-fp16",
    "birefnet-general-lite",
    "birefnet-hrsod",
    "birefnet-massive",
    "birefnet-portrait",
    "bria-rmbg",
    "dis_custom",
    "isnet-anime",
    "isnet-general-use",
    "sam",
    "silueta",
    "u2net",
    "u2net_cloth_seg",
    "u2net_custom",
    "u2net_human_seg",
    "u2netp",
    "withoutbg",
];
/// rembg's default, of old and since 2.0.80. Many clients send the default by its name, and mean
/// no more by it than by sending none.
pub(super) const DEFAULTS: &[&str] = &["u2net", "bria-rmbg"];

/// Its parameters, which it takes in the form and in the query.
pub(super) const FIELDS: &[Spec] = &[
    field(
        "model",
        "",
        options::Kind::Text("the name of an installed model", "u2net"),
        "Model to use; rembg's own defaults mean the default of this service.",
    ),
    field(
        "a",
        "false",
        options::Kind::Flag,
        "Alpha matting: edges are decided by the picture, within a trimap.",
    ),
    field(
        "af",
        "240",
        options::Kind::Integer(0, 255),
        "Alpha matting: mask values above it are subject.",
    ),
    field(
        "ab",
        "10",
        options::Kind::Integer(0, 255),
        "Alpha matting: mask values below it are background.",
    ),
    field(
        "ae",
        "10",
        options::Kind::Integer(0, i64::MAX),
        "Alpha matting: both are taken back by a square of so many pixels.",
    ),
    field(
        "om",
        "false",
        options::Kind::Flag,
        "Answer with the mask only.",
    ),
    field(
        "ppm",
        "false",
        options::Kind::Flag,
        "Post-process the mask: no specks, a smooth outline, two values.",
    ),
    field(
        "bgc",
        "",
        options::Kind::Text("`R,G,B,A`, each from 0 to 255", "255,255,255,255"),
        "Background colour; not with `om`.",
    ),
    field(
        "dc",
        "false",
        options::Kind::Flag,
        "Decontaminate edges; always done here.",
    ),
    field(
        "vm",
        "false",
        options::Kind::Flag,
        "Refine edges with ViTMatte; always refined here, by another method.",
    ),
    field(
        "extras",
        "",
        options::Kind::Text("JSON", "{}"),
        "Further parameters of rembg's sessions; ignored.",
    ),
];

const FILES: &[(&str, &str)] = &[("file", "The picture.")];
const ERRORS: &[Status] = &[
    (
        "400",
        "The request is wrong, or asks for a URL to be fetched.",
    ),
    NO_KEY,
    NO_SCOPE,
    SLOW,
    LARGE,
    FORMAT,
    (
        "422",
        "A parameter is wrong, or the picture cannot be worked on.",
    ),
    TOO_MUCH,
    FAILED,
    FULL,
    LATE,
    NO_SPACE,
];

/// `POST /api/remove`.
pub const POST: Contract = Contract {
    operation: NAME,
    scope: SCOPE,
    refuse,
    fields: FIELDS,
    query: true,
    about: "",
    files: FILES,
    bodies: &[],
    answers: &["image/png"],
    errors: ERRORS,
    error: "RembgError",
};
/// `GET /api/remove`, which fetches nothing.
pub const GET: Contract = Contract {
    files: &[],
    answers: &[],
    errors: &[
        ("400", "URL input is disabled on this server."),
        NO_KEY,
        NO_SCOPE,
        ("422", "A parameter is missing or wrong."),
        TOO_FAST,
    ],
    ..POST
};
