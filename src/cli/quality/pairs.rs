//! Which pictures of a folder are measured, and what belongs to each.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::damage;
use crate::frame::{Filter, Frame, Layout, Mask};

/// What belongs to a picture.
#[derive(Clone, Copy)]
pub enum Other<'a> {
    /// Nothing: it is the truth, and the damage is made.
    None,
    /// Its mask, `NAME.png`: in this folder, or in that of the picture.
    Mask(Option<&'a Path>),
    /// The same picture damaged, under its name in this folder.
    Degraded(&'a Path),
}

/// A picture, and the file that belongs to it.
pub struct Pair {
    /// The picture; the clean one where the other is damaged.
    pub picture: PathBuf,
    /// The other.
    pub other: Option<PathBuf>,
}

/// The pairs of a folder, in the order of their names, and how many pictures have no other.
///
/// # Errors
/// What the system says of a folder that cannot be read.
pub fn found(folder: &Path, other: Other<'_>) -> Result<(Vec<Pair>, usize), String> {
    let elsewhere = match other {
        Other::Degraded(folder) | Other::Mask(Some(folder)) => {
            pictures(folder).map_err(|e| format!("{}: {e}", folder.display()))?
        }
        _ => Vec::new(),
    };
    let mut all = pictures(folder).map_err(|e| e.to_string())?;
    // A mask is no picture, where it lies beside the one that it is of.
    let stem = |file: &PathBuf| file.file_stem().map(OsStr::to_owned);
    let own: BTreeSet<_> = all.iter().filter(|f| kind(f) != "png").map(stem).collect();
    all.retain(|file| kind(file) != "png" || !own.contains(&stem(file)));
    let (mut pairs, mut alone) = (Vec::new(), 0);
    for picture in all {
        let same = |file: &&PathBuf| stem(file) == stem(&picture);
        let file = match other {
            Other::None => None,
            Other::Mask(None) => Some(picture.with_extension("png"))
                .filter(|mask| mask.is_file() && *mask != picture),
            Other::Degraded(_) => elsewhere.iter().find(same).cloned(),
            Other::Mask(_) => {
                let mut masks = elsewhere.iter().filter(|file| kind(file) == "png");
                masks.find(same).cloned()
            }
        };
        match (file, other) {
            (None, Other::Mask(_) | Other::Degraded(_)) => alone += 1,
            (other, _) => pairs.push(Pair { picture, other }),
        }
    }
    Ok((pairs, alone))
}

/// The pixels of a file, without its alpha.
///
/// # Errors
/// What the system or the codec says.
pub fn read(file: &Path) -> Result<Frame, String> {
    read_all(file).map(Frame::without_alpha)
}

fn read_all(file: &Path) -> Result<Frame, String> {
    let bytes = fs::read(file).map_err(|e| e.to_string())?;
    damage::decoded(&bytes).map_err(|e| e.to_string())
}

/// Whether a degraded picture has the size that belongs to its clean one: that of a clean picture
/// reduced by `factor`, where what is left over was cut off.
///
/// # Errors
/// A sentence with both sizes.
pub fn fits(degraded: &Frame, clean: &Frame, factor: u32) -> Result<(), String> {
    let needed = (clean.width() / factor, clean.height() / factor);
    let found = (degraded.width(), degraded.height());
    match found == needed {
        true => Ok(()),
        false => Err(format!(
            "its degraded picture has {} x {} pixels, {} x {} are needed",
            found.0, found.1, needed.0, needed.1
        )),
    }
}

/// The mask in a file: the alpha of a cutout, else the first samples, which of a grey picture are all.
///
/// # Errors
/// What the system or the codec says, or a sentence with both sizes, where it is not of the shape of
/// its picture; it may be larger or smaller.
pub fn mask(file: &Path, picture: &Frame) -> Result<Mask, String> {
    let other = &read_all(file)?;
    let of = |frame: &Frame| [frame.width(), frame.height()].map(f64::from);
    let ([w, h], [width, height]) = (of(other), of(picture));
    // A side may have been rounded by a pixel.
    if (w * height / width - h).abs() > 1.0 && (h * width / height - w).abs() > 1.0 {
        return Err(format!(
            "its mask has {w} x {h} pixels, which is not the shape of {width} x {height}"
        ));
    }
    Ok(channel(other))
}

/// The alpha of a picture where it says something, else its first samples.
pub fn channel(frame: &Frame) -> Mask {
    let pixels = || frame.data().chunks_exact(frame.layout().channels());
    let cut = frame.layout() == Layout::Rgba && pixels().any(|pixel| pixel[3] < 255);
    let at = if cut { 3 } else { 0 };
    let data = pixels().map(|pixel| pixel[at]).collect();
    Mask::new(frame.width(), frame.height(), data)
}

/// A mask at another size, of which each pixel is in it or not.
pub fn sized(mask: Mask, width: u32, height: u32) -> Mask {
    let mut mask = mask.resized(width, height, Filter::Box);
    for value in mask.data_mut() {
        *value = if *value > 127 { 255 } else { 0 };
    }
    mask
}

/// The last part of a folder's path.
pub fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The files of a folder that may be pictures, in order.
fn pictures(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if ["jpg", "jpeg", "webp", "png"].contains(&kind(&path).as_str()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// How a file's name ends, in lower case.
fn kind(path: &Path) -> String {
    let kind = path.extension().and_then(OsStr::to_str);
    kind.unwrap_or_default().to_ascii_lowercase()
}
