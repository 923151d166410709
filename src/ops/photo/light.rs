//! The curve between stored samples and light: that of sRGB (IEC 61966-2-1).

use std::sync::LazyLock;

/// The light of each 8-bit sample, 0 to 1.
static LIGHT: LazyLock<[f32; 256]> = LazyLock::new(|| std::array::from_fn(|v| light(v as f32)));

/// The light of an 8-bit sample, 0 to 1.
pub fn of(sample: u8) -> f32 {
    LIGHT[usize::from(sample)]
}

/// The light of a sample on the scale of 8 bits, fractions allowed.
pub fn light(sample: f32) -> f32 {
    let v = sample / 255.0;
    match v <= 0.040_45 {
        true => v / 12.92,
        false => ((v + 0.055) / 1.055).powf(2.4),
    }
}

/// The sample, on the scale of 8 bits and not rounded, that shows this light.
pub fn sample(light: f32) -> f32 {
    let l = light.clamp(0.0, 1.0);
    255.0
        * match l <= 0.003_130_8 {
            true => l * 12.92,
            false => 1.055 * l.powf(1.0 / 2.4) - 0.055,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_and_its_inverse_meet() {
        for v in 0..=255u8 {
            assert!((sample(of(v)) - f32::from(v)).abs() < 0.01, "{v}");
        }
        assert!((of(188) - 0.5).abs() < 0.005, "middle grey");
    }
}
