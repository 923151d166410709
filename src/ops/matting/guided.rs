//! The linear functions of the guided filter, found window by window on a small copy.

use super::sums::{Sums, window};
use crate::frame::{Frame, Mask, Rect};

/// Added to the variance of the colours in a window (0..=255, squared): noise is no edge. It is
/// 2e-4 on the papers' scale of 0..=1; 3e-5 to 1e-3 differ little.
const NOISE: f64 = 2e-4 * 255.0 * 255.0;
/// A window whose function is this far off (mean square, 0..=255) counts half as much as one that
/// is exact: a weighted mean keeps edges sharper than the papers' plain one (Chen and Wu, "Weighted
/// aggregation for guided image filtering", Signal, Image and Video Processing 14, 2020).
const HALF_TRUST: f64 = 100.0;

/// What a window found: a function and how much of the matte it explains, both times the weight
/// of the window, and the weight.
pub type Found = [f32; 6];

/// Finds the function of each pixel inside `area` of the small copy that is in `doubt` (above 0), and
/// hands them on row by row, from the top; the first argument is the row within the area. What it says
/// of other pixels means nothing.
pub fn guided(
    guide: &Frame,
    matte: &Mask,
    doubt: &Mask,
    area: Rect,
    radius: usize,
    mut use_row: impl FnMut(usize, &[Found]),
) {
    let (w, h) = (area.width as usize, area.height as usize);
    let mut moments = Sums::<u32, 14>::new(w, h, radius);
    let mut means = Sums::<f32, 6>::new(w, h, radius);
    // How many pixels of each window are in doubt: where there is none, nobody asks for its function.
    let mut asked = Sums::<u32, 1>::new(w, h, radius);
    for y in 0..h {
        let row = means.advance(|y, found| {
            let sums = moments.advance(|y, row| {
                let (y, x) = (area.y + y as u32, area.x as usize);
                let pixels = &guide.row(y).as_chunks::<3>().0[x..];
                for ((m, px), &p) in row.iter_mut().zip(pixels).zip(&matte.row(y)[x..]) {
                    *m = products(px.map(u32::from), p.into());
                }
            });
            let asked = asked.advance(|y, row| {
                let doubt = &doubt.row(area.y + y as u32)[area.x as usize..];
                for (n, &doubt) in row.iter_mut().zip(doubt) {
                    *n = [u32::from(doubt > 0)];
                }
            });
            for (x, (found, sum)) in found.iter_mut().zip(sums).enumerate() {
                *found = match asked[x] {
                    [0] => [0.0; 6],
                    _ => solve(sum, window(y, h, radius) * window(x, w, radius)),
                };
            }
        });
        use_row(y, row);
    }
}

/// What is summed over windows: colour and matte, and their products. Whole numbers, so that
/// running sums stay exact.
#[rustfmt::skip]
fn products([r, g, b]: [u32; 3], p: u32) -> [u32; 14] {
    [r, g, b, p, r * r, r * g, r * b, g * g, g * b, b * b, r * p, g * p, b * p, p * p]
}

/// Least squares of the matte over the colours of one window of `count` pixels: equation 19 of the
/// 2013 paper, with the inverse of the 3 x 3 matrix written out.
fn solve(sum: &[u32; 14], count: usize) -> Found {
    let n = 1.0 / count as f64;
    let [r, g, b, p, rr, rg, rb, gg, gb, bb, rp, gp, bp, pp] = sum.map(|v| f64::from(v) * n);
    let variance = pp - p * p;
    // Whole numbers: what is not constant varies by more than 1 / count.
    if variance * (count as f64) < 0.5 {
        return [0.0, 0.0, 0.0, p as f32, 0.0, 1.0];
    }
    let (rr, rg, rb) = (rr - r * r + NOISE, rg - r * g, rb - r * b);
    let (gg, gb, bb) = (gg - g * g + NOISE, gb - g * b, bb - b * b + NOISE);
    let (rp, gp, bp) = (rp - r * p, gp - g * p, bp - b * p);
    let (irr, irg, irb) = (gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb);
    let (igg, igb, ibb) = (rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg);
    let inverse = 1.0 / (rr * irr + rg * irg + rb * irb);
    let fr = (irr * rp + irg * gp + irb * bp) * inverse;
    let fg = (irg * rp + igg * gp + igb * bp) * inverse;
    let fb = (irb * rp + igb * gp + ibb * bp) * inverse;
    let explained = (fr * rp + fg * gp + fb * bp).clamp(0.0, variance);
    let weight = HALF_TRUST / (variance - explained + HALF_TRUST);
    let constant = p - fr * r - fg * g - fb * b;
    [fr, fg, fb, constant, explained / variance, 1.0].map(|v| (v * weight) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn what_is_in_doubt_gets_the_function_that_it_would_get_were_all_in_doubt() {
        const SIDE: u32 = 40;
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let mask = |value: fn(u32, u32) -> u8| {
            let data = (0..SIDE * SIDE).map(|i| value(i % SIDE, i / SIDE));
            Mask::new(SIDE, SIDE, data.collect())
        };
        let guide = Frame::new(
            SIDE,
            SIDE,
            Layout::Rgb,
            (0..SIDE * SIDE * 3).map(noise).collect(),
        );
        let matte = mask(|x, y| (x * 5 + y * 2) as u8);
        // Two places, the first at a corner, so that windows are cut off and lie apart.
        let doubt = mask(|x, y| u8::from(x + y < 4 || (x.abs_diff(25) < 2 && y.abs_diff(18) < 3)));
        let area = Rect {
            x: 0,
            y: 0,
            width: SIDE,
            height: SIDE,
        };
        for radius in [1, 3] {
            let found = |doubt: &Mask| {
                let mut all = Vec::new();
                guided(&guide, &matte, doubt, area, radius, |_, row| {
                    all.extend_from_slice(row);
                });
                all
            };
            let (some, all) = (found(&doubt), found(&mask(|_, _| 1)));
            let asked = (0..all.len()).filter(|&i| doubt.data()[i] > 0);
            for i in asked {
                let [a, b] = [&some, &all].map(|found| found[i].map(|v| v / found[i][5]));
                for (a, b) in a.iter().zip(b) {
                    assert!((a - b).abs() < 1e-2, "radius {radius}, {i}: {a}, {b}");
                }
            }
            assert!(some.iter().any(|found| found[5] == 0.0), "some are skipped");
        }
    }
}
