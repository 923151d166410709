//! Fills holes in a picture, tile by tile, and changes nothing else.

use ndarray::{Array4, ArrayD, s};

use super::{
    manifest::{Entry, Input},
    tensor,
    tiles::{self, Run, Tile},
};
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Frame, Mask, Rect},
};

/// The picture with its holes filled: a value of `holes` above 0 is a hole for the model, and says
/// how much of the filling is taken there (255: all of it). Only tiles with holes are run. What a
/// tile has filled is whole for the next one, so that the filling goes on across their border.
///
/// # Errors
/// As [`tiles::each`]; [`Error::Internal`] where the mask is not of the picture's size.
pub fn fill(
    mut frame: Frame,
    mut holes: Mask,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
) -> Result<Frame, Error> {
    if (holes.width(), holes.height()) != (frame.width(), frame.height()) {
        return Err(Error::Internal);
    }
    let mut all = tiles::tiles(frame.width(), frame.height(), entry);
    all.retain(|tile| has_hole(&holes, tile.core));
    tiles::each(all, cancel, |tile| {
        let output = tiles::first(run, inputs(&frame, &holes, tile, entry))?;
        let share = |x, y: u32| f32::from(holes.row(y)[x as usize]) / 255.0;
        tensor::paste(&mut frame, tile.core, &output, tile.corner(), entry, share)?;
        let Rect {
            x,
            y,
            width,
            height,
        } = tile.core;
        let row = holes.width() as usize;
        for y in y..y + height {
            holes.data_mut()[y as usize * row + x as usize..][..width as usize].fill(0);
        }
        Ok(())
    })?;
    Ok(frame)
}

fn has_hole(holes: &Mask, rect: Rect) -> bool {
    (rect.y..rect.y + rect.height).any(|y| {
        let row = &holes.row(y)[rect.x as usize..][..rect.width as usize];
        row.iter().any(|&v| v > 0)
    })
}

/// What the entry's model takes for this tile. Beyond the picture's edge there are no holes.
fn inputs(frame: &Frame, open: &Mask, tile: &Tile, entry: &Entry) -> Vec<ArrayD<f32>> {
    let mut image = tensor::tile(frame, tile.source, tile.input, entry);
    let (width, height) = (tile.input.0 as usize, tile.input.1 as usize);
    let mut mask = Array4::zeros((1, 1, height, width));
    for y in 0..tile.source.height {
        let row = &open.row(tile.source.y + y)[tile.source.x as usize..];
        for (x, _) in row[..tile.source.width as usize]
            .iter()
            .enumerate()
            .filter(|(_, v)| **v > 0)
        {
            mask[[0, 0, y as usize, x]] = 1.0;
            // Some models do this themselves; what is damaged must not reach the others.
            for c in 0..3 {
                image[[0, c, y as usize, x]] = 0.0;
            }
        }
    }
    let made = entry.inputs.iter().map(|input| match input {
        Input::ImageMask => {
            let mut joined = Array4::zeros((1, 4, height, width));
            joined.slice_mut(s![.., ..3, .., ..]).assign(&image);
            joined.slice_mut(s![.., 3.., .., ..]).assign(&mask);
            joined.into_dyn()
        }
        Input::Mask => mask.clone().into_dyn(),
        Input::Keep => mask.mapv(|v| (1.0 - v) * 255.0).into_dyn(),
        Input::Image | Input::Subject | Input::Fidelity => image.clone().into_dyn(),
    });
    made.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::manifest::own_entry, frame::Layout};

    fn entry(more: &str) -> Entry {
        let text = format!("task = 'inpaint'\nresize = 'tile'\npeak_mib = 1\n{more}");
        own_entry(&text).unwrap()
    }

    /// A net that paints holes with 0.6 and says what it saw.
    fn paint(inputs: &[ArrayD<f32>], unit: f32) -> ArrayD<f32> {
        let shape = inputs[0].shape();
        ArrayD::from_elem(vec![1, 3, shape[2], shape[3]], 0.6 * unit)
    }

    #[test]
    fn only_holes_change_and_only_their_tiles_run() {
        let frame = Frame::filled(100, 70, Layout::Rgba, [200, 100, 50, 255]);
        let mut holes = Mask::new(100, 70, vec![0; 7000]);
        (holes.data_mut()[505], holes.data_mut()[506]) = (255, 128);
        let entry = entry("size = 32\noverlap = 8\nmultiple_of = 32\ninputs = ['image-mask']");
        let mut runs = 0;
        let filled = fill(
            frame.clone(),
            holes,
            &entry,
            &Cancel::new(),
            &mut |inputs| {
                runs += 1;
                let [_, 4, h, w] = *inputs[0].shape() else {
                    panic!("RGB and a mask")
                };
                assert_eq!((w % 32, h % 32), (0, 0));
                assert_eq!(
                    [0, 1, 2, 3].map(|c| inputs[0][[0, c, 5, 5]]),
                    [0.0, 0.0, 0.0, 1.0]
                );
                assert_eq!(inputs[0][[0, 3, 5, 7]], 0.0);
                Ok(vec![paint(&inputs, 1.0)])
            },
        );
        let filled = filled.unwrap();
        assert_eq!(runs, 1);
        assert_eq!(filled.row(5)[20..24], [153, 153, 153, 255]);
        assert_eq!(filled.row(5)[24..28], [176, 127, 102, 255], "half of it");
        let changed = filled
            .data()
            .iter()
            .zip(frame.data())
            .filter(|(a, b)| a != b)
            .count();
        assert_eq!(changed, 6);
    }

    #[test]
    fn a_hole_over_a_border_is_filled_on_from_what_is_there() {
        let frame = Frame::filled(64, 32, Layout::Rgb, [0; 4]);
        let holes = Mask::new(64, 32, vec![255; 64 * 32]);
        let entry = entry("size = 32\noverlap = 8\nmultiple_of = 8\ninputs = ['image', 'mask']");
        let mut open = Vec::new();
        fill(frame, holes, &entry, &Cancel::new(), &mut |inputs| {
            open.push(inputs[1].sum());
            Ok(vec![paint(&inputs, 1.0)])
        })
        .unwrap();
        assert_eq!(open, [40.0 * 32.0, 32.0 * 32.0]);
    }

    #[test]
    fn other_contracts_are_data() {
        let frame = Frame::filled(40, 30, Layout::Rgb, [51, 51, 51, 0]);
        let mut holes = Mask::new(40, 30, vec![0; 1200]);
        holes.data_mut()[41] = 255;
        // LaMa: two inputs of one size, pixels out. MI-GAN: pixels in, and a mask that keeps.
        for (card, side, sound) in [
            (
                "size = 384\noverlap = 64\nmultiple_of = 512\ninputs = ['image', 'mask']",
                512,
                0.2,
            ),
            (
                "size = 512\nrange = 'byte'\ninputs = ['image', 'keep']",
                40,
                51.0,
            ),
        ] {
            let mut entry = entry(card);
            entry.output_range = crate::engine::manifest::Range::Byte;
            if side == 40 {
                entry.resize = crate::engine::manifest::Resize::Whole;
            }
            let filled = fill(
                frame.clone(),
                holes.clone(),
                &entry,
                &Cancel::new(),
                &mut |inputs| {
                    assert_eq!((inputs.len(), inputs[0].shape()[3]), (2, side));
                    assert!((inputs[0][[0, 0, 0, 0]] - sound).abs() < 1e-6);
                    let hole = if side == 40 { [255.0, 0.0] } else { [0.0, 1.0] };
                    assert_eq!([0, 1].map(|x| inputs[1][[0, 0, 1, x]]), hole);
                    Ok(vec![paint(&inputs, 255.0)])
                },
            );
            assert_eq!(filled.unwrap().row(1)[..6], [51, 51, 51, 153, 153, 153]);
        }
    }
}
