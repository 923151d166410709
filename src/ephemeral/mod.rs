//! The only place where a picture's bytes may rest: an unnamed file on a memory file system,
//! owned by a guard that overwrites and closes it.

mod lease;
mod ledger;
pub mod storage;
#[cfg(test)]
mod tests;
mod witness;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

pub use lease::{Lease, MemoryBudget, Reservation};
pub use ledger::{Ledger, Reason};
pub use witness::{Ended, Witness};

use crate::{digest, error::Error, harden::fault, observe::Metrics};

/// A folder in which nameless files are made.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
    ledger: Arc<Ledger>,
    witness: Option<Witness>,
}

impl Spool {
    /// A spool in `folder` that holds at most `budget` bytes at once.
    pub fn new(folder: PathBuf, budget: u64, metrics: Arc<Metrics>) -> Self {
        Self {
            folder,
            ledger: Arc::new(Ledger::new(budget, metrics)),
            witness: None,
        }
    }

    /// The same spool, for the inputs of one request, which `witness` is to see.
    pub fn witnessed(&self, witness: &Witness) -> Self {
        Self {
            witness: Some(witness.clone()),
            ..self.clone()
        }
    }

    /// Its books.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens an empty input. `expected` bytes (a Content-Length) are reserved at once, in the
    /// budget and on the device; a body of unknown length reserves as it grows.
    ///
    /// # Errors
    /// [`Error::Busy`] where the budget is taken, [`Error::SpoolFull`] where the device is full,
    /// [`Error::Internal`] where the folder cannot be used.
    pub fn open(&self, expected: Option<u64>) -> Result<Ephemeral, Error> {
        let reserved = expected.unwrap_or(0);
        self.ledger.reserve(reserved)?;
        let (file, nameless) = match unnamed_file(&self.folder) {
            Ok(made) => made,
            Err(e) => {
                self.ledger.give_back(reserved);
                return Err(storage_error(&e));
            }
        };
        let mut input = Ephemeral {
            file: Some(file),
            nameless,
            size: 0,
            reserved,
            id: self.ledger.enter(),
            on_drop: Reason::Disconnect,
            ledger: self.ledger.clone(),
            sha256: None,
            seen_by: self
                .witness
                .clone()
                .map(|witness| (witness.opened(), witness)),
        };
        if reserved > 0 {
            let allocated = input.allocate(reserved);
            allocated.inspect_err(|error| input.set_reason(error.into()))?;
        }
        Ok(input)
    }
}

/// A file that never has a name, and `true`: the kernel frees it however the process ends.
///
/// `O_EXCL` forbids to link it into a folder later. Where a file system has no `O_TMPFILE`, the
/// file is made and unlinked at once (`false`); `storage::inspect` has found that out at the start, and
/// `--ephemerality=strict` refuses it.
#[cfg(target_os = "linux")]
fn unnamed_file(folder: &Path) -> io::Result<(File, bool)> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = libc::O_TMPFILE | libc::O_EXCL;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(folder);
    match file {
        Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => {
            Ok((tempfile::tempfile_in(folder)?, false))
        }
        file => Ok((file?, true)),
    }
}

#[cfg(not(target_os = "linux"))]
fn unnamed_file(folder: &Path) -> io::Result<(File, bool)> {
    Ok((tempfile::tempfile_in(folder)?, false))
}

fn storage_error(e: &io::Error) -> Error {
    match e.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => Error::SpoolFull,
        _ => Error::Internal,
    }
}

/// One input. Its bytes are overwritten and its file closed by [`Ephemeral::close`] or on drop,
/// whichever comes first.
#[derive(Debug)]
pub struct Ephemeral {
    file: Option<File>,
    nameless: bool,
    size: u64,
    reserved: u64,
    id: u64,
    /// What a drop without [`Ephemeral::close`] means at this time: while the upload is read, a
    /// dropped future means that the client is gone.
    on_drop: Reason,
    ledger: Arc<Ledger>,
    sha256: Option<String>,
    /// The witness of its end, and its place in the witness's list.
    seen_by: Option<(usize, Witness)>,
}

impl Ephemeral {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let size = self.size + bytes.len() as u64;
        if size > self.reserved {
            // Chunked bodies grow in steps, so that the books are not opened for each chunk; near
            // the end of the budget what is needed is all that is asked for.
            let needed = size - self.reserved;
            let step = needed.next_multiple_of(256 << 10);
            let taken = match self.ledger.reserve(step) {
                Ok(()) => step,
                Err(_) => self.ledger.reserve(needed).map(|()| needed)?,
            };
            self.reserved += taken;
        }
        // Counted first: of a write that fails, a part may be there and has to be overwritten too.
        self.size = size;
        self.file()?.write_all(bytes).map_err(|e| storage_error(&e))
    }

    /// The upload is complete: what was reserved beyond its size is given back.
    pub fn settle(&mut self) {
        if let Some(file) = &self.file
            && self.reserved > self.size
            && file.set_len(self.size).is_ok()
        {
            self.ledger.give_back(self.reserved - self.size);
            self.reserved = self.size;
        }
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file from its start, to look at headers.
    ///
    /// # Errors
    /// [`Error::Internal`] where the file cannot be read.
    pub fn reader(&mut self) -> Result<&mut File, Error> {
        let file = self.file()?;
        file.seek(SeekFrom::Start(0))
            .map_err(|e| storage_error(&e))?;
        Ok(file)
    }

    /// The first bytes, at most so many, while more are still added at the end; in memory that is
    /// wiped when it is freed.
    ///
    /// # Errors
    /// [`Error::Internal`] where the file cannot be read.
    pub fn head(&self, most: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; most.min(self.size as usize)];
        let file = self.file.as_ref().ok_or(Error::Internal)?;
        let read = file.read_exact_at(&mut bytes, 0);
        read.map_err(|e| storage_error(&e)).map(|()| bytes)
    }

    /// All bytes, in memory that is wiped when it is freed.
    ///
    /// # Errors
    /// [`Error::Internal`] where the file cannot be read.
    pub fn read_all(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(self.size as usize);
        self.reader()?
            .read_to_end(&mut bytes)
            .map_err(|e| storage_error(&e))?;
        Ok(bytes)
    }

    /// Takes the hash of the bytes as they lie in the spool, where a witness wants it; else does
    /// nothing. It reads the whole file, so it is for threads that may work.
    pub fn take_digest(&mut self) {
        let wanted = self
            .seen_by
            .as_ref()
            .is_some_and(|(_, w)| w.wants_digests());
        if wanted && self.sha256.is_none() {
            let size = self.size;
            // What cannot be read has no hash, and the witness says none.
            let reader = self.reader().ok().map(|file| file.take(size));
            self.sha256 = reader.and_then(|bytes| digest::of_reader(bytes).ok());
        }
    }

    /// From now on a drop that nobody explains has this reason.
    pub fn set_reason(&mut self, reason: Reason) {
        self.on_drop = reason;
    }

    /// Overwrites and closes the file.
    pub fn close(mut self, reason: Reason) {
        self.end(reason);
    }

    fn file(&mut self) -> Result<&mut File, Error> {
        self.file.as_mut().ok_or(Error::Internal)
    }

    fn allocate(&self, bytes: u64) -> Result<(), Error> {
        #[cfg(target_os = "linux")]
        if let Some(file) = &self.file {
            use rustix::fs::{FallocateFlags, fallocate};
            match fallocate(file, FallocateFlags::empty(), 0, bytes) {
                // A file system without fallocate finds out while it is written.
                Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
                Err(e) => return Err(storage_error(&io::Error::from(e))),
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
        Ok(())
    }

    fn end(&mut self, reason: Reason) {
        let Some(file) = self.file.take() else { return };
        // The kernel hands a freed page on without clearing it (init_on_free is off by default),
        // so the bytes are overwritten first. A failure leaves nothing more to do than to close.
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut at = 0;
        while at < self.size && !fault::unwiped() {
            let len = ZEROS.len().min((self.size - at) as usize);
            if file.write_all_at(&ZEROS[..len], at).is_err() {
                break;
            }
            at += len as u64;
        }
        let in_memory = self.seen_by.is_some() && storage::on_tmpfs(&file);
        drop(file);
        let closed_at = SystemTime::now();
        self.ledger.give_back(self.reserved);
        let held = self.ledger.cross_out(self.id, reason);
        if let Some((place, witness)) = self.seen_by.take() {
            let how = Ended {
                bytes: self.size,
                sha256: self.sha256.take(),
                in_memory,
                nameless: self.nameless,
                overwritten: at >= self.size,
                closed_at,
                held,
            };
            witness.ended(place, how);
        }
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        let reason = if std::thread::panicking() {
            Reason::Panic
        } else {
            self.on_drop
        };
        self.end(reason);
    }
}
