//! Runs a model over a picture of any size in bounded memory: where the tiles are, and the loops
//! whose result is a picture, or a mask, of the same size.

use std::{
    panic::resume_unwind,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use ndarray::ArrayD;

use super::{
    manifest::{Entry, Resize},
    tensor,
};
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Frame, Mask, Rect},
    harden::stack::scrubbed,
};

/// Runs a model: its inputs in, its outputs out.
pub type Run<'a> = dyn FnMut(Vec<ArrayD<f32>>) -> Result<Vec<ArrayD<f32>>, Error> + 'a;

/// The first output of a run.
///
/// # Errors
/// Those of the run; [`Error::ModelFailed`] where there is none.
pub fn first(run: &mut Run<'_>, inputs: Vec<ArrayD<f32>>) -> Result<ArrayD<f32>, Error> {
    run(inputs)?.into_iter().next().ok_or(Error::ModelFailed)
}

/// One tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// What is written.
    pub core: Rect,
    /// What is read: the core and what is around it.
    pub source: Rect,
    /// The size of the input, which the source is filled up to.
    pub input: (u32, u32),
}

impl Tile {
    /// Where the core begins in the source.
    pub fn corner(&self) -> (u32, u32) {
        (self.core.x - self.source.x, self.core.y - self.source.y)
    }
}

/// The tiles of a picture, row by row; one for models that take it whole.
///
/// A tile is read with `entry.overlap` more pixels on each side and only its core is written. The
/// overlap is at least the model's receptive field, so a core does not depend on where the tile
/// was cut, and there is no seam to blend.
pub fn tiles(width: u32, height: u32, entry: &Entry) -> Vec<Tile> {
    let core = match entry.resize {
        Resize::Whole => width.max(height),
        _ => entry.size,
    };
    let spans = |side: u32| {
        (0..side).step_by(core as usize).map(move |start| {
            let length = core.min(side - start);
            let from = start.saturating_sub(entry.overlap);
            let to = (start + length + entry.overlap).min(side);
            let input = (to - from).next_multiple_of(entry.multiple_of);
            // Of a net with one input size, what would be filled up is read from the picture where it
            // goes on. Others want their tiles on multiples, where they would see the whole picture.
            let (from, read) = match input <= side && entry.fixed_side().is_some() {
                true => (from.min(side - input), input),
                false => (from, to - from),
            };
            (start, length, from, read, input)
        })
    };
    let rows = spans(height).flat_map(|row| spans(width).map(move |column| (row, column)));
    rows.map(|(row, column)| Tile {
        core: Rect {
            x: column.0,
            y: row.0,
            width: column.1,
            height: row.1,
        },
        source: Rect {
            x: column.2,
            y: row.2,
            width: column.3,
            height: row.3,
        },
        input: (column.4, row.4),
    })
    .collect()
}

/// The tiles one after the other: looks at `cancel` before each, and says how far it is.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::DeadlinePassed`], or the first error of `each`.
pub fn each(
    tiles: Vec<Tile>,
    cancel: &Cancel,
    mut each: impl FnMut(&Tile) -> Result<(), Error>,
) -> Result<(), Error> {
    let count = tiles.len() as f32;
    for (i, tile) in tiles.iter().enumerate() {
        cancel.check()?;
        each(tile)?;
        cancel.reached((i + 1) as f32 / count);
    }
    Ok(())
}

/// Another instance of the model, for one run; none where none is idle.
pub type Help<'a> = dyn Fn() -> Option<Box<Run<'a>>> + Sync + 'a;

/// As [`each`], for tiles that do not depend on each other: where there is `help`, every other tile
/// is done by it. Who has done a tile cannot be seen in the result.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::DeadlinePassed`], or an error of a run or of `done`.
pub fn shared(
    tiles: &[Tile],
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
    input: impl Fn(&Tile) -> ArrayD<f32> + Sync,
    done: impl FnMut(&Tile, &ArrayD<f32>) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let sink = Mutex::new((done, 0));
    let take = || tiles.get(next.fetch_add(1, Ordering::Relaxed));
    let work = |tile: &Tile, run: &mut Run<'_>| {
        cancel.check()?;
        let output = first(run, vec![input(tile)])?;
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        (sink.0)(tile, &output)?;
        sink.1 += 1;
        cancel.reached(sink.1 as f32 / tiles.len() as f32);
        Ok(())
    };
    // Whoever fails leaves nothing to do for the other.
    let ended = |result: Result<(), Error>| {
        result.inspect_err(|_| next.store(tiles.len(), Ordering::Relaxed))
    };
    let helped = || {
        // An instance is given back after each tile, so that no other job waits for long.
        while let Some(mut run) = help() {
            let Some(tile) = take() else { break };
            work(tile, &mut run)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let helper = (tiles.len() > 1).then(|| scope.spawn(|| ended(scrubbed(helped))));
        let mut own = || {
            while let Some(tile) = take() {
                work(tile, run)?;
            }
            Ok(())
        };
        let own = ended(own());
        let helped = helper.map_or(Ok(Ok(())), thread::ScopedJoinHandle::join);
        own.and(helped.unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// The picture with every tile replaced by what the model makes of it, as far as `strength` says.
///
/// # Errors
/// As [`each`].
pub fn apply(
    frame: Frame,
    entry: &Entry,
    strength: f32,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
) -> Result<Frame, Error> {
    let mut result = frame.clone();
    let all = tiles(frame.width(), frame.height(), entry);
    let input = |tile: &Tile| tensor::tile(&frame, tile.source, tile.input, entry).into_dyn();
    shared(&all, cancel, run, help, input, |tile, output| {
        let share = |_, _| strength;
        tensor::paste(&mut result, tile.core, output, tile.corner(), entry, share)
    })?;
    Ok(result)
}

/// What the model says of each pixel, 0 to 255.
///
/// # Errors
/// As [`each`].
pub fn mask(
    frame: &Frame,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
) -> Result<Mask, Error> {
    let (width, height) = (frame.width(), frame.height());
    let mut data = vec![0; width as usize * height as usize];
    let all = tiles(width, height, entry);
    let input = |tile: &Tile| tensor::tile(frame, tile.source, tile.input, entry).into_dyn();
    shared(&all, cancel, run, help, input, |tile, output| {
        let found = tensor::matte(output, (1.0, 1.0), entry)?;
        let (left, top) = tile.corner();
        let Rect {
            x,
            y,
            width: w,
            height: h,
        } = tile.core;
        if left + w > found.width() || top + h > found.height() {
            return Err(Error::ModelFailed);
        }
        for row in 0..h {
            let from = &found.row(top + row)[left as usize..][..w as usize];
            let at = (y + row) as usize * width as usize + x as usize;
            data[at..at + w as usize].copy_from_slice(from);
        }
        Ok(())
    })?;
    Ok(Mask::new(width, height, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::catalogue::catalogue, frame::Layout};

    /// A blur of `2 * radius + 1` pixels stands in for a net with that receptive field.
    fn blur(inputs: Vec<ArrayD<f32>>, radius: isize) -> Result<Vec<ArrayD<f32>>, Error> {
        let input = &inputs[0];
        let [_, _, h, w] = *input.shape() else {
            panic!("planes go in");
        };
        let at = |c: usize, y: isize, x: isize| {
            let y = y.clamp(0, h as isize - 1) as usize;
            input[[0, c, y, x.clamp(0, w as isize - 1) as usize]]
        };
        let output = ndarray::Array4::from_shape_fn((1, 3, h, w), |(_, c, y, x)| {
            let around = -radius..=radius;
            let sum: f32 = around
                .clone()
                .map(|d| at(c, y as isize + d, x as isize + d))
                .sum();
            sum / around.count() as f32
        });
        Ok(vec![output.into_dyn()])
    }

    /// There is no other instance.
    fn alone<'a>() -> Option<Box<Run<'a>>> {
        None
    }

    fn entry() -> Entry {
        let mut all = catalogue().into_iter();
        all.find(|e| e.name == "restore").unwrap()
    }

    fn noise(width: u32, height: u32) -> Frame {
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let data = (0..width * height * 3).map(noise).collect();
        Frame::new(width, height, Layout::Rgb, data)
    }

    #[test]
    fn tiles_leave_no_seam() {
        let mut entry = entry();
        (entry.size, entry.overlap) = (16, 6);
        let frame = noise(67, 45);
        let run = |frame: &Frame, entry: &Entry, strength| {
            let (run, cancel) = (&mut |t| blur(t, 5), Cancel::new());
            apply(frame.clone(), entry, strength, &cancel, run, &alone).unwrap()
        };
        let tiled = run(&frame, &entry, 1.0);
        let found = mask(&frame, &entry, &Cancel::new(), &mut |t| blur(t, 5), &alone).unwrap();
        entry.size = 128;
        // The padding to even sides repeats the last pixel, as the blur does at an edge.
        assert!(tiled == run(&frame, &entry, 1.0));
        assert!(
            found == mask(&frame, &entry, &Cancel::new(), &mut |t| blur(t, 5), &alone).unwrap()
        );
        assert!(
            run(&frame, &entry, 0.0) == frame,
            "strength 0 is the identity"
        );
    }

    #[test]
    fn help_is_not_seen_in_the_result() {
        let (mut entry, frame) = (entry(), noise(200, 150));
        (entry.size, entry.overlap) = (16, 6);
        let helped = AtomicUsize::new(0);
        let help = || {
            let run = |t| {
                helped.fetch_add(1, Ordering::Relaxed);
                blur(t, 5)
            };
            Some(Box::new(run) as Box<Run<'_>>)
        };
        let (cancel, run) = (Cancel::new(), &mut |t| blur(t, 5));
        let one = apply(frame.clone(), &entry, 1.0, &cancel, run, &alone).unwrap();
        let two = apply(frame.clone(), &entry, 1.0, &cancel, run, &help).unwrap();
        assert!(one == two && (cancel.progress() - 1.0).abs() < 1e-6);
        assert!(helped.load(Ordering::Relaxed) > 0, "there was help");
        let broken = || Some(Box::new(|_| Err(Error::ModelFailed)) as Box<Run<'_>>);
        let slow = &mut |t| {
            thread::sleep(std::time::Duration::from_millis(5));
            blur(t, 5)
        };
        let failed = apply(frame, &entry, 1.0, &cancel, slow, &broken);
        assert_eq!(failed, Err(Error::ModelFailed));
    }

    #[test]
    fn tiles_cover_every_pixel_once_and_stay_inside() {
        let mut entry = entry();
        for (size, overlap, multiple_of) in [(16, 6, 2), (40, 12, 64), (256, 24, 16)] {
            (entry.size, entry.overlap, entry.multiple_of) = (size, overlap, multiple_of);
            for (width, height) in [(1, 1), (67, 45), (64, 300), (513, 20)] {
                let mut seen = vec![0; (width * height) as usize];
                for tile in tiles(width, height, &entry) {
                    let Tile {
                        core,
                        source,
                        input,
                    } = tile;
                    assert!(source.x + source.width <= width && source.y + source.height <= height);
                    assert!(input.0 % multiple_of == 0 && input.1 % multiple_of == 0);
                    assert!(input.0 >= source.width && input.1 >= source.height);
                    let (left, top) = tile.corner();
                    assert!(left + core.width <= source.width);
                    assert!(top + core.height <= source.height);
                    assert!(left >= overlap.min(core.x) && top >= overlap.min(core.y));
                    for y in core.y..core.y + core.height {
                        for x in core.x..core.x + core.width {
                            seen[(y * width + x) as usize] += 1;
                        }
                    }
                }
                assert!(seen.iter().all(|&n| n == 1), "{size}: {width} x {height}");
            }
        }
    }

    #[test]
    fn work_stops_between_tiles_and_says_how_far_it_is() {
        let (mut entry, frame) = (entry(), noise(64, 64));
        entry.size = 32;
        let cancel = Cancel::new();
        let mut runs = 0;
        let run = &mut |t| {
            runs += 1;
            if runs == 3 {
                cancel.cancel();
            }
            Ok(t)
        };
        let error = mask(&frame, &entry, &cancel, run, &alone);
        assert_eq!((error, runs), (Err(Error::Cancelled), 3));
        assert!((cancel.progress() - 0.75).abs() < 1e-3);
    }
}
