//! `Entry`: what a model is, and how a picture goes in and comes out. The shape of one table of
//! `models/manifest.toml`, and of the card beside an operator's own model.

use serde::{Deserialize, Serialize};

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A picture in, a matte out.
    Cutout,
    /// A picture in, the same without noise and compression artefacts out.
    Restore,
    /// A picture in, the same with sharp edges out.
    Deblur,
    /// A picture in, the probability of damage for each pixel out.
    Scratch,
    /// A picture with holes in, a whole one out.
    Inpaint,
    /// A picture in, a larger one out.
    Upscale,
    /// A grey picture in, its colours out.
    Colorize,
    /// A picture in, the places of its faces out.
    FaceDetect,
    /// An aligned face in, the same in detail out.
    FaceRestore,
    /// A subject in, what kind of thing it is out.
    Kind,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 10] = [
        Self::Cutout,
        Self::Restore,
        Self::Deblur,
        Self::Scratch,
        Self::Inpaint,
        Self::Upscale,
        Self::Colorize,
        Self::FaceDetect,
        Self::FaceRestore,
        Self::Kind,
    ];

    /// The name, as the manifest writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cutout => "cutout",
            Self::Restore => "restore",
            Self::Deblur => "deblur",
            Self::Scratch => "scratch",
            Self::Inpaint => "inpaint",
            Self::Upscale => "upscale",
            Self::Colorize => "colorize",
            Self::FaceDetect => "face-detect",
            Self::FaceRestore => "face-restore",
            Self::Kind => "kind",
        }
    }
}

/// How a picture is brought to the size of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// To a square of `size` pixels, whatever its shape.
    Stretch,
    /// Into a square of `size` pixels, its shape kept; what is left over at the right or at the
    /// bottom is black.
    Letterbox,
    /// So that its shorter side has `size` pixels; both sides become multiples of `multiple_of`.
    ShortSide,
    /// Not at all: cut into overlapping tiles.
    Tile,
    /// Not at all: the whole picture at once, filled up to multiples of `multiple_of`.
    Whole,
}

/// What one tensor that goes into a model holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// Three planes of colour.
    Image,
    /// Three planes of colour and one of the matte: a square around the subject.
    Subject,
    /// Three planes of colour, 0 where there is a hole, and a fourth that is 1 there.
    ImageMask,
    /// One plane: 1 where there is a hole.
    Mask,
    /// One plane: 0 where there is a hole, 255 elsewhere.
    Keep,
    /// One number: how closely a face keeps to what is there (`fidelity`).
    Fidelity,
    /// One number, 1 x 1: by how much the quality of a JPEG is less than 100, in hundredths (0 to
    /// 1), as the model itself says it in the output after the picture.
    Quality,
}

/// The unit of the samples that go in, and of those that come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// 0 to 1.
    #[default]
    One,
    /// 0 to 255.
    Byte,
    /// In: divided by the largest sample of the resized picture.
    ImageMax,
    /// Out: -1 to 1.
    Signed,
}

/// What is done with each value of an output first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// The logistic function.
    Sigmoid,
    /// The output has a plane for each class: 1 where another than the first is the largest.
    Argmax,
}

/// What the output of a colorizing model holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colors {
    /// The planes a and b of CIE Lab (D65).
    #[default]
    Ab,
    /// Red, green and blue, of which only the colour is taken.
    Rgb,
}

/// The filter of the resize to the model's input, and of an unrefined mask's way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputFilter {
    /// Bilinear with antialiasing.
    #[default]
    Bilinear,
    /// Lanczos with three lobes.
    Lanczos3,
}

/// Memory of one run at most, 1 TiB: more is a mistake of units.
const MOST_MIB: u64 = 1 << 20;

/// One model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name by which requests ask for it.
    #[serde(default)]
    pub name: String,
    /// What it does.
    pub task: Task,
    /// Whether it is the one used where a request names none.
    #[serde(default)]
    pub default: bool,
    /// The file's name.
    #[serde(default)]
    pub file: String,
    /// Whether the file is part of the program.
    #[serde(default)]
    pub built_in: bool,
    /// Where the file is fetched from, the first place first.
    #[serde(default)]
    pub urls: Vec<String>,
    /// SHA-256 of the file in hexadecimal; the catalogue's, until a file is loaded in its place.
    #[serde(default)]
    pub sha256: String,
    /// Bytes of the file; 0 where its publisher does not say.
    #[serde(default)]
    pub bytes: u64,
    /// SPDX name of its licence.
    #[serde(default = "unknown")]
    pub license: String,
    /// Whether the licence allows commercial use.
    #[serde(default)]
    pub commercial_use: bool,
    /// Whether this project ran the file itself; the contract of the others is their publisher's,
    /// tested with a stand-in of the same inputs and outputs.
    #[serde(default)]
    pub tested: bool,
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
    /// How many times larger than the input the output is.
    #[serde(default = "one")]
    pub factor: u32,
    /// The filter of that resize, and of a mask that grows to the picture's size unrefined.
    #[serde(default)]
    pub filter: InputFilter,
    /// What goes into the model, in its order.
    #[serde(default = "image")]
    pub inputs: Vec<Input>,
    /// The value of [`Input::Fidelity`], 0 to 1.
    #[serde(default)]
    pub fidelity: f32,
    /// Whether blue comes first.
    #[serde(default)]
    pub bgr: bool,
    /// The unit of samples.
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
    /// What is done with the values of the output first.
    #[serde(default)]
    pub activation: Activation,
    /// Whether the output is stretched to 0..1.
    #[serde(default)]
    pub normalize: bool,
    /// The unit of the output, where it is pixels.
    #[serde(default)]
    pub output_range: Range,
    /// What the output of a colorizing model holds.
    #[serde(default)]
    pub colors: Colors,
    /// Memory of one run beyond the weights, in MiB; of models that take pictures as they are, of
    /// a run on `size` x `size` pixels.
    pub peak_mib: u64,
}

impl Entry {
    /// Bytes of one run beyond the weights, on a picture of this width and height.
    pub fn run_bytes(&self, (width, height): (u32, u32)) -> u64 {
        let measured = u64::from(self.size).pow(2);
        let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        let run = self.peak_mib << 20;
        let of = |pixels: u64| -> u64 {
            let bytes = u128::from(run) * u128::from(pixels.max(measured)) / u128::from(measured);
            bytes.try_into().unwrap_or(u64::MAX)
        };
        match self.resize {
            Resize::Stretch | Resize::Letterbox | Resize::Tile => run,
            Resize::ShortSide => of(pixels(self.by_short_side((width, height)))),
            Resize::Whole => {
                let filled = |side: u32| side.next_multiple_of(self.multiple_of);
                of(pixels((filled(width), filled(height))))
            }
        }
    }

    /// The input of [`Resize::ShortSide`] for a picture of this width and height: the shorter side
    /// is `size`, the longer one eight times that at most, both multiples of `multiple_of`.
    pub fn by_short_side(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let multiple = f64::from(self.multiple_of);
        let scale = f64::from(self.size) / f64::from(width.min(height).max(1));
        let longest = (f64::from(8 * self.size) / multiple).floor();
        let side = |length: u32| {
            let multiples = (f64::from(length) * scale / multiple).round();
            (multiples.min(longest).max(1.0) * multiple) as u32
        };
        (side(width), side(height))
    }

    /// The side of the input, where it is the same for every picture.
    pub fn fixed_side(&self) -> Option<u32> {
        match self.resize {
            Resize::Stretch | Resize::Letterbox => Some(self.size),
            Resize::Tile if self.multiple_of >= self.size + 2 * self.overlap => {
                Some(self.multiple_of)
            }
            Resize::Tile | Resize::ShortSide | Resize::Whole => None,
        }
    }

    /// Checks what no single key can know.
    ///
    /// # Errors
    /// A sentence that names the keys.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        if self.size == 0 || self.size > 4096 || self.multiple_of == 0 || self.multiple_of > 4096 {
            return wrong("`size` and `multiple_of` are 1 to 4096 pixels");
        }
        let uneven = |side: u32| !side.is_multiple_of(self.multiple_of);
        let free = self.resize == Resize::Tile && self.fixed_side().is_none();
        if free && (uneven(self.size) || uneven(self.overlap)) {
            return wrong("`size` and `overlap` of tiles are multiples of `multiple_of`");
        }
        if self.overlap >= self.size {
            return wrong("`overlap` is less than `size`");
        }
        if self.std.contains(&0.0) || !self.std.iter().chain(&self.mean).all(|v| v.is_finite()) {
            return wrong("`mean` and `std` are numbers, and no `std` is 0");
        }
        let sizes = match self.task {
            Task::Upscale => &[2, 3, 4][..],
            _ => &[1],
        };
        if !sizes.contains(&self.factor) {
            return wrong("`factor` is 2, 3 or 4 where the task is upscale, and 1 elsewhere");
        }
        let fits: &[Resize] = match self.task {
            Task::Cutout => &[Resize::Stretch, Resize::Letterbox, Resize::ShortSide],
            Task::Colorize | Task::FaceRestore | Task::Kind => &[Resize::Stretch],
            Task::FaceDetect => &[Resize::Letterbox],
            _ => &[Resize::Tile, Resize::Whole],
        };
        if !fits.contains(&self.resize) {
            return wrong("`resize` does not fit the `task`");
        }
        // The largest of its strides: else its cells would not cover the input.
        if self.task == Task::FaceDetect && !self.size.is_multiple_of(32) {
            return wrong("`size` is a multiple of 32 where the task is face-detect");
        }
        let inputs: &[&[Input]] = match self.task {
            Task::Inpaint => &[
                &[Input::ImageMask],
                &[Input::Image, Input::Mask],
                &[Input::Image, Input::Keep],
            ],
            Task::FaceRestore => &[&[Input::Image], &[Input::Image, Input::Fidelity]],
            Task::Restore => &[&[Input::Image], &[Input::Image, Input::Quality]],
            Task::Kind => &[&[Input::Subject]],
            _ => &[&[Input::Image]],
        };
        if !inputs.contains(&self.inputs.as_slice()) {
            return wrong("`inputs` do not fit the `task`");
        }
        let mattes = matches!(self.task, Task::Cutout | Task::Scratch);
        if !mattes && (self.normalize || self.activation != Activation::None) {
            return wrong("`normalize` and `activation` are of the tasks cutout and scratch");
        }
        let parts = matches!(self.resize, Resize::Tile | Resize::Whole);
        if parts && self.range == Range::ImageMax {
            return wrong("`range` is image-max only where the picture is made smaller as a whole");
        }
        if !(1..=MOST_MIB).contains(&self.peak_mib) {
            return wrong("`peak_mib` is 1 to 1048576 MiB");
        }
        let sum = &self.sha256;
        if !sum.is_empty() && (sum.len() != 64 || !sum.chars().all(|c| c.is_ascii_hexdigit())) {
            return wrong("`sha256` is 64 hexadecimal digits");
        }
        if self.range == Range::Signed || self.output_range == Range::ImageMax {
            return wrong(
                "`range` is one, byte or image-max; `output_range` is one, byte or signed",
            );
        }
        Ok(())
    }
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

fn image() -> Vec<Input> {
    vec![Input::Image]
}

/// One entry of an operator's own: the TOML file beside the model file.
///
/// # Errors
/// What the parser or [`Entry::check`] says; the text is the operator's own.
pub fn own_entry(text: &str) -> Result<Entry, String> {
    let mut entry: Entry = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    entry.check()?;
    entry.sha256.make_ascii_lowercase();
    Ok(entry)
}

#[cfg(test)]
mod tests;
