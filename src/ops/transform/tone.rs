//! What changes samples and not their places: grey, blur, sharpening, rounded corners.

use crate::{
    frame::{Frame, Layout, div255, divide_by_alpha},
    ops::blur,
};

/// The standard deviation of the unsharp mask in pixels: what the eye takes for sharpness is the
/// step from one pixel to the next.
const SHARPEN_SIGMA: f32 = 1.0;

/// Grey by luma (ITU-R BT.601, the one of JPEG), as RGB or RGBA.
pub fn grayscale(frame: &mut Frame) {
    let n = frame.layout().channels();
    if n < 3 {
        return;
    }
    for px in frame.data_mut().chunks_exact_mut(n) {
        // 0.299, 0.587 and 0.114 in units of 2^-16.
        let sum = 19_595 * u32::from(px[0]) + 38_470 * u32::from(px[1]) + 7_471 * u32::from(px[2]);
        px[..3].fill(((sum + (1 << 15)) >> 16) as u8);
    }
}

/// Blurs by a Gaussian. Colours are weighted with their alpha, so that what is not seen does not
/// bleed into what is.
pub fn blur(frame: &mut Frame, sigma: f32) {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let layout = frame.layout();
    if layout == Layout::Rgba {
        multiply(frame.data_mut());
    }
    blur::gaussian(frame.data_mut(), w, h, layout.channels(), sigma);
    if layout == Layout::Rgba {
        divide_by_alpha(frame.data_mut());
    }
}

/// An unsharp mask: the difference to the blurred picture, times `amount`, is added.
pub fn sharpen(frame: &mut Frame, amount: f32) {
    let mut soft = frame.clone();
    blur(&mut soft, SHARPEN_SIGMA);
    let n = frame.layout().channels();
    let colors = n.min(3);
    let pairs = frame
        .data_mut()
        .chunks_exact_mut(n)
        .zip(soft.data().chunks_exact(n));
    for (px, soft) in pairs {
        for (v, &s) in px[..colors].iter_mut().zip(soft) {
            let exact = f32::from(*v) + amount * (f32::from(*v) - f32::from(s));
            // A cast from float to integer saturates.
            *v = (exact + 0.5) as u8;
        }
    }
}

/// The picture with the corners of a rectangle that is rounded by `radius` pixels, at most to a
/// half circle.
pub fn rounded(frame: Frame, radius: f32) -> Frame {
    let (w, h) = (frame.width(), frame.height());
    let radius = radius.min(w.min(h) as f32 / 2.0);
    if radius <= 0.0 {
        return frame;
    }
    let mut frame = frame.with_alpha();
    let (pixels, _) = frame.data_mut().as_chunks_mut::<4>();
    let side = radius.ceil() as usize;
    let (w, h) = (w as usize, h as usize);
    for y in 0..side {
        for x in 0..side {
            let (dx, dy) = (radius - (x as f32 + 0.5), radius - (y as f32 + 0.5));
            if dx <= 0.0 || dy <= 0.0 {
                continue;
            }
            // The share of the pixel that lies inside, to within a few percent.
            let share = ((radius - dx.hypot(dy) + 0.5).clamp(0.0, 1.0) * 255.0).round() as u32;
            // On an odd side the quarters share a column or a row.
            let columns = [x, w - 1 - x];
            let rows = [y, h - 1 - y];
            for &row in &rows[..if rows[0] == rows[1] { 1 } else { 2 }] {
                for &column in &columns[..if columns[0] == columns[1] { 1 } else { 2 }] {
                    let alpha = &mut pixels[row * w + column][3];
                    *alpha = div255(u32::from(*alpha) * share);
                }
            }
        }
    }
    frame
}

fn multiply(data: &mut [u8]) {
    for [colors @ .., a] in data.as_chunks_mut::<4>().0 {
        for v in colors {
            *v = div255(u32::from(*v) * u32::from(*a));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_colours_do_not_bleed_when_blurred_or_sharpened() {
        let mut data = [200, 100, 50, 255].repeat(20 * 10);
        data.extend([0, 0, 0, 0].repeat(20 * 10));
        let mut soft = Frame::new(20, 20, Layout::Rgba, data);
        blur(&mut soft, 3.0);
        for &[r, g, b, a] in soft.data().as_chunks::<4>().0 {
            // Half a step of a premultiplied sample is 128 / alpha of a straight one.
            let off = 1 + 128 / a.max(1);
            let near = |v: u8, is: u8| v.abs_diff(is) <= off;
            assert!(
                a == 0 || near(r, 200) && near(g, 100) && near(b, 50),
                "{r} {g} {b} {a}"
            );
        }
        assert!((100..156).contains(&soft.row(10)[3]), "the edge is soft");
        let mut sharp = soft.clone();
        sharpen(&mut sharp, 2.0);
        let alphas = |frame: &Frame| frame.alpha().unwrap();
        assert!(alphas(&sharp) == alphas(&soft), "alpha is left alone");
    }

    #[test]
    fn corners_are_round_alike_and_a_half_side_makes_a_disc() {
        let frame = Frame::filled(41, 41, Layout::Rgb, [9, 9, 9, 0]);
        assert!(rounded(frame.clone(), 0.0) == frame);
        let disc = rounded(frame.clone(), 1e6).alpha().unwrap();
        let area: f32 = disc.data().iter().map(|&a| f32::from(a) / 255.0).sum();
        let expected = std::f32::consts::PI * 20.5 * 20.5;
        assert!(
            (area / expected - 1.0).abs() < 0.005,
            "{area} for {expected}"
        );
        let at = |x: usize, y: usize| disc.data()[y * 41 + x];
        for (x, y) in [(0, 0), (3, 9), (12, 1)] {
            assert_eq!(at(x, y), at(40 - x, y));
            assert_eq!(at(x, y), at(y, x));
            assert_eq!(at(x, y), at(x, 40 - y));
        }
        assert_eq!((at(0, 0), at(20, 20), at(20, 0)), (0, 255, 255));
    }

    #[test]
    fn gray_has_the_luma_of_its_colour() {
        let mut frame = Frame::new(3, 1, Layout::Rgb, vec![255, 0, 0, 0, 255, 0, 255, 255, 255]);
        grayscale(&mut frame);
        assert_eq!(frame.data(), [76, 76, 76, 150, 150, 150, 255, 255, 255]);
    }
}
