//! A request's body to inputs in the spool and options: multipart or raw, counted while it
//! streams, with a deadline for each pause and one for the whole.

mod clock;
mod expected;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{
    HttpRequest,
    error::PayloadError,
    http::header,
    web::{Bytes, Payload},
};
use futures_util::StreamExt;

use clock::Clock;
pub use expected::{BODY, Expected};

use super::{
    due::Due,
    guard::{Gate, content_length},
};
use crate::{
    config::Settings,
    ephemeral::{Ephemeral, Reason, Spool},
    error::Error,
    harden::{
        fault::{self, Place},
        stack::scrubbed,
    },
    job::{self, Input},
    ops::OPS,
};

/// Form fields at most, pictures included.
pub const MAX_FIELDS: usize = 32;
/// Bytes of a text field at most.
pub const MAX_TEXT: usize = 4 << 10;
/// The same for the list of a pipeline's operations.
const MAX_OPS: usize = 16 << 10;
/// Bytes of a picture after which its head is looked at, while the rest is on its way: it holds the
/// dimensions unless what a camera writes before them is longer.
const HEAD: usize = 64 << 10;
/// Names under which the picture itself may come.
const PICTURE: [&str; 3] = ["file", "image", "image_file"];

/// Further pictures, by field name.
pub type Named = Vec<(&'static str, Input)>;

/// What came with a request.
#[derive(Debug, Default)]
pub struct Upload {
    /// The picture, or those of a batch in their order; at least one, unless [`Expected`] can do
    /// without.
    pub pictures: Vec<Ephemeral>,
    /// Further files, by field name.
    pub files: Vec<(&'static str, Ephemeral)>,
    /// Options that came as form fields, in their order.
    pub options: Vec<(String, String)>,
}

impl Upload {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        let files = self.files.iter().map(|(_, file)| file);
        self.pictures.iter().chain(files).map(Ephemeral::size).sum()
    }

    /// Why the inputs end, if they end without being decoded.
    pub fn set_reason(&mut self, reason: Reason) {
        let files = self.files.iter_mut().map(|(_, file)| file);
        for file in self.pictures.iter_mut().chain(files) {
            file.set_reason(reason);
        }
    }

    /// Takes the file of a field out.
    pub fn take(&mut self, name: &str) -> Option<Ephemeral> {
        let at = self.files.iter().position(|(field, _)| *field == name)?;
        Some(self.files.swap_remove(at).1)
    }

    /// The one picture, and the further ones by name.
    ///
    /// # Errors
    /// [`Error::MissingPicture`] where there is none.
    pub fn into_inputs(mut self) -> Result<(Ephemeral, Named), Error> {
        let picture = self.pictures.pop().ok_or(Error::MissingPicture)?;
        let files = self.files.into_iter();
        let files = files.map(|(name, file)| (name, Input::Spooled(file)));
        Ok((picture, files.collect()))
    }
}

/// Reads the whole body.
///
/// # Errors
/// Any [`Error`] of a bad, slow or large body, or of a full spool.
///
/// # Cancel safety
/// Dropping the future drops what was received, with the reason `disconnect`.
pub async fn receive(
    request: &HttpRequest,
    payload: Payload,
    expected: Expected,
    (settings, gate): (&Settings, &Gate),
    spool: &Spool,
) -> Result<Upload, Error> {
    let mut reader = Reader {
        expected,
        clock: Clock::new(settings, Due::of(request)?, Box::pin(gate.closed())),
        spool,
        max_picture: settings.max_upload.0,
        settings,
        declared: content_length(request),
        received: 0,
    };
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
    if kind.starts_with("multipart/form-data") {
        reader
            .multipart(Multipart::new(request.headers(), payload))
            .await
    } else if expected.whole.iter().any(|mime| kind.starts_with(mime)) {
        reader.whole(payload).await
    } else if kind.starts_with("image/") || kind.starts_with("application/octet-stream") {
        reader.raw(payload).await
    } else {
        Err(Error::MissingPicture)
    }
}

struct Reader<'a> {
    expected: Expected,
    clock: Clock,
    spool: &'a Spool,
    max_picture: u64,
    settings: &'a Settings,
    declared: Option<u64>,
    received: u64,
}

/// What is done with a body, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A picture, which is refused as early as can be.
    Picture,
    /// Kept as it comes.
    Other,
}

impl Reader<'_> {
    async fn raw(&mut self, mut payload: Payload) -> Result<Upload, Error> {
        if let Some(actual) = self.declared.filter(|length| *length > self.max_picture) {
            return Err(self.too_large(Some(actual)));
        }
        let limit = self.max_picture;
        let picture = self.stream(&mut payload, limit, Kind::Picture).await?;
        if picture.size() == 0 {
            picture.close(Reason::Error);
            return Err(Error::MissingPicture);
        }
        Ok(Upload {
            pictures: vec![picture],
            ..Upload::default()
        })
    }

    /// A body that its route reads by itself.
    async fn whole(&mut self, mut payload: Payload) -> Result<Upload, Error> {
        let limit = self.expected.max_body;
        let mut body = self.stream(&mut payload, limit, Kind::Other).await?;
        body.settle();
        Ok(Upload {
            files: vec![(BODY, body)],
            ..Upload::default()
        })
    }

    async fn stream(
        &mut self,
        payload: &mut Payload,
        limit: u64,
        kind: Kind,
    ) -> Result<Ephemeral, Error> {
        let mut file = self.spool.open(self.declared)?;
        let filled = self.fill(&mut file, payload, (limit, kind), payload_error);
        let filled = filled.await;
        filled.inspect_err(|error| file.set_reason(error.into()))?;
        Ok(file)
    }

    async fn multipart(&mut self, mut form: Multipart) -> Result<Upload, Error> {
        let mut parts = Upload::default();
        let read = self.parts(&mut form, &mut parts).await;
        read.inspect_err(|error| parts.set_reason(error.into()))?;
        Ok(parts)
    }

    async fn parts(&mut self, form: &mut Multipart, parts: &mut Upload) -> Result<(), Error> {
        let Expected {
            files,
            pictures,
            encoded,
            lenient,
            max_body,
            ..
        } = self.expected;
        let limit = MAX_FIELDS - 1 + pictures;
        let mut fields = 0;
        while let Some(field) = self.clock.wait(form.next()).await? {
            let mut field = field.map_err(multipart_error)?;
            fields += 1;
            if fields > limit {
                return Err(Error::TooManyFields { limit });
            }
            let Some(name) = field.name().map(str::to_owned) else {
                return Err(Error::MalformedRequest("A part of the form has no name."));
            };
            let slot = files
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(known, _)| *known);
            if PICTURE.contains(&name.as_str()) {
                // One of a batch that is refused says so in its place of the archive.
                let kind = match pictures {
                    1 => Kind::Picture,
                    _ => Kind::Other,
                };
                let file = self.file(&mut field, self.max_picture, kind).await?;
                if parts.pictures.len() == pictures && !lenient {
                    file.close(Reason::Error);
                    return Err(match pictures {
                        1 => Error::MalformedRequest("The form holds more than one picture."),
                        limit => Error::TooManyFields { limit },
                    });
                }
                // A browser sends an empty part for a file field that nobody filled; in a batch it
                // has its number like any other.
                if file.size() > 0 || pictures > 1 {
                    if parts.pictures.len() == pictures
                        && let Some(other) = parts.pictures.pop()
                    {
                        other.close(Reason::Error);
                    }
                    parts.pictures.push(file);
                }
            } else if let Some(slot) = slot {
                let (limit, kind) = match encoded.contains(&slot) {
                    true => (max_body, Kind::Other),
                    false => (self.max_picture, Kind::Picture),
                };
                let file = self.file(&mut field, limit, kind).await?;
                if file.size() > 0 {
                    parts.files.retain(|(name, _)| *name != slot);
                    parts.files.push((slot, file));
                }
            } else {
                let limit = match name == OPS.name {
                    true => MAX_OPS,
                    false => MAX_TEXT,
                };
                let text = self.text(&mut field, limit).await?;
                parts.options.push((name, text));
            }
        }
        if parts.pictures.is_empty() && !lenient {
            return Err(Error::MissingPicture);
        }
        Ok(())
    }

    async fn file(
        &mut self,
        field: &mut Field,
        limit: u64,
        kind: Kind,
    ) -> Result<Ephemeral, Error> {
        let left = self.declared.map(|all| all.saturating_sub(self.received));
        let mut file = self.spool.open(left.map(|left| left.min(limit)))?;
        let filled = self.fill(&mut file, field, (limit, kind), multipart_error);
        let filled = filled.await;
        filled.inspect_err(|error| file.set_reason(error.into()))?;
        file.settle();
        Ok(file)
    }

    async fn fill<S, E>(
        &mut self,
        file: &mut Ephemeral,
        stream: &mut S,
        (limit, kind): (u64, Kind),
        error: fn(E) -> Error,
    ) -> Result<(), Error>
    where
        S: futures_util::Stream<Item = Result<Bytes, E>> + Unpin,
    {
        while let Some(chunk) = self.clock.wait(stream.next()).await? {
            let chunk = chunk.map_err(error)?;
            fault::pass(Place::Upload);
            self.count(&chunk)?;
            if file.size() + chunk.len() as u64 > limit {
                return Err(self.too_large(None));
            }
            let before = file.size();
            file.append(&chunk)?;
            let passed = before < HEAD as u64 && file.size() >= HEAD as u64;
            if kind == Kind::Picture && passed {
                let limits = self.settings.engine.limits();
                scrubbed(|| job::glance(&file.head(HEAD)?, &limits))?;
            }
        }
        Ok(())
    }

    async fn text(&mut self, field: &mut Field, limit: usize) -> Result<String, Error> {
        let mut text = Vec::new();
        while let Some(chunk) = self.clock.wait(field.next()).await? {
            let chunk = chunk.map_err(multipart_error)?;
            self.count(&chunk)?;
            if text.len() + chunk.len() > limit {
                return Err(Error::FieldTooLong { limit });
            }
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).map_err(|_| Error::MalformedRequest("A text field is not UTF-8."))
    }

    /// Counts what arrived. A body whose length is not declared is held to the limit of the whole
    /// here; [`super::guard::Gate::admit`] has refused the others.
    fn count(&mut self, chunk: &Bytes) -> Result<(), Error> {
        self.received += chunk.len() as u64;
        self.clock.received(chunk.len() as u64);
        let Expected {
            max_body, setting, ..
        } = self.expected;
        if self.received > max_body {
            return Err(Error::BodyTooLarge {
                limit: max_body,
                actual: None,
                setting,
            });
        }
        Ok(())
    }

    fn too_large(&self, actual: Option<u64>) -> Error {
        Error::BodyTooLarge {
            limit: self.max_picture,
            actual,
            setting: "--max-upload",
        }
    }
}

fn payload_error(error: PayloadError) -> Error {
    match error {
        PayloadError::Overflow => Error::MalformedRequest("The body is longer than declared."),
        PayloadError::EncodingCorrupted => {
            Error::MalformedRequest("The body's encoding is broken.")
        }
        // The connection ended before the body did. Chunks that are not well-formed are reported
        // in the same way.
        _ => Error::Cancelled,
    }
}

fn multipart_error(error: MultipartError) -> Error {
    match error {
        MultipartError::Payload(error) => payload_error(error),
        MultipartError::Incomplete => Error::MalformedRequest("The form ends before its boundary."),
        MultipartError::ContentDispositionMissing
        | MultipartError::ContentDispositionNameMissing => {
            Error::MalformedRequest("A part of the form has no name.")
        }
        _ => Error::MalformedRequest("The body is not a well-formed multipart form."),
    }
}
