//! Restoration: finds out what a picture suffers from, and repairs that.

use super::{
    Context, Outcome,
    options::{Restore, STEPS, Steps},
};
use crate::{
    engine::manifest::Task,
    error::Error,
    frame::{Frame, Layout},
};

/// Refuses steps that cannot be run here.
///
/// # Errors
/// [`Error::StepMissing`] with the first such step.
pub fn check(options: &Restore) -> Result<(), Error> {
    let Steps::Named(steps) = &options.steps else {
        return Ok(());
    };
    match steps.iter().find(|step| !STEPS.contains(step)) {
        Some(step) => Err(Error::StepMissing {
            step,
            available: STEPS.join(", "),
        }),
        None => Ok(()),
    }
}

/// From this noise level on (standard deviation of 8-bit samples) a picture counts as noisy. A
/// clean photograph measures below 2 with this method: its own texture.
const NOISY: f32 = 3.0;

/// Below this JPEG quality blocks and ringing are seen at normal size; it is the level from
/// which the net gains (its card: +0.6 dB at 40, nothing above 80).
const BLOCKY: u8 = 70;

/// Applies the operation.
///
/// # Errors
/// Those of the engine.
pub fn apply(frame: Frame, options: &Restore, context: &mut Context<'_>) -> Result<Outcome, Error> {
    let name = options.model.as_ref().map(|m| m.0.as_str());
    let entry = context.engine.entry(Task::Restore, name)?;
    let model = Some((entry.name.clone(), entry.license.clone()));
    let wanted = match options.steps {
        Steps::Named(_) => true,
        Steps::Auto => {
            let quality = context.source.jpeg_quality;
            let sigma = context.stages.time("measure", || noise(&frame));
            sigma >= NOISY || quality.is_some_and(|quality| quality <= BLOCKY)
        }
    };
    if !wanted || options.strength.0 == 0.0 {
        return Ok(Outcome {
            frame,
            matte: None,
            model: None,
            confidence: None,
        });
    }
    let (engine, cancel) = (context.engine, context.cancel);
    let strength = options.strength.0;
    let frame = context.stages.time("restore", || {
        engine.restore(Task::Restore, name, frame, strength, cancel)
    })?;
    Ok(Outcome {
        frame,
        matte: None,
        model,
        confidence: None,
    })
}

/// Bytes held at the peak: the picture and its copy (4 bytes a pixel each).
pub fn peak_bytes(pixels: u64) -> u64 {
    pixels * 8
}

/// The noise level of a picture: Immerkaer's estimate (Fast Noise Variance Estimation, 1996) of
/// the green channel, over the flattest tenth of its blocks so that texture does not count.
fn noise(frame: &Frame) -> f32 {
    debug_assert_ne!(frame.layout(), Layout::Gray, "decoding makes RGB or RGBA");
    const BLOCK: usize = 16;
    let n = frame.layout().channels();
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let at = |x: usize, y: usize| i32::from(frame.data()[(y * w + x) * n + 1]);
    let mut levels = Vec::new();
    // At most about 4,096 blocks, spread over the picture: the figure does not get better by
    // looking at more of them.
    let step = BLOCK.max(((w * h / 4096) as f64).sqrt() as usize);
    for top in (1..h.saturating_sub(BLOCK)).step_by(step) {
        for left in (1..w.saturating_sub(BLOCK)).step_by(step) {
            let (mut sum, mut low, mut high) = (0, 255, 0);
            for y in top..top + BLOCK {
                for x in left..left + BLOCK {
                    let cross = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                    let corners =
                        at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
                    sum += (corners - 2 * cross + 4 * at(x, y)).abs();
                    (low, high) = (low.min(at(x, y)), high.max(at(x, y)));
                }
            }
            // A clipped block has no noise left to measure.
            if low > 4 && high < 251 {
                // Section 2 of the paper: sigma = sqrt(pi / 2) * sum / (6 * pixels).
                levels.push(
                    sum as f32 * (std::f32::consts::FRAC_PI_2).sqrt() / (6 * BLOCK * BLOCK) as f32,
                );
            }
        }
    }
    if levels.is_empty() {
        return 0.0;
    }
    let tenth = levels.len() / 10;
    *levels.select_nth_unstable_by(tenth, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_measured_in_its_own_unit() {
        let mut seed = 1u32;
        let mut gauss = move || {
            let mut uniform = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(seed >> 8) / f64::from(1 << 24)
            };
            (0..12).map(|_| uniform()).sum::<f64>() - 6.0
        };
        for sigma in [0.0, 5.0, 15.0] {
            let data = (0..256 * 256).flat_map(|_| {
                let v = (128.0 + sigma * gauss()).clamp(0.0, 255.0) as u8;
                [v, v, v]
            });
            let frame = Frame::new(256, 256, Layout::Rgb, data.collect());
            let found = noise(&frame);
            assert!(
                (f64::from(found) - sigma).abs() <= 0.15 * sigma + 0.3,
                "{sigma}: {found}"
            );
        }
    }

    #[test]
    fn steps_without_their_model_are_refused_by_name() {
        let options = Restore {
            steps: Steps::Named(vec!["denoise", "faces"]),
            ..Restore::default()
        };
        assert!(matches!(
            check(&options),
            Err(Error::StepMissing { step: "faces", .. })
        ));
    }
}
