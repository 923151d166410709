//! SHA-256 (FIPS 180-4), in hexadecimal: of bytes, of what is read, of the running program.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

/// Of bytes in memory.
pub fn of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Of everything that `reader` yields.
///
/// # Errors
/// Where it cannot be read.
pub fn of_reader(mut reader: impl Read) -> io::Result<String> {
    // On the heap, which is wiped when it is freed.
    let mut chunk = vec![0; 64 << 10];
    let mut sum = Sha256::new();
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(hex(&sum.finalize())),
            n => sum.update(&chunk[..n]),
        }
    }
}

/// Of a file.
///
/// # Errors
/// Where it cannot be read.
pub fn of_file(path: &Path) -> io::Result<String> {
    of_reader(File::open(path)?)
}

/// Of the executable that is running: on Linux the very file that the kernel has started, even
/// where another lies under its name by now.
///
/// # Errors
/// Where it cannot be read.
pub fn of_this_program() -> io::Result<String> {
    match File::open("/proc/self/exe") {
        Ok(file) => of_reader(file),
        Err(_) => of_file(&std::env::current_exe()?),
    }
}

/// Of what comes piece by piece.
#[derive(Default)]
pub struct Running(Sha256);

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}

impl Running {
    /// The next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // FIPS 180-4's example of one block.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(b"abc"), abc);
        assert_eq!(of_reader(&b"abc"[..]).unwrap(), abc);
        let long = vec![7; 200_001];
        assert_eq!(of_reader(&long[..]).unwrap(), of(&long));
        assert_eq!(of_this_program().unwrap().len(), 64);
    }
}
