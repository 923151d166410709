//! Gives a grey picture colours: the model's colours, joined with the picture's own lightness.

use std::sync::OnceLock;

use ndarray::Array4;

use super::{
    manifest::{Colors, Entry, Range},
    tensor,
    tiles::{self, Run},
};
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Filter, Frame, Layout},
};

/// The white of D65 (CIE 15, two degrees).
const WHITE: [f32; 3] = [0.95047, 1.0, 1.08883];

/// The picture in colour. Alpha stays.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::DeadlinePassed`], [`Error::ModelFailed`].
pub fn colorize(
    frame: Frame,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
) -> Result<Frame, Error> {
    cancel.check()?;
    let output = tiles::first(run, vec![grey(&frame, entry).into_dyn()])?;
    cancel.reached(0.9);
    let (width, height, planes) = match entry.colors {
        Colors::Ab => tensor::planes(&output, 2)?,
        Colors::Rgb => tensor::planes(&output, 3)?,
    };
    let (a, b) = match entry.colors {
        Colors::Ab => (planes[0].to_vec(), planes[1].to_vec()),
        Colors::Rgb => (0..width * height)
            .map(|i| {
                let unit = if entry.output_range == Range::Byte {
                    255.0
                } else {
                    1.0
                };
                let [r, g, b] = [0, 1, 2].map(|c| {
                    let plane = if entry.bgr { 2 - c } else { c };
                    decode((planes[plane][i] / unit).clamp(0.0, 1.0))
                });
                let [x, y, z] = xyz([r, g, b]);
                (500.0 * (curve(x) - curve(y)), 200.0 * (curve(y) - curve(z)))
            })
            .unzip(),
    };
    let colors = Plane {
        width,
        height,
        a,
        b,
    };
    let mut frame = match frame.layout() {
        Layout::Gray => frame.in_color(),
        _ => frame,
    };
    let (w, h, n) = (
        frame.width() as usize,
        frame.height() as usize,
        frame.layout().channels(),
    );
    for (y, row) in frame.data_mut().chunks_exact_mut(w * n).enumerate() {
        if y % 256 == 0 {
            cancel.check()?;
        }
        for (x, pixel) in row.chunks_exact_mut(n).enumerate() {
            let (a, b) = colors.at((x, w), (y, h));
            let joined = joined(lightness(pixel), a, b);
            pixel[..3].copy_from_slice(&joined);
        }
    }
    Ok(frame)
}

/// The picture at the model's size without its colours: the grey of the same lightness.
fn grey(frame: &Frame, entry: &Entry) -> Array4<f32> {
    let size = entry.size;
    let small = frame.resized(size, size, Filter::Bilinear);
    let n = small.layout().channels();
    let unit = if entry.range == Range::Byte {
        255.0
    } else {
        1.0
    };
    let side = size as usize;
    let mut tensor = Array4::zeros((1, 3, side, side));
    let planes = tensor.as_slice_mut().expect("a fresh array is contiguous");
    for (c, plane) in planes.chunks_exact_mut(side * side).enumerate() {
        let (mean, std) = (entry.mean[c], entry.std[c]);
        for (value, pixel) in plane.iter_mut().zip(small.data().chunks_exact(n)) {
            let f = lightness(pixel);
            *value = (encode(uncurve(f)) * unit - mean) / std;
        }
    }
    tensor
}

/// The curve of CIE Lab at the pixel's luminance: L is 116 of it less 16.
fn lightness(pixel: &[u8]) -> f32 {
    let channel = |c: usize| linear(pixel[c.min(pixel.len() - 1)]);
    let y = 0.212_672_9 * channel(0) + 0.715_152_2 * channel(1) + 0.072_175 * channel(2);
    curve(y)
}

/// The colour of a lightness and the planes a and b, in sRGB; what is out of its reach is cut off.
fn joined(f: f32, a: f32, b: f32) -> [u8; 3] {
    let x = WHITE[0] * uncurve(f + a / 500.0);
    let y = uncurve(f);
    let z = WHITE[2] * uncurve(f - b / 200.0);
    // IEC 61966-2-1, inverted with its own primaries.
    [
        3.240_454_2 * x - 1.537_138_5 * y - 0.498_531_4 * z,
        -0.969_266 * x + 1.876_010_8 * y + 0.041_556 * z,
        0.055_643_4 * x - 0.204_025_9 * y + 1.057_225_2 * z,
    ]
    .map(|v| encoded()[(v.clamp(0.0, 1.0) * STEPS as f32).round() as usize])
}

/// X, Y and Z over those of white.
fn xyz([r, g, b]: [f32; 3]) -> [f32; 3] {
    [
        (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / WHITE[0],
        0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b,
        (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / WHITE[2],
    ]
}

/// The curve of CIE Lab, and back (CIE 15, with its exact constants).
fn curve(t: f32) -> f32 {
    match t > 216.0 / 24_389.0 {
        true => t.cbrt(),
        false => (24_389.0 / 27.0 * t + 16.0) / 116.0,
    }
}

fn uncurve(f: f32) -> f32 {
    match f > 6.0 / 29.0 {
        true => f * f * f,
        false => (116.0 * f - 16.0) * 27.0 / 24_389.0,
    }
}

/// sRGB to linear light and back (IEC 61966-2-1).
fn decode(v: f32) -> f32 {
    match v <= 0.040_45 {
        true => v / 12.92,
        false => ((v + 0.055) / 1.055).powf(2.4),
    }
}

fn encode(v: f32) -> f32 {
    match v <= 0.003_130_8 {
        true => v * 12.92,
        false => 1.055 * v.powf(1.0 / 2.4) - 0.055,
    }
}

fn linear(sample: u8) -> f32 {
    static TABLE: OnceLock<[f32; 256]> = OnceLock::new();
    TABLE.get_or_init(|| std::array::from_fn(|i| decode(i as f32 / 255.0)))[usize::from(sample)]
}

/// Steps of the table of [`encoded`]: the steepest of them are a fifth of an 8-bit level.
const STEPS: usize = 1 << 14;

fn encoded() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    let level = |i: usize| (encode(i as f32 / STEPS as f32) * 255.0).round() as u8;
    TABLE.get_or_init(|| (0..=STEPS).map(level).collect())
}

/// The planes a and b of the model's size.
struct Plane {
    width: usize,
    height: usize,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Plane {
    /// Both at a pixel of a picture of another size, between the four nearest values.
    fn at(&self, (x, width): (usize, usize), (y, height): (usize, usize)) -> (f32, f32) {
        let place = |at: usize, of: usize, side: usize| {
            let at = ((at as f32 + 0.5) * side as f32 / of as f32 - 0.5).max(0.0);
            let low = (at as usize).min(side - 1);
            (low, (low + 1).min(side - 1), at - low as f32)
        };
        let (left, right, u) = place(x, width, self.width);
        let (top, bottom, v) = place(y, height, self.height);
        let mix = |plane: &[f32]| {
            let row = |y: usize| {
                let row = &plane[y * self.width..];
                row[left] + (row[right] - row[left]) * u
            };
            row(top) + (row(bottom) - row(top)) * v
        };
        (mix(&self.a), mix(&self.b))
    }
}

/// Bytes of the planes of the model's size, beside the run itself.
pub fn plane_bytes(entry: &Entry) -> u64 {
    u64::from(entry.size).pow(2) * 5 * 4
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::engine::manifest::own_entry;

    fn entry(more: &str) -> Entry {
        let text =
            format!("task = 'colorize'\nresize = 'stretch'\nsize = 64\npeak_mib = 1\n{more}");
        own_entry(&text).unwrap()
    }

    fn ramp() -> Frame {
        let data = (0..100 * 80).flat_map(|i| [(i % 251) as u8; 3]).collect();
        Frame::new(100, 80, Layout::Rgb, data)
    }

    #[test]
    fn without_colours_a_grey_picture_stays_what_it_is() {
        let run = &mut |_| Ok(vec![ArrayD::zeros(vec![1, 2, 64, 64])]);
        let done = colorize(ramp(), &entry(""), &Cancel::new(), run).unwrap();
        for (a, b) in done.data().iter().zip(ramp().data()) {
            assert!(a.abs_diff(*b) <= 1, "{a} for {b}");
        }
    }

    #[test]
    fn colours_come_from_the_model_and_lightness_from_the_picture() {
        // L 50, a 40, b 20 is (188, 88, 87) in sRGB.
        let grey = Frame::filled(10, 10, Layout::Rgba, [119, 119, 119, 77]);
        let ab = |_| {
            let at = |at: ndarray::IxDyn| if at[1] == 0 { 40.0 } else { 20.0 };
            Ok(vec![ArrayD::from_shape_fn(vec![1, 2, 64, 64], at)])
        };
        let done = colorize(grey.clone(), &entry(""), &Cancel::new(), &mut { ab }).unwrap();
        for (found, known) in done.row(4)[..4].iter().zip([188, 88, 87, 77]) {
            assert!(found.abs_diff(known) <= 3, "{:?}", &done.row(4)[..4]);
        }
        // The same colour as pixels: only its colour is taken, whatever its lightness.
        let rgb = |_| {
            let color = [188.0, 88.0, 87.0];
            Ok(vec![ArrayD::from_shape_fn(
                vec![1, 3, 64, 64],
                |at: ndarray::IxDyn| color[at[1]],
            )])
        };
        let card = entry("colors = 'rgb'\nrange = 'byte'\noutput_range = 'byte'");
        let other = colorize(grey, &card, &Cancel::new(), &mut { rgb }).unwrap();
        for (a, b) in other.row(4)[..4].iter().zip(&done.row(4)[..4]) {
            assert!(a.abs_diff(*b) <= 3);
        }
    }

    #[test]
    fn the_model_sees_grey_of_the_unit_that_it_takes() {
        for (more, unit) in [("", 1.0), ("range = 'byte'", 255.0)] {
            let frame = Frame::filled(9, 9, Layout::Rgb, [51, 51, 51, 0]);
            let tensor = grey(&frame, &entry(more));
            for c in 0..3 {
                assert!((tensor[[0, c, 3, 3]] - 0.2 * unit).abs() < 2e-3 * unit);
            }
        }
    }
}
