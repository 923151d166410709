//! Brings the coarse matte of a model to the size of the picture, along the picture's own edges.
//!
//! A guided filter: He, Sun, Tang, "Guided Image Filtering", PAMI 35 (2013), with the colour guide
//! of its section 3.5, found on a small copy as in He & Sun, "Fast Guided Filter",
//! arXiv:1505.00996. In every window the matte is taken for a linear function of the colour. What
//! the windows around a pixel say is averaged, interpolated, and applied to the full picture.
//!
//! Two things keep the filter from spoiling what the model got right: where the matte is sure, it
//! stays, and where colour does not explain the matte, plain interpolation is all that is done.

mod sums;

use super::pyramid::Place;
use crate::frame::{Filter, Frame, Layout, Mask};
use sums::Sums;

/// Longer side, in pixels, of the small copy. 1024 looks the same and takes 1.7 times as long.
const SMALL_SIDE: u32 = 768;
/// Half a window, in pixels of the coarse matte: about as far as a model's soft edge reaches.
/// With 1 spokes and hair that the model half saw are lost, with 3 grounds leak into subjects.
const RADIUS: f32 = 1.5;
/// The least half window in pixels of the small copy (5 x 5 pixels for 4 unknowns), and the
/// largest, which keeps sums of squares within 32 bits.
const RADIUS_LIMITS: (f32, f32) = (2.0, 32.0);
/// Added to the variance of the colours in a window (0..=255, squared): noise is no edge. It is
/// 2e-4 on the papers' scale of 0..=1; 3e-5 to 1e-3 differ little.
const NOISE: f64 = 2e-4 * 255.0 * 255.0;
/// A window whose function is this far off (mean square, 0..=255) counts half as much as one that
/// is exact: a weighted mean keeps edges sharper than the papers' plain one (Chen, Xiong, Yang,
/// "Weighted Guided Image Filtering with Weighted Aggregation", 2020).
const HALF_TRUST: f64 = 100.0;
/// The share of the matte's variance that colour explains (R squared): up to the first, colour is
/// ignored, from the second on it alone decides.
const EXPLAINED: (f32, f32) = (0.3, 0.7);
/// Values of the coarse matte that are sure: up to the first ground, from the second on subject,
/// if the same holds for all of a window.
const SURE: (u8, u8) = (20, 235);
/// Contrast of the coarse matte around one half, so that its faint veils (up to 0.14) and holes
/// become nothing, and of the result, since the filter flattens what it follows.
const CONTRAST: (f32, f32) = (1.4, 255.0 / 223.0);

/// A matte value (0..=255) as a linear function: factors of red, green and blue (0..=255 each),
/// and a constant.
type Linear = [f32; 4];

/// The matte of the picture's size, out of a coarse one of any size, guided by the picture.
///
/// Time is linear in the pixels, and most of it goes to the surroundings of edges. Memory beyond
/// input and output: at most 8 MiB, however large the picture.
pub fn refine(frame: &Frame, coarse: &Mask) -> Mask {
    let (w, h) = (frame.width(), frame.height());
    let scale = (SMALL_SIDE as f32 / w.max(h) as f32).min(1.0);
    let side = |full: u32| ((full as f32 * scale).round() as u32).max(1);
    let guide = frame.resized(side(w), side(h), Filter::Bilinear);
    let guide = if guide.layout() == Layout::Gray {
        guide.with_alpha()
    } else {
        guide
    }
    .without_alpha();
    let mut matte = coarse.resized(guide.width(), guide.height(), Filter::Bilinear);
    let across = guide.width() as f32 / coarse.width() as f32;
    let down = guide.height() as f32 / coarse.height() as f32;
    let radius = (RADIUS * across.max(down))
        .round()
        .clamp(RADIUS_LIMITS.0, RADIUS_LIMITS.1) as usize;

    let doubt = doubt(&matte, radius);
    for v in matte.data_mut() {
        *v = ((f32::from(*v) - 127.5) * CONTRAST.0 + 128.0) as u8;
    }
    let mut full = Upsampled::new(frame, &guide);
    let mut row = vec![[0.0; 4]; guide.width() as usize];
    guided(&guide, &matte, radius, |y, found| {
        let at = y * row.len();
        let known = matte.data()[at..].iter().zip(&doubt[at..]);
        for ((f, found), (&p, &doubt)) in row.iter_mut().zip(found).zip(known) {
            *f = settle(found, p, doubt);
        }
        full.push(&row);
    });
    full.into_mask()
}

/// How open to doubt each value of the matte is: 0 where it holds, 255 where the picture decides.
fn doubt(matte: &Mask, radius: usize) -> Vec<u8> {
    let (w, h) = (matte.width() as usize, matte.height() as usize);
    // How many pixels of each window are sure ground, and how many sure subject.
    let mut sums = Sums::<u32, 2>::new(w, h, radius);
    let mut doubt = Vec::with_capacity(w * h);
    for y in 0..h {
        let row = sums.advance(|y, row| {
            for (counts, &v) in row.iter_mut().zip(matte.row(y as u32)) {
                *counts = [u32::from(v <= SURE.0), u32::from(v >= SURE.1)];
            }
        });
        let counts = (0..w).map(|x| window(y, h, radius) * window(x, w, radius));
        doubt.extend(row.iter().zip(counts).map(|([ground, subject], n)| {
            if [*ground, *subject].contains(&(n as u32)) {
                0
            } else {
                255
            }
        }));
    }
    // A smooth passage from one to the other, outside of what is in doubt.
    super::blur::gaussian(&mut doubt, w, h, 1, radius as f32 * 0.5);
    for v in &mut doubt {
        *v = v.saturating_mul(2);
    }
    doubt
}

/// Pixels of a window around `at` that lie inside the picture, along one side.
fn window(at: usize, length: usize, radius: usize) -> usize {
    (at + radius).min(length - 1) - at.saturating_sub(radius) + 1
}

/// What a window found: a function and how much of the matte it explains, both times the weight
/// of the window, and the weight.
type Found = [f32; 6];

/// Finds the function of each pixel and hands them on row by row, from the top.
fn guided(guide: &Frame, matte: &Mask, radius: usize, mut use_row: impl FnMut(usize, &[Found])) {
    let (w, h) = (guide.width() as usize, guide.height() as usize);
    let mut moments = Sums::<u32, 14>::new(w, h, radius);
    let mut means = Sums::<f32, 6>::new(w, h, radius);
    for y in 0..h {
        let row = means.advance(|y, found| {
            let sums = moments.advance(|y, row| {
                let (pixels, _) = guide.row(y as u32).as_chunks::<3>();
                for ((m, px), &p) in row.iter_mut().zip(pixels).zip(matte.row(y as u32)) {
                    let [r, g, b] = px.map(u32::from);
                    let p = u32::from(p);
                    *m = [
                        r,
                        g,
                        b,
                        p,
                        r * r,
                        r * g,
                        r * b,
                        g * g,
                        g * b,
                        b * b,
                        r * p,
                        g * p,
                        b * p,
                        p * p,
                    ];
                }
            });
            for (x, (found, sum)) in found.iter_mut().zip(sums).enumerate() {
                *found = solve(sum, window(y, h, radius) * window(x, w, radius));
            }
        });
        use_row(y, row);
    }
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

/// The function to use at a pixel with the coarse value `p`.
fn settle(found: &Found, p: u8, doubt: u8) -> Linear {
    let n = 1.0 / found[5];
    let explained = found[4] * n;
    let by_color = ((explained - EXPLAINED.0) / (EXPLAINED.1 - EXPLAINED.0)).clamp(0.0, 1.0);
    let doubt = f32::from(doubt) / 255.0;
    let share = by_color * doubt * CONTRAST.1;
    let plain = (1.0 - by_color) * f32::from(p) * CONTRAST.1 + 127.5 * (1.0 - CONTRAST.1);
    let sure = if p >= 128 { 255.0 } else { 0.0 };
    let constant = found[3] * n * share + doubt * plain + (1.0 - doubt) * sure;
    [
        found[0] * n * share,
        found[1] * n * share,
        found[2] * n * share,
        constant,
    ]
}

/// The full-size matte, made from rows of functions of the small copy as they come.
struct Upsampled<'a> {
    frame: &'a Frame,
    data: Vec<u8>,
    /// Full rows made so far.
    done: usize,
    /// Rows of functions that came so far; the last one, and the one before it.
    seen: usize,
    lower: Vec<Linear>,
    upper: Vec<Linear>,
    /// The functions of one full row, with the last one repeated.
    between: Vec<Linear>,
    /// Where full-size columns and rows lie between those of the small copy.
    columns: Vec<Place>,
    rows: Vec<Place>,
    small_height: usize,
}

impl<'a> Upsampled<'a> {
    fn new(frame: &'a Frame, small: &Frame) -> Self {
        let (w, h) = (small.width() as usize, small.height() as usize);
        Self {
            frame,
            data: vec![0; frame.pixels()],
            done: 0,
            seen: 0,
            lower: vec![[0.0; 4]; w],
            upper: vec![[0.0; 4]; w],
            between: vec![[0.0; 4]; w + 1],
            columns: Place::all(frame.width() as usize, w, frame.width() as f32 / w as f32),
            rows: Place::all(frame.height() as usize, h, frame.height() as f32 / h as f32),
            small_height: h,
        }
    }

    /// Takes the next row of functions and makes the full rows between it and the one before.
    fn push(&mut self, row: &[Linear]) {
        std::mem::swap(&mut self.upper, &mut self.lower);
        self.lower.copy_from_slice(row);
        self.seen += 1;
        if self.small_height == 1 {
            self.upper.copy_from_slice(row);
        }
        let ready = |row: &&Place| (row.before + 2).min(self.small_height) <= self.seen;
        let rows = self.rows[self.done..].iter().take_while(ready).count();
        if rows == 0 {
            return;
        }
        let runs = self.runs();
        for y in self.done..self.done + rows {
            self.rows[y].mix([&self.upper, &self.lower], &mut self.between);
            match self.frame.layout() {
                Layout::Gray => self.apply::<1>(y, &runs),
                Layout::Rgb => self.apply::<3>(y, &runs),
                Layout::Rgba => self.apply::<4>(y, &runs),
            }
        }
        self.done += rows;
    }

    /// Where the full rows between the two rows of functions are 0, or 255, for sure; `None` in
    /// between. Each run ends where the next one starts.
    fn runs(&self) -> Vec<(Option<u8>, usize)> {
        let sure = |x: usize| {
            let x = x.min(self.upper.len() - 1);
            let value = self.upper[x][3];
            let constant =
                self.upper[x] == [0.0, 0.0, 0.0, value] && self.lower[x] == self.upper[x];
            (constant && (value == 0.0 || value == 255.0)).then_some(value as u8)
        };
        let mut runs: Vec<(Option<u8>, usize)> = Vec::new();
        let mut start = 0;
        for x in 0..self.upper.len() {
            let length = self.columns[start..]
                .iter()
                .take_while(|c| c.before == x)
                .count();
            start += length;
            let value = sure(x).filter(|_| sure(x + 1) == sure(x));
            match runs.last_mut() {
                Some((last, end)) if *last == value => *end = start,
                _ => runs.push((value, start)),
            }
        }
        runs
    }

    fn apply<const N: usize>(&mut self, y: usize, runs: &[(Option<u8>, usize)]) {
        let width = self.columns.len();
        let target = &mut self.data[y * width..][..width];
        let (pixels, _) = self.frame.row(y as u32).as_chunks::<N>();
        let mut start = 0;
        for &(value, end) in runs {
            let run = start..end;
            start = end;
            match value {
                Some(0) => {}
                Some(value) => target[run].fill(value),
                None => {
                    let columns = &self.columns[run.clone()];
                    for ((v, px), c) in target[run.clone()]
                        .iter_mut()
                        .zip(&pixels[run])
                        .zip(columns)
                    {
                        let f = c.sample(&self.between);
                        let [r, g, b] = if N < 3 {
                            [px[0]; 3]
                        } else {
                            [px[0], px[1], px[2]]
                        }
                        .map(f32::from);
                        // The cast saturates.
                        *v = (f[0] * r + f[1] * g + f[2] * b + f[3] + 0.5) as u8;
                    }
                }
            }
        }
    }

    fn into_mask(self) -> Mask {
        Mask::new(self.frame.width(), self.frame.height(), self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(width: u32, height: u32, value: impl Fn(u32, u32) -> f32) -> Mask {
        let data = (0..width * height)
            .map(|i| (value(i % width, i / width).clamp(0.0, 1.0) * 255.0).round() as u8)
            .collect();
        Mask::new(width, height, data)
    }

    fn mean_error(matte: &Mask, truth: &Mask) -> f32 {
        let sum: u32 = matte
            .data()
            .iter()
            .zip(truth.data())
            .map(|(a, b)| u32::from(a.abs_diff(*b)))
            .sum();
        sum as f32 / matte.data().len() as f32
    }

    #[test]
    fn a_soft_coarse_edge_moves_onto_the_edge_of_the_picture() {
        // A tilted edge, red against blue; the coarse matte is soft over 2 of 60 pixels, and displaced.
        for side in [400u32, 1600] {
            let edge = |x: f32, y: f32| x - 0.45 - 0.1 * y;
            let at = |i: u32| (i as f32 + 0.5) / side as f32;
            let truth = mask(
                side,
                side,
                |x, y| if edge(at(x), at(y)) > 0.0 { 1.0 } else { 0.0 },
            );
            let data = truth
                .data()
                .iter()
                .flat_map(|&a| if a > 0 { [200, 30, 30] } else { [20, 40, 160] });
            let frame = Frame::new(side, side, Layout::Rgb, data.collect());
            let coarse = mask(60, 60, |x, y| {
                let (x, y) = ((x as f32 + 0.5) / 60.0, (y as f32 + 0.5) / 60.0);
                (edge(x, y) - 0.005) * 60.0 / 2.0 + 0.5
            });
            let plain = coarse.resized(side, side, Filter::Bilinear);
            let refined = refine(&frame, &coarse);
            let (before, after) = (mean_error(&plain, &truth), mean_error(&refined, &truth));
            assert!(
                after < before / 2.2,
                "{side}: {before} before, {after} after"
            );
        }
    }

    #[test]
    fn what_is_sure_stays_whatever_the_picture_shows() {
        // Noise that has nothing to do with the matte.
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let frame = Frame::new(300, 200, Layout::Rgb, (0..180_000).map(noise).collect());
        let coarse = mask(30, 20, |x, _| if x < 15 { 0.0 } else { 1.0 });
        let refined = refine(&frame, &coarse);
        for row in refined.data().chunks(300) {
            assert!(row[..110].iter().all(|&v| v == 0) && row[190..].iter().all(|&v| v == 255));
        }
    }

    #[test]
    fn without_an_edge_in_the_picture_it_is_plain_interpolation() {
        let frame = Frame::filled(240, 160, Layout::Rgb, [90, 90, 90, 0]);
        let coarse = mask(24, 16, |x, y| if x + y < 18 { 1.0 } else { 0.0 });
        let (refined, plain) = (
            refine(&frame, &coarse),
            coarse.resized(240, 160, Filter::Bilinear),
        );
        for (a, b) in refined.data().iter().zip(plain.data()) {
            // Contrast apart, both are on the same side of one half.
            assert!(
                (*a >= 128) == (*b >= 128) || b.abs_diff(128) < 6,
                "{a} for {b}"
            );
        }
    }

    #[test]
    fn constant_mattes_stay_constant_at_any_size_and_layout() {
        for (w, h) in [
            (1, 1),
            (1, 30),
            (3, 50),
            (50, 3),
            (2, 2),
            (5, 900),
            (801, 7),
            (64, 64),
        ] {
            for (layout, size) in [
                (Layout::Rgb, (288, 288)),
                (Layout::Rgba, (1, 1)),
                (Layout::Gray, (3, 40)),
            ] {
                let n = (w * h) as usize * layout.channels();
                let frame =
                    Frame::new(w, h, layout, (0..n).map(|i| (i * 37 % 251) as u8).collect());
                for value in [0u8, 128, 255] {
                    let coarse = Mask::new(size.0, size.1, vec![value; (size.0 * size.1) as usize]);
                    let refined = refine(&frame, &coarse);
                    assert_eq!((refined.width(), refined.height()), (w, h));
                    let first = refined.data()[0];
                    assert!(
                        refined.data().iter().all(|&v| v == first),
                        "{w} x {h}, {value}"
                    );
                    assert!(first.abs_diff(value) <= 1);
                }
            }
        }
    }

    #[test]
    fn any_matte_on_any_picture_is_taken() {
        for (w, h) in [(1, 1), (2, 9), (13, 1), (17, 31), (769, 3), (100, 100)] {
            for (mw, mh) in [(1, 1), (1, 8), (31, 2), (150, 150)] {
                let frame = Frame::new(
                    w,
                    h,
                    Layout::Rgb,
                    (0..w * h * 3).map(|i| (i * i % 253) as u8).collect(),
                );
                let coarse = mask(mw, mh, |x, y| ((x * 5 + y * 3) % 7) as f32 / 6.0);
                assert_eq!(refine(&frame, &coarse).data().len(), (w * h) as usize);
            }
        }
    }
}
