//! Pictures in base64: from one file of the spool to another, and back as text of an answer. No
//! more of them than a chunk is in memory at any time.

use std::io::{self, BufRead, BufReader, Read};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
    read::DecoderReader,
};

use crate::{
    ephemeral::{Ephemeral, Reason, Spool},
    error::Error,
};

/// Clients leave the padding out, or get it wrong where they join lines.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Bytes that are decoded at once.
const CHUNK: usize = 48 << 10;
/// How a `data:` URL begins.
const SCHEME: &[u8] = b"data:";
/// The longest head of a `data:` URL (RFC 2397) that is passed over.
const MAX_HEAD: usize = 256;

/// Text in base64 of `bytes`.
pub fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes a text to its end into a file of its own, at most `limit` bytes of it. White space and
/// the head of a `data:` URL are passed over.
///
/// # Errors
/// [`Error::BrokenPicture`] where the text is no base64, [`Error::BodyTooLarge`], and those of the
/// spool.
pub fn decoded(text: impl Read, spool: &Spool, limit: u64) -> Result<Ephemeral, Error> {
    let mut text = BufReader::with_capacity(CHUNK, text);
    let start = pass_over_head(&mut text).map_err(|_| Error::BrokenPicture)?;
    let mut bytes = DecoderReader::new(Dense(start.chain(text)), &LENIENT);
    let mut file = spool.open(None)?;
    file.set_reason(Reason::Error);
    let mut chunk = vec![0; CHUNK];
    loop {
        let len = bytes.read(&mut chunk).map_err(|_| Error::BrokenPicture)?;
        if len == 0 {
            break;
        }
        if file.size() + len as u64 > limit {
            return Err(Error::BodyTooLarge {
                limit,
                actual: None,
                setting: "--max-upload",
            });
        }
        file.append(&chunk[..len])?;
    }
    file.settle();
    file.set_reason(Reason::Disconnect);
    Ok(file)
}

/// What has been read of the text itself.
fn pass_over_head(text: &mut impl BufRead) -> io::Result<io::Cursor<Vec<u8>>> {
    loop {
        let start = text.fill_buf()?;
        match start.iter().take_while(|b| b.is_ascii_whitespace()).count() {
            0 => break,
            white => text.consume(white),
        }
    }
    let mut start = Vec::new();
    text.take(SCHEME.len() as u64).read_to_end(&mut start)?;
    // A colon is no letter of base64, so a text with this beginning cannot be anything else.
    if start == SCHEME {
        start.clear();
        let mut head = Vec::new();
        text.take(MAX_HEAD as u64).read_until(b',', &mut head)?;
        if head.last() != Some(&b',') {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(io::Cursor::new(start))
}

/// A text without its white space.
struct Dense<R>(R);

impl<R: Read> Read for Dense<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let len = self.0.read(buf)?;
            let mut kept = 0;
            for i in 0..len {
                if !buf[i].is_ascii_whitespace() {
                    buf[kept] = buf[i];
                    kept += 1;
                }
            }
            // Nothing but white space is not the end.
            if kept > 0 || len == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::observe::Metrics;

    fn spool() -> Spool {
        let metrics = Arc::new(Metrics::new("test"));
        Spool::new("/dev/shm".into(), 1 << 24, metrics)
    }

    fn decode(text: &str, limit: u64) -> Result<Vec<u8>, Error> {
        decoded(text.as_bytes(), &spool(), limit)?.read_all()
    }

    #[test]
    fn what_was_encoded_comes_back_however_it_is_laid_out() {
        let bytes: Vec<u8> = (0..200_000u32)
            .map(|i| (i.wrapping_mul(i) >> 3) as u8)
            .collect();
        let text = encoded(&bytes);
        let lines: Vec<_> = text.as_bytes().chunks(76).collect();
        let lines = String::from_utf8(lines.join(&b"\r\n"[..])).unwrap();
        for text in [
            text.clone(),
            text.trim_end_matches('=').to_owned(),
            format!("data:image/png;base64,{text}"),
            format!(" \n data:image/png;name=a;base64,{lines}\n\n"),
            lines.clone(),
        ] {
            assert!(decode(&text, 1 << 20).unwrap() == bytes, "{}", &text[..30]);
        }
        assert_eq!(decode("", 9).unwrap(), b"");
        assert_eq!(decode("  \n", 9).unwrap(), b"");
    }

    #[test]
    fn what_is_no_base64_or_too_long_is_refused() {
        let head = format!("data:{},AAAA", "x".repeat(MAX_HEAD));
        for text in ["A", "AA*A", "data:image/png;base64", "%%%%", &head] {
            assert_eq!(decode(text, 99), Err(Error::BrokenPicture), "{text}");
        }
        assert_eq!(decode("AAAA", 3).unwrap(), [0, 0, 0]);
        let refused = decode("AAAAAAAA", 3);
        assert!(matches!(refused, Err(Error::BodyTooLarge { limit: 3, .. })));
    }
}
