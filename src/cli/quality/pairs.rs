//! Which pictures of a folder are measured, and what belongs to each.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::damage;
use crate::frame::Frame;

/// What belongs to a picture.
#[derive(Clone, Copy)]
pub enum Other<'a> {
    /// Nothing: it is the truth, and the damage is made.
    None,
    /// Its mask, `NAME.png` in the same folder.
    Mask,
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

/// The pairs of a folder, in the order of their names. A picture without its other is left out.
///
/// # Errors
/// What the system says of a folder that cannot be read.
pub fn found(folder: &Path, other: Other<'_>) -> Result<Vec<Pair>, String> {
    let degraded = match other {
        Other::Degraded(folder) => {
            pictures(folder).map_err(|e| format!("{}: {e}", folder.display()))?
        }
        _ => Vec::new(),
    };
    let alone = matches!(other, Other::None);
    let all = pictures(folder).map_err(|e| e.to_string())?;
    let pairs = all.into_iter().filter_map(|picture| {
        let other = match other {
            Other::None => None,
            // A mask is no picture of a pair.
            Other::Mask if kind(&picture) == "png" => return None,
            Other::Mask => Some(picture.with_extension("png")).filter(|mask| mask.is_file()),
            Other::Degraded(_) => {
                let same = |file: &&PathBuf| file.file_stem() == picture.file_stem();
                degraded.iter().find(same).cloned()
            }
        };
        (other.is_some() || alone).then_some(Pair { picture, other })
    });
    Ok(pairs.collect())
}

/// The pixels of a file.
///
/// # Errors
/// What the system or the codec says.
pub fn read(file: &Path) -> Result<Frame, String> {
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
