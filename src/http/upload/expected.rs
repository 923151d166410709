//! What a route expects of a body.

use crate::config::Settings;

/// Pictures of a batch at most.
const MAX_BATCH: usize = 100;

/// What a body may hold beside options.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Further files, by field name.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Those of them that hold a picture in base64, which is longer than the picture.
    pub(super) encoded: &'static [&'static str],
    /// Media types of bodies that are kept as they are, as the file [`BODY`].
    pub(super) whole: &'static [&'static str],
    /// The rules of other services' forms: a body without a picture is for its route to judge, and
    /// of two pictures the last one counts.
    pub(super) lenient: bool,
    pub(super) pictures: usize,
    pub(super) max_body: u64,
    pub(super) setting: &'static str,
}

/// The name of a body that was kept as it was.
pub const BODY: &str = "body";

impl Expected {
    /// One picture, and further ones of these names.
    pub fn one(files: &'static [(&'static str, &'static str)], settings: &Settings) -> Self {
        Self {
            files,
            encoded: &[],
            whole: &[],
            lenient: false,
            pictures: 1,
            max_body: settings.max_upload.0.saturating_mul(2),
            setting: "--max-upload",
        }
    }

    /// The form of another service: one picture and these files, those of them in base64, and the
    /// media types of bodies that its route reads by itself.
    pub fn of_peer(
        files: &'static [(&'static str, &'static str)],
        encoded: &'static [&'static str],
        whole: &'static [&'static str],
        settings: &Settings,
    ) -> Self {
        Self {
            encoded,
            whole,
            lenient: true,
            ..Self::one(files, settings)
        }
    }

    /// Many pictures, and further ones of these names.
    pub fn batch(files: &'static [(&'static str, &'static str)], settings: &Settings) -> Self {
        Self {
            pictures: MAX_BATCH,
            max_body: settings.max_batch_bytes(),
            setting: "--max-batch",
            ..Self::one(files, settings)
        }
    }
}
