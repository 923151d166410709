//! Any colours to sRGB: through the embedded profile where there is a usable one.

use std::sync::Arc;

use moxcms::{
    ColorProfile, DataColorSpace, Layout as Samples8, ParsingOptions, Transform8BitExecutor,
    TransformOptions,
};

use super::MAX_PROFILE;
use crate::frame::{Frame, Layout, div255};

/// Pixels that are converted at once: little enough to stay cached.
const BLOCK: usize = 4096;

/// The samples of a pixel as a decoder gives them, 8 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// 255 is full ink.
    Cmyk,
}

impl Samples {
    pub(super) const fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    /// The layout of the frame that becomes of them.
    const fn target(self) -> Layout {
        match self {
            Self::Gray | Self::Rgb | Self::Cmyk => Layout::Rgb,
            Self::GrayAlpha | Self::Rgba => Layout::Rgba,
        }
    }
}

/// Decoded pixels before their colours are known.
pub(super) struct Raw {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) samples: Samples,
    /// Exactly `width * height * samples.count()` bytes.
    pub(super) data: Vec<u8>,
    /// The embedded ICC profile.
    pub(super) profile: Option<Vec<u8>>,
}

impl Raw {
    /// The picture in sRGB. A profile that is broken, or is made for other samples than these, is
    /// ignored, as if it were sRGB (grey: its tone curve); CMYK is then converted without one.
    pub(super) fn into_srgb(self) -> Frame {
        let layout = self.samples.target();
        let transform = self
            .profile
            .and_then(|profile| transform(&profile, self.samples));
        let mut data = self.data;
        match (self.samples, transform) {
            (Samples::Rgb | Samples::Rgba, None) => {}
            (Samples::Rgb | Samples::Rgba, Some(transform)) => {
                in_place(&mut data, self.samples, &*transform)
            }
            (samples, Some(transform)) => {
                // The executor refuses lengths that do not match only, and these do.
                data = widened(&data, samples.count(), layout.channels(), |from, to| {
                    let _ = transform.transform(from, to);
                });
            }
            (Samples::Gray, None) => {
                data = widened(&data, 1, 3, |from, to| {
                    for (&v, to) in from.iter().zip(to.as_chunks_mut::<3>().0) {
                        *to = [v; 3];
                    }
                });
            }
            (Samples::GrayAlpha, None) => {
                data = widened(&data, 2, 4, |from, to| {
                    for (&[v, a], to) in from.as_chunks().0.iter().zip(to.as_chunks_mut::<4>().0) {
                        *to = [v, v, v, a];
                    }
                });
            }
            (Samples::Cmyk, None) => data = widened(&data, 4, 3, naive),
        }
        Frame::new(self.width, self.height, layout, data)
    }
}

/// `data` with `to` samples a pixel in place of `from`.
fn widened(data: &[u8], from: usize, to: usize, convert: impl Fn(&[u8], &mut [u8])) -> Vec<u8> {
    let mut target = vec![0; data.len() / from * to];
    for (from, to) in data.chunks(BLOCK * from).zip(target.chunks_mut(BLOCK * to)) {
        convert(from, to);
    }
    target
}

fn in_place(data: &mut [u8], samples: Samples, transform: &Transform8BitExecutor) {
    let mut block = vec![0; BLOCK * samples.count()];
    for part in data.chunks_mut(block.len()) {
        let block = &mut block[..part.len()];
        if transform.transform(part, block).is_ok() {
            part.copy_from_slice(block);
        }
    }
}

/// Inks that lie over each other without any correction: what is left of white after each.
fn naive(inks: &[u8], rgb: &mut [u8]) {
    for (&[c, m, y, k], rgb) in inks.as_chunks().0.iter().zip(rgb.as_chunks_mut::<3>().0) {
        *rgb = [c, m, y].map(|ink| div255(u32::from(255 - ink) * u32::from(255 - k)));
    }
}

/// The way from a profile to sRGB; `None` where there is none, and where it changes nothing.
fn transform(profile: &[u8], samples: Samples) -> Option<Arc<Transform8BitExecutor>> {
    let limits = ParsingOptions {
        max_profile_size: MAX_PROFILE,
        // The largest tables in use (four inks, 33 steps each, to three values) have 3.6 million.
        max_allowed_clut_size: 4_000_000,
        ..ParsingOptions::default()
    };
    let profile = ColorProfile::new_from_slice_with_options(profile, limits).ok()?;
    let (space, from, to) = match samples {
        Samples::Gray => (DataColorSpace::Gray, Samples8::Gray, Samples8::Rgb),
        Samples::GrayAlpha => (DataColorSpace::Gray, Samples8::GrayAlpha, Samples8::Rgba),
        Samples::Rgb => (DataColorSpace::Rgb, Samples8::Rgb, Samples8::Rgb),
        Samples::Rgba => (DataColorSpace::Rgb, Samples8::Rgba, Samples8::Rgba),
        Samples::Cmyk => (DataColorSpace::Cmyk, Samples8::Rgba, Samples8::Rgb),
    };
    if profile.color_space != space {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let transform = profile
        .create_transform_8bit(from, &srgb, to, TransformOptions::default())
        .ok()?;
    (!changes_nothing(&*transform, samples)).then_some(transform)
}

/// Whether a transform moves no colour of a 9 x 9 x 9 grid by more than one step: profiles that
/// are sRGB come in many variants, and rounding is no reason to touch a picture.
fn changes_nothing(transform: &Transform8BitExecutor, samples: Samples) -> bool {
    let steps = || (0..=8u32).map(|i| (i * 255 / 8) as u8);
    let grid = steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| [r, g, b])));
    let colors: Vec<u8> = match samples {
        Samples::Rgb => grid.flatten().collect(),
        Samples::Rgba => grid.flat_map(|[r, g, b]| [r, g, b, 255]).collect(),
        Samples::Gray | Samples::GrayAlpha | Samples::Cmyk => return false,
    };
    let mut mapped = vec![0; colors.len()];
    transform.transform(&colors, &mut mapped).is_err()
        || colors.iter().zip(&mapped).all(|(a, b)| a.abs_diff(*b) <= 1)
}
