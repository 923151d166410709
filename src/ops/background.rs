//! Background removal: a coarse matte from the model, brought to the picture's own resolution,
//! then foreground colours, a new ground and a new place.

use super::{
    Context, Limits, Outcome, Shape, compose, edge, foreground,
    geometry::{self, Canvas, Position},
    matting,
    options::{Cutout, Ground, OnEmpty, Region, RemoveBackground, Shadow},
};
use crate::{
    engine::{
        Subject,
        manifest::{Entry, Task},
        tensor,
    },
    error::Error,
    frame::{Filter, Frame, Layout, Mask, Rect},
};

/// From this alpha on (5 %) a pixel counts as part of the subject when its box is looked for:
/// fainter ones are not seen, and would let a veil decide about the crop.
const VISIBLE: u8 = 13;

/// What is looked at of a picture of this width and height: the region, where one is named.
pub fn looked_at(options: &RemoveBackground, size: (u32, u32)) -> (u32, u32) {
    let region = options.roi.and_then(|roi| geometry::region(roi, size));
    region.map_or(size, |region| (region.width, region.height))
}

/// Applies the operation; says what kind of thing the subject is, if `names_kind`.
///
/// # Errors
/// [`Error::RoiOutside`], [`Error::NothingFound`], and those of the engine.
pub fn apply(
    frame: Frame,
    options: &RemoveBackground,
    ground: Option<Frame>,
    names_kind: bool,
    context: &mut Context<'_>,
) -> Result<Outcome, Error> {
    // A smaller result costs less when the picture is made smaller first; after a crop the
    // result's size is only known at the end.
    let given = (frame.width(), frame.height());
    let region = options.roi.map(|roi| rect(roi, given)).transpose()?;
    let frame = if options.crop {
        frame
    } else {
        limited(frame, options)
    };
    let region =
        region.map(|region| geometry::scaled(region, given, (frame.width(), frame.height())));
    let part = region.map(|region| frame.cropped(region));
    let looked_at = part.as_ref().unwrap_or(&frame);
    let name = options.model.as_ref().map(|m| m.0.as_str());
    let entry = context.engine.entry(Task::Cutout, name)?;
    let coarse = coarse(looked_at, options, context)?;
    let confidence = edge::confidence(&coarse);
    if confidence == 0.0 && options.on_empty == OnEmpty::Error {
        return Err(Error::NothingFound);
    }
    context.cancel.check()?;
    let kind = match names_kind {
        true => Some(kind(looked_at, &coarse, context)?),
        false => None,
    };

    let mut matte = context.stages.time("refine", || {
        let fine = matte(looked_at, &coarse, options, entry, confidence);
        let fine = match region {
            Some(region) => placed(fine, region, &frame),
            None => fine,
        };
        shaped(fine, options)
    });
    drop(part);
    if let Some(alpha) = frame.alpha() {
        multiply(&mut matte, &alpha);
    }
    context.cancel.check()?;

    let model = Some((entry.name.clone(), entry.license.clone()));
    let limits = context.limits;
    let result = context
        .stages
        .time("compose", || result(frame, matte, ground, options, &limits))?;
    Ok(Outcome {
        frame: result.frame,
        matte: result.matte,
        model,
        confidence: Some(confidence),
        subject: result.subject,
        full_size: result.crop.unwrap_or(given),
        report: None,
        kind,
    })
}

/// The model's matte.
fn coarse(
    frame: &Frame,
    options: &RemoveBackground,
    context: &mut Context<'_>,
) -> Result<Mask, Error> {
    let name = options.model.as_ref().map(|m| m.0.as_str());
    let (engine, cancel) = (context.engine, context.cancel);
    let run = || engine.matte(name, frame, cancel);
    context.stages.time("inference", run)
}

/// What kind of thing the matte shows.
fn kind(frame: &Frame, coarse: &Mask, context: &mut Context<'_>) -> Result<Subject, Error> {
    let (engine, cancel) = (context.engine, context.cancel);
    let run = || engine.subject(frame, coarse, cancel);
    context.stages.time("classify", run)
}

fn rect(roi: Region, (width, height): (u32, u32)) -> Result<Rect, Error> {
    geometry::region(roi, (width, height)).ok_or(Error::RoiOutside {
        option: "roi",
        width,
        height,
    })
}

/// The matte at the resolution of the picture, or of what is looked at of it. Unrefined, it grows
/// as it does where the model comes from.
fn matte(
    frame: &Frame,
    coarse: &Mask,
    options: &RemoveBackground,
    entry: &Entry,
    confidence: f32,
) -> Mask {
    if confidence == 0.0 {
        // Nothing found: whatever faint values there are would be a veil, not a subject.
        return Mask::new(frame.width(), frame.height(), vec![0; frame.pixels()]);
    }
    let plain = || tensor::grown(coarse, (frame.width(), frame.height()), entry);
    let cleaned = |mut mask| {
        edge::postprocess(&mut mask);
        mask
    };
    match (options.refine, options.trimap, options.postprocess) {
        // A trimap says where a mask is soft again: so the mask is cleaned before that.
        (true, Some(trimap), true) => matting::refine(frame, &cleaned(plain()), Some(trimap)),
        (true, trimap, false) => matting::refine(frame, coarse, trimap),
        (true, None, true) => cleaned(matting::refine(frame, coarse, None)),
        (false, _, true) => cleaned(plain()),
        (false, _, false) => plain(),
    }
}

/// The matte of the whole picture with the options that shape its edge.
fn shaped(mut matte: Mask, options: &RemoveBackground) -> Mask {
    if let Some(at) = options.threshold {
        edge::threshold(&mut matte, at.0);
    }
    if options.shift.0 != 0.0 {
        edge::shift(&mut matte, options.shift.0);
    }
    if options.feather.0 > 0.0 {
        edge::feather(&mut matte, options.feather.0);
    }
    matte
}

/// A matte of a region, on a matte of the whole picture that is empty elsewhere.
fn placed(part: Mask, region: Rect, frame: &Frame) -> Mask {
    let mut whole = Mask::new(frame.width(), frame.height(), vec![0; frame.pixels()]);
    let (width, at) = (frame.width() as usize, region.x as usize);
    for y in 0..region.height {
        let start = (region.y + y) as usize * width + at;
        whole.data_mut()[start..start + region.width as usize].copy_from_slice(part.row(y));
    }
    whole
}

fn multiply(matte: &mut Mask, alpha: &Mask) {
    for (value, alpha) in matte.data_mut().iter_mut().zip(alpha.data()) {
        *value = crate::frame::div255(u32::from(*value) * u32::from(*alpha));
    }
}

/// What the client asked for.
struct Composed {
    frame: Frame,
    /// The matte beside it.
    matte: Option<Mask>,
    /// Where the subject is in it.
    subject: Option<Rect>,
    /// The size to which it was cropped, before `max_megapixels`.
    crop: Option<(u32, u32)>,
}

/// From picture and matte to what the client asked for.
fn result(
    frame: Frame,
    matte: Mask,
    ground: Option<Frame>,
    options: &RemoveBackground,
    limits: &Limits,
) -> Result<Composed, Error> {
    let frame = if frame.layout() == Layout::Rgba {
        frame.without_alpha()
    } else {
        frame
    };
    let blurred = match options.background {
        Ground::Blur(radius) if options.output != Cutout::Mask => {
            // A thirtieth of the longer side reads as "out of focus" at any size.
            let default = frame.width().max(frame.height()) as f32 / 30.0;
            Some(compose::blurred_ground(
                &frame,
                &matte,
                radius.unwrap_or(default),
            ))
        }
        _ => None,
    };
    let mut cutout = match options.output {
        // The colours are not shown, only moved about with their alpha.
        Cutout::Mask => foreground::cut(&frame, &matte),
        _ if options.refine => foreground::estimate(&frame, &matte),
        _ => foreground::cut(&frame, &matte),
    };
    drop((frame, matte));

    if options.scale.is_some() || options.position.0 != Position::Original {
        cutout = placed_anew(cutout, options);
    }
    // Where the subject is, before a shadow or a ground hides it.
    let bounds = cutout.alpha_bounds(VISIBLE);
    let size = (cutout.width(), cutout.height());
    let canvas = bounds
        .filter(|_| options.crop)
        .map(|bounds| geometry::crop_box(bounds, options.crop_margin.0, size));
    if let Some(canvas) = canvas {
        limits.check((canvas.width, canvas.height))?;
    }
    let composed = |frame: Frame, matte: Option<Mask>| Composed {
        subject: bounds.map(|bounds| shown(bounds, canvas, size, &frame)),
        crop: canvas.map(|canvas| (canvas.width, canvas.height)),
        frame,
        matte,
    };
    let alpha = match options.output {
        Cutout::Cutout => None,
        _ => cutout.alpha(),
    };
    let alpha = alpha.map(|alpha| cropped(alpha.into_frame(), canvas, options));
    let alpha = match alpha {
        Some(alpha) if options.output == Cutout::Mask => return Ok(composed(alpha, None)),
        alpha => alpha,
    };
    if options.shadow == Shadow::Drop {
        cutout = compose::drop_shadow(cutout);
    }
    let frame = match (options.background, ground, blurred) {
        (_, Some(ground), _) => {
            let cover = geometry::cover(ground, cutout.width(), cutout.height());
            compose::over_picture(cutout, &cover)
        }
        (_, _, Some(ground)) => compose::over_picture(cutout, &ground),
        (Ground::Color(color), ..) => compose::over_color(cutout, color),
        _ => cutout,
    };
    let matte = alpha.map(|a| Mask::new(a.width(), a.height(), a.into_data()));
    Ok(composed(cropped(frame, canvas, options), matte))
}

/// Where `bounds`, in a picture of `size`, is in the result that was made of it.
fn shown(bounds: Rect, canvas: Option<Canvas>, size: (u32, u32), result: &Frame) -> Rect {
    let to = (result.width(), result.height());
    let Some(canvas) = canvas else {
        return geometry::scaled(bounds, size, to);
    };
    // No margin cuts into the subject, so it is all on the canvas.
    let moved = Rect {
        x: (i64::from(bounds.x) - canvas.x) as u32,
        y: (i64::from(bounds.y) - canvas.y) as u32,
        ..bounds
    };
    geometry::scaled(moved, (canvas.width, canvas.height), to)
}

/// The subject at the place and of the size that were asked for.
fn placed_anew(cutout: Frame, options: &RemoveBackground) -> Frame {
    let Some(subject) = cutout.alpha_bounds(VISIBLE) else {
        return cutout;
    };
    let scale = options.scale.map(|scale| scale.0);
    // A new size without a new place is centred, as remove.bg does it.
    let position = match options.position.0 {
        Position::Original if scale.is_some() => Position::At { x: 0.5, y: 0.5 },
        position => position,
    };
    geometry::place(cutout, subject, scale, position)
}

/// Cropped to the canvas, where there is one, and within `max_megapixels`.
fn cropped(frame: Frame, canvas: Option<Canvas>, options: &RemoveBackground) -> Frame {
    match canvas {
        Some(canvas) => limited(geometry::crop_to(frame, canvas), options),
        None => limited(frame, options),
    }
}

fn limited(frame: Frame, options: &RemoveBackground) -> Frame {
    let size = (frame.width(), frame.height());
    match limited_size(size, options) {
        (width, height) if (width, height) != size => {
            frame.resized(width, height, Filter::Lanczos3)
        }
        _ => frame,
    }
}

fn limited_size((width, height): (u32, u32), options: &RemoveBackground) -> (u32, u32) {
    let (w, h) = (f64::from(width), f64::from(height));
    match options.max_megapixels.map(|limit| f64::from(limit.0) * 1e6) {
        Some(limit) if w * h > limit => {
            let shrink = (limit / (w * h)).sqrt();
            // Rounded down, so that the product stays within the limit.
            let side = |side: f64| ((side * shrink) as u32).max(1);
            (side(w), side(h))
        }
        _ => (width, height),
    }
}

/// The bytes that [`apply`] holds at its peak, and the most that the result can be.
pub fn outline(options: &RemoveBackground, shape: Shape, limits: &Limits) -> (u64, Shape) {
    let pixels = shape.pixels();
    let own = peak_bytes(options, pixels);
    let opaque = matches!(
        options.background,
        Ground::Color([.., 255]) | Ground::Blur(_)
    );
    let mut after = Shape {
        alpha: !opaque,
        ..shape
    };
    if !options.crop {
        after.size = limited_size(shape.size, options);
        return (own, after);
    }
    // The subject may fill the picture, and what is larger than the limits is refused once its
    // size is known.
    let whole = Rect {
        x: 0,
        y: 0,
        width: shape.size.0,
        height: shape.size.1,
    };
    let canvas = geometry::crop_box(whole, options.crop_margin.0, shape.size);
    after.exact = false;
    after.size = limits.nearest((canvas.width, canvas.height));
    // The crop is made beside the picture, of either and of the matte.
    let crop = 5 * after.pixels();
    after.size = limited_size(after.size, options);
    (own.max(pixels * 5 + crop), after)
}

/// Bytes held at the peak, per pixel: the picture (4 with alpha), the matte and what refinement
/// holds beside it (4), the cutout (4), a composed picture (4), a blurred ground (3); the numbers
/// are checked against the process by `benches`.
fn peak_bytes(options: &RemoveBackground, pixels: u64) -> u64 {
    let ground = if matches!(options.background, Ground::Blur(_)) {
        3
    } else {
        0
    };
    let moved = if options.scale.is_some() || options.crop {
        4
    } else {
        0
    };
    let cleaned = u64::from(options.postprocess);
    pixels * (4 + 4 + 4 + 4 + ground + moved + cleaned)
}
