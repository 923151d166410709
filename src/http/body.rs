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

use crate::{
    ephemeral::Lease,
    harden::fault::{self, Place},
    observe::Request,
};

/// Bytes of one chunk. Below the server's write buffer (32 KiB), so that a chunk is copied there
/// and the guards end before the client can have the whole answer.
const CHUNK: usize = 16 << 10;

/// An answer with its guards.
pub struct Guarded {
    bytes: Bytes,
    guards: Option<(Lease, Request)>,
}

impl Guarded {
    /// `bytes` with the lease that pays for them and the request that they answer.
    pub fn new(bytes: Vec<u8>, lease: Lease, request: Request) -> Self {
        Self {
            bytes: bytes.into(),
            guards: Some((lease, request)),
        }
    }
}

impl MessageBody for Guarded {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        fault::pass(Place::Body);
        let len = self.bytes.len().min(CHUNK);
        let chunk = self.bytes.split_to(len);
        let last = self.bytes.is_empty();
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
