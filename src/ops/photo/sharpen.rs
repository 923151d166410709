//! Sharpening and a gentle undoing of blur: of luma only, without halos, and not of noise.
//!
//! What is added is bounded by the lightest and darkest samples nearby, so that an edge becomes
//! steeper and does not overshoot; a second pass finds little left to do.

use super::measure::luma;
use crate::{cancel::Cancel, error::Error, frame::Frame, ops::blur::gaussian};

/// Rows that are worked on at once.
const BAND: usize = 128;
/// The standard deviation of the unsharp mask in pixels.
const FINE: f32 = 1.0;
/// How far a sample may go beyond its neighbours, in 8-bit samples.
const OVERSHOOT: f32 = 3.0;
/// The strongest blur that is undone, in pixels: beyond it there is nothing left to bring back.
const MOST_BLUR: f32 = 2.5;

/// Adds `amount` times the difference to a slightly blurred picture. Differences within `noise`
/// (a standard deviation in 8-bit samples) are left alone.
///
/// # Errors
/// [`Error::Cancelled`] or [`Error::DeadlinePassed`], between bands of rows.
pub fn sharpen(frame: &mut Frame, amount: f32, noise: f32, cancel: &Cancel) -> Result<(), Error> {
    let detail = |plane: &[f32], w: usize, h: usize| {
        let mut soft = plane.to_vec();
        gaussian(&mut soft, w, h, 1, FINE);
        let pairs = plane.iter().zip(&mut soft);
        pairs.for_each(|(v, s)| *s = amount * (v - *s));
        soft
    };
    add(frame, 4, 1, noise, detail, cancel)
}

/// Undoes a Gaussian blur of `sigma` pixels as far as two steps of van Cittert's method do
/// ("Zum Einfluss der Spaltbreite auf die Intensitaetsverteilung in Spektrallinien", 1931), whose
/// gain stays below three at the finest detail, so that noise is not made of nothing.
///
/// # Errors
/// As [`sharpen`].
pub fn deblur(frame: &mut Frame, sigma: f32, noise: f32, cancel: &Cancel) -> Result<(), Error> {
    let sigma = sigma.min(MOST_BLUR);
    let detail = |plane: &[f32], w: usize, h: usize| {
        let mut once = plane.to_vec();
        gaussian(&mut once, w, h, 1, sigma);
        let mut twice = once.clone();
        gaussian(&mut twice, w, h, 1, sigma);
        for ((v, once), twice) in plane.iter().zip(&once).zip(&mut twice) {
            // (1 - G) + (1 - G)^2, where G blurs.
            *twice += 2.0 * v - 3.0 * once;
        }
        twice
    };
    let reach = (8.0 * sigma).ceil() as usize + 2;
    add(frame, reach, sigma.ceil() as usize, noise, detail, cancel)
}

/// Adds `detail` of luma to all colours. It is computed in bands of rows that reach so many rows
/// into each other; what is added keeps within the samples that lie `near`.
fn add(
    frame: &mut Frame,
    reach: usize,
    near: usize,
    noise: f32,
    detail: impl Fn(&[f32], usize, usize) -> Vec<f32>,
    cancel: &Cancel,
) -> Result<(), Error> {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let n = frame.layout().channels();
    // Bands are read where others have been written already, so luma is kept.
    let pixels = frame.data().chunks_exact(n);
    let kept: Vec<u8> = pixels.map(|pixel| luma(pixel).round() as u8).collect();
    for top in (0..h).step_by(BAND) {
        cancel.check()?;
        let bottom = (top + BAND).min(h);
        let (first, last) = (top.saturating_sub(reach), (bottom + reach).min(h));
        let rows = last - first;
        let plane: Vec<f32> = kept[first * w..last * w]
            .iter()
            .map(|&v| f32::from(v))
            .collect();
        let detail = detail(&plane, w, rows);
        let low = nearby(&plane, w, rows, near, f32::min);
        let high = nearby(&plane, w, rows, near, f32::max);
        let start = (top - first) * w;
        let band = &mut frame.data_mut()[top * w * n..bottom * w * n];
        for (i, pixel) in band.chunks_exact_mut(n).enumerate() {
            let i = start + i;
            let strong = detail[i].signum() * (detail[i].abs() - noise).max(0.0);
            let goal = (plane[i] + strong).clamp(low[i] - OVERSHOOT, high[i] + OVERSHOOT);
            let more = goal - plane[i];
            for v in pixel.iter_mut().take(3) {
                // A cast from float to integer saturates.
                *v = (f32::from(*v) + more + 0.5) as u8;
            }
        }
    }
    Ok(())
}

/// The least or greatest value of the square of `2 * radius + 1` samples around each.
fn nearby(plane: &[f32], w: usize, h: usize, radius: usize, pick: fn(f32, f32) -> f32) -> Vec<f32> {
    let mut across = plane.to_vec();
    for (source, target) in plane.chunks_exact(w).zip(across.chunks_exact_mut(w)) {
        for by in 1..=radius.min(w.saturating_sub(1)) {
            for (target, &v) in target.iter_mut().zip(&source[by..]) {
                *target = pick(*target, v);
            }
            for (target, &v) in target[by..].iter_mut().zip(source) {
                *target = pick(*target, v);
            }
        }
    }
    let mut both = across.clone();
    for by in 1..=radius.min(h.saturating_sub(1)) {
        let shift = by * w;
        for (target, &v) in both.iter_mut().zip(&across[shift..]) {
            *target = pick(*target, v);
        }
        for (target, &v) in both[shift..].iter_mut().zip(&across) {
            *target = pick(*target, v);
        }
    }
    both
}

/// Bytes that sharpening holds beside a picture of this size: luma, and a few bands of it.
pub fn peak_bytes(width: u64, height: u64) -> u64 {
    let rows = (BAND as u64 + 2 * ((8.0 * MOST_BLUR) as u64 + 3)).min(height);
    width * height + 8 * 4 * width * rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;
    use crate::ops::photo::tests::distance;

    fn bars(blurred: f32) -> Frame {
        let (w, h) = (160u32, 300u32);
        let bar = |i: u32| {
            if ((i % w + i / w / 2) / 20).is_multiple_of(2) {
                60u8
            } else {
                190
            }
        };
        let mut data: Vec<u8> = (0..w * h)
            .flat_map(|i| [bar(i), bar(i), bar(i), 77])
            .collect();
        for pixel in data.chunks_exact_mut(4) {
            pixel[0] += 20;
        }
        let alpha = |data: &mut Vec<u8>| data.chunks_exact_mut(4).for_each(|p| p[3] = 77);
        gaussian(&mut data, w as usize, h as usize, 4, blurred);
        alpha(&mut data);
        Frame::new(w, h, Layout::Rgba, data)
    }

    #[test]
    fn blur_is_undone_in_part_and_nothing_overshoots() {
        let clean = bars(0.0);
        for sigma in [1.2, 2.0] {
            let soft = bars(sigma);
            let mut back = soft.clone();
            deblur(&mut back, sigma, 0.0, &Cancel::new()).unwrap();
            let (before, after) = (distance(&soft, &clean), distance(&back, &clean));
            assert!(after < 0.88 * before, "{sigma}: {before} became {after}");
            let (low, high) = (60.0 - OVERSHOOT, 190.0 + OVERSHOOT + 1.0);
            let green = back.data().iter().skip(1).step_by(4);
            assert!(
                green
                    .into_iter()
                    .all(|&v| f32::from(v) >= low && f32::from(v) <= high)
            );
            assert!(back.data().iter().skip(3).step_by(4).all(|&a| a == 77));
        }
    }

    #[test]
    fn bands_leave_no_seam() {
        // The rows are all alike but for a slant, so every one must come out like those 40 rows on.
        let mut frame = bars(1.5);
        deblur(&mut frame, 1.5, 0.0, &Cancel::new()).unwrap();
        for y in 40..180u32 {
            let (a, b) = (frame.row(y), frame.row(y + 80));
            let same = a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1);
            assert!(same, "row {y}");
        }
    }

    #[test]
    fn sharpening_leaves_faint_noise_and_flat_ground() {
        let speckle = |i: u32| [(128 + i.wrapping_mul(2_654_435_761) % 3) as u8; 3];
        let data: Vec<u8> = (0..90 * 70).flat_map(speckle).collect();
        let mut frame = Frame::new(90, 70, Layout::Rgb, data.clone());
        sharpen(&mut frame, 1.0, 2.0, &Cancel::new()).unwrap();
        assert!(frame.data() == data);
        let mut stopped = frame.clone();
        let cancel = Cancel::new();
        cancel.cancel();
        assert_eq!(
            sharpen(&mut stopped, 1.0, 0.0, &cancel),
            Err(Error::Cancelled)
        );
    }
}
