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

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(profile: &ColorProfile, samples: Samples, data: &[u8]) -> Vec<u8> {
        let profile = profile.encode().expect("it is one of the crate's own");
        raw(Some(profile), samples, data).into_srgb().into_data()
    }

    fn raw(profile: Option<Vec<u8>>, samples: Samples, data: &[u8]) -> Raw {
        let width = (data.len() / samples.count()) as u32;
        Raw {
            width,
            height: 1,
            samples,
            data: data.to_vec(),
            profile,
        }
    }

    #[test]
    fn colours_of_a_wide_profile_become_those_of_srgb() {
        let p3 = ColorProfile::new_display_p3();
        // Computed from the primaries of SMPTE EG 432-1 and IEC 61966-2-1 in double precision.
        let near = |found: &[u8], wanted: &[u8]| {
            assert!(
                found.iter().zip(wanted).all(|(a, b)| a.abs_diff(*b) <= 1),
                "{found:?}"
            );
        };
        near(
            &converted(&p3, Samples::Rgb, &[128, 64, 64]),
            &[138, 59, 62],
        );
        near(
            &converted(&p3, Samples::Rgb, &[200, 100, 150]),
            &[215, 93, 152],
        );
        near(&converted(&p3, Samples::Rgb, &[255, 0, 0]), &[255, 0, 0]);
        near(&converted(&p3, Samples::Rgb, &[90, 90, 90]), &[90, 90, 90]);
        near(
            &converted(&p3, Samples::Rgba, &[128, 64, 64, 7]),
            &[138, 59, 62, 7],
        );
    }

    #[test]
    fn gray_follows_its_tone_curve() {
        let gamma = ColorProfile::new_gray_with_gamma(1.8);
        // 255 * srgb((100 / 255) ^ 1.8)
        let found = converted(&gamma, Samples::Gray, &[0, 100, 255]);
        for (found, wanted) in found.iter().zip([0, 0, 0, 119, 119, 119, 255, 255, 255]) {
            assert!(found.abs_diff(wanted) <= 1, "{found} {wanted}");
        }
        let found = converted(&gamma, Samples::GrayAlpha, &[100, 40]);
        assert!(found[0].abs_diff(119) <= 1 && found[3] == 40, "{found:?}");
    }

    #[test]
    fn a_profile_that_is_srgb_changes_nothing() {
        let srgb = ColorProfile::new_srgb()
            .encode()
            .expect("it is one of the crate's own");
        assert!(transform(&srgb, Samples::Rgb).is_none());
        let p3 = ColorProfile::new_display_p3()
            .encode()
            .expect("it is one of the crate's own");
        assert!(transform(&p3, Samples::Rgb).is_some());
    }

    #[test]
    fn broken_profiles_and_those_of_other_samples_are_ignored() {
        let p3 = ColorProfile::new_display_p3()
            .encode()
            .expect("it is one of the crate's own");
        for profile in [vec![], vec![0; 4000], p3[..200].to_vec(), p3.clone()] {
            let frame = raw(Some(profile), Samples::Gray, &[50]).into_srgb();
            assert_eq!(frame.data(), [50, 50, 50]);
        }
        for at in 0..p3.len() {
            let mut changed = p3.clone();
            changed[at] ^= 0xff;
            let _ = raw(Some(changed), Samples::Rgb, &[1, 2, 3]).into_srgb();
        }
    }

    #[test]
    fn inks_take_from_white() {
        let inks = [0, 0, 0, 0, 255, 0, 0, 0, 0, 128, 255, 51];
        let frame = raw(None, Samples::Cmyk, &inks).into_srgb();
        assert_eq!(frame.data(), [255, 255, 255, 0, 255, 255, 204, 102, 0]);
    }

    #[test]
    fn inks_go_through_their_profile() {
        // Every mixture is the same grey, L* 50, which is 119 in sRGB; 8 bits of Lab are coarse.
        let frame = raw(Some(constant_press()), Samples::Cmyk, &[9, 99, 199, 0]).into_srgb();
        assert!(
            frame.data().iter().all(|v| v.abs_diff(119) <= 3),
            "{:?}",
            frame.data()
        );
    }

    /// A CMYK profile (ICC.1:2001-04, 6.5.6 lut8Type with a grid of two) of one colour.
    fn constant_press() -> Vec<u8> {
        let mut lut = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
        for i in 0..9 {
            lut.extend(i32::to_be_bytes(if i % 4 == 0 { 1 << 16 } else { 0 }));
        }
        lut.extend((0..=255).collect::<Vec<u8>>().repeat(4));
        // L* in 255ths of 100, a* and b* from 128.
        lut.extend([128, 128, 128].repeat(16));
        lut.extend((0..=255).collect::<Vec<u8>>().repeat(3));
        let mut profile = vec![0; 128];
        profile[..4].copy_from_slice(&(144 + lut.len() as u32).to_be_bytes());
        profile[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
        profile[12..24].copy_from_slice(b"prtrCMYKLab ");
        profile[36..40].copy_from_slice(b"acsp");
        // The illuminant D50.
        profile[68..80].copy_from_slice(&[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
        profile.extend([0, 0, 0, 1]);
        profile.extend(b"A2B0");
        profile.extend([144, lut.len() as u32].map(u32::to_be_bytes).concat());
        profile.extend(lut);
        profile
    }
}
