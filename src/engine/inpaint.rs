//! Fills holes in a picture, tile by tile, and changes nothing else.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::{Array4, ArrayD, s};

use super::{
    manifest::{Entry, Input, Resize},
    tensor,
    tiles::{self, Help, Run, Tile},
};
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Frame, Mask, Rect},
};

/// The picture with its holes filled: a value of `holes` above 0 is a hole for the model, and says
/// how much of the filling is taken there (255: all of it). Only the surroundings of holes are run.
/// What a tile has filled is whole for the next one, so that the filling goes on across their
/// border: tiles that touch are done one after the other, in their order.
///
/// # Errors
/// As [`tiles::shared`]; [`Error::Internal`] where the mask is not of the picture's size.
pub fn fill(
    frame: Frame,
    holes: Mask,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
) -> Result<Frame, Error> {
    if (holes.width(), holes.height()) != (frame.width(), frame.height()) {
        return Err(Error::Internal);
    }
    let all = around_holes(&holes, entry);
    let before = |(i, tile): (usize, &Tile)| {
        let earlier = all[..i].iter().enumerate();
        let touching = earlier.filter(|(_, other)| tile.touches(other));
        touching.map(|(i, _)| i).collect()
    };
    let after = all.iter().enumerate().map(before).collect();
    let open = Mutex::new((frame, holes));
    let read = |tile: &Tile| {
        let open = lock(&open);
        inputs(&open.0, &open.1, tile, entry)
    };
    tiles::shared(&all, after, cancel, run, help, read, |tile, output| {
        let (frame, holes) = &mut *lock(&open);
        let share = |x, y: u32| f32::from(holes.row(y)[x as usize]) / 255.0;
        tensor::paste(frame, tile.core, output, tile.corner(), entry, share)?;
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
    let (frame, _) = open.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(frame)
}

fn lock<T>(open: &Mutex<T>) -> MutexGuard<'_, T> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tiles whose cores hold every hole.
fn around_holes(holes: &Mask, entry: &Entry) -> Vec<Tile> {
    let mut all = tiles::tiles(holes.width(), holes.height(), entry);
    if entry.resize == Resize::Whole || entry.fixed_side().is_some() {
        // No tile costs less than another.
        all.retain(|tile| bounds(holes, tile.core).is_some());
        return all;
    }
    let all = all.iter();
    all.flat_map(|tile| pieces(holes, tile.core, entry))
        .collect()
}

/// The holes of a rectangle in as many tiles as together are the smallest: scratches are thin and
/// specks are far apart.
fn pieces(holes: &Mask, rect: Rect, entry: &Entry) -> Vec<Tile> {
    let Some(core) = bounds(holes, rect) else {
        return Vec::new();
    };
    let whole = Tile::new(core, (holes.width(), holes.height()), entry);
    let least = u64::from((2 * entry.overlap + 1).next_multiple_of(entry.multiple_of));
    if whole.area() <= 2 * least * least || core.width.max(core.height) == 1 {
        return vec![whole];
    }
    let halves = halves(core).map(|half| pieces(holes, half, entry));
    let divided = halves.concat();
    match divided.iter().map(Tile::area).sum::<u64>() < whole.area() {
        true => divided,
        false => vec![whole],
    }
}

/// A rectangle of more than one pixel, cut across its longer side.
fn halves(rect: Rect) -> [Rect; 2] {
    let (mut first, mut second) = (rect, rect);
    if rect.width >= rect.height {
        first.width /= 2;
        second.width -= first.width;
        second.x += first.width;
    } else {
        first.height /= 2;
        second.height -= first.height;
        second.y += first.height;
    }
    [first, second]
}

/// The smallest rectangle around the holes inside of `rect`; none where there are none.
fn bounds(holes: &Mask, rect: Rect) -> Option<Rect> {
    let row = |y: u32| &holes.row(y)[rect.x as usize..][..rect.width as usize];
    let is_hole = |v: &u8| *v > 0;
    let mut rows = (rect.y..rect.y + rect.height).filter(|y| row(*y).iter().any(is_hole));
    let top = rows.next()?;
    let bottom = rows.next_back().unwrap_or(top);
    let (mut left, mut right) = (rect.width, 0);
    for row in (top..=bottom).map(row) {
        if let Some(first) = row.iter().position(is_hole) {
            left = left.min(first as u32);
            let last = row.iter().rposition(is_hole).unwrap_or(first);
            right = right.max(last as u32);
        }
    }
    Some(Rect {
        x: rect.x + left,
        y: top,
        width: right + 1 - left,
        height: bottom + 1 - top,
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
        Input::Image | Input::Subject | Input::Fidelity | Input::Quality => {
            image.clone().into_dyn()
        }
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

    /// There is no other instance.
    fn alone<'a>() -> Option<Box<Run<'a>>> {
        None
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
        let entry = entry("size = 64\noverlap = 32\nmultiple_of = 32\ninputs = ['image-mask']");
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
            &alone,
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
        let frame = Frame::filled(128, 32, Layout::Rgb, [0; 4]);
        let holes = Mask::new(128, 32, vec![255; 128 * 32]);
        let entry = entry("size = 32\noverlap = 8\nmultiple_of = 8\ninputs = ['image', 'mask']");
        let mut open = Vec::new();
        let run = &mut |inputs: Vec<ArrayD<f32>>| {
            open.push(inputs[1].sum());
            Ok(vec![paint(&inputs, 1.0)])
        };
        fill(frame, holes, &entry, &Cancel::new(), run, &alone).unwrap();
        assert_eq!(open, [72.0 * 32.0, 64.0 * 32.0]);
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
                &alone,
            );
            assert_eq!(filled.unwrap().row(1)[..6], [51, 51, 51, 153, 153, 153]);
        }
    }

    /// A net that fills holes with the mean of what is whole, the nearer the tile's corner the more.
    fn spread(inputs: Vec<ArrayD<f32>>) -> Result<Vec<ArrayD<f32>>, Error> {
        let (image, mask) = (&inputs[0], &inputs[1]);
        let sound = mask.iter().filter(|v| **v == 0.0).count().max(1) as f32;
        let mean = image.sum() / (3.0 * sound);
        let shape = vec![1, 3, image.shape()[2], image.shape()[3]];
        let output = ArrayD::from_shape_fn(shape, |at| mean * (1.0 - at[3] as f32 / 200.0));
        Ok(vec![output])
    }

    #[test]
    fn two_fill_a_picture_as_one_does() {
        let entry = entry("size = 32\noverlap = 8\nmultiple_of = 8\ninputs = ['image', 'mask']");
        let data = (0..300 * 200 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        let frame = Frame::new(300, 200, Layout::Rgb, data.collect());
        // Thick bars over many borders, and specks.
        let hole = |i: u32| match (i % 300, i / 300) {
            (x, y) if (x + 2 * y) % 90 < 12 || (x * 7 + y * 13) % 501 == 0 => 255,
            _ => 0,
        };
        let holes = Mask::new(300, 200, (0..300 * 200).map(hole).collect());
        let slow = |inputs| {
            std::thread::sleep(std::time::Duration::from_micros(500));
            spread(inputs)
        };
        let help = || Some(Box::new(slow) as Box<Run<'_>>);
        let cancel = Cancel::new();
        let run = |help: &Help<'_>| {
            fill(
                frame.clone(),
                holes.clone(),
                &entry,
                &cancel,
                &mut { spread },
                help,
            )
        };
        let (one, two) = (run(&alone).unwrap(), run(&help).unwrap());
        assert!(one == two, "who fills a tile cannot be seen");
    }

    #[test]
    fn specks_that_are_far_apart_are_filled_apart() {
        let entry = entry("size = 256\noverlap = 32\nmultiple_of = 32\ninputs = ['image-mask']");
        let mut holes = Mask::new(512, 512, vec![0; 512 * 512]);
        let specks = [(3, 3), (4, 3), (250, 40), (40, 250), (250, 251)];
        for (x, y) in specks {
            holes.data_mut()[y * 512 + x] = 255;
        }
        let all = around_holes(&holes, &entry);
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|tile| tile.area() <= 96 * 96));
        for (x, y) in specks.map(|(x, y)| (x as u32, y as u32)) {
            let inside = |rect: Rect| {
                (rect.x..rect.x + rect.width).contains(&x)
                    && (rect.y..rect.y + rect.height).contains(&y)
            };
            let holding = all.iter().filter(|tile| inside(tile.core));
            assert_eq!(holding.count(), 1);
        }
    }
}
