//! The body of a picture's answer: it carries the request's guards and lets go of them when its
//! last chunk is handed out, before that chunk leaves the machine.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};

use super::b64;
use crate::{
    ephemeral::Lease,
    harden::fault::{self, Place},
    observe::Request,
};

/// Bytes of one chunk. Below the server's write buffer (32 KiB), so that a chunk is copied there
/// and the guards end before the client can have the whole answer.
const CHUNK: usize = 16 << 10;

/// Bytes of one chunk that is written in base64, which makes four of three.
const ENCODED_CHUNK: usize = CHUNK / 4 * 3;

/// An answer with its guards.
pub struct Guarded {
    bytes: Bytes,
    around: Option<Around>,
    guards: Option<(Lease, Request)>,
}

/// Text around an answer that is written in base64.
struct Around {
    before: Bytes,
    after: String,
}

impl Guarded {
    /// `bytes` with the lease that pays for them and the request that they answer.
    pub fn new(bytes: Vec<u8>, lease: Lease, request: Request) -> Self {
        Self {
            bytes: bytes.into(),
            around: None,
            guards: Some((lease, request)),
        }
    }

    /// The same in base64, with text before and after it. It is encoded as it leaves, so that
    /// there is no second copy of the answer.
    pub fn in_text(self, before: String, after: String) -> Self {
        let before = before.into();
        Self {
            around: Some(Around { before, after }),
            ..self
        }
    }

    /// The next chunk, and whether it is the last one.
    fn next(&mut self) -> (Bytes, bool) {
        let Some(around) = &mut self.around else {
            let len = self.bytes.len().min(CHUNK);
            return (self.bytes.split_to(len), self.bytes.is_empty());
        };
        if !around.before.is_empty() {
            return (std::mem::take(&mut around.before), false);
        }
        let len = self.bytes.len().min(ENCODED_CHUNK);
        let mut text = b64::encoded(&self.bytes.split_to(len));
        let last = self.bytes.is_empty();
        if last {
            text += &around.after;
        }
        (text.into(), last)
    }
}

impl MessageBody for Guarded {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        let bytes = self.bytes.len();
        BodySize::Sized(match &self.around {
            None => bytes,
            Some(around) => around.before.len() + bytes.div_ceil(3) * 4 + around.after.len(),
        } as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        fault::pass(Place::Body);
        let (chunk, last) = self.next();
        if let Some((_, request)) = &mut self.guards {
            request.bytes_out += chunk.len() as u64;
            if last {
                request.succeeded();
                self.guards = None;
            }
        }
        Poll::Ready(Some(Ok(chunk)))
    }
}
