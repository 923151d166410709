//! Reads `models/manifest.toml`: what each model is, and how a picture goes in and comes out.

use serde::{Deserialize, Serialize};

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A picture in, a matte out.
    Cutout,
    /// A picture in, a better picture of the same size out.
    Restore,
}

/// How a picture is brought to the size of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// To a square of `size` pixels, whatever its shape.
    Stretch,
    /// Not at all: cut into overlapping tiles.
    Tile,
}

/// What samples are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// By 255.
    #[default]
    One,
    /// By the largest sample of the resized picture.
    ImageMax,
}

/// The filter of the resize to the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputFilter {
    /// Bilinear with antialiasing.
    #[default]
    Bilinear,
    /// Lanczos with three lobes.
    Lanczos3,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name by which requests ask for it.
    pub name: String,
    /// What it does.
    pub task: Task,
    /// Whether it is the one used where a request names none.
    #[serde(default)]
    pub default: bool,
    /// The file's name.
    pub file: String,
    /// Whether the file is part of the program.
    #[serde(default)]
    pub built_in: bool,
    /// SHA-256 of the file in hexadecimal; the catalogue's, until a file is loaded in its place.
    #[serde(default)]
    pub sha256: String,
    /// Bytes of the file.
    #[serde(default)]
    pub bytes: u64,
    /// SPDX name of its licence.
    #[serde(default = "unknown")]
    pub license: String,
    /// Whether the licence allows commercial use.
    #[serde(default)]
    pub commercial_use: bool,
    /// One sentence.
    #[serde(default)]
    pub about: String,
    /// How a picture is brought to the input's size.
    pub resize: Resize,
    /// Side of the input in pixels; of a tile without its overlap.
    pub size: u32,
    /// Pixels by which a tile reaches into its neighbours on each side.
    #[serde(default)]
    pub overlap: u32,
    /// Width and height of the input must be multiples of this.
    #[serde(default = "one")]
    pub multiple_of: u32,
    /// The filter of that resize.
    #[serde(default)]
    pub filter: InputFilter,
    /// What samples are divided by.
    #[serde(default)]
    pub range: Range,
    /// Subtracted from each channel after that.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Each channel is divided by it, last.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// Which output holds the answer.
    #[serde(default)]
    pub output: usize,
    /// Whether the output needs a sigmoid.
    #[serde(default)]
    pub sigmoid: bool,
    /// Whether the output is stretched to 0..1.
    #[serde(default)]
    pub normalize: bool,
    /// Memory of one run beyond the weights, in MiB.
    pub peak_mib: u64,
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn one() -> u32 {
    1
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

#[derive(Deserialize)]
struct File {
    model: Vec<Entry>,
}

/// The catalogue that is part of the program.
///
/// # Panics
/// If the file in the repository is wrong; a test reads it.
pub fn catalogue() -> Vec<Entry> {
    let text = include_str!("../../models/manifest.toml");
    toml::from_str::<File>(text)
        .expect("models/manifest.toml is checked by a test")
        .model
}

/// One entry of an operator's own: the TOML file beside the model file.
///
/// # Errors
/// What the parser says; the text is the operator's own.
pub fn own_entry(text: &str) -> Result<Entry, String> {
    toml::from_str(text).map_err(|e| e.message().to_owned())
}

/// The weights that are part of the program, by file name.
pub fn built_in(file: &str) -> Option<&'static [u8]> {
    match file {
        "cutout.onnx" => Some(include_bytes!("../../models/cutout.onnx")),
        "restore.onnx" => Some(include_bytes!("../../models/restore.onnx")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_models_are_the_ones_that_the_manifest_names() {
        let built: Vec<_> = catalogue()
            .into_iter()
            .filter(|entry| entry.built_in)
            .collect();
        assert!(built.len() >= 2);
        for entry in built {
            let bytes = built_in(&entry.file).expect("a built-in file is embedded");
            assert_eq!(
                (bytes.len() as u64, crate::digest::of(bytes)),
                (entry.bytes, entry.sha256),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn each_task_has_one_default_and_each_model_a_licence() {
        let all = catalogue();
        for task in [Task::Cutout, Task::Restore] {
            let defaults = all.iter().filter(|e| e.task == task && e.default).count();
            assert_eq!(defaults, 1, "{task:?}");
        }
        for entry in &all {
            assert!(
                entry.license != "unknown" && entry.sha256.len() == 64,
                "{}",
                entry.name
            );
            assert!(
                entry.overlap < entry.size && entry.multiple_of > 0,
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(own_entry("name = 'x'\ntask = 'cutout'\ncolour = 1").is_err());
    }
}
