//! The bytes of a picture, until it is decoded.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    codec::{self, Header, PictureLimits},
    ephemeral::{Ephemeral, Reason},
    error::Error,
    frame::Frame,
    harden::fault::{self, Place},
    ops,
};

/// Where a picture's bytes are before they are decoded.
#[derive(Debug)]
pub enum Input {
    /// In the spool: an upload.
    Spooled(Ephemeral),
    /// In memory: a file that the command line has read.
    Memory(Vec<u8>),
}

impl Input {
    pub(super) fn probe(&mut self, limits: &PictureLimits) -> Result<Header, Error> {
        fault::pass(Place::Probe);
        match self {
            Self::Spooled(upload) => {
                let header = codec::probe(upload.reader()?, limits);
                if header.is_err() {
                    // It is refused for what it is: what that was, is all that is left to say.
                    upload.take_digest();
                }
                header
            }
            Self::Memory(bytes) => codec::probe(&mut Cursor::new(bytes), limits),
        }
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Spooled(upload) => upload.size(),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Decodes the picture, or a smaller one where `least` allows it. Its bytes are gone when this
    /// returns, whether it succeeds or not.
    pub(super) fn decode(
        self,
        header: &Header,
        least: Option<ops::Sampled>,
    ) -> Result<Frame, Error> {
        match self {
            Self::Memory(bytes) => {
                guarded_decode(&bytes, header, least).unwrap_or(Err(Error::BrokenPicture))
            }
            Self::Spooled(mut upload) => {
                let bytes = upload.read_all()?;
                let decoded = guarded_decode(&bytes, header, least);
                drop(bytes);
                upload.take_digest();
                upload.close(match &decoded {
                    Some(Ok(_)) => Reason::Decoded,
                    Some(Err(_)) => Reason::Error,
                    None => Reason::Panic,
                });
                decoded.unwrap_or(Err(Error::BrokenPicture))
            }
        }
    }

    /// Tells an upload why it ends, if it ends without being decoded.
    pub fn set_reason(&mut self, reason: Reason) {
        if let Self::Spooled(upload) = self {
            upload.set_reason(reason);
        }
    }
}

/// A decoder that panics (`None`) has met a picture that it cannot decode; nothing else is broken
/// by it, since it works on memory of its own.
fn guarded_decode(
    bytes: &[u8],
    header: &Header,
    least: Option<ops::Sampled>,
) -> Option<Result<Frame, Error>> {
    let decode = AssertUnwindSafe(|| {
        fault::pass(Place::Decode);
        match least {
            Some(ops::Sampled { least, turned }) => {
                codec::decode_down_to(bytes, header, least, turned)
            }
            None => codec::decode(bytes, header),
        }
    });
    catch_unwind(decode).ok()
}
