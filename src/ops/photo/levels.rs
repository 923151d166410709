//! Tones and colours by one curve a channel: what has faded, what is dim, the colour of the light.
//!
//! Black and white points move on the scale of stored samples, which is near to that of
//! perception and lies between the two ways in which pictures fade: dyes lose density, which is a
//! power of the light, and a veil adds to it. The balance of colours is a matter of light, so
//! gains are applied to that.

use super::{
    light,
    measure::{Colors, Tone},
};
use crate::frame::Frame;

/// A curve for red, green and blue each.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves([[u8; 256]; 3]);

impl Curves {
    /// The curves that map a sample of channel `c` to `map(c, sample)`.
    fn new(map: impl Fn(usize, f32) -> f32) -> Self {
        let curve = |c| std::array::from_fn(|v| map(c, v as f32).round().clamp(0.0, 255.0) as u8);
        Self(std::array::from_fn(curve))
    }

    /// Maps every pixel.
    pub fn apply(&self, frame: &mut Frame) {
        let n = frame.layout().channels();
        for pixel in frame.data_mut().chunks_exact_mut(n) {
            for (v, curve) in pixel.iter_mut().zip(&self.0) {
                *v = curve[usize::from(*v)];
            }
        }
    }
}

/// A straight line between samples.
#[derive(Debug, Clone, Copy)]
struct Line {
    slope: f32,
    offset: f32,
}

impl Line {
    /// The line that takes `from` to `to`, or one through the middle of both that is as steep as
    /// `most`.
    fn through(from: [f32; 2], to: [f32; 2], most: f32) -> Self {
        let slope = ((to[1] - to[0]) / (from[1] - from[0]).max(1.0)).clamp(1.0, most);
        let offset = (to[0] + to[1] - slope * (from[0] + from[1])) / 2.0;
        Self { slope, offset }
    }

    fn at(self, v: f32) -> f32 {
        self.slope * v + self.offset
    }
}

/// Where the ends of a picture's tones are put; most photographs that have not faded have theirs
/// near it.
const ENDS: [f32; 2] = [24.0, 236.0];
/// The steepest line that is used: steeper ones show the steps between samples.
const STEEPEST: f32 = 2.6;
/// How far the ends of each channel count against those of luma: the rest may be the colour of the
/// light.
const OWN: f32 = 0.6;
/// How far the grey-world assumption counts beside that.
const GREY_WORLD: f32 = 0.15;
/// What is left of faded dyes is lighter in the middle than a line makes it; a power of samples.
const POWER: f32 = 1.08;

/// What brings back the tones of a picture that has faded, and takes out a cast that lies on all
/// of it. A picture of one hue, or of none, keeps it.
pub fn unfaded(colors: &Colors) -> Curves {
    let share = match colors.tone {
        Tone::Color => OWN,
        Tone::Tinted | Tone::Monochrome => 0.0,
    };
    let lines: [Line; 3] = std::array::from_fn(|c| {
        let own = colors.channels[c];
        let from = [
            colors.black + share * (own.black - colors.black),
            colors.white + share * (own.white - colors.white),
        ];
        // What reaches further than that is not drawn in.
        let to = [ENDS[0].min(from[0]), ENDS[1].max(from[1])];
        Line::through(from, to, STEEPEST)
    });
    let mut gains = [1.0; 3];
    if share > 0.0 {
        let lights: [f32; 3] = std::array::from_fn(|c| {
            light::light(
                lines[c]
                    .at(light::sample(colors.channels[c].light))
                    .max(1.0),
            )
        });
        let mean = lights.iter().sum::<f32>() / 3.0;
        gains = lights.map(|light| (mean / light).powf(GREY_WORLD).clamp(0.87, 1.15));
    }
    let bent = |v: f32| 255.0 * (v / 255.0).clamp(0.0, 1.0).powf(POWER);
    Curves::new(|c, v| lit(bent(lines[c].at(v)), gains[c]))
}

/// A sample in so much more light; black and beyond stays.
fn lit(v: f32, gain: f32) -> f32 {
    match gain == 1.0 || v <= 0.0 {
        true => v,
        false => light::sample(light::light(v) * gain),
    }
}

/// How far tones are moved towards their goal: a second time there is less left to do.
const TONE: f32 = 0.7;
/// The goal of the darkest and of the lightest tone.
const REACH: [f32; 2] = [6.0, 249.0];
/// A picture whose middle tone lies between these is neither too dark nor too light.
const MIDDLE: [f32; 2] = [92.0, 165.0];
/// The strongest curve, as a power of samples from 0 to 1.
const BENT: [f32; 2] = [0.72, 1.25];
/// How far the light's colour is taken out, and the largest and smallest gain for it.
const BALANCE: f32 = 0.6;
const GAINS: [f32; 2] = [0.8, 1.25];

/// What brings out the tones of an ordinary picture, and takes out a part of the colour of the
/// light, as far as each is asked for.
pub fn enhanced(colors: &Colors, tone: bool, balance: bool) -> Curves {
    let gains = match balance && colors.tone == Tone::Color {
        true => balanced(colors),
        false => [1.0; 3],
    };
    let curve = match tone {
        true => Bent::of(colors),
        false => Bent::NONE,
    };
    Curves::new(|c, v| curve.at(lit(v, gains[c])))
}

/// A line, then a power.
struct Bent {
    line: Line,
    power: f32,
}

impl Bent {
    const NONE: Self = Self {
        line: Line {
            slope: 1.0,
            offset: 0.0,
        },
        power: 1.0,
    };

    fn of(colors: &Colors) -> Self {
        // Of all channels, so that no strong colour is cut off.
        let ends = |end: fn(&super::measure::Channel) -> f32| colors.channels.each_ref().map(end);
        let black = ends(|c| c.black).into_iter().fold(255.0, f32::min);
        let white = ends(|c| c.white).into_iter().fold(0.0, f32::max);
        if white - black < 24.0 {
            // There is nothing in it that could be brought out.
            return Self::NONE;
        }
        let towards = |from: f32, to: f32| from + TONE * (to - from);
        let to = [
            towards(black, REACH[0]).min(black),
            towards(white, REACH[1]).max(white),
        ];
        let line = Line::through([black, white], to, 1.35);
        let middle = line.at(colors.middle).clamp(8.0, 247.0);
        let goal = towards(middle, middle.clamp(MIDDLE[0], MIDDLE[1]));
        let power = ((goal / 255.0).ln() / (middle / 255.0).ln()).clamp(BENT[0], BENT[1]);
        Self { line, power }
    }

    fn at(&self, v: f32) -> f32 {
        let v = self.line.at(v);
        match self.power == 1.0 {
            true => v,
            false => 255.0 * (v / 255.0).clamp(0.0, 1.0).powf(self.power),
        }
    }
}

/// Gains of light on which two assumptions agree: that the world is grey on average, and that the
/// lightest is white.
fn balanced(colors: &Colors) -> [f32; 3] {
    let logs = |light: [f32; 3]| {
        let mean = light.iter().sum::<f32>() / 3.0;
        light.map(|light| (mean.max(1e-4) / light.max(1e-4)).ln())
    };
    let grey = logs(colors.channels.map(|c| c.light));
    // What is clipped says nothing of its colour.
    let clipped = colors.channels.iter().any(|c| c.white > 252.0);
    let white = match clipped {
        true => [0.0; 3],
        false => logs(colors.channels.map(|c| light::light(c.white))),
    };
    let agreed = |a: f32, b: f32| match a * b > 0.0 {
        true => a.signum() * a.abs().min(b.abs()),
        false => 0.0,
    };
    let gains: [f32; 3] = std::array::from_fn(|c| (BALANCE * agreed(grey[c], white[c])).exp());
    // Brightness stays: weights of luminance (ITU-R BT.709).
    let sum = 0.2126 * gains[0] + 0.7152 * gains[1] + 0.0722 * gains[2];
    gains.map(|gain| (gain / sum).clamp(GAINS[0], GAINS[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::photo::tests::distance;
    use crate::{
        frame::Layout,
        ops::{Source, photo::measure::Findings},
    };

    fn slopes(map: impl Fn([f32; 3]) -> [f32; 3]) -> Frame {
        let (w, h) = (256u32, 128u32);
        let pixel = |i: u32| {
            let (x, y) = ((i % w) as f32, (i / w) as f32);
            let base = [x, (x + y) / 1.5, 255.0 - x / 2.0 - y];
            map(base.map(|v| v.clamp(0.0, 255.0))).map(|v| v.round().clamp(0.0, 255.0) as u8)
        };
        Frame::new(w, h, Layout::Rgb, (0..w * h).flat_map(pixel).collect())
    }

    fn colors(frame: &Frame) -> Colors {
        Findings::of(frame, &Source::default()).colors
    }

    #[test]
    fn what_has_faded_comes_back() {
        let clean = slopes(|p| p);
        for faded in [
            slopes(|p| p.map(|v| 55.0 + 0.6 * v)),
            slopes(|[r, g, b]| [80.0 + 0.6 * r, 50.0 + 0.6 * g, 30.0 + 0.55 * b]),
        ] {
            let mut back = faded.clone();
            unfaded(&colors(&faded)).apply(&mut back);
            let (before, after) = (distance(&faded, &clean), distance(&back, &clean));
            assert!(after < 0.75 * before, "{before} became {after}");
        }
    }

    #[test]
    fn grey_stays_grey_and_a_tint_stays() {
        let grey = slopes(|[_, g, _]| [60.0 + 0.5 * g; 3]);
        let mut back = grey.clone();
        unfaded(&colors(&grey)).apply(&mut back);
        assert!(
            back.data()
                .chunks_exact(3)
                .all(|p| p[0] == p[1] && p[1] == p[2])
        );
        let sepia = slopes(|[_, g, _]| [70.0 + 0.55 * g, 55.0 + 0.52 * g, 30.0 + 0.5 * g]);
        let mut back = sepia.clone();
        unfaded(&colors(&sepia)).apply(&mut back);
        let middle = &back.row(64)[128 * 3..129 * 3];
        assert!(middle[0] > middle[1] && middle[1] > middle[2], "{middle:?}");
    }

    #[test]
    fn enhancing_twice_does_little_more_than_once() {
        let dim = slopes(|[r, g, b]| [20.0 + 0.4 * r, 15.0 + 0.4 * g, 10.0 + 0.3 * b]);
        let once = |frame: &Frame| {
            let mut better = frame.clone();
            enhanced(&colors(frame), true, true).apply(&mut better);
            better
        };
        let (first, second) = (once(&dim), once(&once(&dim)));
        let (step, more) = (distance(&dim, &first), distance(&first, &second));
        assert!(more < 0.7 * step, "{step}, then {more}");
        let none = enhanced(&colors(&dim), false, false);
        let mut same = dim.clone();
        none.apply(&mut same);
        assert!(same == dim);
        let plain = Frame::filled(64, 64, Layout::Rgb, [120, 120, 120, 0]);
        assert!(once(&plain) == plain, "there is nothing to bring out");
    }
}
