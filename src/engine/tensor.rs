//! `Frame` to tensor and tensor to `Mask` or pixels: resize, normalise, layout.

mod lanczos;

use ndarray::{Array4, ArrayD};

use super::manifest::{Activation, Entry, InputFilter, Range, Resize};
use crate::{
    error::Error,
    frame::{Filter, Frame, Layout, Mask, Rect},
};

/// What each sample of a channel becomes: one table for red, green and blue of the tensor's order.
pub struct Scale([[f32; 256]; 3]);

impl Scale {
    /// The tables of an entry; `largest` is the largest sample of the picture.
    pub fn new(entry: &Entry, largest: u8) -> Self {
        let unit = match entry.range {
            Range::One | Range::Signed => 255.0,
            Range::Byte => 1.0,
            // The floor keeps a black picture from dividing by zero (rembg uses the same).
            Range::ImageMax => f32::from(largest).max(1e-6),
        };
        let mut tables = [[0.0; 256]; 3];
        for (c, table) in tables.iter_mut().enumerate() {
            for (v, value) in table.iter_mut().enumerate() {
                *value = (v as f32 / unit - entry.mean[c]) / entry.std[c];
            }
        }
        Self(tables)
    }

    fn plane(&self, c: usize) -> &[f32; 256] {
        &self.0[c]
    }
}

/// The sample of a pixel that goes into plane `c`. A grey picture has one for all three.
fn channel(entry: &Entry, layout_channels: usize, c: usize) -> usize {
    let c = if entry.bgr { 2 - c } else { c };
    c.min(layout_channels.min(3) - 1)
}

/// The whole picture at the model's input size, and the part of that which it takes (width and
/// height, 0 to 1; all of it but for letterboxes).
pub fn fitted(frame: &Frame, entry: &Entry) -> (Array4<f32>, (f32, f32)) {
    let (width, height) = (f64::from(frame.width()), f64::from(frame.height()));
    let size = f64::from(entry.size);
    let side = |length: f64| (length.round() as u32).max(1);
    match entry.resize {
        Resize::Letterbox => {
            let scale = size / width.max(height);
            let (w, h) = (side(width * scale), side(height * scale));
            let tensor = placed(frame, (w, h), (entry.size, entry.size), entry);
            (tensor, (w as f32 / size as f32, h as f32 / size as f32))
        }
        Resize::ShortSide => {
            let shape = entry.by_short_side((frame.width(), frame.height()));
            (placed(frame, shape, shape, entry), (1.0, 1.0))
        }
        Resize::Stretch | Resize::Tile | Resize::Whole => {
            let shape = (entry.size, entry.size);
            (placed(frame, shape, shape, entry), (1.0, 1.0))
        }
    }
}

/// A matte at the size of the picture, grown as it is by those who made the model's mattes.
pub fn grown(coarse: &Mask, (width, height): (u32, u32), entry: &Entry) -> Mask {
    let frame = resized(&coarse.clone().into_frame(), (width, height), entry.filter);
    Mask::new(width, height, frame.into_data())
}

fn resized(frame: &Frame, (width, height): (u32, u32), filter: InputFilter) -> Frame {
    match (filter, frame.layout()) {
        (InputFilter::Bilinear, _) => frame.resized(width, height, Filter::Bilinear),
        (InputFilter::Lanczos3, Layout::Rgba) => frame.resized(width, height, Filter::Lanczos3),
        (InputFilter::Lanczos3, _) => lanczos::resized(frame, width, height),
    }
}

/// The picture at the size `inner`, at the upper left of planes of the size `outer`.
fn placed(frame: &Frame, inner: (u32, u32), outer: (u32, u32), entry: &Entry) -> Array4<f32> {
    let small = resized(frame, inner, entry.filter);
    let n = small.layout().channels();
    let colors = small.data().chunks_exact(n);
    let largest = colors.flat_map(|p| p[..n.min(3)].iter()).copied().max();
    let scale = Scale::new(entry, largest.unwrap_or(0));
    let (w, h) = (outer.0 as usize, outer.1 as usize);
    let mut tensor = Array4::zeros((1, 3, h, w));
    let planes = tensor.as_slice_mut().expect("a fresh array is contiguous");
    for (c, plane) in planes.chunks_exact_mut(w * h).enumerate() {
        let (from, table) = (channel(entry, n, c), scale.plane(c));
        plane.fill(table[0]);
        let rows = plane
            .chunks_exact_mut(w)
            .zip(small.data().chunks_exact(inner.0 as usize * n));
        for (row, samples) in rows {
            for (value, pixel) in row.iter_mut().zip(samples.chunks_exact(n)) {
                *value = table[usize::from(pixel[from])];
            }
        }
    }
    tensor
}

/// The pixels inside `rect` as 1 x 3 x height x width. Beyond it (`width` and `height` may be
/// larger) the last row and column repeat.
pub fn tile(frame: &Frame, rect: Rect, (width, height): (u32, u32), entry: &Entry) -> Array4<f32> {
    let n = frame.layout().channels();
    let scale = Scale::new(entry, 255);
    let (w, h) = (width as usize, height as usize);
    let mut tensor = Array4::zeros((1, 3, h, w));
    let planes = tensor.as_slice_mut().expect("a fresh array is contiguous");
    for (c, plane) in planes.chunks_exact_mut(w * h).enumerate() {
        let (from, table) = (channel(entry, n, c), scale.plane(c));
        for (y, values) in plane.chunks_exact_mut(w).enumerate() {
            let row = frame.row(rect.y + (y as u32).min(rect.height - 1));
            let row = &row[rect.x as usize * n..][..rect.width as usize * n];
            for (x, value) in values.iter_mut().enumerate() {
                let pixel = x.min(rect.width as usize - 1) * n;
                *value = table[usize::from(row[pixel + from])];
            }
        }
    }
    tensor
}

/// A value of the output, whose unit is `range`, as 0 to 1.
fn unit(value: f32, range: Range) -> f32 {
    match range {
        Range::One | Range::ImageMax => value,
        Range::Byte => value / 255.0,
        Range::Signed => (value + 1.0) * 0.5,
    }
}

/// The planes of an output: `count` of them (or more), each of one width and height.
///
/// # Errors
/// [`Error::ModelFailed`] where there are less, or a value is not finite.
pub fn planes(output: &ArrayD<f32>, count: usize) -> Result<(usize, usize, Vec<&[f32]>), Error> {
    let shape = output.shape();
    let [.., height, width] = *shape else {
        return Err(Error::ModelFailed);
    };
    let values = output.as_slice().ok_or(Error::ModelFailed)?;
    let plane = height * width;
    if plane == 0 || values.len() < plane * count || values.iter().any(|v| !v.is_finite()) {
        return Err(Error::ModelFailed);
    }
    Ok((width, height, values.chunks_exact(plane).collect()))
}

/// The matte in a model's output (1 x 1 x h x w, or less ones), of the part of it that the picture
/// took.
///
/// # Errors
/// [`Error::ModelFailed`] where the output is not one plane of finite numbers, or one of each class.
pub fn matte(output: &ArrayD<f32>, part: (f32, f32), entry: &Entry) -> Result<Mask, Error> {
    let (width, height, planes) = planes(output, 1)?;
    // The file may have left their number open: one is the matte, or each is of a class.
    if (planes.len() > 1) != (entry.activation == Activation::Argmax) {
        return Err(Error::ModelFailed);
    }
    let values: Vec<f32> = match entry.activation {
        Activation::None => planes[0].to_vec(),
        Activation::Sigmoid => planes[0].iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect(),
        Activation::Argmax => (0..width * height)
            .map(|i| {
                let other = planes[1..].iter().any(|plane| plane[i] > planes[0][i]);
                f32::from(u8::from(other))
            })
            .collect(),
    };
    let side = |share: f32, side: usize| ((share * side as f32).round() as usize).clamp(1, side);
    let (w, h) = (side(part.0, width), side(part.1, height));
    let inside = || {
        values
            .chunks_exact(width)
            .take(h)
            .flat_map(|row| &row[..w])
            .map(|v| unit(*v, entry.output_range))
    };
    let (low, high) = match entry.normalize {
        true => (
            inside().fold(f32::INFINITY, f32::min),
            inside().fold(f32::NEG_INFINITY, f32::max),
        ),
        false => (0.0, 1.0),
    };
    let scale = 255.0 / (high - low).max(1e-6);
    // Where it is stretched, the fraction is cut off: so do U-2-Net's own code and rembg.
    let half = if entry.normalize { 0.0 } else { 0.5 };
    let to_byte = |v: f32| {
        let level = (v - low) * scale + half;
        level.clamp(0.0, 255.0) as u8
    };
    Ok(Mask::new(
        w as u32,
        h as u32,
        inside().map(to_byte).collect(),
    ))
}

/// Writes the part of `output` (1 x 3 x h x w) that starts at `(left, top)` over `rect` of
/// `frame`, mixed with what is there by `share(x, y)` of the frame's pixels: 1 replaces it, 0
/// leaves it.
///
/// # Errors
/// [`Error::ModelFailed`] where the output is smaller than that, or not finite.
pub fn paste(
    frame: &mut Frame,
    rect: Rect,
    output: &ArrayD<f32>,
    (left, top): (u32, u32),
    entry: &Entry,
    share: impl Fn(u32, u32) -> f32,
) -> Result<(), Error> {
    let (w, h, planes) = planes(output, 3)?;
    let (left, top) = (left as usize, top as usize);
    if left + rect.width as usize > w || top + rect.height as usize > h {
        return Err(Error::ModelFailed);
    }
    let (n, stride) = (frame.layout().channels(), frame.stride());
    for y in 0..rect.height {
        let row = &mut frame.data_mut()[(rect.y + y) as usize * stride..][rect.x as usize * n..];
        for (x, pixel) in row
            .chunks_exact_mut(n)
            .take(rect.width as usize)
            .enumerate()
        {
            let share = share(rect.x + x as u32, rect.y + y);
            let at = (top + y as usize) * w + left + x;
            for (c, sample) in pixel.iter_mut().take(3).enumerate() {
                let plane = if entry.bgr { 2 - c } else { c };
                let value = unit(planes[plane][at], entry.output_range);
                let old = f32::from(*sample);
                let mixed = old + (value * 255.0 - old) * share;
                *sample = mixed.round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue::catalogue;

    fn entry(name: &str) -> Entry {
        catalogue()
            .into_iter()
            .find(|entry| entry.name == name)
            .unwrap()
    }

    #[test]
    fn samples_are_scaled_as_the_entry_says() {
        let frame = Frame::filled(4, 4, Layout::Rgb, [255, 51, 0, 0]);
        let mut cutout = entry("cutout");
        let (tensor, part) = fitted(&frame, &cutout);
        let side = cutout.size as usize;
        assert_eq!(
            (tensor.shape(), part),
            ([1, 3, side, side].as_slice(), (1.0, 1.0))
        );
        assert!((tensor[[0, 1, 5, 5]] - 0.2).abs() < 1e-6);
        (cutout.bgr, cutout.range) = (true, Range::Byte);
        let (tensor, _) = fitted(&frame, &cutout);
        assert_eq!((tensor[[0, 0, 5, 5]], tensor[[0, 2, 5, 5]]), (0.0, 255.0));
        let dark = Frame::filled(4, 4, Layout::Rgb, [102, 51, 0, 0]);
        let red = fitted(&dark, &entry("u2netp")).0[[0, 0, 9, 9]];
        assert!(
            (red - (1.0 - 0.485) / 0.229).abs() < 1e-5,
            "the largest sample becomes 1"
        );
    }

    #[test]
    fn shapes_are_kept_where_the_entry_says_so() {
        let wide = Frame::filled(400, 100, Layout::Rgb, [255; 4]);
        let mut entry = entry("cutout");
        (entry.resize, entry.size) = (Resize::Letterbox, 64);
        let (tensor, part) = fitted(&wide, &entry);
        assert_eq!(
            (tensor.shape(), part),
            ([1, 3, 64, 64].as_slice(), (1.0, 0.25))
        );
        assert_eq!((tensor[[0, 0, 15, 63]], tensor[[0, 0, 16, 0]]), (1.0, 0.0));
        // A matte of another size than the input is cut to the same part.
        let output = ArrayD::zeros(vec![1, 1, 32, 32]);
        let matte = matte(&output, part, &entry).unwrap();
        assert_eq!((matte.width(), matte.height()), (32, 8));
        (entry.resize, entry.multiple_of) = (Resize::ShortSide, 32);
        assert_eq!(fitted(&wide, &entry).0.shape(), [1, 3, 64, 256]);
    }

    #[test]
    fn a_normalised_matte_spans_the_whole_range() {
        let all = (1.0, 1.0);
        let output = ArrayD::from_shape_vec(vec![1, 1, 1, 3], vec![0.25, 0.5, 0.75]).unwrap();
        let of = |name: &str| matte(&output, all, &entry(name)).unwrap();
        assert_eq!(of("u2netp").data(), [0, 127, 255]);
        assert_eq!(of("cutout").data(), [64, 128, 191]);
        let mut bytes = entry("u2netp");
        bytes.output_range = Range::Byte;
        let output = output.mapv(|v| v * 255.0);
        assert_eq!(matte(&output, all, &bytes).unwrap().data(), [0, 127, 255]);
        let broken = ArrayD::from_elem(vec![1, 1, 1, 3], f32::NAN);
        assert_eq!(
            matte(&broken, all, &entry("cutout")),
            Err(Error::ModelFailed)
        );
    }

    #[test]
    fn a_matte_grows_by_the_filter_of_its_entry() {
        let edge = Mask::new(4, 1, vec![0, 0, 255, 255]);
        let of = |name: &str| grown(&edge, (40, 1), &entry(name));
        assert_eq!(of("cutout"), edge.resized(40, 1, Filter::Bilinear));
        let lanczos = edge.resized(40, 1, Filter::Lanczos3);
        assert_ne!(of("cutout"), lanczos);
        for (a, b) in of("u2netp").data().iter().zip(lanczos.data()) {
            assert!(a.abs_diff(*b) <= 1, "{a} for {b}");
        }
    }

    #[test]
    fn classes_and_logits_become_a_matte() {
        let mut entry = entry("cutout");
        entry.activation = Activation::Argmax;
        let classes = vec![0.5, 0.9, 0.1, 0.8, 0.2, 0.95];
        let output = ArrayD::from_shape_vec(vec![1, 3, 1, 2], classes).unwrap();
        let all = (1.0, 1.0);
        assert_eq!(matte(&output, all, &entry).unwrap().data(), [0, 255]);
        entry.activation = Activation::Sigmoid;
        let logits = ArrayD::from_shape_vec(vec![1, 1, 1, 2], vec![0.0, 20.0]).unwrap();
        assert_eq!(matte(&logits, all, &entry).unwrap().data(), [128, 255]);
    }

    #[test]
    fn a_tile_repeats_the_edge_and_pastes_back_where_it_came_from() {
        let data = (0..5 * 3 * 3).map(|i| i as u8 * 5).collect();
        let frame = Frame::new(5, 3, Layout::Rgb, data);
        let rect = Rect {
            x: 1,
            y: 0,
            width: 4,
            height: 3,
        };
        let mut entry = entry("restore");
        for bgr in [false, true] {
            entry.bgr = bgr;
            let tensor = tile(&frame, rect, (6, 4), &entry);
            assert_eq!(tensor[[0, 2, 3, 5]], tensor[[0, 2, 2, 3]]);
            let mut copy = Frame::filled(5, 3, Layout::Rgb, [0; 4]);
            let output = tensor.into_dyn();
            paste(&mut copy, rect, &output, (0, 0), &entry, |_, _| 1.0).unwrap();
            for y in 0..3 {
                assert_eq!(copy.row(y)[3..], frame.row(y)[3..]);
            }
        }
    }
}
