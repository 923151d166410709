//! How near a result is to the truth.

use crate::frame::{Frame, Mask};

/// Figures of one picture, in the order of the columns.
pub type Row = Vec<f64>;

/// What one matte is worth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MatteScore {
    /// Intersection over union of the pixels above one half.
    pub iou: f64,
    /// Mean absolute error, 0 to 1.
    pub mae: f64,
    /// F-measure of the boundaries, with a tolerance of 0.75 % of the diagonal.
    pub boundary: f64,
    /// Sum of absolute differences (0 to 1 each), in thousands.
    pub sad: f64,
}

/// Compares a matte with its truth, of the same size.
pub fn matte(found: &Mask, truth: &Mask) -> MatteScore {
    let pairs = || found.data().iter().zip(truth.data());
    let error: u64 = pairs().map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let error = error as f64 / 255.0;
    MatteScore {
        iou: overlap(found, truth),
        mae: error / found.data().len() as f64,
        boundary: boundaries(found, truth),
        sad: error / 1000.0,
    }
}

/// Intersection over union of what is above one half; 1 where both are empty.
pub fn overlap(found: &Mask, truth: &Mask) -> f64 {
    let pairs = found.data().iter().zip(truth.data());
    let (mut both, mut either) = (0u64, 0u64);
    for (a, b) in pairs.map(|(a, b)| (*a > 127, *b > 127)) {
        both += u64::from(a && b);
        either += u64::from(a || b);
    }
    if either == 0 {
        1.0
    } else {
        both as f64 / either as f64
    }
}

/// Harmonic mean of how much of each boundary lies near the other (Csurka et al. 2013).
fn boundaries(found: &Mask, truth: &Mask) -> f64 {
    let (w, h) = (found.width() as usize, found.height() as usize);
    let radius = (0.0075 * (w as f64).hypot(h as f64)).round().max(1.0) as usize;
    let (a, b) = (boundary(found), boundary(truth));
    let count = |edge: &[bool]| edge.iter().filter(|v| **v).count();
    if count(&a) == 0 || count(&b) == 0 {
        return if count(&a) == count(&b) { 1.0 } else { 0.0 };
    }
    let hits = |edge: &[bool], other: &[bool]| {
        let near = grown(other, w, h, radius);
        let hit = edge.iter().zip(&near).filter(|(e, n)| **e && **n).count();
        hit as f64 / count(edge) as f64
    };
    let (precision, recall) = (hits(&a, &b), hits(&b, &a));
    2.0 * precision * recall / (precision + recall).max(1e-9)
}

/// The pixels above one half that have one below it beside them. Where a subject is cut by the end
/// of the picture it has no boundary that could be found well or badly.
fn boundary(mask: &Mask) -> Vec<bool> {
    let (w, h) = (mask.width() as i64, mask.height() as i64);
    let within = |x: i64, y: i64| (0..w).contains(&x) && (0..h).contains(&y);
    let inside = |x: i64, y: i64| mask.data()[(y * w + x) as usize] > 127;
    let pixels = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
    pixels
        .map(|(x, y)| {
            let mut around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (x + dx, y + dy)));
            inside(x, y) && around.any(|(x, y)| within(x, y) && !inside(x, y))
        })
        .collect()
}

/// Everything within `radius` of what is set.
fn grown(edge: &[bool], w: usize, h: usize, radius: usize) -> Vec<bool> {
    let mut near = vec![false; edge.len()];
    let r = radius as i64;
    let reach: Vec<_> = (-r..=r)
        .map(|dy| ((r * r - dy * dy) as f64).sqrt() as usize)
        .collect();
    for (i, _) in edge.iter().enumerate().filter(|(_, v)| **v) {
        let (x, y) = (i % w, i / w);
        for (k, &half) in reach.iter().enumerate() {
            let Some(row) = (y + k).checked_sub(radius).filter(|row| *row < h) else {
                continue;
            };
            let (left, right) = (x.saturating_sub(half), (x + half).min(w - 1));
            near[row * w + left..=row * w + right].fill(true);
        }
    }
    near
}

/// Peak signal-to-noise ratio of red, green and blue in dB, over the pixels that `counts` names;
/// 99 where there is no difference, and no number where no pixel counts.
pub fn psnr(found: &Frame, truth: &Frame, counts: impl Fn(usize) -> bool) -> f64 {
    let (n, m) = (found.layout().channels(), truth.layout().channels());
    let pixels = found
        .data()
        .chunks_exact(n)
        .zip(truth.data().chunks_exact(m));
    let (mut sum, mut samples) = (0u64, 0u64);
    for (_, (a, b)) in pixels.enumerate().filter(|(i, _)| counts(*i)) {
        for c in 0..3 {
            let difference = u64::from(a[c.min(n - 1)].abs_diff(b[c.min(m - 1)]));
            sum += difference * difference;
            samples += 1;
        }
    }
    match (sum, samples) {
        (_, 0) => f64::NAN,
        (0, _) => 99.0,
        _ => 10.0 * (255.0 * 255.0 * samples as f64 / sum as f64).log10(),
    }
}

/// How colourful a picture looks; 0 is grey, 109 extremely (Hasler and Suesstrunk 2003, their M3).
pub fn colourfulness(frame: &Frame) -> f64 {
    let n = frame.layout().channels();
    let (mut sums, mut squares) = ([0.0; 2], [0.0; 2]);
    for pixel in frame.data().chunks_exact(n) {
        let [r, g, b] = [0, 1, 2].map(|c: usize| f64::from(pixel[c.min(n - 1)]));
        for (k, value) in [r - g, (r + g) / 2.0 - b].into_iter().enumerate() {
            sums[k] += value;
            squares[k] += value * value;
        }
    }
    let mean = sums.map(|sum| sum / frame.pixels() as f64);
    let spread = |k: usize| squares[k] / frame.pixels() as f64 - mean[k] * mean[k];
    (spread(0) + spread(1)).max(0.0).sqrt() + 0.3 * mean[0].hypot(mean[1])
}

/// PSNR before and after, SSIM before and after.
pub fn compared(clean: &Frame, before: &Frame, after: &Frame) -> Row {
    let psnr = |frame| psnr(frame, clean, |_| true);
    vec![
        psnr(before),
        psnr(after),
        ssim(before, clean),
        ssim(after, clean),
    ]
}

/// Structural similarity of the luma (Wang et al. 2004): windows of 11 pixels, a Gaussian of 1.5,
/// K1 0.01 and K2 0.03; those that lie inside alone count.
pub fn ssim(found: &Frame, truth: &Frame) -> f64 {
    const SIDE: usize = 11;
    let (w, h) = (truth.width() as usize, truth.height() as usize);
    if w < SIDE || h < SIDE {
        return f64::NAN;
    }
    let weights: Vec<f64> = (0..SIDE)
        .map(|i| (-((i as f64 - 5.0) / 1.5).powi(2) / 2.0).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let smooth = |plane: Vec<f64>| -> Vec<f64> {
        let (ow, oh) = (w - SIDE + 1, h - SIDE + 1);
        let mut rows = vec![0.0; ow * h];
        for y in 0..h {
            for x in 0..ow {
                let window = &plane[y * w + x..][..SIDE];
                let sum: f64 = window.iter().zip(&weights).map(|(v, k)| v * k).sum();
                rows[y * ow + x] = sum / total;
            }
        }
        let mut out = vec![0.0; ow * oh];
        for y in 0..oh {
            for x in 0..ow {
                let sum: f64 = (0..SIDE).map(|i| rows[(y + i) * ow + x] * weights[i]).sum();
                out[y * ow + x] = sum / total;
            }
        }
        out
    };
    let (a, b) = (luma(found), luma(truth));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect();
    let (aa, bb, ab) = (
        smooth(product(&a, &a)),
        smooth(product(&b, &b)),
        smooth(product(&a, &b)),
    );
    let (a, b) = (smooth(a), smooth(b));
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let score = |i: usize| {
        let (ma, mb) = (a[i], b[i]);
        let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
        (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    };
    (0..a.len()).map(score).sum::<f64>() / a.len() as f64
}

/// BT.601.
fn luma(frame: &Frame) -> Vec<f64> {
    let n = frame.layout().channels();
    let pixels = frame.data().chunks_exact(n);
    let of = |p: &[u8]| {
        let [r, g, b] = [0, 1, 2].map(|c: usize| f64::from(p[c.min(n - 1)]));
        0.299 * r + 0.587 * g + 0.114 * b
    };
    pixels.map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    fn square(left: usize) -> Mask {
        let mut mask = Mask::new(200, 100, vec![0; 20_000]);
        for y in 20..80 {
            mask.data_mut()[y * 200 + left..y * 200 + left + 60].fill(255);
        }
        mask
    }

    #[test]
    fn mattes_are_scored_by_their_overlap_error_and_boundary() {
        let same = matte(&square(50), &square(50));
        assert_eq!(
            (same.iou, same.mae, same.boundary, same.sad),
            (1.0, 0.0, 1.0, 0.0)
        );
        let shifted = matte(&square(70), &square(50));
        assert!((shifted.iou - 40.0 / 80.0).abs() < 1e-9);
        assert!((shifted.mae - 2400.0 / 20_000.0).abs() < 1e-9);
        assert!((shifted.sad - 2.4).abs() < 1e-9);
        // Two of the sides are where they should be, as far as they overlap.
        assert!(
            shifted.boundary > 0.3 && shifted.boundary < 0.7,
            "{}",
            shifted.boundary
        );
        // 0.75 % of the diagonal of this picture is two pixels.
        assert_eq!(matte(&square(52), &square(50)).boundary, 1.0);
        // The end of the picture is none: at the left of both there is nothing to find.
        let half = |to: usize| {
            let row = |_| (0..200).map(move |x| if x < to { 255 } else { 0 });
            Mask::new(200, 100, (0..100).flat_map(row).collect())
        };
        assert_eq!(matte(&half(150), &half(100)).boundary, 0.0);
        let none = Mask::new(200, 100, vec![0; 20_000]);
        assert_eq!(matte(&none, &square(50)).boundary, 0.0);
        assert_eq!(overlap(&none, &none), 1.0);
    }

    #[test]
    fn colourfulness_is_the_spread_and_the_mean_of_two_opponent_colours() {
        let of = |a: [u8; 4], b: [u8; 4]| {
            let mut frame = Frame::filled(10, 10, Layout::Rgb, a);
            let half = frame.data().len() / 2;
            for pixel in frame.data_mut()[half..].chunks_exact_mut(3) {
                pixel.copy_from_slice(&b[..3]);
            }
            colourfulness(&frame)
        };
        assert_eq!(of([90; 4], [200; 4]), 0.0);
        // Red less green is 100 and -100, yellow less blue 50 throughout.
        let (red, green) = ([100, 0, 0, 255], [0, 100, 0, 255]);
        assert!((of(red, green) - (100.0 + 0.3 * 50.0)).abs() < 1e-9);
        assert!((of(red, red) - 0.3 * 100f64.hypot(50.0)).abs() < 1e-9);
    }

    #[test]
    fn pictures_are_scored_in_decibels_and_structure() {
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let data: Vec<u8> = (0..64 * 48 * 3).map(|i| 40 + noise(i) / 2).collect();
        let frame = Frame::new(64, 48, Layout::Rgb, data.clone());
        assert_eq!(psnr(&frame, &frame, |_| true), 99.0);
        assert!((ssim(&frame, &frame) - 1.0).abs() < 1e-9);
        // One level everywhere is 20 log10(255) = 48.13 dB.
        let lighter = Frame::new(64, 48, Layout::Rgb, data.iter().map(|v| v + 1).collect());
        assert!((psnr(&lighter, &frame, |_| true) - 48.130_8).abs() < 1e-3);
        assert!(ssim(&lighter, &frame) > 0.99);
        let other = Frame::new(
            64,
            48,
            Layout::Rgb,
            (0..64 * 48 * 3).map(|i| noise(i + 7)).collect(),
        );
        assert!(ssim(&other, &frame) < 0.2);
        assert!(psnr(&other, &frame, |_| false).is_nan());
    }
}
