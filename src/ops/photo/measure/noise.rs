//! The noise level: Immerkaer's estimate ("Fast Noise Variance Estimation", 1996) of the green
//! channel, over the flattest tenth of its blocks so that texture does not count.

use super::spread;
use crate::frame::Frame;

const BLOCK: usize = 16;
/// Blocks along a side at most: the figure does not get better by looking at more of them.
const ALONG: usize = 64;

/// Standard deviation of the noise, in 8-bit samples.
pub fn sigma(frame: &Frame) -> f32 {
    let n = frame.layout().channels();
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let at = |x: usize, y: usize| i32::from(frame.data()[(y * w + x) * n + 1]);
    let mut levels = Vec::new();
    for top in spread(h, BLOCK, 1, ALONG) {
        for left in spread(w, BLOCK, 1, ALONG) {
            let (mut sum, mut low, mut high) = (0, 255, 0);
            for y in top..top + BLOCK {
                for x in left..left + BLOCK {
                    let cross = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                    let corners =
                        at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
                    sum += (corners - 2 * cross + 4 * at(x, y)).abs();
                    (low, high) = (low.min(at(x, y)), high.max(at(x, y)));
                }
            }
            // A clipped block has no noise left to measure.
            if low > 4 && high < 251 {
                // Section 2 of the paper: sigma = sqrt(pi / 2) * sum / (6 * pixels).
                levels.push(
                    sum as f32 * (std::f32::consts::FRAC_PI_2).sqrt() / (6 * BLOCK * BLOCK) as f32,
                );
            }
        }
    }
    if levels.is_empty() {
        return 0.0;
    }
    let tenth = levels.len() / 10;
    *levels.select_nth_unstable_by(tenth, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn noise_is_measured_in_its_own_unit() {
        let mut seed = 1u32;
        let mut gauss = move || {
            let mut uniform = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(seed >> 8) / f64::from(1 << 24)
            };
            (0..12).map(|_| uniform()).sum::<f64>() - 6.0
        };
        for noise in [0.0, 5.0, 15.0] {
            let data = (0..256 * 256).flat_map(|_| {
                let v = (128.0 + noise * gauss()).clamp(0.0, 255.0) as u8;
                [v, v, v]
            });
            let frame = Frame::new(256, 256, Layout::Rgb, data.collect());
            let found = sigma(&frame);
            assert!(
                (f64::from(found) - noise).abs() <= 0.15 * noise + 0.3,
                "{noise}: {found}"
            );
        }
    }
}
