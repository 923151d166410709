//! Makes a picture larger, tile by tile.

use ndarray::{ArrayD, s};

use super::{
    manifest::Entry,
    tensor,
    tiles::{self, Help, Run},
};
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Filter, Frame, Layout, Rect},
};

/// The picture at `factor` times its size. A model of a larger factor is run, and its result
/// reduced. Alpha, which no model knows, grows by Lanczos.
///
/// # Errors
/// As [`tiles::shared`]; [`Error::ModelFailed`] where the factor is not one that the model can give.
pub fn enlarge(
    frame: &Frame,
    factor: u32,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
) -> Result<Frame, Error> {
    if factor == 0 || !entry.factor.is_multiple_of(factor) {
        return Err(Error::ModelFailed);
    }
    let ratio = (entry.factor / factor) as usize;
    let (width, height) = (frame.width() * factor, frame.height() * factor);
    let ground = match frame.layout() {
        Layout::Rgba => Layout::Rgba,
        Layout::Rgb | Layout::Gray => Layout::Rgb,
    };
    let mut result = Frame::filled(width, height, ground, [0; 4]);
    tiles::over(frame, entry, cancel, run, help, |tile, output| {
        let small;
        let mut output = output;
        if ratio > 1 {
            small = reduced(output, ratio)?;
            output = &small;
        }
        let Rect {
            x,
            y,
            width,
            height,
        } = tile.core;
        let core = Rect {
            x: x * factor,
            y: y * factor,
            width: width * factor,
            height: height * factor,
        };
        let (left, top) = tile.corner();
        let corner = (left * factor, top * factor);
        tensor::paste(&mut result, core, output, corner, entry, |_, _| 1.0)
    })?;
    if let Some(alpha) = frame.alpha() {
        let alpha = alpha.resized(width, height, Filter::Lanczos3);
        let pixels = result.data_mut().as_chunks_mut::<4>().0;
        for (pixel, &alpha) in pixels.iter_mut().zip(alpha.data()) {
            pixel[3] = alpha;
        }
    }
    Ok(result)
}

/// The mean of each block of `ratio` x `ratio` values.
fn reduced(output: &ArrayD<f32>, ratio: usize) -> Result<ArrayD<f32>, Error> {
    let [1, 3, height, width] = *output.shape() else {
        return Err(Error::ModelFailed);
    };
    let (h, w) = (height / ratio, width / ratio);
    let mut small = ArrayD::zeros(vec![1, 3, h, w]);
    for dy in 0..ratio {
        for dx in 0..ratio {
            let part = output.slice(s![.., .., dy..h * ratio; ratio, dx..w * ratio; ratio]);
            small.zip_mut_with(&part, |sum, v| *sum += v);
        }
    }
    small.mapv_inplace(|sum: f32| sum / (ratio * ratio) as f32);
    Ok(small)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::manifest::own_entry;

    /// Repeats each pixel: a net that adds nothing.
    fn repeat(input: &ArrayD<f32>, factor: usize) -> ArrayD<f32> {
        let shape = input.shape();
        ArrayD::from_shape_fn(vec![1, 3, shape[2] * factor, shape[3] * factor], |at| {
            input[[0, at[1], at[2] / factor, at[3] / factor]]
        })
    }

    fn entry(factor: u32) -> Entry {
        let text = format!(
            "task = 'upscale'\nresize = 'tile'\nsize = 16\noverlap = 4\nfactor = {factor}\n\
             peak_mib = 1"
        );
        own_entry(&text).unwrap()
    }

    #[test]
    fn every_tile_lands_where_it_belongs() {
        let data = (0..37 * 21 * 4u32).map(|i| if i % 4 == 3 { 200 } else { (i * 7) as u8 });
        let frame = Frame::new(37, 21, Layout::Rgba, data.collect());
        for (own, asked) in [(2, 2), (4, 4), (4, 2)] {
            let run = &mut |inputs: Vec<ArrayD<f32>>| Ok(vec![repeat(&inputs[0], own as usize)]);
            let large = enlarge(&frame, asked, &entry(own), &Cancel::new(), run, &|| None).unwrap();
            assert_eq!((large.width(), large.height()), (37 * asked, 21 * asked));
            for y in 0..large.height() {
                let from = frame.row(y / asked).as_chunks::<4>().0;
                for (x, pixel) in large.row(y).as_chunks::<4>().0.iter().enumerate() {
                    assert_eq!(
                        pixel,
                        &from[x / asked as usize],
                        "{own} for {asked}: {x}, {y}"
                    );
                }
            }
        }
        let error = enlarge(&frame, 4, &entry(2), &Cancel::new(), &mut Ok, &|| None);
        assert_eq!(error, Err(Error::ModelFailed));
    }
}
