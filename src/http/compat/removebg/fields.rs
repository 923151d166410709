//! The text fields of remove.bg.

use super::super::field;
use crate::ops::options::{Kind, Spec};

/// Sizes by name, in megapixels; the largest, of a PNG.
pub const SIZES: &[(&str, f32)] = &[
    ("preview", 0.25),
    ("small", 0.25),
    ("regular", 0.25),
    ("medium", 1.5),
    ("hd", 4.0),
    ("full", FULL),
    ("4k", FULL),
    ("auto", FULL),
    ("50MP", 50.0),
];
/// Megapixels of the sizes that are called full.
pub const FULL: f32 = 25.0;
/// Megapixels of a PNG at most.
pub const FULL_PNG: f32 = 10.0;
/// What a margin may be: percent of the subject, and pixels.
pub const MAX_MARGIN: (f32, f32) = (50.0, 500.0);

/// The text fields.
pub const FIELDS: &[Spec] = &[
    field(
        "image_file_b64",
        "",
        Kind::Text("a picture in base64", "/9j/4AAQSkZJRg=="),
        "The picture, where there is no `image_file`.",
    ),
    field(
        "image_url",
        "",
        Kind::Text("nothing: URL input is disabled on this server", ""),
        "Refused.",
    ),
    field(
        "size",
        "preview",
        Kind::Choice(&[
            "preview", "small", "regular", "medium", "hd", "full", "4k", "auto", "50MP",
        ]),
        "The result has at most 0.25 (preview, small, regular), 1.5 (medium), 4 (hd), 25 (full, 4k, \
         auto) or 50 (50MP) megapixels, a PNG at most 10.",
    ),
    field(
        "type",
        "auto",
        Kind::Choice(&[
            "auto",
            "person",
            "product",
            "car",
            "animal",
            "graphic",
            "transportation",
            "other",
        ]),
        "Type of the foreground; one model serves them all.",
    ),
    field(
        "type_level",
        "1",
        Kind::Choice(&["none", "1", "2", "latest"]),
        "`none`: no X-Type in the answer.",
    ),
    field(
        "format",
        "auto",
        Kind::Choice(&["auto", "png", "jpg", "zip", "webp"]),
        "Format of the answer; auto: PNG where there is transparency, else JPEG.",
    ),
    field(
        "roi",
        "0% 0% 100% 100%",
        Kind::Text(
            "`x1 y1 x2 y2`, each in pixels or percent",
            "10% 0% 90% 100%",
        ),
        "Region of interest; everything outside it counts as background.",
    ),
    field(
        "crop",
        "false",
        Kind::Flag,
        "Cut the result down to the subject.",
    ),
    field(
        "crop_margin",
        "0",
        Kind::Text(
            "one, two or four lengths of at most 50% or 500px each",
            "10%",
        ),
        "Space left around the subject when cropping.",
    ),
    field(
        "scale",
        "original",
        Kind::Text("`original`, or a percentage from 10% to 100%", "80%"),
        "Share of the picture that the subject is scaled to; it is then centred.",
    ),
    field(
        "position",
        "original",
        Kind::Text(
            "`original`, `center`, or one or two percentages such as `50% 100%`",
            "center",
        ),
        "Where the subject is put.",
    ),
    field(
        "channels",
        "rgba",
        Kind::Choice(&["rgba", "alpha"]),
        "`alpha`: the mask alone.",
    ),
    field(
        "add_shadow",
        "false",
        Kind::Flag,
        "A shadow under the subject.",
    ),
    field(
        "shadow_type",
        "",
        Kind::Choice(&["none", "auto", "drop", "car", "3D"]),
        "Kind of shadow; one kind serves them all.",
    ),
    field(
        "shadow_opacity",
        "",
        Kind::Integer(0, 100),
        "0: no shadow; another value changes nothing.",
    ),
    field(
        "semitransparency",
        "true",
        Kind::Flag,
        "Accepted; edges are soft in either case.",
    ),
    field(
        "bg_color",
        "",
        Kind::Text(
            "a colour: 3, 4, 6 or 8 hexadecimal digits, or a CSS name",
            "81d4fa",
        ),
        "Colour that the cutout is put on.",
    ),
    field(
        "bg_image_url",
        "",
        Kind::Text("nothing: URL input is disabled on this server", ""),
        "Refused.",
    ),
];
