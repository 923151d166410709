//! Pictures in and out of files: `probe` tells what a file is and refuses what is too much,
//! `decode` makes an upright sRGB [`Frame`](crate::frame::Frame) of it, `encode` writes a frame.
//!
//! This module is the only door to the crates that know picture formats. Nothing of a file but its
//! pixels passes through it: no profile, no text, no EXIF, no thumbnail.

mod color;
mod decode;
mod encode;
#[cfg(test)]
mod fixtures;
mod probe;

pub use crate::config::{Format, PictureLimits};
pub use decode::{decode, decode_down_to};
pub use encode::{Compression, Encoded, Encoding, Subsampling, encode};
pub use probe::probe;

use crate::frame::Orientation;

/// Profiles larger than this are ignored, in bytes as read. The largest that are in use, for
/// printing presses, have about 2.5 MiB.
const MAX_PROFILE: usize = 4 << 20;

/// How a file stores its colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// One grey sample.
    Gray,
    /// A grey sample and alpha.
    GrayAlpha,
    /// Red, green, blue, or what is derived from them without loss of meaning (YCbCr).
    Rgb,
    /// The same with alpha.
    Rgba,
    /// Indices into a table of colours.
    Palette,
    /// Cyan, magenta, yellow, black.
    Cmyk,
    /// CMYK with its first three samples as YCbCr (Adobe technical note 5116).
    Ycck,
}

impl Color {
    /// The name in logs and in the answer of `inspect`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gray => "gray",
            Self::GrayAlpha => "gray-alpha",
            Self::Rgb => "rgb",
            Self::Rgba => "rgba",
            Self::Palette => "palette",
            Self::Cmyk => "cmyk",
            Self::Ycck => "ycck",
        }
    }
}

/// What the head of a file says about its picture. Made by [`probe()`] only, which has checked it
/// against the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format, by its magic bytes.
    pub format: Format,
    /// Width in pixels as stored, before the orientation is applied.
    pub width: u32,
    /// Height in pixels as stored.
    pub height: u32,
    /// What must be done to see the picture upright.
    pub orientation: Orientation,
    /// How the colours are stored.
    pub color: Color,
    /// Bits of one sample (of one index, where there is a palette): 1 to 64.
    pub bits: u8,
    /// Whether the file has transparency, so that decoding gives RGBA.
    pub has_alpha: bool,
    /// Whether the file holds more than one frame; only the first is decoded.
    pub animated: bool,
    /// Whether an ICC profile is embedded, usable or not.
    pub has_profile: bool,
    /// JPEG only: the quality 1..=100 whose luminance quantisation table (ITU-T T.81 table K.1,
    /// scaled as libjpeg does) is nearest to the file's.
    pub jpeg_quality: Option<u8>,
    /// What only the decoder needs to know.
    hints: Hints,
}

/// Findings of the probe that steer the decoder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Hints {
    /// Bytes that the decoder holds at its peak beside the file and the result.
    scratch: u64,
    /// Bytes that a profile takes, parsed and with the tables that are made of it.
    profile: u64,
    /// PNG: leave the profile alone, it is too large compressed to be inflated.
    skip_profile: bool,
    /// JPEG: an Adobe segment is present, so CMYK samples are stored inverted.
    adobe: bool,
    /// JPEG: place in the file of the Adobe transform byte, in a picture of three components that
    /// it declares to be RGB.
    rgb_flag: Option<usize>,
    /// TIFF: the colours are stored multiplied with alpha.
    premultiplied: bool,
}

impl Header {
    /// A header of what every format has; the rest is as in a plain picture.
    fn new(format: Format, (width, height): (u32, u32), color: Color, bits: u8) -> Self {
        Self {
            format,
            width,
            height,
            orientation: Orientation::Upright,
            color,
            bits,
            has_alpha: matches!(color, Color::GrayAlpha | Color::Rgba),
            animated: false,
            has_profile: false,
            jpeg_quality: None,
            hints: Hints::default(),
        }
    }

    /// Notes a profile of so many bytes.
    fn add_profile(&mut self, bytes: u64) {
        self.has_profile = true;
        // Measured: a press profile of 490 KiB takes 4 MiB, that of a screen 100 KiB.
        self.hints.profile = 8 * bytes.min(MAX_PROFILE as u64) + (1 << 19);
    }

    /// Width and height in pixels as seen, after the orientation is applied.
    pub fn upright_size(&self) -> (u32, u32) {
        if self.orientation.swaps_sides() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }

    /// Width times height.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of the decoded frame.
    pub fn frame_bytes(&self) -> u64 {
        self.pixels() * if self.has_alpha { 4 } else { 3 }
    }

    /// An upper estimate of the bytes that [`decode()`] holds at its peak, those of the file
    /// (`file_bytes`) included.
    pub fn decode_peak(&self, file_bytes: u64) -> u64 {
        // Tables and buffers that do not grow with the picture.
        const FIXED: u64 = 2 << 20;
        // Turning needs a second frame; by then the decoder's own memory is free again.
        let turned = if self.orientation == Orientation::Upright {
            0
        } else {
            self.frame_bytes()
        };
        let decoder = self.hints.scratch + self.hints.profile;
        file_bytes + self.frame_bytes() + turned.max(decoder) + FIXED
    }
}
