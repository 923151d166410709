//! The body of a picture's answer: it carries the request's guards and lets go of them when its
//! last chunk is handed out, before that chunk leaves the machine.

use std::{
    collections::VecDeque,
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
    /// What is still to be sent; none of it empty.
    parts: VecDeque<Part>,
    guards: Option<(Lease, Request)>,
}

/// A part of an answer.
#[derive(Debug)]
pub enum Part {
    /// Sent as it is.
    Plain(Bytes),
    /// Sent in base64. It is encoded as it leaves, so that there is no second copy of it.
    Encoded(Bytes),
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Plain(text.into())
    }
}

impl Part {
    /// A picture, as it is.
    pub fn plain(bytes: Vec<u8>) -> Self {
        Self::Plain(bytes.into())
    }

    /// A picture, to be sent in base64.
    pub fn encoded(bytes: Vec<u8>) -> Self {
        Self::Encoded(bytes.into())
    }

    /// Bytes of it that were not taken yet.
    fn left(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Encoded(bytes) => bytes.len(),
        }
    }

    /// Bytes that it still takes in the answer.
    fn size(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Encoded(bytes) => bytes.len().div_ceil(3) * 4,
        }
    }

    /// The next chunk.
    fn take(&mut self) -> Bytes {
        match self {
            Self::Plain(bytes) => bytes.split_to(bytes.len().min(CHUNK)),
            Self::Encoded(bytes) => {
                let chunk = bytes.split_to(bytes.len().min(ENCODED_CHUNK));
                b64::encoded(&chunk).into()
            }
        }
    }
}

impl Guarded {
    /// `bytes` with the lease that pays for them and the request that they answer.
    pub fn new(bytes: Vec<u8>, lease: Lease, request: Request) -> Self {
        Self::of([Part::plain(bytes)], lease, request)
    }

    /// The same for an answer of several parts.
    pub fn of(parts: impl IntoIterator<Item = Part>, lease: Lease, request: Request) -> Self {
        let parts = parts.into_iter().filter(|part| part.left() > 0);
        Self {
            parts: parts.collect(),
            guards: Some((lease, request)),
        }
    }

    /// The next chunk.
    fn next(&mut self) -> Option<Bytes> {
        let part = self.parts.front_mut()?;
        let chunk = part.take();
        if part.left() == 0 {
            self.parts.pop_front();
        }
        Some(chunk)
    }
}

impl MessageBody for Guarded {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.parts.iter().map(Part::size).sum::<usize>() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.parts.is_empty() {
            return Poll::Ready(None);
        }
        fault::pass(Place::Body);
        let chunk = self.next().unwrap_or_default();
        let last = self.parts.is_empty();
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
