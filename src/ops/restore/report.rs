//! What was found and done, as the JSON of `X-Restoration-Report`: words of ours and numbers.

use serde::Serialize;

use crate::{observe::Stages, ops::photo::measure::Findings};

/// What was found before and during the work.
#[derive(Debug)]
pub struct Found {
    /// What was measured at first.
    pub measured: Findings,
    /// The share of pixels that are damaged, where somebody looked.
    pub scratches: Option<f32>,
    /// The number of faces, where somebody looked.
    pub faces: Option<usize>,
}

impl Found {
    /// What is known at first.
    pub fn new(measured: Findings) -> Self {
        Self {
            measured,
            scratches: None,
            faces: None,
        }
    }
}

/// What was found in a picture, and what was done to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    found: Figures,
    steps: Vec<Step>,
}

/// Figures, rounded to what they are worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Figures {
    noise_sigma: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jpeg_quality: Option<u8>,
    blocking: f64,
    blur_sigma: f64,
    tone: &'static str,
    faded: bool,
    black: u8,
    white: u8,
    cast: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scratch_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faces: Option<usize>,
}

/// A step with its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Step {
    step: &'static str,
    ms: f64,
}

impl Report {
    /// The report of the operation to which all but the first `before` stages belong.
    pub fn new(found: &Found, stages: &Stages, before: usize) -> Self {
        let measured = &found.measured;
        let colors = &measured.colors;
        let rounded = |v: f32, by: f64| (f64::from(v) * by).round() / by;
        let steps = stages.iter().skip(before).map(|(step, time)| Step {
            step,
            ms: rounded(time.as_secs_f32() * 1e3, 10.0),
        });
        Self {
            found: Figures {
                noise_sigma: rounded(measured.noise, 100.0),
                jpeg_quality: measured.jpeg_quality,
                blocking: rounded(measured.blocking, 100.0),
                blur_sigma: rounded(measured.blur, 100.0),
                tone: colors.tone.name(),
                faded: colors.is_faded(),
                black: colors.black as u8,
                white: colors.white as u8,
                cast: rounded(colors.cast, 10.0),
                scratch_share: found.scratches.map(|share| rounded(share, 1e5)),
                faces: found.faces,
            },
            steps: steps.collect(),
        }
    }

    /// As JSON, in one line of ASCII.
    pub fn json(&self) -> String {
        // Words and finite numbers: there is nothing in it that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}
