//! Bodies of fields that rest in the spool - JSON, or as a browser writes a plain form - to options
//! and pictures. A picture in base64 goes from one file of the spool to another.

use std::io::{BufRead, BufReader, Read};

use actix_web::web;

use super::{
    super::{
        b64,
        upload::{BODY, MAX_FIELDS, MAX_TEXT, Upload},
    },
    json,
};
use crate::{
    ephemeral::{Ephemeral, Reason, Spool},
    error::Error,
    harden::stack::scrubbed,
};

/// Bytes of a field's name at most.
pub const MAX_NAME: usize = 64;
/// A name that is longer.
pub const LONG_NAME: Error =
    Error::MalformedRequest("A field of the body has a name of more than 64 bytes.");

/// How a body of fields is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/json`: an object.
    Json,
    /// `application/x-www-form-urlencoded`.
    Pairs,
}

impl Form {
    /// The media types, in the order of the variants.
    pub const TYPES: [&'static str; 2] = ["application/json", "application/x-www-form-urlencoded"];
}

/// What has to be known to read a body of fields.
#[derive(Debug)]
pub struct Reader {
    /// How the body is written.
    pub form: Form,
    /// The field that holds a picture in base64.
    pub encoded: &'static str,
    /// Where pictures are held.
    pub spool: Spool,
    /// Bytes of a picture at most.
    pub limit: u64,
}

impl Reader {
    /// Reads a body that was kept as it came, and decodes the picture that a field of it, or of a
    /// multipart form, holds. What was read is overwritten and closed.
    ///
    /// # Errors
    /// [`Error::MalformedRequest`], those of too many or too long fields, and those of
    /// [`b64::decoded`].
    pub async fn read(self, mut upload: Upload) -> Result<Upload, Error> {
        let read = move || {
            let read = self.unpack(&mut upload);
            read.inspect_err(|error| upload.set_reason(error.into()))?;
            Ok(upload)
        };
        // Megabytes are decoded: not on a thread that serves connections.
        let read = web::block(move || scrubbed(read)).await;
        read.map_err(|_| Error::Internal)?
    }

    fn unpack(&self, upload: &mut Upload) -> Result<(), Error> {
        if let Some(mut text) = upload.take(self.encoded) {
            text.set_reason(Reason::Error);
            text.take_digest();
            let picture = b64::decoded(text.reader()?, &self.spool, self.limit)?;
            text.close(Reason::Decoded);
            self.put(upload, picture);
        }
        let Some(mut body) = upload.take(BODY) else {
            return Ok(());
        };
        body.set_reason(Reason::Error);
        body.take_digest();
        let mut fields = 0;
        let member = |name: &str, value: &mut dyn Read| {
            fields += 1;
            if fields > MAX_FIELDS {
                return Err(Error::TooManyFields { limit: MAX_FIELDS });
            }
            if name == self.encoded {
                let picture = b64::decoded(value, &self.spool, self.limit)?;
                self.put(upload, picture);
            } else {
                upload.options.push((name.to_owned(), text(value)?));
            }
            Ok(())
        };
        let input = BufReader::with_capacity(64 << 10, body.reader()?);
        match self.form {
            Form::Json => json::read(input, member)?,
            Form::Pairs => pairs(input, self.encoded, member)?,
        }
        body.close(Reason::Decoded);
        Ok(())
    }

    fn put(&self, upload: &mut Upload, picture: Ephemeral) {
        if let Some(other) = upload.take(self.encoded) {
            other.close(Reason::Error);
        }
        // Empty is absent.
        match picture.size() {
            0 => picture.close(Reason::Error),
            _ => upload.files.push((self.encoded, picture)),
        }
    }
}

fn text(value: &mut dyn Read) -> Result<String, Error> {
    let mut text = Vec::new();
    let read = value.take(MAX_TEXT as u64 + 1).read_to_end(&mut text);
    read.map_err(|_| Error::MalformedRequest("A text field is not well-formed."))?;
    if text.len() > MAX_TEXT {
        return Err(Error::FieldTooLong { limit: MAX_TEXT });
    }
    String::from_utf8(text).map_err(|_| Error::MalformedRequest("A text field is not UTF-8."))
}

/// Reads `name=value&...` (WHATWG URL, section 5.1) as a stream. In the field `encoded` a plus is
/// a plus: clients send base64 as it is.
fn pairs<R: BufRead>(
    mut input: R,
    encoded: &str,
    mut member: impl FnMut(&str, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    const MALFORMED: Error = Error::MalformedRequest("The body is not a well-formed form.");
    let mut more = true;
    while more {
        let mut name = Vec::new();
        let mut part = Part::new(&mut input, b"=&", b' ');
        let read = (&mut part).take(MAX_NAME as u64 + 1).read_to_end(&mut name);
        read.map_err(|_| MALFORMED)?;
        if name.len() > MAX_NAME {
            return Err(LONG_NAME);
        }
        let name = String::from_utf8(name).map_err(|_| MALFORMED)?;
        if part.end == Some(b'=') {
            let plus = if name == encoded { b'+' } else { b' ' };
            let mut value = Part::new(&mut input, b"&", plus);
            member(&name, &mut value)?;
            std::io::copy(&mut value, &mut std::io::sink()).map_err(|_| MALFORMED)?;
            more = value.end.is_some();
        } else {
            more = part.end.is_some();
        }
    }
    Ok(())
}

/// Text up to one of `ends` or the end of all, its escapes resolved.
struct Part<'a, R> {
    input: &'a mut R,
    ends: &'static [u8],
    plus: u8,
    done: bool,
    end: Option<u8>,
}

impl<'a, R: BufRead> Part<'a, R> {
    fn new(input: &'a mut R, ends: &'static [u8], plus: u8) -> Self {
        Self {
            input,
            ends,
            plus,
            done: false,
            end: None,
        }
    }
}

impl<R: BufRead> Read for Part<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if buf.is_empty() || self.done {
            return Ok(0);
        }
        let ready = self.input.fill_buf()?;
        let plain = |b: &&u8| !self.ends.contains(b) && !b"+%".contains(b);
        let run = ready.iter().take(buf.len()).take_while(plain).count();
        if run > 0 {
            buf[..run].copy_from_slice(&ready[..run]);
            self.input.consume(run);
            return Ok(run);
        }
        let Some(&byte) = ready.first() else {
            self.done = true;
            return Ok(0);
        };
        self.input.consume(1);
        buf[0] = match byte {
            b'+' => self.plus,
            b'%' => {
                let mut digits = [0; 2];
                self.input.read_exact(&mut digits)?;
                let digit = |at: usize| char::from(digits[at]).to_digit(16);
                let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                    return Err(std::io::ErrorKind::InvalidData.into());
                };
                (high << 4 | low) as u8
            }
            end => {
                self.done = true;
                self.end = Some(end);
                return Ok(0);
            }
        };
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_with_their_escapes_resolved() {
        let text = "a=1+2%2B%26&empty=&none&b64=A+/%3D%0A&%62=%c3%a9";
        for buffer in [1, 2, 5, 4096] {
            let mut all = Vec::new();
            let input = BufReader::with_capacity(buffer, text.as_bytes());
            pairs(input, "b64", |name, value| {
                all.push((name.to_owned(), super::text(value)?));
                Ok(())
            })
            .unwrap();
            let expected = [("a", "1 2+&"), ("empty", ""), ("b64", "A+/=\n"), ("b", "é")];
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn pairs_that_are_none_are_refused() {
        let all = |text: &str| {
            pairs(text.as_bytes(), "", |_, value| super::text(value).map(drop))
                .map_err(|e| e.code())
        };
        for text in ["a=%", "a=%1", "a=%zz", "%ff=1", "a=%ff"] {
            assert_eq!(all(text), Err("malformed_request"), "{text}");
        }
        let long = format!("{}=1", "n".repeat(MAX_NAME + 1));
        assert_eq!(all(&long), Err("malformed_request"));
        let long = format!("a={}", "v".repeat(MAX_TEXT + 1));
        assert_eq!(all(&long), Err("field_too_long"));
        assert_eq!(all(""), Ok(()));
    }
}
