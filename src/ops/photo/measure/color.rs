//! Tones and colours: how much of their range is used, whether there is colour at all, and of
//! what colour nothing in the picture is free.

use super::{rank, spread};
use crate::{frame::Frame, ops::photo::light};

/// What kinds of colour there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Many.
    Color,
    /// One hue, in which the colour follows from the lightness: sepia and other toned pictures.
    Tinted,
    /// None.
    Monochrome,
}

impl Tone {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Color => "color",
            Self::Tinted => "tinted",
            Self::Monochrome => "monochrome",
        }
    }
}

/// Tones and colours of a picture, all in 8-bit samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Colors {
    /// What kinds of colour there are.
    pub tone: Tone,
    /// Luma that one of 200 pixels is below.
    pub black: f32,
    /// Luma that one of 200 pixels is above.
    pub white: f32,
    /// Luma that half of the pixels are below.
    pub middle: f32,
    /// Half of all pixels lie within this of luma.
    pub spread: f32,
    /// Black and white of red, green and blue each.
    pub channels: [Channel; 3],
    /// How far nineteen of twenty places lie off grey, all in one direction.
    pub cast: f32,
}

/// Tones of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Channel {
    /// What one of 200 samples is below.
    pub black: f32,
    /// What one of 200 samples is above.
    pub white: f32,
    /// The mean of its light, 0 to 1.
    pub light: f32,
}

/// The share of pixels beyond which `black` and `white` lie: enough to leave out dust, and
/// reflections of lamps.
const BEYOND: f64 = 0.005;
/// The share of each side that is left out: scans have borders.
const BORDER: f64 = 0.03;
/// Rows and columns that are looked at, at most.
const LINES: usize = 512;
/// Side of the blocks over which colour is averaged, so that noise of colour does not count, and
/// how many along a side at most.
const BLOCK: usize = 8;
const ALONG: usize = 64;
/// Colour below this is none: JPEG makes as much of a grey picture.
const COLORLESS: f32 = 3.0;
/// Where colour follows from lightness as nearly as this, there is one hue; colour photographs,
/// faded ones as well, measure above 4 and 13 (one may be below its limit, not both).
const ONE_HUE: [f32; 2] = [5.0, 9.0];

impl Colors {
    /// Looks at a picture.
    pub(super) fn of(frame: &Frame) -> Self {
        let tones = Tones::of(frame);
        let (tone, cast) = hues(&blocks(frame));
        Self {
            tone,
            black: percentile(&tones.counts[3], BEYOND),
            white: percentile(&tones.counts[3], 1.0 - BEYOND),
            middle: percentile(&tones.counts[3], 0.5),
            spread: percentile(&tones.counts[3], 0.75) - percentile(&tones.counts[3], 0.25),
            channels: std::array::from_fn(|c| Channel {
                black: percentile(&tones.counts[c], BEYOND),
                white: percentile(&tones.counts[c], 1.0 - BEYOND),
                light: mean_light(&tones.counts[c]),
            }),
            cast,
        }
    }

    /// Whether dark and light tones are both missing, as dyes that have faded leave it, and not as
    /// a misty or dim scene has it.
    pub fn is_faded(&self) -> bool {
        let (black, white) = self.ends();
        let range = white - black;
        if self.white - self.black < LEAST_RANGE {
            return false;
        }
        match self.tone {
            Tone::Monochrome | Tone::Tinted => range < 195.0,
            // Photographs that have not faded reach 51 and 64, and no more than one of the two
            // limits between.
            Tone::Color => {
                range < 150.0
                    || black >= 54.0
                    || (black >= 42.0 && white <= 238.0)
                    || (black - 20.0).max(0.0)
                        + (240.0 - white).max(0.0)
                        + self.cast.clamp(0.0, 30.0)
                        >= 68.0
            }
        }
    }

    /// Whether light and shade are close together, once black is black and white is white.
    pub fn is_flat(&self) -> bool {
        let (black, white) = self.ends();
        self.tone != Tone::Color && self.spread < 0.18 * (white - black)
    }

    /// The darkest and the lightest tone. A strong pure colour shows that dyes have not faded,
    /// whatever its luma is.
    fn ends(&self) -> (f32, f32) {
        /// By how much a channel may differ from luma for no other reason than a cast.
        const APART: f32 = 25.0;
        if self.tone != Tone::Color {
            return (self.black, self.white);
        }
        let [r, g, b] = self.channels;
        let black = r.black.min(g.black).min(b.black) + APART;
        let white = r.white.max(g.white).max(b.white) - APART;
        (self.black.min(black), self.white.max(white))
    }
}

/// A picture with fewer tones than this has nothing in it.
const LEAST_RANGE: f32 = 24.0;

/// Luma of a pixel (ITU-R BT.601), in 8-bit samples.
pub fn luma(pixel: &[u8]) -> f32 {
    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// How often each sample occurs: red, green, blue, luma.
struct Tones {
    counts: [[u32; 256]; 4],
}

impl Tones {
    fn of(frame: &Frame) -> Self {
        let mut counts = [[0; 256]; 4];
        let n = frame.layout().channels();
        let (columns, rows) = (inner(frame.width()), inner(frame.height()));
        let step = |range: &std::ops::Range<usize>| range.len().div_ceil(LINES).max(1);
        for y in rows.clone().step_by(step(&rows)) {
            let row = frame.row(y as u32);
            for x in columns.clone().step_by(step(&columns)) {
                let pixel = &row[x * n..(x + 1) * n];
                if n == 4 && pixel[3] == 0 {
                    continue;
                }
                for (counts, &v) in counts.iter_mut().zip(&pixel[..3]) {
                    counts[usize::from(v)] += 1;
                }
                counts[3][luma(pixel).round() as usize] += 1;
            }
        }
        Self { counts }
    }
}

/// A side without what may be a border.
fn inner(side: u32) -> std::ops::Range<usize> {
    let border = (f64::from(side) * BORDER) as usize;
    border..side as usize - border
}

/// The sample below which a share of all lies; 0 where there are none.
fn percentile(counts: &[u32; 256], share: f64) -> f32 {
    let all: u32 = counts.iter().sum();
    let below = (f64::from(all) * share) as u32;
    let mut sum = 0;
    for (v, count) in counts.iter().enumerate() {
        sum += count;
        if sum > below {
            return v as f32;
        }
    }
    0.0
}

fn mean_light(counts: &[u32; 256]) -> f32 {
    let all: u32 = counts.iter().sum();
    let sum: f64 = (0..=255u8)
        .map(|v| f64::from(light::of(v)) * f64::from(counts[usize::from(v)]))
        .sum();
    (sum / f64::from(all.max(1))) as f32
}

/// Lightness and colour of a block: luma, and how far blue and red differ from it.
type Block = [f32; 3];

fn blocks(frame: &Frame) -> Vec<Block> {
    let n = frame.layout().channels();
    let (columns, rows) = (inner(frame.width()), inner(frame.height()));
    let mut blocks = Vec::new();
    for top in spread(rows.len(), BLOCK, 0, ALONG) {
        for left in spread(columns.len(), BLOCK, 0, ALONG) {
            let mut sums = [0u32; 3];
            for y in 0..BLOCK {
                let row = frame.row((rows.start + top + y) as u32);
                let pixels = &row[(columns.start + left) * n..];
                for pixel in pixels.chunks_exact(n).take(BLOCK) {
                    for (sum, &v) in sums.iter_mut().zip(pixel) {
                        *sum += u32::from(v);
                    }
                }
            }
            let [r, g, b] = sums.map(|sum| sum as f32 / (BLOCK * BLOCK) as f32);
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            blocks.push([luma, b - luma, r - luma]);
        }
    }
    blocks
}

/// The kinds of colour, and the cast.
fn hues(blocks: &[Block]) -> (Tone, f32) {
    if blocks.is_empty() {
        return (Tone::Color, 0.0);
    }
    let median = |of: &dyn Fn(&Block) -> f32, among: &[&Block]| {
        let mut values: Vec<f32> = among.iter().map(|block| of(block)).collect();
        rank(&mut values, 0.5)
    };
    let all: Vec<&Block> = blocks.iter().collect();
    let mut chroma: Vec<f32> = blocks.iter().map(|[_, b, r]| b.hypot(*r)).collect();
    if rank(&mut chroma, 0.9) < COLORLESS {
        return (Tone::Monochrome, 0.0);
    }
    // How far colour lies from that of other blocks of the same lightness.
    let mut apart = Vec::with_capacity(blocks.len());
    for level in 0..16 {
        let same = |block: &&&Block| (block[0] / 16.0) as usize == level;
        let same: Vec<&Block> = all.iter().filter(same).copied().collect();
        if same.is_empty() {
            continue;
        }
        let (blue, red) = (median(&|b| b[1], &same), median(&|b| b[2], &same));
        apart.extend(same.iter().map(|[_, b, r]| (b - blue).hypot(r - red)));
    }
    let (blue, red) = (median(&|b| b[1], &all), median(&|b| b[2], &all));
    let length = blue.hypot(red).max(1e-3);
    let along = |[_, b, r]: &Block| (b * blue + r * red) / length;
    let mut along: Vec<f32> = blocks.iter().map(along).collect();
    let cast = rank(&mut along, 0.05).max(0.0);
    let one_hue = rank(&mut apart, 0.8) < ONE_HUE[0] && rank(&mut apart, 0.95) < ONE_HUE[1];
    match one_hue && cast >= COLORLESS {
        true => (Tone::Tinted, cast),
        false => (Tone::Color, cast),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    /// A picture of slopes, each pixel mapped by `map`.
    fn picture(map: impl Fn([f32; 3]) -> [f32; 3]) -> Frame {
        let (w, h) = (320u32, 240u32);
        let pixel = |i: u32| {
            let (x, y) = ((i % w) as f32 / w as f32, (i / w) as f32 / h as f32);
            let base = [
                255.0 * x,
                255.0 * (x * 0.6 + y * 0.4),
                255.0 * (1.0 - (x - y).abs()) * (0.2 + 0.8 * x),
            ];
            map(base).map(|v| v.round().clamp(0.0, 255.0) as u8)
        };
        Frame::new(w, h, Layout::Rgb, (0..w * h).flat_map(pixel).collect())
    }

    #[test]
    fn kinds_of_colour_are_told_apart() {
        let tone = |map: fn([f32; 3]) -> [f32; 3]| Colors::of(&picture(map)).tone;
        assert_eq!(tone(|p| p), Tone::Color);
        assert_eq!(tone(|[_, g, _]| [g; 3]), Tone::Monochrome);
        assert_eq!(tone(|[_, g, _]| [g + 1.0, g, g - 1.5]), Tone::Monochrome);
        let sepia = |[_, g, _]: [f32; 3]| [20.0 + g * 0.9, 10.0 + g * 0.85, g * 0.7];
        assert_eq!(tone(sepia), Tone::Tinted);
    }

    #[test]
    fn fading_is_told_from_a_picture_that_has_all_its_tones() {
        assert!(!Colors::of(&picture(|p| p)).is_faded());
        let faded = Colors::of(&picture(|p| p.map(|v| 60.0 + 0.55 * v)));
        assert!(faded.is_faded(), "{faded:?}");
        let red = Colors::of(&picture(|[r, g, b]| {
            [90.0 + 0.55 * r, 50.0 + 0.6 * g, 40.0 + 0.5 * b]
        }));
        assert!(red.is_faded(), "{red:?}");
        assert!((red.channels[0].black - 92.0).abs() < 5.0, "{red:?}");
    }
}
