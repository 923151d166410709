//! What a cutout is laid on: a colour, a picture, its own ground out of focus, a shadow.

use super::{
    blur, edge,
    pyramid::{self, Place},
};
use crate::frame::{Filter, Frame, Layout, Mask, blend, div255};

/// Cells of the grid on which a ground is blurred, at most: 21 MiB with its pyramid.
const GROUND_CELLS: f64 = 1e6;
/// The offset of a drop shadow downwards, and the standard deviation of its blur, as shares of
/// the subject's longer side: close enough to belong to it, soft enough for diffuse light.
const SHADOW_DROP: f32 = 0.03;
const SHADOW_BLUR: f32 = 0.025;
/// How dark the shadow is at the subject's foot and at its head, which is further from the ground.
const SHADOW_OPACITY: (f32, f32) = (0.45, 0.2);

/// The cutout over one colour. An opaque colour gives an RGB picture; a translucent one an RGBA
/// picture with straight alpha.
pub fn over_color(cutout: Frame, color: [u8; 4]) -> Frame {
    if let [r, g, b, 255] = color {
        return onto(cutout, std::iter::repeat([r, g, b]));
    }
    let mut cutout = cutout.with_alpha();
    for px in cutout.data_mut().as_chunks_mut::<4>().0 {
        *px = over(*px, color);
    }
    cutout
}

/// The cutout over a picture of its size. A ground without alpha gives an RGB picture, one with
/// alpha an RGBA picture with straight alpha.
///
/// # Panics
/// If they differ in size.
pub fn over_picture(cutout: Frame, ground: &Frame) -> Frame {
    assert_eq!(
        (cutout.width(), cutout.height()),
        (ground.width(), ground.height())
    );
    match ground.layout() {
        Layout::Gray => onto(cutout, ground.data().iter().map(|&v| [v; 3])),
        Layout::Rgb => onto(cutout, ground.data().as_chunks::<3>().0.iter().copied()),
        Layout::Rgba => {
            let mut cutout = cutout.with_alpha();
            let (below, _) = ground.data().as_chunks::<4>();
            for (px, below) in cutout
                .data_mut()
                .as_chunks_mut::<4>()
                .0
                .iter_mut()
                .zip(below)
            {
                *px = over(*px, *below);
            }
            cutout
        }
    }
}

/// The cutout over opaque colours, pixel by pixel: RGB.
fn onto(cutout: Frame, ground: impl Iterator<Item = [u8; 3]>) -> Frame {
    let cutout = cutout.with_alpha();
    let mut data = vec![0; cutout.pixels() * 3];
    let (top, _) = cutout.data().as_chunks::<4>();
    let (out, _) = data.as_chunks_mut::<3>();
    for ((out, &[r, g, b, a]), below) in out.iter_mut().zip(top).zip(ground) {
        // Most pixels are one or the other, many in a row, so that this is guessed right.
        *out = match a {
            0 => below,
            255 => [r, g, b],
            _ => [
                blend(r, below[0], a),
                blend(g, below[1], a),
                blend(b, below[2], a),
            ],
        };
    }
    Frame::new(cutout.width(), cutout.height(), Layout::Rgb, data)
}

/// Porter and Duff, "Compositing Digital Images", SIGGRAPH 1984, for straight alpha.
pub(super) fn over(top: [u8; 4], bottom: [u8; 4]) -> [u8; 4] {
    match (top[3], bottom[3]) {
        (255, _) => top,
        (0, 0) => [0; 4],
        (0, _) => bottom,
        (a, b) => {
            let (a, b) = (u32::from(a), u32::from(b));
            // In units of 1 / 255^2; at least 255, as `a` is at least 1.
            let (upper, lower) = (a * 255, b * (255 - a));
            let sum = upper + lower;
            let mix = |k: usize| {
                ((u32::from(top[k]) * upper + u32::from(bottom[k]) * lower + sum / 2) / sum) as u8
            };
            [mix(0), mix(1), mix(2), div255(sum)]
        }
    }
}

/// The picture's ground, blurred as if its subject had never stood before it: RGB, of the same
/// size.
///
/// `radius` is twice the standard deviation of the Gaussian in pixels, as in the canvas element's
/// `shadowBlur`. The blur is a normalised convolution (Knutsson and Westin, CVPR 1993) with the
/// weight `1 - matte`; where even that knows nothing of the ground, it is filled in from around.
///
/// Time is linear in the pixels, whatever the radius. Memory beyond input and output: at most 21
/// MiB. For that the grid is coarser than the pixels above one megapixel, which blurs by a
/// quarter of its pitch at least.
///
/// # Panics
/// If picture and matte differ in size.
pub fn blurred_ground(frame: &Frame, matte: &Mask, radius: f32) -> Frame {
    assert_eq!(
        (frame.width(), frame.height()),
        (matte.width(), matte.height())
    );
    let sigma = if radius.is_nan() {
        0.0
    } else {
        radius.max(0.0) / 2.0
    };
    // A third of sigma is fine enough for a Gaussian, and all that a wide one needs.
    let size =
        ((sigma / 3.0) as usize).max((frame.pixels() as f64 / GROUND_CELLS).sqrt().ceil() as usize);
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let size = size.clamp(1, w.max(h));
    let (width, height) = (w.div_ceil(size), h.div_ceil(size));
    let mut cells = match frame.layout() {
        Layout::Gray => ground_cells::<1>(frame, matte, size, width, height),
        Layout::Rgb => ground_cells::<3>(frame, matte, size, width, height),
        Layout::Rgba => ground_cells::<4>(frame, matte, size, width, height),
    };
    // Averaging over cells and interpolating between them has blurred by 1/12 + 1/6 cells squared.
    let left = (sigma / size as f32).powi(2) - if size > 1 { 0.25 } else { 0.0 };
    blur::gaussian(
        cells.as_flattened_mut(),
        width,
        height,
        4,
        left.max(0.0).sqrt(),
    );
    for cell in &mut cells {
        // An eighth of a cell of ground is enough to know its colour.
        let known = (cell[3] * 8.0).min(1.0);
        let scale = if cell[3] > 0.0 { known / cell[3] } else { 0.0 };
        *cell = cell.map(|v| v * scale);
    }
    pyramid::fill(&mut cells, width, height);

    let columns = Place::all(w, width, size as f32);
    let mut row = vec![[0.0; 4]; width + 1];
    let mut data = Vec::with_capacity(w * h * 3);
    for place in Place::all(h, height, size as f32) {
        place.mix(place.rows(&cells, width), &mut row);
        for column in &columns {
            let [r, g, b, _] = column.sample(&row).map(|v| (v + 0.5) as u8);
            data.extend_from_slice(&[r, g, b]);
        }
    }
    Frame::new(frame.width(), frame.height(), Layout::Rgb, data)
}

/// Means over cells of `size x size` pixels of the colours, times the ground's share, and of that
/// share.
fn ground_cells<const N: usize>(
    frame: &Frame,
    matte: &Mask,
    size: usize,
    width: usize,
    height: usize,
) -> Vec<pyramid::Weighted> {
    let mut cells = vec![[0.0; 4]; width * height];
    for y in 0..frame.height() {
        let (pixels, _) = frame.row(y).as_chunks::<N>();
        let row = &mut cells[y as usize / size * width..][..width];
        let samples = pixels.chunks(size).zip(matte.row(y).chunks(size));
        for (cell, (pixels, alphas)) in row.iter_mut().zip(samples) {
            // Cells at the right and the lower border can be smaller.
            let rows = size.min(frame.height() as usize - y as usize / size * size);
            let scale = 1.0 / (255 * rows * pixels.len()) as f32;
            let mut sum = [0u32; 4];
            for (px, &a) in pixels.iter().zip(alphas) {
                let share = u32::from(255 - a);
                let [r, g, b] = if N < 3 {
                    [px[0]; 3]
                } else {
                    [px[0], px[1], px[2]]
                };
                for (sum, v) in sum.iter_mut().zip([r, g, b, 1]) {
                    *sum += share * u32::from(v);
                }
            }
            for (cell, sum) in cell.iter_mut().zip(sum) {
                *cell += sum as f32 * scale;
            }
        }
    }
    cells
}

/// The cutout with a soft shadow beneath it, on a canvas of the same size: RGBA, straight alpha.
///
/// Offset and blur follow the subject's size; what falls outside the canvas is lost. Memory beyond
/// the cutout: two bytes a pixel.
pub fn drop_shadow(cutout: Frame) -> Frame {
    let mut cutout = cutout.with_alpha();
    let Some(alpha) = cutout.alpha() else {
        return cutout;
    };
    // What is fainter than one half casts no shadow that could tell its size.
    let Some(subject) = alpha.bounds(128) else {
        return cutout;
    };
    let (w, h) = (cutout.width(), cutout.height());
    let longer = subject.width.max(subject.height) as f32;
    let drop = ((longer * SHADOW_DROP).round() as u32).max(1);
    let sigma = longer * SHADOW_BLUR;
    // As with the ground: a third of sigma is fine enough.
    let size = (sigma / 3.0).max(1.0);
    let side = |full: u32| ((full as f32 / size).round() as u32).max(1);
    let mut shadow = alpha.resized(side(w), side(h), Filter::Box);
    let (head, foot) = (
        subject.y as f32 / size,
        (subject.y + subject.height) as f32 / size,
    );
    let width = shadow.width() as usize;
    for (y, row) in shadow.data_mut().chunks_exact_mut(width).enumerate() {
        let down = ((y as f32 + 0.5 - head) / (foot - head)).clamp(0.0, 1.0);
        let opacity = SHADOW_OPACITY.1 + down * (SHADOW_OPACITY.0 - SHADOW_OPACITY.1);
        for v in row {
            *v = (f32::from(*v) * opacity) as u8;
        }
    }
    let shadow = edge::blur_mask(&shadow, sigma / size).resized(w, h, Filter::Bilinear);

    let width = w as usize;
    let (pixels, _) = cutout.data_mut().as_chunks_mut::<4>();
    let rows = pixels.chunks_exact_mut(width).skip(drop as usize);
    for (row, shadow) in rows.zip(shadow.data().chunks_exact(width)) {
        for (px, &s) in row
            .iter_mut()
            .zip(shadow)
            .filter(|(px, s)| **s > 0 && px[3] < 255)
        {
            *px = over(*px, [0, 0, 0, s]);
        }
    }
    cutout
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgba(width: u32, height: u32, px: [u8; 4]) -> Frame {
        Frame::filled(width, height, Layout::Rgba, px)
    }

    #[test]
    fn an_opaque_colour_gives_rgb_and_a_translucent_one_straight_alpha() {
        let half = rgba(2, 1, [200, 100, 0, 128]);
        let opaque = over_color(half.clone(), [0, 0, 255, 255]);
        assert_eq!(
            (opaque.layout(), &opaque.data()[..3]),
            (Layout::Rgb, &[100, 50, 127][..])
        );
        let clear = over_color(half.clone(), [9, 9, 9, 0]);
        assert!(clear == half, "nothing under it changes nothing");
        // Alpha 128 over 128: 1 - (1 - 0.502)^2 = 0.752, and the upper one has 0.502 / 0.752 of
        // the colour.
        let mixed = over_color(half, [0, 0, 0, 128]);
        assert_eq!(mixed.data()[..4], [134, 67, 0, 192]);
        assert_eq!(
            over_color(rgba(1, 1, [0; 4]), [1, 2, 3, 4]).data(),
            [1, 2, 3, 4]
        );
        assert_eq!(
            over_color(rgba(1, 1, [5, 6, 7, 255]), [1, 2, 3, 4]).data(),
            [5, 6, 7, 255]
        );
    }

    #[test]
    fn a_picture_shows_where_the_cutout_does_not() {
        let mut data = [10, 20, 30, 255].to_vec();
        data.extend([0; 4]);
        let cutout = Frame::new(2, 1, Layout::Rgba, data);
        let rgb = over_picture(
            cutout.clone(),
            &Frame::filled(2, 1, Layout::Rgb, [1, 2, 3, 0]),
        );
        assert_eq!(
            (rgb.layout(), rgb.data()),
            (Layout::Rgb, &[10, 20, 30, 1, 2, 3][..])
        );
        let with_alpha = over_picture(cutout.clone(), &rgba(2, 1, [1, 2, 3, 77]));
        assert_eq!(with_alpha.data(), [10, 20, 30, 255, 1, 2, 3, 77]);
        let gray = over_picture(cutout, &Frame::filled(2, 1, Layout::Gray, [9, 0, 0, 0]));
        assert_eq!(gray.data(), [10, 20, 30, 9, 9, 9]);
    }

    #[test]
    fn no_subject_bleeds_into_the_blurred_ground() {
        // A white square before grey, at radii with and without a coarser grid.
        let (w, h) = (120u32, 90u32);
        let inside = |i: u32| (40..80).contains(&(i % w)) && (30..60).contains(&(i / w));
        let data = (0..w * h)
            .flat_map(|i| [if inside(i) { 255 } else { 60 }; 3])
            .collect();
        let matte = Mask::new(
            w,
            h,
            (0..w * h)
                .map(|i| if inside(i) { 255 } else { 0 })
                .collect(),
        );
        let frame = Frame::new(w, h, Layout::Rgb, data);
        for radius in [0.0, 3.0, 30.0, 500.0] {
            let ground = blurred_ground(&frame, &matte, radius);
            let wrong = ground.data().iter().filter(|v| v.abs_diff(60) > 1).count();
            assert_eq!(wrong, 0, "radius {radius}");
        }
    }

    #[test]
    fn the_blurred_ground_keeps_its_brightness_and_place() {
        let (w, h) = (200u32, 3u32);
        let data = (0..w * h)
            .flat_map(|i| [if i % w < 100 { 0 } else { 200 }; 3])
            .collect();
        let frame = Frame::new(w, h, Layout::Rgb, data);
        let matte = Mask::new(w, h, vec![0; 600]);
        for radius in [4.0, 20.0, 60.0] {
            let ground = blurred_ground(&frame, &matte, radius);
            let at = |x: usize| ground.data()[(200 + x) * 3];
            assert!(at(2) < 12 && at(197) > 188, "radius {radius}");
            assert!(
                at(99) <= 100 && at(100) >= 98,
                "radius {radius}: {} {}",
                at(99),
                at(100)
            );
        }
    }

    #[test]
    fn a_shadow_falls_below_the_subject_and_leaves_it_alone() {
        let mut cutout = rgba(200, 200, [0; 4]);
        for y in 60..140 {
            for x in 80..120 {
                cutout.data_mut()[(y * 200 + x) * 4..][..4].copy_from_slice(&[250, 200, 10, 255]);
            }
        }
        let shadowed = drop_shadow(cutout.clone());
        let at = |x: usize, y: usize| &shadowed.data()[(y * 200 + x) * 4..][..4];
        assert_eq!(at(100, 100), [250, 200, 10, 255]);
        assert!(
            at(100, 141)[3] > 40 && at(100, 141)[..3] == [0; 3],
            "{:?}",
            at(100, 141)
        );
        assert!(at(100, 57)[3] < at(100, 142)[3] / 4);
        assert_eq!(at(10, 10), [0; 4]);
        let darkest = shadowed
            .data()
            .chunks_exact(4)
            .map(|p| p[3])
            .filter(|a| *a < 255)
            .max();
        assert!(darkest.is_some_and(|a| f32::from(a) <= 0.45 * 255.0));
        let nothing = rgba(5, 1, [0; 4]);
        assert!(drop_shadow(nothing.clone()) == nothing);
    }

    #[test]
    fn odd_sizes_are_taken() {
        for (w, h) in [(1, 1), (1, 9), (3, 70), (2, 2), (65, 1)] {
            let px = rgba(w, h, [10, 20, 30, 200]);
            drop_shadow(px.clone());
            let matte = Mask::new(w, h, vec![90; (w * h) as usize]);
            for radius in [0.0, 2.0, 1e9, f32::NAN] {
                let ground = blurred_ground(&px, &matte, radius);
                assert!(
                    ground.data().chunks(3).all(|p| p == [10, 20, 30]),
                    "{w} x {h}, {radius}"
                );
            }
        }
    }
}
