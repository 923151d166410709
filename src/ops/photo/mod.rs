//! What restoration and enhancement share: what can be measured of a photograph, and gentle
//! corrections of it.

pub mod contrast;
pub mod levels;
mod light;
pub mod measure;
pub mod sharpen;

use super::Limits;
use crate::{
    error::Error,
    frame::{Frame, blend},
};

/// The size of a result that is so many times as large on each side.
///
/// # Errors
/// [`Error::ResultTooLarge`].
pub fn scaled_size(
    (width, height): (u32, u32),
    times: u32,
    limits: &Limits,
) -> Result<(u32, u32), Error> {
    // A side of a picture is far below the range of the type, whatever the limits are.
    let size = (width.saturating_mul(times), height.saturating_mul(times));
    if times > 1 {
        limits.check(size)?;
    }
    Ok(size)
}

/// Mixes the colours of `before` into `after`, which is of the same size: of `after` so much stays
/// as `strength` says. Alpha is that of `after`.
pub fn mix(after: &mut Frame, before: &Frame, strength: f32) {
    let share = (strength * 255.0).round() as u8;
    let n = after.layout().channels();
    let pairs = after.data_mut().chunks_exact_mut(n);
    for (new, old) in pairs.zip(before.data().chunks_exact(n)) {
        for (new, &old) in new.iter_mut().zip(old).take(3) {
            *new = blend(*new, old, share);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::frame::Layout;

    /// How far apart two pictures are: the root of the mean square of the samples' differences.
    pub fn distance(a: &Frame, b: &Frame) -> f32 {
        let pairs = a.data().iter().zip(b.data());
        let sum: f32 = pairs
            .map(|(a, b)| (f32::from(*a) - f32::from(*b)).powi(2))
            .sum();
        (sum / a.data().len() as f32).sqrt()
    }

    #[test]
    fn a_mix_is_between_and_its_ends_are_exact() {
        let old = Frame::filled(4, 3, Layout::Rgba, [100, 0, 255, 9]);
        let new = Frame::filled(4, 3, Layout::Rgba, [200, 50, 5, 80]);
        for (strength, expected) in [(1.0, [200, 50, 5]), (0.0, [100, 0, 255])] {
            let mut mixed = new.clone();
            mix(&mut mixed, &old, strength);
            assert_eq!(mixed.data()[..3], expected);
            assert_eq!(mixed.data()[3], 80, "alpha is not mixed");
        }
        let mut half = new;
        mix(&mut half, &old, 0.5);
        assert!(half.data()[0].abs_diff(150) <= 1);
    }

    #[test]
    fn a_result_that_would_be_too_large_is_refused() {
        let limits = Limits {
            max_pixels: 100,
            max_side: 50,
        };
        assert_eq!(scaled_size((5, 5), 2, &limits), Ok((10, 10)));
        assert!(scaled_size((5, 6), 2, &limits).is_err());
        assert!(scaled_size((13, 1), 4, &limits).is_err());
        assert_eq!(
            scaled_size((60, 9), 1, &limits),
            Ok((60, 9)),
            "the input was let in"
        );
    }
}
