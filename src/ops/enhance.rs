//! Enhancement of ordinary photographs: noise, tones, the colour of the light, sharpness, size.
//!
//! Each step moves a part of the way to a goal, so that a second time does less than the first.

use super::{
    Context, Limits, Outcome, Shape,
    nets::{self, Ran},
    options::{Auto, Denoise, Enhance},
    photo::{self, levels, measure::Findings, sharpen},
};
use crate::{
    engine::{Engine, manifest::Task},
    error::Error,
    frame::Frame,
};

/// Refuses what cannot be done here.
///
/// # Errors
/// [`Error::StepMissing`].
pub fn check(options: &Enhance, engine: &Engine) -> Result<(), Error> {
    let named = matches!(options.denoise, Denoise::Share(share) if share > 0.0);
    let times = options.scale.times();
    let needs = [
        (named, "denoise", Task::Restore),
        (times > 1, "upscale", Task::Upscale),
    ];
    for (wanted, step, task) in needs {
        if wanted {
            nets::check(engine, step, &[task], times)?;
        }
    }
    Ok(())
}

/// The most bytes that the work holds for a picture of this shape, and the shape of the result.
///
/// # Errors
/// [`Error::ResultTooLarge`].
pub fn outline(
    options: &Enhance,
    shape: Shape,
    engine: &Engine,
    limits: &Limits,
) -> Result<(u64, Shape), Error> {
    let times = options.scale.times();
    let size = photo::scaled_size(shape.size, times, limits)?;
    let after = Shape { size, ..shape };
    let frame = shape.bytes();
    let kept = if options.strength.0 < 1.0 { frame } else { 0 };
    let mut most = photo::measure::PEAK_BYTES;
    if options.denoise != Denoise::Share(0.0) {
        most = most.max(nets::peak_bytes(engine, Task::Restore, None, shape));
    }
    let (width, height) = (u64::from(shape.size.0), u64::from(shape.size.1));
    most = most.max(sharpen::peak_bytes(width, height));
    let mut peak = frame + kept + most;
    if times > 1 {
        peak = peak.max(frame + nets::upscale_bytes(engine, times, shape));
    }
    Ok((peak, after))
}

/// How much of the unsharp mask `sharpen=1` adds.
const SHARPEN: f32 = 0.6;

/// Applies the operation.
///
/// # Errors
/// Those of the engine.
pub fn apply(frame: Frame, options: &Enhance, context: &mut Context<'_>) -> Result<Outcome, Error> {
    let (strength, times) = (options.strength.0, options.scale.times());
    photo::scaled_size((frame.width(), frame.height()), times, &context.limits)?;
    let mut ran = Ran::default();
    let mut frame = frame;
    if strength > 0.0 {
        let original = (strength < 1.0).then(|| frame.clone());
        frame = better(frame, options, &mut ran, context)?;
        if let Some(original) = original {
            context
                .stages
                .time("mix", || photo::mix(&mut frame, &original, strength));
        }
    }
    if times > 1 {
        frame = nets::upscale(frame, times, &mut ran, context)?;
    }
    Ok(Outcome {
        model: ran.model(),
        ..Outcome::of(frame)
    })
}

fn better(
    frame: Frame,
    options: &Enhance,
    ran: &mut Ran,
    context: &mut Context<'_>,
) -> Result<Frame, Error> {
    let (source, engine, cancel) = (context.source, context.engine, context.cancel);
    let found = context
        .stages
        .time("measure", || Findings::of(&frame, &source));
    let share = match options.denoise {
        Denoise::Share(share) => share,
        Denoise::Auto if engine.entry(Task::Restore, None).is_err() => 0.0,
        Denoise::Auto => found.cleaning_share(),
    };
    let mut frame = frame;
    if share > 0.0 {
        ran.note(engine.entry(Task::Restore, None)?);
        let run = || engine.restore(Task::Restore, None, frame, share, cancel);
        frame = context.stages.time("denoise", run)?;
    }
    let tone = options.tone == Auto::Auto;
    let balance = options.white_balance == Auto::Auto;
    if tone || balance {
        let curves = levels::enhanced(&found.colors, tone, balance);
        context.stages.time("tone", || curves.apply(&mut frame));
    }
    if options.sharpen.0 > 0.0 {
        // What was taken out is not there to be made stronger.
        let noise = found.noise * (1.0 - share);
        let amount = SHARPEN * options.sharpen.0;
        context.stages.time("sharpen", || {
            sharpen::sharpen(&mut frame, amount, noise, cancel)
        })?;
    }
    Ok(frame)
}
