//! Brings the coarse matte of a model to the size of the picture, along the picture's own edges.
//!
//! A guided filter: He, Sun, Tang, "Guided Image Filtering", PAMI 35 (2013), with the colour guide
//! of its section 3.5, found on a small copy as in He & Sun, "Fast Guided Filter",
//! arXiv:1505.00996. In every window the matte is taken for a linear function of the colour. What
//! the windows around a pixel say is averaged, interpolated, and applied to the full picture.
//!
//! Two things keep the filter from spoiling what the model got right: where the matte is sure, it
//! stays, and where colour does not explain the matte, plain interpolation is all that is done.

mod guided;
mod sums;
mod upsampled;

use super::options::Trimap;
use crate::frame::{Filter, Frame, Mask, Rect};
use guided::{Found, guided};
use sums::{Sums, window};
use upsampled::upsampled;

/// Longer side, in pixels, of the small copy. 768 changes the matte by 0.1 levels of 255 in the mean,
/// 1024 looks the same too; they take 1.9 and 3 times as long.
const SMALL_SIDE: u32 = 512;
/// Half a window, in pixels of the coarse matte: about as far as a model's soft edge reaches.
/// With 1 spokes and hair that the model half saw are lost, with 3 grounds leak into subjects.
const RADIUS: f32 = 1.5;
/// The least half window in pixels of the small copy (5 x 5 pixels for 4 unknowns), and the
/// largest, which keeps sums of squares within 32 bits.
const RADIUS_LIMITS: (f32, f32) = (2.0, 32.0);
/// The share of the matte's variance that colour explains (R squared): up to the first, colour is
/// ignored, from the second on it alone decides.
const EXPLAINED: (f32, f32) = (0.3, 0.7);
/// Values of the coarse matte that are sure where no trimap says it: up to the first ground, from
/// the second on subject, if the same holds for all of a window.
const SURE: (u8, u8) = (20, 235);
/// Contrast of the coarse matte around one half, so that its faint veils (up to 0.14) and holes
/// become nothing, and of the result, since the filter flattens what it follows.
const CONTRAST: (f32, f32) = (1.4, 255.0 / 223.0);

/// A matte value (0..=255) as a linear function: factors of red, green and blue (0..=255 each),
/// and a constant.
type Linear = [f32; 4];

/// The matte of the picture's size, out of a coarse one of any size, guided by the picture (whose
/// alpha, if it has any, plays no part but for invisible colours).
///
/// A `trimap` says instead of this module's constants which values are sure, and how far from the
/// others they have to be, in pixels of the picture; all further is left to the picture.
///
/// Time is linear in the pixels, and most of it goes to the surroundings of edges. Memory beyond
/// input and output: at most 14 MiB, however large the picture (6 MiB at 12 megapixels).
pub fn refine(frame: &Frame, coarse: &Mask, trimap: Option<Trimap>) -> Mask {
    let guide = small_copy(frame);
    let (w, h) = (guide.width() as usize, guide.height());
    let mut matte = coarse.resized(guide.width(), guide.height(), Filter::Bilinear);
    let pitch = (w as f32 / coarse.width() as f32).max(h as f32 / coarse.height() as f32);
    let radius = (RADIUS * pitch)
        .round()
        .clamp(RADIUS_LIMITS.0, RADIUS_LIMITS.1) as usize;
    let (sure_values, window) = match trimap {
        None => (SURE, radius),
        Some(trimap) => {
            // A square of `erode` pixels that fits is a window of half as many on either side.
            let erode = f32::from(trimap.erode) / 2.0 * w as f32 / frame.width() as f32;
            let window = erode.round().min(RADIUS_LIMITS.1) as usize;
            ((below(trimap.ground), above(trimap.subject)), window)
        }
    };
    let doubt = doubt(&matte, sure_values, window);
    for v in matte.data_mut() {
        *v = ((f32::from(*v) - 127.5) * CONTRAST.0 + 128.0) as u8;
    }

    let mut functions: Vec<Linear> = matte.data().iter().map(|&p| sure(p)).collect();
    if let Some(area) = around(&doubt, 2 * radius.max(window) as u32) {
        let left = area.x as usize;
        guided(&guide, &matte, &doubt, area, radius, |y, found| {
            let y = area.y + y as u32;
            let known = matte.row(y)[left..].iter().zip(&doubt.row(y)[left..]);
            let row = &mut functions[y as usize * w..][left..w];
            for ((f, found), (&p, &doubt)) in row.iter_mut().zip(found).zip(known) {
                *f = settle(found, p, doubt);
            }
        });
    }
    upsampled(frame, &functions, w)
}

/// The picture at [`SMALL_SIDE`], in red, green and blue.
fn small_copy(frame: &Frame) -> Frame {
    let scale = (SMALL_SIDE as f32 / frame.width().max(frame.height()) as f32).min(1.0);
    let side = |full: u32| ((full as f32 * scale).round() as u32).max(1);
    // The mean of an area costs half as much, and is as good where it has two pixels a side.
    let filter = if scale <= 0.5 {
        Filter::Box
    } else {
        Filter::Bilinear
    };
    let small = frame.resized(side(frame.width()), side(frame.height()), filter);
    small.in_color()
}

/// The smallest rectangle around all doubt, `margin` larger on each side. With twice the radius of
/// the windows, the functions inside are those that the whole picture would give.
fn around(doubt: &Mask, margin: u32) -> Option<Rect> {
    let inner = doubt.bounds(1)?;
    let (x, y) = (
        inner.x.saturating_sub(margin),
        inner.y.saturating_sub(margin),
    );
    let right = (inner.x + inner.width + margin).min(doubt.width());
    let bottom = (inner.y + inner.height + margin).min(doubt.height());
    Some(Rect {
        x,
        y,
        width: right - x,
        height: bottom - y,
    })
}

/// The values below a threshold, as the largest of them; where there are none, black itself counts.
fn below(threshold: u8) -> u8 {
    threshold.saturating_sub(1)
}

/// The values above a threshold, as the smallest of them; where there are none, white itself counts.
fn above(threshold: u8) -> u8 {
    threshold.saturating_add(1)
}

/// How open to doubt each value of the matte is: 0 where it holds, 255 where the picture decides.
/// A value holds where it is at most the first of `sure` or at least the second, with all others
/// up to `radius` away.
fn doubt(matte: &Mask, sure: (u8, u8), radius: usize) -> Mask {
    let (w, h) = (matte.width() as usize, matte.height() as usize);
    // How many pixels of each window are sure ground, and how many sure subject.
    let mut sums = Sums::<u32, 2>::new(w, h, radius);
    let mut doubt = Vec::with_capacity(w * h);
    for y in 0..h {
        let row = sums.advance(|y, row| {
            for (counts, &v) in row.iter_mut().zip(matte.row(y as u32)) {
                *counts = [u32::from(v <= sure.0), u32::from(v >= sure.1)];
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
    Mask::new(matte.width(), matte.height(), doubt)
}

/// The function where there is no doubt: the constant 0 or 255.
fn sure(p: u8) -> Linear {
    [0.0, 0.0, 0.0, if p >= 128 { 255.0 } else { 0.0 }]
}

/// The function at a pixel with the coarse value `p`.
fn settle(found: &Found, p: u8, doubt: u8) -> Linear {
    if doubt == 0 {
        return sure(p);
    }
    let doubt = f32::from(doubt) / 255.0;
    let n = 1.0 / found[5];
    let explained = found[4] * n;
    let by_color = ((explained - EXPLAINED.0) / (EXPLAINED.1 - EXPLAINED.0)).clamp(0.0, 1.0);
    let factor = by_color * doubt * CONTRAST.1 * n;
    let plain = (1.0 - by_color) * f32::from(p) * CONTRAST.1 + 127.5 * (1.0 - CONTRAST.1);
    let constant = found[3] * factor + doubt * plain + (1.0 - doubt) * sure(p)[3];
    [
        found[0] * factor,
        found[1] * factor,
        found[2] * factor,
        constant,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

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
        // A tilted edge, red against blue; the coarse matte is soft over 2 of 60 pixels, and
        // displaced.
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
            let refined = refine(&frame, &coarse, None);
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
        let refined = refine(&frame, &coarse, None);
        for row in refined.data().chunks(300) {
            assert!(row[..110].iter().all(|&v| v == 0) && row[190..].iter().all(|&v| v == 255));
        }
    }

    #[test]
    fn a_trimap_says_where_the_picture_may_decide() {
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let frame = Frame::new(300, 200, Layout::Rgb, (0..180_000).map(noise).collect());
        // Ground of 60, subject of 195 from the middle on: neither is sure by itself.
        let coarse = mask(
            300,
            200,
            |x, _| {
                if x < 150 { 60.0 / 255.0 } else { 195.0 / 255.0 }
            },
        );
        let undecided = |trimap| {
            let refined = refine(&frame, &coarse, trimap);
            let row = refined.row(100);
            let wrong = |x: &usize| row[*x] != if *x < 150 { 0 } else { 255 };
            (0..300).filter(wrong).count()
        };
        let at = |subject, ground, erode| {
            undecided(Some(Trimap {
                subject,
                ground,
                erode,
            }))
        };
        assert!(undecided(None) > 200, "without one, noise decides");
        assert_eq!(at(194, 61, 0), 0, "all is sure");
        let (narrow, wide) = (at(194, 61, 10), at(194, 61, 60));
        assert!((5..=40).contains(&narrow), "{narrow}");
        assert!((50..=140).contains(&wide), "{wide}");
        assert!(at(195, 60, 0) > 200, "thresholds are strict");
    }

    #[test]
    fn without_an_edge_in_the_picture_it_is_plain_interpolation() {
        let frame = Frame::filled(240, 160, Layout::Rgb, [90, 90, 90, 0]);
        let coarse = mask(24, 16, |x, y| if x + y < 18 { 1.0 } else { 0.0 });
        let (refined, plain) = (
            refine(&frame, &coarse, None),
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
                    let refined = refine(&frame, &coarse, None);
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
                assert_eq!(refine(&frame, &coarse, None).data().len(), (w * h) as usize);
            }
        }
    }
}
