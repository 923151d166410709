//! `safelight models show`: one model with its licence, its file, and what goes in and comes out.

use std::fmt::Write;

use clap::ArgMatches;

use super::{named, size};
use crate::{
    cli::{Failure, print},
    engine::{
        library::{Library, Place},
        manifest::{Activation, Colors, Entry, Input, InputFilter, Range, Resize, Task},
    },
};

/// Prints the models that the command line names.
///
/// # Errors
/// [`Failure::Usage`] for a name that is not known.
pub fn show(library: &Library, matches: &ArgMatches) -> Result<(), Failure> {
    let mut text = String::new();
    for entry in named(library, matches)? {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", entry.name);
        for (name, value) in rows(library, entry) {
            if !value.is_empty() {
                let _ = writeln!(text, "  {name:<8}{value}");
            }
        }
    }
    print(text.trim_end())
}

fn rows(library: &Library, entry: &Entry) -> Vec<(&'static str, String)> {
    let place = library.place(entry);
    let file = match (&place, place.file()) {
        (_, Some(file)) => file.display().to_string(),
        (Place::BuiltIn, _) => "part of the program".to_owned(),
        _ => format!(
            "not here; `safelight models pull {}` installs it",
            entry.name
        ),
    };
    let license = match entry.commercial_use {
        true => entry.license.clone(),
        false => format!("{}: no commercial use", entry.license),
    };
    let bytes = match entry.bytes {
        0 => size(0),
        bytes => format!("{} ({bytes} bytes)", size(bytes)),
    };
    let checked = match (library.is_own(entry), entry.tested) {
        (true, _) => "your own: its card is what is known of it",
        (_, true) => "run by this project",
        _ => "not run by us: its publisher's description, tested with a stand-in",
    };
    let default = match entry.default {
        true => ", where a request names no other",
        false => "",
    };
    vec![
        ("task", format!("{}{default}", entry.task.name())),
        ("about", entry.about.clone()),
        ("licence", license),
        ("file", file),
        ("size", bytes),
        ("sha256", entry.sha256.clone()),
        ("from", entry.urls.join("\n          ")),
        ("input", input(entry).join(", ")),
        ("output", output(entry).join(", ")),
        (
            "memory",
            format!("{} MiB beyond the weights", entry.peak_mib),
        ),
        ("checked", checked.to_owned()),
    ]
}

/// What is done before a run, in its order.
fn input(entry: &Entry) -> Vec<String> {
    let filter = match entry.filter {
        InputFilter::Bilinear => "bilinear",
        InputFilter::Lanczos3 => "Lanczos",
    };
    let mut said = vec![match entry.resize {
        Resize::Stretch => format!("stretched to {0} x {0} ({filter})", entry.size),
        Resize::Letterbox => format!("fitted into {0} x {0} ({filter})", entry.size),
        Resize::ShortSide => format!("shorter side to {} ({filter})", entry.size),
        Resize::Tile => format!(
            "tiles of {} px and {} px around them",
            entry.size, entry.overlap
        ),
        Resize::Whole => "the whole picture".to_owned(),
    }];
    if entry.multiple_of > 1 {
        said.push(format!("sides multiples of {}", entry.multiple_of));
    }
    said.push(if entry.bgr { "BGR" } else { "RGB" }.to_owned());
    said.push(unit(entry.range).to_owned());
    let channels = |values: [f32; 3]| {
        let [r, g, b] = values;
        match r == g && g == b {
            true => r.to_string(),
            false => format!("({r}, {g}, {b})"),
        }
    };
    if entry.mean != [0.0; 3] {
        said.push(format!("less {}", channels(entry.mean)));
    }
    if entry.std != [1.0; 3] {
        said.push(format!("divided by {}", channels(entry.std)));
    }
    said.extend(entry.inputs.iter().filter_map(|input| {
        Some(match input {
            Input::Image => return None,
            Input::Subject => "with the matte, around the subject".to_owned(),
            Input::ImageMask => "with a fourth plane, 1 in the hole".to_owned(),
            Input::Mask => "and a mask, 1 in the hole".to_owned(),
            Input::Keep => "and a mask, 0 in the hole and 255 around it".to_owned(),
            Input::Fidelity => format!("and the fidelity, {}", entry.fidelity),
            Input::Quality => "and the quality, as the model says it".to_owned(),
        })
    }));
    said
}

/// How the answer is read.
fn output(entry: &Entry) -> Vec<String> {
    let mut said = vec![match entry.task {
        Task::FaceDetect => "faces".to_owned(),
        Task::Kind => "likelihoods".to_owned(),
        _ => format!("number {}", entry.output),
    }];
    match entry.activation {
        Activation::None => {}
        Activation::Sigmoid => said.push("sigmoid".to_owned()),
        Activation::Argmax => said.push("every class but the first".to_owned()),
    }
    if entry.normalize {
        said.push("stretched to 0 to 1".to_owned());
    }
    match entry.task {
        Task::Colorize if entry.colors == Colors::Ab => said.push("a and b of CIE Lab".to_owned()),
        Task::Restore
        | Task::Deblur
        | Task::Inpaint
        | Task::Upscale
        | Task::Colorize
        | Task::FaceRestore => said.push(unit(entry.output_range).to_owned()),
        Task::Cutout | Task::Scratch | Task::FaceDetect | Task::Kind => {}
    }
    if entry.factor > 1 {
        said.push(format!("{} times as wide and high", entry.factor));
    }
    said
}

fn unit(range: Range) -> &'static str {
    match range {
        Range::One => "0 to 1",
        Range::Byte => "0 to 255",
        Range::ImageMax => "divided by the largest sample",
        Range::Signed => "-1 to 1",
    }
}
