//! Everything else that is done to a picture: cut, turn, resize, blur, mark, pad.
//!
//! The order is fixed: crop, rotate, flip, resize, grayscale, blur, sharpen, watermark, radius,
//! pad, flatten. So what a picture loses costs nothing later, and what is added in its final size
//! is not blurred with it. Another order is a pipeline of several transforms.
//!
//! Resizing averages sRGB samples, not light, as Pillow, sharp and browsers do; colours are
//! weighted with their alpha.

mod fit;
mod mark;
mod tone;

use fit::Fitted;
pub use tone::grayscale;

use super::{
    Context, Limits, Outcome, Sampled, Shape, edge,
    geometry::{self, Canvas},
    options::{Fit, Flip, Gravity, Kernel, Rotate, Transform},
};
use crate::{
    engine::manifest::Task,
    error::Error,
    frame::{Frame, Mask, Orientation, Rect},
};

/// The picture that is laid on another.
pub const WATERMARK: &str = "watermark_file";

/// Refuses options that contradict each other, or lack one that they need.
///
/// # Errors
/// [`Error::OptionsConflict`].
pub fn check(options: &Transform) -> Result<(), Error> {
    let conflict = |why| Err(Error::OptionsConflict(why));
    let both = options.width.is_some() && options.height.is_some();
    let opaque = options.background.is_none_or(|color| color.0[3] == 255);
    match () {
        () if options.fit != Fit::Inside && !both => {
            conflict("A `fit` other than `inside` needs `width` and `height`.")
        }
        () if options.gravity == Gravity::Smart && options.fit != Fit::Cover => {
            conflict("`gravity=smart` needs `fit=cover`.")
        }
        () if options.gravity != Gravity::Center
            && !matches!(options.fit, Fit::Cover | Fit::Contain) =>
        {
            conflict("`gravity` needs `fit=cover` or `fit=contain`.")
        }
        () if options.flatten && !opaque => {
            conflict("`flatten` needs a `background` that is opaque.")
        }
        () => Ok(()),
    }
}

/// Refuses options of a watermark where there is none.
///
/// # Errors
/// [`Error::OptionsConflict`].
pub fn check_unmarked(options: &Transform) -> Result<(), Error> {
    let default = Transform::default();
    let why = match () {
        () if options.watermark_opacity != default.watermark_opacity => {
            "`watermark_opacity` needs a `watermark_file`."
        }
        () if options.watermark_position != default.watermark_position => {
            "`watermark_position` needs a `watermark_file`."
        }
        () => return Ok(()),
    };
    Err(Error::OptionsConflict(why))
}

/// The model that `gravity=smart` asks.
pub fn model(options: &Transform) -> Option<(Task, Option<&str>)> {
    (options.gravity == Gravity::Smart).then_some((Task::Cutout, None))
}

/// The size at which a picture of this size is sampled first, where it is made smaller and nothing
/// before that needs all of its pixels.
pub fn sampled(options: &Transform, size: (u32, u32)) -> Option<Sampled> {
    if options.crop.is_some() || options.filter == Kernel::Nearest {
        return None;
    }
    let upright = turned(size, options.rotate);
    let fitted = fit::fitted(upright, options, (0.5, 0.5))?;
    // As if nothing were cut off.
    let side = |whole: u32, part: f64, to: u32| {
        (f64::from(to) * f64::from(whole) / part)
            .ceil()
            .min(f64::from(whole)) as u32
    };
    let [_, _, width, height] = fitted.part;
    let to = (
        side(upright.0, width, fitted.size.0),
        side(upright.1, height, fitted.size.1),
    );
    Some(Sampled {
        least: turned(to, options.rotate),
        turned: options.rotate != Rotate::None || options.flip != Flip::None,
    })
}

fn turned((width, height): (u32, u32), rotate: Rotate) -> (u32, u32) {
    match rotate {
        Rotate::Right | Rotate::Left => (height, width),
        Rotate::None | Rotate::Half => (width, height),
    }
}

/// The bytes that [`apply`] holds at its peak beside the watermark, and the shape of the result.
///
/// # Errors
/// [`Error::RoiOutside`], [`Error::ResultTooLarge`].
pub fn outline(options: &Transform, shape: Shape, limits: &Limits) -> Result<(u64, Shape), Error> {
    let mut shape = shape;
    let mut peak = 2 * shape.bytes();
    if let Some(crop) = options.crop {
        match geometry::region(crop, shape.size) {
            Some(rect) => shape.size = (rect.width, rect.height),
            // Before its work is done, an operation may only know the most that comes out.
            None if !shape.exact => {}
            None => return Err(outside(shape.size)),
        }
    }
    shape.size = turned(shape.size, options.rotate);
    if let Some(fitted) = fit::fitted(shape.size, options, options.gravity.shares()) {
        limits.check(fitted.size)?;
        let before = shape;
        shape.size = fitted.size;
        // The weighted copy, and the picture of the new width and the old height between the
        // passes.
        let weighted = if shape.alpha { before.bytes() } else { 0 };
        let between = Shape {
            size: (shape.size.0, before.size.1),
            ..shape
        };
        peak = peak.max(before.bytes() + weighted + between.bytes() + shape.bytes());
        if let Some(canvas) = fitted.canvas {
            limits.check((canvas.width, canvas.height))?;
            shape = on_canvas(options, shape, canvas);
        }
    }
    // A second copy to sharpen, or a watermark of the picture's size.
    peak = peak.max(3 * shape.pixels() * 4);
    if let Some(canvas) = padding(options, shape.size) {
        limits.check((canvas.width, canvas.height))?;
        let before = shape;
        shape = on_canvas(options, shape, canvas);
        peak = peak.max(before.bytes() + shape.bytes());
    }
    shape.alpha = (shape.alpha || options.radius.is_some()) && !options.flatten;
    // Flattening makes a copy.
    peak = peak.max(2 * shape.pixels() * 4);
    Ok((peak, shape))
}

fn on_canvas(options: &Transform, shape: Shape, canvas: Canvas) -> Shape {
    let opaque = options.background.is_some_and(|color| color.0[3] == 255);
    Shape {
        size: (canvas.width, canvas.height),
        alpha: shape.alpha || !opaque,
        ..shape
    }
}

fn outside((width, height): (u32, u32)) -> Error {
    Error::RoiOutside {
        option: "crop",
        width,
        height,
    }
}

/// The canvas with the room that is to be added; `None` where none is.
fn padding(options: &Transform, (width, height): (u32, u32)) -> Option<Canvas> {
    let whole = Rect {
        x: 0,
        y: 0,
        width,
        height,
    };
    let canvas = geometry::crop_box(whole, options.pad.0, (width, height));
    Some(canvas).filter(|canvas| (canvas.width, canvas.height) != (width, height))
}

/// Applies the operation.
///
/// # Errors
/// Those of [`outline`], and of the engine for `gravity=smart`.
pub fn apply(
    frame: Frame,
    options: &Transform,
    watermark: Option<Frame>,
    context: &mut Context<'_>,
) -> Result<Outcome, Error> {
    let size = context
        .source
        .size
        .unwrap_or((frame.width(), frame.height()));
    // What was not known before the picture was there is known now.
    let shape = Shape {
        size,
        ..Shape::of(&frame)
    };
    outline(options, shape, &context.limits)?;
    // Of how many pixels each side of this one is, where it was decoded at a fraction.
    let whole = f64::from(size.0) / f64::from(frame.width());
    let fraction = 1.0 / whole.round();
    let moved =
        options.crop.is_some() || options.rotate != Rotate::None || options.flip != Flip::None;
    let frame = match moved {
        true => context.stages.time("turn", || turn(frame, options))?,
        false => frame,
    };
    context.cancel.check()?;
    let size = match fraction {
        1.0 => (frame.width(), frame.height()),
        _ => turned(size, options.rotate),
    };
    let (mut shares, mut model) = (options.gravity.shares(), None);
    if let Some((task, name)) = self::model(options) {
        let (engine, cancel) = (context.engine, context.cancel);
        let matte = context
            .stages
            .time("inference", || engine.matte(name, &frame, cancel))?;
        let entry = engine.entry(task, name)?;
        model = Some((entry.name.clone(), entry.license.clone()));
        shares = subject_shares(&matte, size, options);
    }
    let frame = match fit::fitted(size, options, shares) {
        Some(fitted) => context
            .stages
            .time("resize", || resize(frame, &fitted.of(fraction), options)),
        None => frame,
    };
    context.cancel.check()?;
    let frame = context
        .stages
        .time("finish", || finish(frame, options, watermark));
    Ok(Outcome {
        model,
        ..Outcome::of(frame)
    })
}

fn turn(frame: Frame, options: &Transform) -> Result<Frame, Error> {
    let mut frame = frame;
    if let Some(crop) = options.crop {
        let size = (frame.width(), frame.height());
        let rect = geometry::region(crop, size).ok_or_else(|| outside(size))?;
        frame = frame.cropped(rect);
    }
    let rotation = match options.rotate {
        Rotate::None => Orientation::Upright,
        Rotate::Right => Orientation::Rotate90,
        Rotate::Half => Orientation::Rotate180,
        Rotate::Left => Orientation::Rotate270,
    };
    let mirror = match options.flip {
        Flip::None => Orientation::Upright,
        Flip::Horizontal => Orientation::FlipH,
        Flip::Vertical => Orientation::FlipV,
    };
    Ok(frame.oriented(rotation).oriented(mirror))
}

fn resize(frame: Frame, fitted: &Fitted, options: &Transform) -> Frame {
    let (width, height) = fitted.size;
    let whole = [
        0.0,
        0.0,
        f64::from(frame.width()),
        f64::from(frame.height()),
    ];
    let same = fitted.part == whole && fitted.size == (frame.width(), frame.height());
    let frame = match same {
        true => frame,
        false => frame.resized_part(fitted.part, width, height, options.filter.into()),
    };
    match fitted.canvas {
        Some(canvas) => placed(frame, canvas, options),
        None => frame,
    }
}

fn finish(frame: Frame, options: &Transform, watermark: Option<Frame>) -> Frame {
    let mut frame = frame;
    if options.grayscale {
        tone::grayscale(&mut frame);
    }
    if options.blur.0 > 0.0 {
        tone::blur(&mut frame, options.blur.0);
    }
    if options.sharpen.0 > 0.0 {
        tone::sharpen(&mut frame, options.sharpen.0);
    }
    if let Some(watermark) = watermark {
        let opacity = options.watermark_opacity.0;
        frame = mark::mark(frame, watermark, options.watermark_position, opacity);
    }
    if let Some(radius) = options.radius {
        let shorter = frame.width().min(frame.height());
        frame = tone::rounded(frame, radius.0.pixels(shorter) as f32);
    }
    if let Some(canvas) = padding(options, (frame.width(), frame.height())) {
        frame = placed(frame, canvas, options);
    }
    if options.flatten {
        let [r, g, b, _] = options.background.map_or([255; 4], |color| color.0);
        frame = frame.flattened([r, g, b]);
    }
    frame
}

/// The picture on a canvas of the background's colour that holds all of it.
fn placed(frame: Frame, canvas: Canvas, options: &Transform) -> Frame {
    if (canvas.width, canvas.height) == (frame.width(), frame.height()) {
        return frame;
    }
    let color = options.background.map_or([0; 4], |color| color.0);
    let frame = match color[3] {
        255 => frame,
        _ => frame.with_alpha(),
    };
    let n = frame.layout().channels();
    let mut out = Frame::filled(canvas.width, canvas.height, frame.layout(), color);
    let (stride, length) = (out.stride(), frame.stride());
    let (left, top) = ((-canvas.x) as usize, (-canvas.y) as usize);
    for y in 0..frame.height() {
        let start = (top + y as usize) * stride + left * n;
        out.data_mut()[start..start + length].copy_from_slice(frame.row(y));
    }
    out
}

/// How what is cut off is to be divided, so that most of the subject stays: as
/// [`Gravity::shares`].
fn subject_shares(matte: &Mask, size: (u32, u32), options: &Transform) -> (f64, f64) {
    let middle = Gravity::Center.shares();
    let Some(Fitted { part, .. }) = fit::fitted(size, options, middle) else {
        return middle;
    };
    if edge::confidence(matte) == 0.0 {
        return middle;
    }
    let width = matte.width() as usize;
    let columns = (0..width).map(|x| matte.data()[x..].iter().step_by(width).map(weight).sum());
    let rows = matte
        .data()
        .chunks_exact(width)
        .map(|row| row.iter().map(weight).sum());
    (
        share(&columns.collect::<Vec<_>>(), part[2] / f64::from(size.0)),
        share(&rows.collect::<Vec<_>>(), part[3] / f64::from(size.1)),
    )
}

fn weight(alpha: &u8) -> u64 {
    u64::from(*alpha)
}

/// Where a window of the share `kept` of a line begins, as a share of the room it has: over most
/// weight; of windows that hold nearly as much, the one whose middle is nearest to that of the
/// weight.
fn share(weights: &[u64], kept: f64) -> f64 {
    let n = weights.len();
    let window = ((n as f64 * kept).round() as usize).clamp(1, n);
    let total: u64 = weights.iter().sum();
    if window == n || total == 0 {
        return 0.5;
    }
    let moment: f64 = weights
        .iter()
        .zip(0..)
        .map(|(w, i)| *w as f64 * f64::from(i))
        .sum();
    let middle = moment / total as f64;
    let sums: Vec<u64> = weights
        .windows(window)
        .map(|part| part.iter().sum())
        .collect();
    let most = sums.iter().max().copied().unwrap_or(0);
    // Half a percent of the subject is not seen to be missing.
    let enough = most.saturating_sub(total / 200);
    let off = |start: &usize| (*start as f64 + window as f64 / 2.0 - 0.5 - middle).abs();
    let best = (0..sums.len())
        .filter(|start| sums[*start] >= enough)
        .min_by(|a, b| off(a).total_cmp(&off(b)));
    best.map_or(0.5, |start| start as f64 / (n - window) as f64)
}

#[cfg(test)]
mod tests;
