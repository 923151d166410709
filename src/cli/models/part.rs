//! A file that is being fetched.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::digest;

/// Whether the file is the one that has this name now.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let here = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (here.dev(), here.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// The file while it is not whole: NAME.part, and beside it what its publisher called the version
/// that it is a part of.
pub struct Part {
    path: PathBuf,
    file: File,
    /// Bytes that are there.
    pub length: u64,
    /// Their running digest.
    pub sum: digest::Running,
}

impl Part {
    /// Opens it where another pull left it, or anew. The lock keeps a second pull away.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = loop {
            let file = options.open(path)?;
            file.try_lock().map_err(|e| match e {
                TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
                TryLockError::Error(e) => e,
            })?;
            // Between the two another pull may have given the file its name, or removed it: what
            // is locked then is an installed model, and no part of one.
            if is_at(&file, path)? {
                break file;
            }
        };
        let (mut sum, mut length) = (digest::Running::default(), 0);
        let mut chunk = vec![0; 256 << 10];
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                n => {
                    sum.update(&chunk[..n]);
                    length += n as u64;
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            sum,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(e) = self.file.write_all(bytes) {
            // A part of the chunk may have been written: what is kept is what was counted.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::End(0))?;
            return Err(e);
        }
        self.sum.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        (self.length, self.sum) = (0, digest::Running::default());
        self.keep_validator(None)
    }

    fn side(&self) -> PathBuf {
        self.path.with_extension("part-of")
    }

    /// What the server at `url` called the version that this is a part of. A mirror has its own name
    /// for it, and would begin anew if it were asked for another's.
    pub fn validator(&self, url: &str) -> Option<String> {
        let text = fs::read_to_string(self.side()).ok()?;
        let (of, validator) = text.split_once(' ')?;
        (of == digest::of(url.as_bytes())).then(|| validator.to_owned())
    }

    /// The address is kept as a digest, since it may hold a password.
    pub fn keep_validator(&self, validator: Option<(&str, &str)>) -> io::Result<()> {
        match validator {
            Some((url, validator)) => {
                let of = digest::of(url.as_bytes());
                fs::write(self.side(), format!("{of} {validator}"))
            }
            None => match fs::remove_file(self.side()) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            },
        }
    }

    /// Whole and checked: it gets its name.
    pub fn install(self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.keep_validator(None)
    }

    /// Not whole: an empty one goes. The bytes that stay.
    pub fn close(self) -> u64 {
        if self.length == 0 {
            // It costs nothing if they stay.
            let _ = fs::remove_file(&self.path);
            let _ = self.keep_validator(None);
        }
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_of_the_name_and_not_of_what_had_it_before() {
        let name = format!("safelight-part-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let (path, other) = (folder.join("a.part"), folder.join("a.onnx"));
        let file = File::create(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        fs::rename(&path, &other).unwrap();
        assert!(!is_at(&file, &path).unwrap(), "it is an installed model");
        let newer = Part::open(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap(), "and this is the part");
        assert!(is_at(&newer.file, &path).unwrap());
        fs::remove_dir_all(folder).unwrap();
    }
}
