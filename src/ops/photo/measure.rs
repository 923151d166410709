//! What a photograph suffers from, in figures: noise, JPEG blocks, blur, fading, a cast of colour.
//!
//! Each figure is taken of samples spread over the picture, so that a large picture costs no more
//! than a small one. Where thresholds are named, `docs/restoration.md` has the figures behind them.

mod blocks;
mod blur;
mod color;
mod noise;

pub use color::{Channel, Colors, Tone, luma};

use crate::{
    frame::{Frame, Layout},
    ops::Source,
};

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// Standard deviation of the noise, in 8-bit samples.
    pub noise: f32,
    /// How uneven it is: see [`noise::Noise::spread`].
    spread: f32,
    /// The quality with which a JPEG was written, estimated from its tables.
    pub jpeg_quality: Option<u8>,
    /// By how much steps at the edges of 8 x 8 blocks exceed those beside them, in 8-bit samples.
    pub blocking: f32,
    /// Standard deviation of the blur, in pixels; a sharp photograph measures 0.35 to 0.75.
    pub blur: f32,
    /// Tones and colours.
    pub colors: Colors,
}

/// Bytes that looking holds beside the picture: mostly the edges of the windows that
/// [`blur`] looks at.
pub const PEAK_BYTES: u64 = 12 << 20;

/// From this noise on a picture counts as noisy: clean photographs measure below 2.5, since their
/// own texture is noise to the method.
const NOISY: f32 = 3.0;
/// From this noise on it is no texture.
const SURELY_NOISY: f32 = 8.0;
/// From the first of these spreads on it may be texture, from the second on it is hardly anything
/// else; then so much of it is taken out as the last says.
const UNEVEN: [f32; 2] = [1.22, 1.32];
const LEAST_SHARE: f32 = 0.25;
/// JPEG leaves noise here and takes it there, so from this quality down the spread says nothing.
const EVEN_QUALITY: u8 = 90;
/// Up to this JPEG quality blocks and ringing are seen at normal size, and a net gains from it.
const BLOCKY_QUALITY: u8 = 70;
/// The blocking of a JPEG of quality 60 that was saved in another format since: clean pictures
/// measure below 0.2.
const BLOCKY: f32 = 1.5;
/// The blocking of which nothing would be taken out, and that from which on as much is as from a
/// JPEG whose tables tell.
const SURELY_BLOCKY: [f32; 2] = [1.0, 2.2];
/// How much of what the net makes of a JPEG is taken: texture goes with its ringing. Of Kodak's
/// pictures at quality 20 to 70 all of it has 0.05 dB and 0.007 of SSIM less than this.
const JPEG_SHARE: f32 = 0.75;
/// A picture that was blurred by a Gaussian of 1.3 pixels measures so.
const BLURRED: f32 = 1.0;

impl Findings {
    /// Looks at a picture.
    pub fn of(frame: &Frame, source: &Source) -> Self {
        debug_assert_ne!(frame.layout(), Layout::Gray, "decoding makes RGB or RGBA");
        let noise = noise::measured(frame);
        Self {
            noise: noise.sigma,
            spread: noise.spread,
            jpeg_quality: source.jpeg_quality,
            blocking: blocks::blocking(frame),
            blur: blur::sigma(frame),
            colors: Colors::of(frame),
        }
    }

    /// How much of what the net takes out is to be taken out unasked, 0 to 1.
    pub fn cleaning_share(&self) -> f32 {
        self.noise_share().max(self.blocking_share())
    }

    /// Where there is little noise, or it is uneven, it may be texture.
    fn noise_share(&self) -> f32 {
        if !self.is_noisy() {
            return 0.0;
        }
        let level = ((self.noise - NOISY) / (SURELY_NOISY - NOISY)).clamp(0.3, 1.0);
        let [from, to] = UNEVEN;
        let even = match self.jpeg_quality {
            Some(..EVEN_QUALITY) => 1.0,
            _ => ((to - self.spread) / (to - from)).clamp(LEAST_SHARE, 1.0),
        };
        level * even
    }

    /// Where tables do not tell, faint blocks may be what the picture shows.
    fn blocking_share(&self) -> f32 {
        let [none, all] = SURELY_BLOCKY;
        let level = match self.jpeg_quality {
            Some(..=BLOCKY_QUALITY) => 1.0,
            _ if self.is_blocky() => ((self.blocking - none) / (all - none)).min(1.0),
            _ => 0.0,
        };
        JPEG_SHARE * level
    }

    /// Whether noise is to be seen.
    pub fn is_noisy(&self) -> bool {
        self.noise >= NOISY
    }

    /// Whether the blocks of a JPEG are to be seen. The tables alone do not tell: a fine JPEG may
    /// be made of a coarse one.
    pub fn is_blocky(&self) -> bool {
        self.jpeg_quality
            .is_some_and(|quality| quality <= BLOCKY_QUALITY)
            || self.blocking >= BLOCKY
    }

    /// Whether nothing in the picture is sharp. Noise looks sharp, so a noisy picture says nothing
    /// of it.
    pub fn is_blurred(&self) -> bool {
        self.blur >= BLURRED && !self.is_noisy()
    }
}

/// The places of about `count` windows of `side` pixels, spread evenly over `length` pixels from
/// `margin` on; each window leaves `margin` pixels at the other end too.
fn spread(length: usize, side: usize, margin: usize, count: usize) -> impl Iterator<Item = usize> {
    let room = length.saturating_sub(2 * margin);
    let step = side.max(room.div_ceil(count.max(1)));
    let last = (margin + room).saturating_sub(side);
    (margin..=last).step_by(step).filter(move |_| room >= side)
}

/// The value below which a share of all lies.
fn rank(values: &mut [f32], share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() as f32 * share) as usize).min(values.len() - 1);
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_inside() {
        for (length, side, margin, count) in [
            (100, 16, 1, 4),
            (18, 16, 1, 64),
            (17, 16, 1, 64),
            (3, 8, 0, 9),
            (8, 8, 0, 1),
        ] {
            let places: Vec<_> = spread(length, side, margin, count).collect();
            assert_eq!(places.is_empty(), length < side + 2 * margin, "{length}");
            for at in places {
                assert!(
                    at >= margin && at + side + margin <= length,
                    "{length}: {at}"
                );
            }
        }
    }

    #[test]
    fn a_picture_of_any_size_can_be_measured() {
        for (width, height) in [(1, 1), (1, 300), (7, 9), (40, 3), (33, 18)] {
            let frame = Frame::filled(width, height, Layout::Rgb, [90, 120, 40, 0]);
            let found = Findings::of(&frame, &Source::default());
            assert!(
                !found.is_noisy() && !found.is_blocky() && !found.is_blurred(),
                "{found:?}"
            );
            assert!(!found.colors.is_faded(), "a plain picture has not faded");
        }
    }
}
