//! Which files a command works on, and where each result goes.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{codec::Encoded, job::Accept};

/// Where the result of an input goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// This file.
    File(PathBuf),
    /// Into this folder, under the input's own name with the extension of what came out.
    Beside(PathBuf, PathBuf),
}

impl Target {
    /// The file to write for a result with this extension; `None` for standard output.
    pub fn path(&self, extension: &str) -> Option<PathBuf> {
        match self {
            Self::Stdout => None,
            Self::File(file) => Some(file.clone()),
            Self::Beside(folder, name) => Some(folder.join(name.with_extension(extension))),
        }
    }

    /// What `format=auto` means here: the format that the name of the file says, where somebody
    /// named one.
    pub fn wish(&self) -> Accept {
        let Self::File(file) = self else {
            return Accept::Any;
        };
        let extension = file.extension().and_then(OsStr::to_str);
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("png") => Accept::Best(Encoded::Png),
            Some("webp") => Accept::Best(Encoded::Webp),
            Some("jpg" | "jpeg") => Accept::Best(Encoded::Jpeg),
            _ => Accept::Any,
        }
    }
}

/// One input: a file, or standard input where there is no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file; `None` is standard input.
    pub file: Option<PathBuf>,
    /// Its name below the folder that was named, if it was found in one.
    name: PathBuf,
}

impl Source {
    /// The name for messages.
    pub fn shown(&self) -> String {
        self.file
            .as_ref()
            .map_or("standard input".to_owned(), |file| {
                file.display().to_string()
            })
    }

    /// All bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match &self.file {
            Some(file) => fs::read(file),
            None => {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut io::stdin().lock(), &mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// The inputs that `names` mean: files, `-`, and the pictures in folders and below.
///
/// # Errors
/// A sentence that names what cannot be read.
pub fn sources(names: &[PathBuf]) -> Result<Vec<Source>, String> {
    let mut found = Vec::new();
    for name in names {
        if name.as_os_str() == "-" {
            found.push(Source {
                file: None,
                name: "picture".into(),
            });
        } else if name.is_dir() {
            let before = found.len();
            walk(name, Path::new(""), &mut found);
            if found.len() == before {
                return Err(format!("{} holds no picture", name.display()));
            }
        } else {
            let own = name.file_name().map_or_else(PathBuf::new, PathBuf::from);
            found.push(Source {
                file: Some(name.clone()),
                name: own,
            });
        }
    }
    let mut seen = HashSet::new();
    found.retain(|source| seen.insert(source.file.clone()));
    Ok(found)
}

/// Extensions that count as pictures in a folder; a file that is named counts whatever its name.
const PICTURES: [&str; 9] = [
    "jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "jfif",
];

/// A folder that cannot be listed is a source that cannot be read: it does not stop the others, and
/// its turn says why.
fn walk(folder: &Path, below: &Path, found: &mut Vec<Source>) {
    let listed = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let Ok(mut entries) = listed else {
        found.push(Source {
            file: Some(folder.to_path_buf()),
            name: below.to_path_buf(),
        });
        return;
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), below.join(entry.file_name()));
        // Symbolic links to folders are not followed: they can lead round in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, &name, found);
        } else if is_picture(&path) {
            found.push(Source {
                file: Some(path),
                name,
            });
        }
    }
}

fn is_picture(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(OsStr::to_str)
        .map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| PICTURES.contains(&extension.as_str()))
}

/// Where each result goes: `-` is standard output, an existing folder (or a name that ends in a
/// separator, or any name when there are many inputs) takes one file each, anything else is the
/// one file.
///
/// # Errors
/// A sentence, where many results would go to one place.
pub fn targets(sources: &[Source], out: &Path, from_folder: bool) -> Result<Vec<Target>, String> {
    if out.as_os_str() == "-" {
        return match sources {
            [_] => Ok(vec![Target::Stdout]),
            _ => Err("standard output takes one picture; name a folder for many".to_owned()),
        };
    }
    let ends_open = out.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR);
    if sources.len() == 1 && !from_folder && !out.is_dir() && !ends_open {
        return Ok(vec![Target::File(out.to_path_buf())]);
    }
    if out.is_file() {
        return Err(format!(
            "{} is a file; many pictures need a folder",
            out.display()
        ));
    }
    let mut stems = HashSet::new();
    let target = |source: &Source| {
        // Two inputs whose names differ only in the extension would overwrite each other.
        let mut name = source.name.clone();
        let mut n = 2;
        while !stems.insert(name.with_extension("")) {
            let stem = source.name.with_extension("");
            name = PathBuf::from(format!("{}-{n}.x", stem.display()));
            n += 1;
        }
        Target::Beside(out.to_path_buf(), name)
    };
    Ok(sources.iter().map(target).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Source {
        Source {
            file: Some(name.into()),
            name: Path::new(name).file_name().unwrap().into(),
        }
    }

    #[test]
    fn one_file_goes_where_it_is_told_and_many_into_a_folder() {
        let one = [named("a/b.jpg")];
        assert_eq!(
            targets(&one, Path::new("x.png"), false),
            Ok(vec![Target::File("x.png".into())])
        );
        let into = targets(&one, Path::new("out/"), false).unwrap();
        assert_eq!(into[0].path("png"), Some("out/b.png".into()));
        assert!(targets(&[named("a.jpg"), named("b.jpg")], Path::new("-"), false).is_err());
    }

    #[test]
    fn the_name_of_a_file_says_its_format() {
        let wish = |name: &str| Target::File(name.into()).wish();
        assert_eq!(wish("a/b.png"), Accept::Best(Encoded::Png));
        assert_eq!(wish("b.JPG"), Accept::Best(Encoded::Jpeg));
        assert_eq!(wish("b.webp"), Accept::Best(Encoded::Webp));
        for open in ["b", "b.", "b.dat", ".png"] {
            assert_eq!(wish(open), Accept::Any, "{open}");
        }
        // There the name follows the format.
        assert_eq!(
            Target::Beside("out".into(), "b.png".into()).wish(),
            Accept::Any
        );
    }

    #[test]
    fn a_folder_that_cannot_be_listed_does_not_stop_the_others() {
        let root = std::env::temp_dir().join(format!("safelight-deep-{}", std::process::id()));
        // Longer than a path may be (PATH_MAX, 4096 bytes), which no permission changes.
        let chain = |name: &str| -> PathBuf {
            let below = std::iter::repeat_n("d".repeat(200), 12).collect::<PathBuf>();
            root.join(name).join(below)
        };
        fs::create_dir_all(chain("a")).unwrap();
        fs::create_dir_all(chain("b")).unwrap();
        fs::write(root.join("a/good.png"), "a picture").unwrap();
        fs::rename(root.join("b"), chain("a").join("b")).unwrap();
        let found = sources(&[root.join("a")]).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found.len(), 2);
        let good = found.iter().filter(|s| s.shown().ends_with("good.png"));
        assert_eq!(good.count(), 1);
        let other = found.iter().find(|s| !s.shown().ends_with("good.png"));
        assert!(other.unwrap().read().is_err());
    }

    #[test]
    fn equal_stems_do_not_overwrite_each_other() {
        let both = [named("a.jpg"), named("a.png"), named("sub/a.webp")];
        let paths: Vec<_> = targets(&both, Path::new("out"), false).unwrap();
        let paths: HashSet<_> = paths.iter().map(|target| target.path("png")).collect();
        assert_eq!(paths.len(), 3);
    }
}
