//! Runs a model over a picture of any size in bounded memory: the loop over its tiles, and those whose
//! result is a picture, or a mask, of the same size.

mod grid;
mod turns;

use std::{
    iter,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

use ndarray::ArrayD;

use super::{
    manifest::{Entry, Input},
    tensor,
};
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Frame, Mask, Rect},
    harden::stack::scrubbed,
};
pub use grid::{Tile, is_divided, tiles};
use turns::{Turn, Turns};

/// Runs a model: its inputs in, its outputs out.
pub type Run<'a> = dyn FnMut(Vec<ArrayD<f32>>) -> Result<Vec<ArrayD<f32>>, Error> + 'a;

/// The first output of a run.
///
/// # Errors
/// Those of the run; [`Error::ModelFailed`] where there is none.
pub fn first(run: &mut Run<'_>, inputs: Vec<ArrayD<f32>>) -> Result<ArrayD<f32>, Error> {
    run(inputs)?.into_iter().next().ok_or(Error::ModelFailed)
}

/// Another instance of the model, for one run; none where none is idle.
pub type Help<'a> = dyn Fn() -> Option<Box<Run<'a>>> + Sync + 'a;

/// Runs the model on each tile and hands its output to `done`; where there is `help`, on two at
/// once. Looks at `cancel` before each, and says how far it is. `after` says which of the tiles before it
/// each waits for; where nothing is said of one, for none. Who has done a tile cannot be seen
/// in the result.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::DeadlinePassed`], or an error of a run or of `done`.
pub fn shared(
    tiles: &[Tile],
    after: Vec<Vec<usize>>,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
    inputs: impl Fn(&Tile) -> Vec<ArrayD<f32>> + Sync,
    done: impl FnMut(&Tile, &ArrayD<f32>) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let turns = Turns::new(tiles.len(), after);
    let done = Mutex::new(done);
    let work = |turn: Turn<'_>, run: &mut Run<'_>| {
        cancel.check()?;
        let tile = &tiles[turn.index()];
        let output = first(run, inputs(tile))?;
        done.lock().unwrap_or_else(PoisonError::into_inner)(tile, &output)?;
        cancel.reached(turn.finish());
        Ok(())
    };
    let helped = || {
        // An instance is given back after each tile, so that no other job waits for long.
        while let Some(mut run) = help() {
            let Some(turn) = turns.take() else { break };
            work(turn, &mut run)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let helper = (tiles.len() > 1).then(|| scope.spawn(|| scrubbed(helped)));
        let mut own = || {
            while let Some(turn) = turns.take() {
                work(turn, run)?;
            }
            Ok(())
        };
        let own = own();
        let helped = helper.map_or(Ok(Ok(())), thread::ScopedJoinHandle::join);
        own.and(helped.unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Runs the model on every tile of a picture; as [`shared`], none of which waits for another.
///
/// # Errors
/// As [`shared`].
pub fn over(
    frame: &Frame,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
    done: impl FnMut(&Tile, &ArrayD<f32>) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let all = tiles(frame.width(), frame.height(), entry);
    let image = |tile: &Tile| tensor::tile(frame, tile.source, tile.input, entry).into_dyn();
    let quality = match entry.inputs.contains(&Input::Quality) {
        true => {
            cancel.check()?;
            Some(quality(image(&all[all.len() / 2]), run)?)
        }
        false => None,
    };
    let inputs = |tile: &Tile| iter::once(image(tile)).chain(quality.clone()).collect();
    shared(&all, Vec::new(), cancel, run, help, inputs, done)
}

/// What the model says of the quality of a tile ([`Input::Quality`]), to be told it for all of them:
/// a file was compressed with one, and tiles that are treated unlike each other would be seen. What
/// goes in for it in this run has no part in the answer.
fn quality(image: ArrayD<f32>, run: &mut Run<'_>) -> Result<ArrayD<f32>, Error> {
    let number = |value| ArrayD::from_elem(vec![1, 1], value);
    let outputs = run(vec![image, number(0.0)])?;
    let said = outputs.get(1).and_then(|said| said.first());
    match said {
        Some(said) if said.is_finite() => Ok(number(said.clamp(0.0, 1.0))),
        _ => Err(Error::ModelFailed),
    }
}

/// The picture with every tile replaced by what the model makes of it, as far as `strength` says.
///
/// # Errors
/// As [`shared`].
pub fn apply(
    frame: Frame,
    entry: &Entry,
    strength: f32,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
) -> Result<Frame, Error> {
    let mut result = frame.clone();
    over(&frame, entry, cancel, run, help, |tile, output| {
        let share = |_, _| strength;
        tensor::paste(&mut result, tile.core, output, tile.corner(), entry, share)
    })?;
    Ok(result)
}

/// What the model says of each pixel, 0 to 255.
///
/// # Errors
/// As [`shared`].
pub fn mask(
    frame: &Frame,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
    help: &Help<'_>,
) -> Result<Mask, Error> {
    let (width, height) = (frame.width(), frame.height());
    let mut data = vec![0; width as usize * height as usize];
    over(frame, entry, cancel, run, help, |tile, output| {
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
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// The first plane, as a model of mattes gives it.
    fn first(mut planes: Vec<ArrayD<f32>>) -> Vec<ArrayD<f32>> {
        let plane = planes.remove(0);
        vec![plane.slice_axis(ndarray::Axis(1), (0..1).into()).to_owned()]
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
        let found = |entry: &Entry| {
            let run = &mut |t| blur(t, 5).map(first);
            mask(&frame, entry, &Cancel::new(), run, &alone).unwrap()
        };
        let found_in_tiles = found(&entry);
        entry.size = 128;
        // The padding to even sides repeats the last pixel, as the blur does at an edge.
        assert!(tiled == run(&frame, &entry, 1.0));
        assert!(found_in_tiles == found(&entry));
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
    fn every_tile_is_told_the_quality_that_the_model_says_of_one() {
        let (mut entry, frame) = (entry(), noise(64, 64));
        (entry.size, entry.overlap) = (32, 0);
        entry.inputs = vec![Input::Image, Input::Quality];
        let says = |image, number| vec![image, ArrayD::from_elem(vec![1, 1], number)];
        let mut told = Vec::new();
        let run = &mut |mut inputs: Vec<ArrayD<f32>>| {
            let number = inputs.pop().expect("two go in");
            assert_eq!(number.shape(), [1, 1]);
            told.push(number[[0, 0]]);
            Ok(says(inputs.remove(0), 0.3))
        };
        let result = apply(frame.clone(), &entry, 1.0, &Cancel::new(), run, &alone);
        assert_eq!(result, Ok(frame.clone()));
        let run = &mut |mut inputs: Vec<ArrayD<f32>>| Ok(says(inputs.remove(0), f32::NAN));
        let failed = apply(frame, &entry, 1.0, &Cancel::new(), run, &alone);
        assert_eq!(failed, Err(Error::ModelFailed));
        assert_eq!(told, [0.0, 0.3, 0.3, 0.3, 0.3]);
    }

    #[test]
    fn work_stops_between_tiles_and_says_how_far_it_is() {
        let (mut entry, frame) = (entry(), noise(64, 64));
        (entry.size, entry.overlap) = (32, 0);
        let cancel = Cancel::new();
        let mut runs = 0;
        let run = &mut |t| {
            runs += 1;
            if runs == 3 {
                cancel.cancel();
            }
            Ok(first(t))
        };
        let error = mask(&frame, &entry, &cancel, run, &alone);
        assert_eq!((error, runs), (Err(Error::Cancelled), 3));
        assert!((cancel.progress() - 0.75).abs() < 1e-3);
    }
}
