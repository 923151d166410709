//! `Frame` to tensor and tensor to `Mask` or pixels: resize, normalise, layout.

use ndarray::{Array4, ArrayD};

use super::manifest::{Entry, InputFilter, Range};
use crate::{
    error::Error,
    frame::{Filter, Frame, Layout, Mask, Rect},
};

/// The whole picture, stretched to the model's input: 1 x 3 x size x size.
pub fn stretched(frame: &Frame, entry: &Entry) -> Array4<f32> {
    let filter = match entry.filter {
        InputFilter::Bilinear => Filter::Bilinear,
        InputFilter::Lanczos3 => Filter::Lanczos3,
    };
    let small = frame.resized(entry.size, entry.size, filter);
    let side = entry.size as usize;
    let n = small.layout().channels();
    let largest = match entry.range {
        Range::One => 255.0,
        // The floor keeps a black picture from dividing by zero (rembg uses the same).
        Range::ImageMax => {
            let colours = small
                .data()
                .chunks_exact(n)
                .flat_map(|p| p[..n.min(3)].iter());
            f32::from(colours.copied().max().unwrap_or(0)).max(1e-6)
        }
    };
    let mut tensor = Array4::zeros((1, 3, side, side));
    let planes = tensor.as_slice_mut().expect("a fresh array is contiguous");
    for (c, plane) in planes.chunks_exact_mut(side * side).enumerate() {
        // A grey picture has one channel for all three planes.
        let channel = c.min(n - 1);
        let (mean, scale) = (entry.mean[c], 1.0 / entry.std[c]);
        for (value, pixel) in plane.iter_mut().zip(small.data().chunks_exact(n)) {
            *value = (f32::from(pixel[channel]) / largest - mean) * scale;
        }
    }
    tensor
}

/// The matte in a model's output (1 x 1 x h x w, or less ones).
///
/// # Errors
/// [`Error::ModelFailed`] where the output is no single plane of finite numbers.
pub fn matte(output: &ArrayD<f32>, entry: &Entry) -> Result<Mask, Error> {
    let shape: Vec<usize> = output.shape().to_vec();
    let [.., height, width] = shape[..] else {
        return Err(Error::ModelFailed);
    };
    // U-2-Net's own code takes the first plane where there are more.
    let plane = height * width;
    let values: Vec<f32> = output.iter().take(plane).copied().collect();
    if plane == 0 || values.len() < plane || values.iter().any(|v| !v.is_finite()) {
        return Err(Error::ModelFailed);
    }
    let activated = |v: f32| {
        if entry.sigmoid {
            1.0 / (1.0 + (-v).exp())
        } else {
            v
        }
    };
    let (mut low, mut high) = (0.0, 1.0);
    if entry.normalize {
        low = values
            .iter()
            .copied()
            .map(activated)
            .fold(f32::INFINITY, f32::min);
        high = values
            .iter()
            .copied()
            .map(activated)
            .fold(f32::NEG_INFINITY, f32::max);
    }
    let scale = 255.0 / (high - low).max(1e-6);
    let to_byte = |v: f32| ((activated(v) - low) * scale).round().clamp(0.0, 255.0) as u8;
    let data = values.into_iter().map(to_byte).collect();
    Ok(Mask::new(width as u32, height as u32, data))
}

/// The pixels inside `rect` as 1 x 3 x height x width. Beyond the picture's edges (`rect` may
/// reach out by `width` and `height` of padding) the last row and column repeat.
pub fn tile(frame: &Frame, rect: Rect, width: u32, height: u32, entry: &Entry) -> Array4<f32> {
    let n = frame.layout().channels();
    let (w, h) = (width as usize, height as usize);
    let mut tensor = Array4::zeros((1, 3, h, w));
    let planes = tensor.as_slice_mut().expect("a fresh array is contiguous");
    for y in 0..h {
        let row = frame.row(rect.y + (y as u32).min(rect.height - 1));
        for x in 0..w {
            let pixel = &row[(rect.x as usize + x.min(rect.width as usize - 1)) * n..];
            for c in 0..3 {
                let value = f32::from(pixel[c.min(n - 1)]) / 255.0;
                planes[(c * h + y) * w + x] = (value - entry.mean[c]) / entry.std[c];
            }
        }
    }
    tensor
}

/// Writes the part of `output` (1 x 3 x h x w, samples 0..1) that starts at `(left, top)` over
/// `rect` of `frame`, mixed with what is there: 1 replaces it, 0 leaves it.
///
/// # Errors
/// [`Error::ModelFailed`] where the output is smaller than that, or not finite.
pub fn paste(
    frame: &mut Frame,
    rect: Rect,
    output: &ArrayD<f32>,
    (left, top): (u32, u32),
    strength: f32,
) -> Result<(), Error> {
    let shape: Vec<usize> = output.shape().to_vec();
    let [1, 3, h, w] = shape[..] else {
        return Err(Error::ModelFailed);
    };
    let (left, top) = (left as usize, top as usize);
    let values = output.as_slice().ok_or(Error::ModelFailed)?;
    if left + rect.width as usize > w || top + rect.height as usize > h {
        return Err(Error::ModelFailed);
    }
    debug_assert_ne!(frame.layout(), Layout::Gray, "decoding makes RGB or RGBA");
    let (n, stride) = (frame.layout().channels(), frame.stride());
    for y in 0..rect.height as usize {
        let row = &mut frame.data_mut()[(rect.y as usize + y) * stride + rect.x as usize * n..];
        for (x, pixel) in row
            .chunks_exact_mut(n)
            .take(rect.width as usize)
            .enumerate()
        {
            for (c, sample) in pixel.iter_mut().take(3).enumerate() {
                let value = values[(c * h + top + y) * w + left + x];
                if !value.is_finite() {
                    return Err(Error::ModelFailed);
                }
                let old = f32::from(*sample);
                let mixed = old + (value * 255.0 - old) * strength;
                *sample = mixed.round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::manifest::catalogue;

    fn entry(name: &str) -> Entry {
        catalogue()
            .into_iter()
            .find(|entry| entry.name == name)
            .unwrap()
    }

    #[test]
    fn samples_are_scaled_as_the_entry_says() {
        let frame = Frame::filled(4, 4, Layout::Rgb, [255, 51, 0, 0]);
        let cutout = entry("cutout");
        let tensor = stretched(&frame, &cutout);
        let side = cutout.size as usize;
        assert_eq!(tensor.shape(), [1, 3, side, side]);
        assert!((tensor[[0, 1, 5, 5]] - 0.2).abs() < 1e-6);
        let dark = Frame::filled(4, 4, Layout::Rgb, [102, 51, 0, 0]);
        let red = stretched(&dark, &entry("u2netp"))[[0, 0, 9, 9]];
        assert!(
            (red - (1.0 - 0.485) / 0.229).abs() < 1e-5,
            "the largest sample becomes 1"
        );
    }

    #[test]
    fn a_normalised_matte_spans_the_whole_range() {
        let output = ArrayD::from_shape_vec(vec![1, 1, 1, 3], vec![0.25, 0.5, 0.75]).unwrap();
        assert_eq!(
            matte(&output, &entry("u2netp")).unwrap().data(),
            [0, 128, 255]
        );
        assert_eq!(
            matte(&output, &entry("cutout")).unwrap().data(),
            [64, 128, 191]
        );
        let broken = ArrayD::from_elem(vec![1, 1, 1, 3], f32::NAN);
        assert_eq!(matte(&broken, &entry("cutout")), Err(Error::ModelFailed));
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
        let tensor = tile(&frame, rect, 6, 4, &entry("restore"));
        assert_eq!(tensor[[0, 2, 3, 5]], tensor[[0, 2, 2, 3]]);
        let mut copy = Frame::filled(5, 3, Layout::Rgb, [0; 4]);
        paste(&mut copy, rect, &tensor.into_dyn(), (0, 0), 1.0).unwrap();
        for y in 0..3 {
            assert_eq!(copy.row(y)[3..], frame.row(y)[3..]);
        }
    }
}
