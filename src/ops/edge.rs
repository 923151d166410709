//! Changes to the edge of a matte that is already there: threshold, shift, feather; and how sure
//! a matte is.

use super::blur;
use crate::frame::Mask;

/// Makes the matte hard: 255 where it is at least `at` (0..=1, of 255), 0 elsewhere. At 0 that is
/// everything.
pub fn threshold(mask: &mut Mask, at: f32) {
    let least = (at.clamp(0.0, 1.0) * 255.0).ceil() as u8;
    for v in mask.data_mut() {
        *v = if *v >= least { 255 } else { 0 };
    }
}

/// Moves the edge outwards by `pixels` (-50..=50; negative: inwards). Soft edges stay as soft as
/// they are.
///
/// Each pixel takes the largest value within an octagon (inwards: the smallest) whose outline is
/// as long as that of a circle of this radius, so that areas grow as with a circle. Linear in the
/// pixels and in the distance. Memory beyond the mask: three rows, and for a fraction of a pixel
/// another mask.
pub fn shift(mask: &mut Mask, pixels: f32) {
    let distance = if pixels.is_nan() {
        0.0
    } else {
        pixels.abs().min(50.0)
    };
    let (whole, part) = (distance.floor(), distance.fract());
    // To shrink the subject is to grow the ground.
    let inwards = pixels < 0.0;
    if inwards {
        invert(mask);
    }
    grow(mask, whole as u32);
    if part > 0.0 {
        let mut further = mask.clone();
        grow(&mut further, 1);
        let t = (part * 256.0).round() as u32;
        for (v, &more) in mask.data_mut().iter_mut().zip(further.data()) {
            *v = ((u32::from(*v) * (256 - t) + u32::from(more) * t + 128) >> 8) as u8;
        }
    }
    if inwards {
        invert(mask);
    }
}

fn invert(mask: &mut Mask) {
    for v in mask.data_mut() {
        *v = 255 - *v;
    }
}

/// Grows by an octagon, in steps of a square and of a diamond.
fn grow(mask: &mut Mask, radius: u32) {
    let r = radius as f32;
    // A square of half side s has an outline of 8 s, a diamond of half diagonal d one of
    // 4 sqrt(2) d, and their Minkowski sum has both. It is regular where d = sqrt(2) s, and then
    // as long as the circle's 2 pi r where s = pi r / 8.
    let squares = (std::f32::consts::FRAC_PI_8 * r).round();
    let diamonds =
        ((std::f32::consts::TAU * r - 8.0 * squares) / (4.0 * std::f32::consts::SQRT_2)).round();
    let mut rows = Rows::new(mask.width() as usize);
    for _ in 0..squares as u32 {
        rows.step(mask.data_mut(), true);
    }
    for _ in 0..diamonds as u32 {
        rows.step(mask.data_mut(), false);
    }
}

/// Each value becomes the largest of the 3 x 3 around it.
pub fn dilate(mask: &mut Mask) {
    Rows::new(mask.width() as usize).step(mask.data_mut(), true);
}

/// Rows as they were before a step, with one value more at either end.
struct Rows {
    above: Vec<u8>,
    current: Vec<u8>,
    tall: Vec<u8>,
}

impl Rows {
    fn new(width: usize) -> Self {
        let row = vec![0; width + 2];
        Self {
            above: row.clone(),
            current: row.clone(),
            tall: row,
        }
    }

    /// One step of growing: each value becomes the largest of 3 x 3, or, without `corners`, of the
    /// five that form a plus.
    fn step(&mut self, data: &mut [u8], corners: bool) {
        let width = self.tall.len() - 2;
        self.above.fill(0);
        for y in 0..data.len() / width {
            let (row, below) = data[y * width..].split_at_mut(width);
            self.current[1..=width].copy_from_slice(row);
            self.tall.copy_from_slice(&self.current);
            let tall = &mut self.tall[1..=width];
            for (v, &above) in tall.iter_mut().zip(&self.above[1..]) {
                *v = (*v).max(above);
            }
            for (v, &below) in tall.iter_mut().zip(&*below) {
                *v = (*v).max(below);
            }
            let sides = if corners { &self.tall } else { &self.current };
            let sides = sides.iter().zip(&sides[2..]);
            for ((v, &tall), (&left, &right)) in row.iter_mut().zip(&self.tall[1..]).zip(sides) {
                *v = tall.max(left).max(right);
            }
            std::mem::swap(&mut self.above, &mut self.current);
        }
    }
}

/// Softens the edge to `pixels` (0..=50), measured between one tenth and nine tenths of the way.
///
/// A Gaussian, so that a straight edge stays where it is. Memory beyond the mask: 32 lines of
/// floats.
pub fn feather(mask: &mut Mask, pixels: f32) {
    // A blurred step passes from 0.1 to 0.9 within 2 * 1.2816 sigma (quantiles of the normal
    // distribution).
    blur_in_place(mask, pixels.min(50.0) / 2.563);
}

/// The mask blurred by a Gaussian of standard deviation `sigma` in pixels (none at 0 or below).
pub fn blur_mask(mask: &Mask, sigma: f32) -> Mask {
    let mut mask = mask.clone();
    blur_in_place(&mut mask, sigma);
    mask
}

/// A hard mask without specks, its outline smooth: a morphological opening with a plus of five
/// pixels, a Gaussian of two pixels' standard deviation, and 255 where that is at least one half.
/// These are the steps and the figures that rembg calls post-processing.
pub fn postprocess(mask: &mut Mask) {
    let mut rows = Rows::new(mask.width() as usize);
    // To shrink the subject is to grow the ground.
    invert(mask);
    rows.step(mask.data_mut(), false);
    invert(mask);
    rows.step(mask.data_mut(), false);
    blur_in_place(mask, 2.0);
    for v in mask.data_mut() {
        *v = if *v >= 127 { 255 } else { 0 };
    }
}

fn blur_in_place(mask: &mut Mask, sigma: f32) {
    let (w, h) = (mask.width() as usize, mask.height() as usize);
    blur::gaussian(mask.data_mut(), w, h, 1, sigma);
}

/// How sure the model was, 0..=1, from its coarse matte.
///
/// With matte values `a` of 0..=1: `1 - 2 * sum(min(a, 1 - a)) / sum(a)`, not below 0. A matte of
/// only 0 and 1 gives 1; a veil of one half, or anything fainter, gives 0. If less than 0.1 % of
/// the pixels are above one half, nothing was found and the answer is 0.
pub fn confidence(coarse: &Mask) -> f32 {
    let (mut found, mut total, mut doubt) = (0u64, 0u64, 0u64);
    for &v in coarse.data() {
        found += u64::from(v > 127);
        total += u64::from(v);
        doubt += u64::from(v.min(255 - v));
    }
    if found * 1000 < coarse.data().len() as u64 || found == 0 {
        return 0.0;
    }
    (1.0 - 2.0 * doubt as f64 / total as f64).max(0.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc(size: u32, radius: f32) -> Mask {
        let c = size as f32 / 2.0;
        let value = |i: u32| {
            let (x, y) = ((i % size) as f32 + 0.5 - c, (i / size) as f32 + 0.5 - c);
            ((radius - x.hypot(y) + 0.5).clamp(0.0, 1.0) * 255.0) as u8
        };
        Mask::new(size, size, (0..size * size).map(value).collect())
    }

    fn area(mask: &Mask) -> f32 {
        mask.data().iter().map(|&v| f32::from(v)).sum::<f32>() / 255.0
    }

    #[test]
    fn a_threshold_leaves_two_values() {
        let mut mask = Mask::new(256, 1, (0..=255).collect());
        threshold(&mut mask, 0.5);
        assert!(
            mask.data()
                .iter()
                .enumerate()
                .all(|(i, &v)| v == if i >= 128 { 255 } else { 0 })
        );
        threshold(&mut mask, 1.0);
        assert_eq!(mask.data().iter().filter(|v| **v == 255).count(), 128);
        threshold(&mut mask, 0.0);
        assert!(mask.data().iter().all(|v| *v == 255));
    }

    #[test]
    fn a_shift_changes_the_area_like_that_of_a_circle() {
        for (radius, pixels) in [
            (40.0, 1.0),
            (40.0, 2.5),
            (60.0, 10.0),
            (60.0, 50.0),
            (60.0, -0.5),
            (60.0, -20.0),
        ] {
            let mut mask = disc(240, radius);
            shift(&mut mask, pixels);
            let want = std::f32::consts::PI * (radius + pixels) * (radius + pixels);
            assert!(
                (area(&mask) / want - 1.0).abs() < 0.03,
                "{pixels}: {} for {want}",
                area(&mask)
            );
        }
    }

    #[test]
    fn a_shift_keeps_the_slope_of_a_soft_edge() {
        let ramp: Vec<u8> = (0..60)
            .map(|x: i32| ((x - 20) * 25).clamp(0, 255) as u8)
            .collect();
        let mut mask = Mask::new(60, 9, ramp.repeat(9));
        shift(&mut mask, 7.0);
        let moved = mask.row(4);
        let by = (0..20).find(|&by| moved[5..50 - by] == ramp[5 + by..50]);
        assert!(matches!(by, Some(6..=8)), "{by:?}");
    }

    #[test]
    fn feathering_keeps_the_mass_and_the_place_of_an_edge() {
        let mut mask = disc(200, 50.0);
        let before = area(&mask);
        feather(&mut mask, 20.0);
        assert!((area(&mask) / before - 1.0).abs() < 0.005);
        let row = mask.row(100);
        let rise = row[..100]
            .iter()
            .filter(|v| (26..=229).contains(*v))
            .count();
        assert!(
            (17..=23).contains(&rise),
            "{rise} pixels from one tenth to nine tenths"
        );
        let mut same = mask.clone();
        feather(&mut same, 0.0);
        assert!(same == mask && blur_mask(&mask, 0.0) == mask);
    }

    #[test]
    fn post_processing_drops_specks_and_spurs_and_leaves_two_values() {
        let mut mask = disc(120, 40.0);
        for (x, y) in [(3, 3), (4, 3), (100, 8)] {
            mask.data_mut()[y * 120 + x] = 255;
        }
        for x in 95..118 {
            mask.data_mut()[60 * 120 + x] = 255;
        }
        let before = area(&disc(120, 40.0));
        postprocess(&mut mask);
        assert!(mask.data().iter().all(|v| [0, 255].contains(v)));
        assert!((area(&mask) / before - 1.0).abs() < 0.02);
        assert_eq!(mask.data()[3 * 120 + 3], 0, "a speck");
        assert_eq!(mask.data()[60 * 120 + 112], 0, "a spur");
    }

    #[test]
    fn confidence_needs_a_subject_and_decided_values() {
        let of = |values: &[(u8, usize)]| {
            let data: Vec<u8> = values.iter().flat_map(|&(v, n)| vec![v; n]).collect();
            confidence(&Mask::new(data.len() as u32, 1, data))
        };
        assert_eq!(of(&[(0, 1000)]), 0.0);
        assert_eq!(of(&[(0, 9995), (255, 5)]), 0.0);
        assert_eq!(of(&[(0, 700), (255, 300)]), 1.0);
        assert_eq!(of(&[(60, 700), (130, 300)]), 0.0);
        let some = of(&[(0, 700), (128, 40), (255, 260)]);
        assert!((0.8..0.95).contains(&some), "{some}");
        assert!(confidence(&disc(288, 70.0)) > 0.97);
        assert_eq!(confidence(&Mask::new(1, 1, vec![0])), 0.0);
    }

    #[test]
    fn odd_sizes_and_values_are_taken() {
        for (w, h) in [(1, 1), (1, 7), (7, 1), (3, 50), (2, 2)] {
            for pixels in [-50.0, -0.3, 0.0, 0.7, 50.0, 1e9, f32::NAN] {
                let mut mask = Mask::new(w, h, vec![255; (w * h) as usize]);
                shift(&mut mask, pixels.abs());
                feather(&mut mask, pixels);
                threshold(&mut mask, pixels);
                // The border is no ground: what it cuts is not eaten away from there.
                shift(&mut mask, -pixels.abs());
                assert!(mask.data().iter().all(|&v| v == 255), "{w} x {h}, {pixels}");
            }
        }
    }
}
