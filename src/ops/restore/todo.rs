//! Which steps are to be done: those that were asked for, or those that the picture needs.

use crate::{
    engine::manifest::Task,
    ops::{
        options::{Restore, Steps},
        photo::measure::Findings,
    },
};

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Todo {
    pub scratches: bool,
    pub denoise: bool,
    pub dejpeg: bool,
    pub deblur: bool,
    pub fade: bool,
    pub contrast: bool,
    pub colorize: bool,
    pub faces: bool,
    /// How many times as large the result is.
    pub times: u32,
}

impl Todo {
    /// Everything that may be done for these options, whatever the picture is like.
    pub fn at_most(options: &Restore) -> Self {
        let times = options.scale.times();
        let Steps::Named(steps) = &options.steps else {
            return Self {
                scratches: true,
                denoise: true,
                dejpeg: true,
                deblur: true,
                fade: true,
                contrast: true,
                times,
                ..Self::default()
            };
        };
        let named = |step: &str| steps.contains(&step);
        Self {
            scratches: named("scratches"),
            denoise: named("denoise"),
            dejpeg: named("dejpeg"),
            deblur: named("deblur"),
            fade: named("fade"),
            contrast: named("contrast"),
            colorize: named("colorize"),
            faces: named("faces"),
            // Who asks for it and does not say how much gets the least.
            times: match named("upscale") {
                true => times.max(2),
                false => times,
            },
        }
    }

    /// Only what the picture needs, where that is asked for.
    pub fn needed(mut self, options: &Restore, masked: bool, found: &Findings) -> Self {
        if options.steps == Steps::Auto {
            // In a picture that has kept well, thin lines are wires, hairs and spokes; and letters.
            self.scratches = masked || found.colors.is_faded();
            self.denoise = found.is_noisy();
            self.dejpeg = found.is_blocky();
            self.deblur = found.is_blurred();
            self.fade = found.colors.is_faded();
            self.contrast = self.fade && found.colors.is_flat();
        }
        if options.strength.0 == 0.0 {
            self = Self {
                times: self.times,
                ..Self::default()
            };
        }
        self
    }

    /// The models without which a step that is asked for cannot be done, with the step's name.
    pub fn needs(&self, given_mask: bool) -> Vec<(&'static str, Task)> {
        let steps = [
            (self.scratches && !given_mask, "scratches", Task::Scratch),
            (self.scratches, "scratches", Task::Inpaint),
            (self.denoise, "denoise", Task::Restore),
            (self.dejpeg, "dejpeg", Task::Restore),
            (self.colorize, "colorize", Task::Colorize),
            (self.faces, "faces", Task::FaceDetect),
            (self.faces, "faces", Task::FaceRestore),
            (self.times > 1, "upscale", Task::Upscale),
        ];
        let wanted = steps.into_iter().filter(|(wanted, ..)| *wanted);
        wanted.map(|(_, step, task)| (step, task)).collect()
    }
}
