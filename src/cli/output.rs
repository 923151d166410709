//! How a result becomes a file.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Writes beside the target and renames, so that a result is there whole or not at all. What is no
/// file (a pipe, a device) is written to as it is: a file in its place would be another thing.
///
/// # Errors
/// What the system says.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fs::write(path, bytes);
    }
    let (mut file, part) = part_of(path)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// A new file beside `path`. One that is there already, whoever's it is, stays as it is.
fn part_of(path: &Path) -> io::Result<(fs::File, PathBuf)> {
    let mut n = 1;
    loop {
        let mut part = path.as_os_str().to_owned();
        part.push(if n == 1 {
            ".part".to_owned()
        } else {
            format!(".{n}.part")
        });
        match fs::File::create_new(&part) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && n < 1000 => n += 1,
            made => return made.map(|file| (file, part.into())),
        }
    }
}
