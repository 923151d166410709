//! Gaussian blur in linear time: three extended box filters a direction, whatever the sigma.
//!
//! Boxes with fractional ends hit the wanted variance exactly, also below one pixel (Gwosdek,
//! Grewenig, Bruhn, Weickert, "Theoretical Foundations of Gaussian Convolution by Extended Box
//! Filtering", SSVM 2011). Beyond the picture its outermost samples repeat, so that a constant
//! picture stays constant and a subject that the border cuts stays solid there.

/// Lines that are filtered side by side, one in each lane of the vector registers.
const LANES: usize = 16;
type Bundle = [f32; LANES];

/// How often the box is applied: three boxes come within 3 % of the Gaussian (SVG 1.1,
/// `feGaussianBlur`).
const PASSES: usize = 3;

/// A sample that can be blurred.
pub trait Sample: Copy + PartialEq {
    /// The value to sum.
    fn widen(self) -> f32;
    /// The value to store, rounded and clamped where the type asks for it.
    fn narrow(value: f32) -> Self;
}

impl Sample for u8 {
    fn widen(self) -> f32 {
        self.into()
    }
    fn narrow(value: f32) -> Self {
        // A cast from float to integer saturates.
        (value + 0.5) as u8
    }
}

impl Sample for f32 {
    fn widen(self) -> f32 {
        self
    }
    fn narrow(value: f32) -> Self {
        value
    }
}

/// Blurs `width x height` pixels of `channels` interleaved samples in place.
///
/// `sigma` is the standard deviation in pixels; nothing happens at 0 or below. The cost does not
/// depend on it. Beyond the input: `128 * (longer side + 2 sigma)` bytes.
pub fn gaussian<T: Sample>(
    data: &mut [T],
    width: usize,
    height: usize,
    channels: usize,
    sigma: f32,
) {
    assert_eq!(data.len(), width * height * channels);
    if sigma.is_nan() || sigma <= 0.0 {
        return;
    }
    let kernel = Kernel::new(sigma.min(width.max(height) as f32));
    let stride = width * channels;
    let mut lines = Lines::default();
    // Across: 16 rows at once, one channel after the other.
    for y in (0..height).step_by(LANES) {
        let rows = LANES.min(height - y);
        for c in 0..channels {
            let at = |i: usize, lane: usize| (y + lane) * stride + i * channels + c;
            lines.filter(data, width, rows, at, &kernel);
        }
    }
    // Down: 16 columns of samples at once; their channels need not be told apart.
    for x in (0..stride).step_by(LANES) {
        let columns = LANES.min(stride - x);
        lines.filter(
            data,
            height,
            columns,
            |i, lane| i * stride + x + lane,
            &kernel,
        );
    }
}

/// A box of `2 * radius + 1` full samples and a fraction `end` of one more at each end.
struct Kernel {
    radius: usize,
    end: f32,
    norm: f32,
}

impl Kernel {
    /// The box whose [`PASSES`]-fold application has the variance `sigma^2` (Gwosdek et al.).
    fn new(sigma: f32) -> Self {
        let variance = sigma as f64 * sigma as f64 / PASSES as f64;
        let r = (0.5 * ((12.0 * variance + 1.0).sqrt() - 1.0)).floor();
        let end = (2.0 * r + 1.0) * (r * (r + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (r + 1.0) * (r + 1.0)));
        let norm = 1.0 / (2.0 * r + 1.0 + 2.0 * end);
        Self {
            radius: r as usize,
            end: end as f32,
            norm: norm as f32,
        }
    }

    /// One box over `line[pad..pad + out.len()]`, where `pad = radius + 1`.
    fn apply(&self, line: &[Bundle], out: &mut [Bundle]) {
        let r = self.radius;
        let mut sum = [0.0; LANES];
        for sample in &line[1..2 * r + 2] {
            for (s, v) in sum.iter_mut().zip(sample) {
                *s += v;
            }
        }
        // Sample i of `before` and `after` are the fractional ends of output i; `leaving` and
        // `entering` turn its full samples into those of output i + 1.
        let before = line.iter();
        let after = line[2 * r + 2..].iter();
        let leaving = line[1..].iter();
        for (((out, before), after), leaving) in out.iter_mut().zip(before).zip(after).zip(leaving)
        {
            for k in 0..LANES {
                out[k] = (sum[k] + self.end * (before[k] + after[k])) * self.norm;
                sum[k] += after[k] - leaving[k];
            }
        }
    }
}

/// The buffers of a bundle of lines, reused from one bundle to the next.
#[derive(Default)]
struct Lines {
    padded: Vec<Bundle>,
    result: Vec<Bundle>,
}

impl Lines {
    /// Filters `lanes` lines of `length` samples, where `at(i, lane)` says where sample `i` lies.
    fn filter<T: Sample>(
        &mut self,
        data: &mut [T],
        length: usize,
        lanes: usize,
        at: impl Fn(usize, usize) -> usize,
        kernel: &Kernel,
    ) {
        // Most of a matte is flat: what is further than the three boxes reach from the first and
        // the last change keeps its value.
        let reach = PASSES * (kernel.radius + 1);
        let differs = |i: usize, from: usize| {
            (0..lanes).any(|lane| data[at(i, lane)] != data[at(from, lane)])
        };
        let Some(first) = (1..length).find(|&i| differs(i, 0)) else {
            return;
        };
        let last = (0..length)
            .rev()
            .find(|&i| differs(i, length - 1))
            .unwrap_or(length - 1);
        let start = first.saturating_sub(reach + 1);
        let end = (last + reach + 2).min(length);

        let (pad, n) = (kernel.radius + 1, end - start);
        self.padded.clear();
        self.padded.resize(n + 2 * pad, [0.0; LANES]);
        self.result.clear();
        self.result.resize(n, [0.0; LANES]);
        for (i, bundle) in (start..end).zip(&mut self.padded[pad..]) {
            for (lane, value) in bundle[..lanes].iter_mut().enumerate() {
                *value = data[at(i, lane)].widen();
            }
        }
        for pass in 0..PASSES {
            if pass > 0 {
                self.padded[pad..pad + n].copy_from_slice(&self.result);
            }
            let (head, tail) = (self.padded[pad], self.padded[pad + n - 1]);
            self.padded[..pad].fill(head);
            self.padded[pad + n..].fill(tail);
            kernel.apply(&self.padded, &mut self.result);
        }
        for (i, bundle) in (start..end).zip(&self.result) {
            for (lane, &value) in bundle[..lanes].iter().enumerate() {
                data[at(i, lane)] = T::narrow(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_is_the_one_asked_for() {
        for sigma in [0.3f32, 0.9, 2.0, 7.5] {
            let mut line = vec![0.0f32; 201];
            line[100] = 1.0;
            gaussian(&mut line, 201, 1, 1, sigma);
            let sum: f32 = line.iter().sum();
            let variance: f32 = line
                .iter()
                .enumerate()
                .map(|(i, v)| v * (i as f32 - 100.0).powi(2))
                .sum();
            assert!((sum - 1.0).abs() < 1e-3, "{sigma}: {sum}");
            assert!(
                (variance.sqrt() - sigma).abs() < 0.02 * sigma,
                "{sigma}: {}",
                variance.sqrt()
            );
        }
    }

    #[test]
    fn constant_pictures_stay_constant_at_any_size() {
        for (w, h) in [(1, 1), (1, 9), (3, 40), (33, 17), (200, 2)] {
            for sigma in [0.0, 0.4, 3.0, 1000.0, f32::NAN] {
                let mut data = vec![201u8; w * h * 3];
                gaussian(&mut data, w, h, 3, sigma);
                assert!(data.iter().all(|&v| v == 201), "{w} x {h}, {sigma}");
            }
        }
    }

    #[test]
    fn channels_do_not_mix_and_both_directions_are_alike() {
        let mut data = vec![0u8; 41 * 41 * 2];
        data[(20 * 41 + 20) * 2] = 255;
        gaussian(&mut data, 41, 41, 2, 2.0);
        assert!(data.iter().skip(1).step_by(2).all(|&v| v == 0));
        let at = |x: usize, y: usize| data[(y * 41 + x) * 2];
        assert!(at(20, 20) > 5 && at(18, 20) == at(20, 18) && at(22, 20) == at(18, 20));
    }
}
