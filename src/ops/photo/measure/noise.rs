//! The noise level: Immerkaer's estimate ("Fast Noise Variance Estimation", 1996) of the green
//! channel, over the flattest tenth of its blocks so that texture does not count.

use super::{rank, spread};
use crate::frame::Frame;

const BLOCK: usize = 16;
/// Blocks along a side at most: the figure does not get better by looking at more of them.
const ALONG: usize = 64;

/// Blocks of nearly the same lightness are compared with each other, since noise may depend on it:
/// so many groups, each of at least so many blocks.
const GROUPS: usize = 6;
const IN_GROUP: usize = 24;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Standard deviation in 8-bit samples.
    pub sigma: f32,
    /// By how much a flat block exceeds the flattest of its lightness: a quarter of all against one
    /// of twenty, the middle of the groups. Noise is everywhere, and measures 1.05 to 1.2; fur and
    /// leaves from 1.2 to 2.
    pub spread: f32,
}

/// Measures the noise.
pub fn measured(frame: &Frame) -> Noise {
    let mut blocks = blocks(frame);
    if blocks.is_empty() {
        return Noise {
            sigma: 0.0,
            spread: 1.0,
        };
    }
    blocks.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut levels: Vec<f32> = blocks.iter().map(|(_, level)| *level).collect();
    let groups = (levels.len() / IN_GROUP).clamp(1, GROUPS);
    let mut spreads: Vec<f32> = levels
        .chunks_mut(blocks.len().div_ceil(groups))
        .map(|group| rank(group, 0.25) / rank(group, 0.05).max(0.05))
        .collect();
    Noise {
        sigma: rank(&mut levels, 0.1),
        spread: rank(&mut spreads, 0.5),
    }
}

/// Mean and noise of blocks that are spread over the picture.
fn blocks(frame: &Frame) -> Vec<(f32, f32)> {
    let n = frame.layout().channels();
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let at = |x: usize, y: usize| i32::from(frame.data()[(y * w + x) * n + 1]);
    let mut blocks = Vec::new();
    for top in spread(h, BLOCK, 1, ALONG) {
        for left in spread(w, BLOCK, 1, ALONG) {
            let (mut sum, mut light, mut low, mut high) = (0, 0, 255, 0);
            for y in top..top + BLOCK {
                for x in left..left + BLOCK {
                    let cross = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                    let corners =
                        at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
                    sum += (corners - 2 * cross + 4 * at(x, y)).abs();
                    light += at(x, y);
                    (low, high) = (low.min(at(x, y)), high.max(at(x, y)));
                }
            }
            // A clipped block has no noise left to measure.
            if low > 4 && high < 251 {
                // Section 2 of the paper: sigma = sqrt(pi / 2) * sum / (6 * pixels).
                let pixels = (BLOCK * BLOCK) as f32;
                let sigma = sum as f32 * std::f32::consts::FRAC_PI_2.sqrt() / (6.0 * pixels);
                blocks.push((light as f32 / pixels, sigma));
            }
        }
    }
    blocks
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
            let Noise { sigma, spread } = measured(&frame);
            assert!(
                (f64::from(sigma) - noise).abs() <= 0.15 * noise + 0.3,
                "{noise}: {sigma}"
            );
            assert!(spread < 1.15, "{noise}: {spread}");
        }
        // Noise that grows with the light is as even at each lightness.
        let shot = (0..256 * 256).flat_map(|i| {
            let light = f64::from(40 + i % 256 / 2);
            [(light + light / 10.0 * gauss()).clamp(0.0, 255.0) as u8; 3]
        });
        let shot = measured(&Frame::new(256, 256, Layout::Rgb, shot.collect()));
        assert!(shot.sigma > 3.5 && shot.spread < 1.2, "{shot:?}");
        // Texture is here more and there less.
        let fur = (0..256 * 256u32).flat_map(|i| {
            let wide = 3.0 + 14.0 * f64::from(i / 256 / 16 * 7 % 16) / 16.0;
            [(120.0 + wide * gauss()).clamp(0.0, 255.0) as u8; 3]
        });
        let fur = measured(&Frame::new(256, 256, Layout::Rgb, fur.collect()));
        assert!(fur.sigma > 3.0 && fur.spread > 1.3, "{fur:?}");
    }
}
