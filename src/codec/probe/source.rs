//! `Source`: a file read forward through one buffer, that knows where it is and how much is left.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use crate::error::Error;

/// Large enough that scanning a file costs few reads, small enough to have one for each upload.
const BUFFER: usize = 64 << 10;

/// A reader with a position. Every read past the end is [`Error::BrokenPicture`].
pub(super) struct Source<'a, R> {
    inner: &'a mut R,
    buffer: Vec<u8>,
    /// What of `buffer` is not yet consumed.
    start: usize,
    end: usize,
    /// Place in the file of `start`.
    position: u64,
    len: u64,
}

impl<'a, R: Read + Seek> Source<'a, R> {
    /// The whole of `inner`, from its start.
    pub(super) fn new(inner: &'a mut R) -> Result<Self, Error> {
        let len = inner.seek(SeekFrom::End(0)).map_err(failed)?;
        inner.rewind().map_err(failed)?;
        let buffer = vec![0; BUFFER.min(usize::try_from(len).unwrap_or(BUFFER))];
        Ok(Self {
            inner,
            buffer,
            start: 0,
            end: 0,
            position: 0,
            len,
        })
    }

    /// Bytes consumed so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes not yet consumed.
    pub(super) fn left(&self) -> u64 {
        self.len - self.position
    }

    /// What is buffered, at least one byte unless the file has ended.
    pub(super) fn peek(&mut self) -> Result<&[u8], Error> {
        if self.start == self.end && self.left() > 0 {
            (self.start, self.end) = (0, 0);
            while self.end < self.buffer.len() {
                match self.inner.read(&mut self.buffer[self.end..]) {
                    Ok(0) => break,
                    Ok(n) => self.end += n,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(failed(e)),
                }
            }
            // A file that was cut while we read it.
            if self.end == 0 {
                return Err(Error::BrokenPicture);
            }
            // One that grows is read to the length it had.
            self.end = self
                .end
                .min(usize::try_from(self.left()).unwrap_or(usize::MAX));
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Consumes `n` bytes of what [`peek`](Self::peek) showed.
    pub(super) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.position += n as u64;
    }

    /// Fills `target`.
    pub(super) fn read(&mut self, target: &mut [u8]) -> Result<(), Error> {
        if target.len() as u64 > self.left() {
            return Err(Error::BrokenPicture);
        }
        let mut filled = 0;
        while filled < target.len() {
            let part = self.peek()?;
            let n = part.len().min(target.len() - filled);
            target[filled..filled + n].copy_from_slice(&part[..n]);
            self.consume(n);
            filled += n;
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes, the first most significant.
    pub(super) fn u16_be(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes, the first most significant.
    pub(super) fn u32_be(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next two bytes, the first least significant.
    pub(super) fn u16_le(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes, the first least significant.
    pub(super) fn u32_le(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next `n` bytes; the caller bounds `n`.
    pub(super) fn bytes(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        if n as u64 > self.left() {
            return Err(Error::BrokenPicture);
        }
        let mut bytes = vec![0; n];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over `n` bytes, which have to be there.
    pub(super) fn skip(&mut self, n: u64) -> Result<(), Error> {
        if n > self.left() {
            return Err(Error::BrokenPicture);
        }
        self.seek(self.position + n)
    }

    /// Goes to a place in the file.
    pub(super) fn seek(&mut self, place: u64) -> Result<(), Error> {
        if place > self.len {
            return Err(Error::BrokenPicture);
        }
        let forward = place
            .checked_sub(self.position)
            .and_then(|n| usize::try_from(n).ok());
        match forward {
            Some(n) if n <= self.end - self.start => self.consume(n),
            _ => {
                self.inner.seek(SeekFrom::Start(place)).map_err(failed)?;
                (self.start, self.end, self.position) = (0, 0, place);
            }
        }
        Ok(())
    }
}

/// Reading from the spool failed, which is no fault of the picture.
fn failed(_: std::io::Error) -> Error {
    Error::Internal
}
