//! A flat JSON object (RFC 8259), read member by member as a stream: a picture in it is longer
//! than all else that a request may hold in memory.

use std::io::{self, BufRead, Read};

use super::bodies::MAX_NAME;
use crate::error::Error;

const MALFORMED: Error = Error::MalformedRequest("The body is not a well-formed JSON object.");
const NESTED: Error = Error::MalformedRequest(
    "The members of the JSON object are not all text, numbers or booleans.",
);
/// Bytes of a number at most; `false` is shorter.
const MAX_SCALAR: usize = 64;

/// Calls `member` with the name and the text of each member; what it leaves unread is passed over.
/// Numbers and booleans come as they are written, `null` does not come.
///
/// # Errors
/// [`Error::MalformedRequest`], and those of `member`.
pub fn read<R: BufRead>(
    input: R,
    mut member: impl FnMut(&str, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut json = Json(input);
    json.expect(b'{')?;
    if json.peek()? == b'}' {
        json.expect(b'}')?;
        return json.end();
    }
    loop {
        json.expect(b'"')?;
        let name = json.name()?;
        json.expect(b':')?;
        match json.peek()? {
            b'"' => {
                json.expect(b'"')?;
                let mut text = Text::new(&mut json.0);
                member(&name, &mut text)?;
                io::copy(&mut text, &mut io::sink()).map_err(|_| MALFORMED)?;
            }
            b'{' | b'[' => return Err(NESTED),
            _ => {
                let scalar = json.scalar()?;
                if scalar != "null" {
                    member(&name, &mut scalar.as_bytes())?;
                }
            }
        }
        match json.peek()? {
            b',' => json.expect(b',')?,
            _ => {
                json.expect(b'}')?;
                return json.end();
            }
        }
    }
}

struct Json<R>(R);

impl<R: BufRead> Json<R> {
    /// The next byte that is not white space; it stays.
    fn peek(&mut self) -> Result<u8, Error> {
        self.next_byte()?.ok_or(MALFORMED)
    }

    fn next_byte(&mut self) -> Result<Option<u8>, Error> {
        loop {
            match self.0.fill_buf().map_err(|_| MALFORMED)?.first() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.0.consume(1),
                byte => return Ok(byte.copied()),
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek()? != byte {
            return Err(MALFORMED);
        }
        self.0.consume(1);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.next_byte()?.map_or(Ok(()), |_| Err(MALFORMED))
    }

    fn name(&mut self) -> Result<String, Error> {
        let mut name = String::new();
        let text = Text::new(&mut self.0);
        let read = text.take(MAX_NAME as u64 + 1).read_to_string(&mut name);
        read.map_err(|_| MALFORMED)?;
        if name.len() > MAX_NAME {
            return Err(super::bodies::LONG_NAME);
        }
        Ok(name)
    }

    /// A number or one of the three words; whether it is a good one is for its field to say.
    fn scalar(&mut self) -> Result<String, Error> {
        let mut scalar = String::new();
        loop {
            match self.0.fill_buf().map_err(|_| MALFORMED)?.first() {
                Some(&b) if b.is_ascii_alphanumeric() || b"+-.".contains(&b) => {
                    scalar.push(b.into());
                    self.0.consume(1);
                }
                _ => break,
            }
            if scalar.len() > MAX_SCALAR {
                return Err(MALFORMED);
            }
        }
        let known = ["true", "false", "null"].contains(&scalar.as_str());
        match known || scalar.parse::<f64>().is_ok_and(f64::is_finite) {
            true => Ok(scalar),
            false => Err(MALFORMED),
        }
    }
}

/// The inside of a string, up to its closing quote, escapes resolved.
struct Text<'a, R> {
    input: &'a mut R,
    /// What an escape stands for, as far as it did not fit yet.
    rest: Vec<u8>,
    ended: bool,
}

impl<'a, R: BufRead> Text<'a, R> {
    fn new(input: &'a mut R) -> Self {
        Self {
            input,
            rest: Vec::new(),
            ended: false,
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// What follows a backslash.
    fn escaped(&mut self) -> io::Result<char> {
        Ok(match self.byte()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            plain @ (b'"' | b'\\' | b'/') => plain.into(),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        })
    }

    fn code_point(&mut self) -> io::Result<char> {
        let mut units = vec![self.code_unit()?];
        if (0xd800..0xdc00).contains(&units[0]) {
            if (self.byte()?, self.byte()?) != (b'\\', b'u') {
                return Err(io::ErrorKind::InvalidData.into());
            }
            units.push(self.code_unit()?);
        }
        let point = char::decode_utf16(units).next();
        point
            .and_then(Result::ok)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn code_unit(&mut self) -> io::Result<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.byte()?).to_digit(16);
            let digit = digit.ok_or(io::ErrorKind::InvalidData)?;
            unit = unit << 4 | digit as u16;
        }
        Ok(unit)
    }
}

impl<R: BufRead> Read for Text<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.ended {
            return Ok(0);
        }
        if self.rest.is_empty() {
            let ready = self.input.fill_buf()?;
            let plain = |b: &&u8| !matches!(b, b'"' | b'\\' | 0..0x20);
            let run = ready.iter().take(buf.len()).take_while(plain).count();
            if run > 0 {
                buf[..run].copy_from_slice(&ready[..run]);
                self.input.consume(run);
                return Ok(run);
            }
            match self.byte()? {
                b'"' => {
                    self.ended = true;
                    return Ok(0);
                }
                b'\\' => {
                    let mut bytes = [0; 4];
                    let escaped = self.escaped()?;
                    self.rest = escaped.encode_utf8(&mut bytes).as_bytes().to_vec();
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        let len = self.rest.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(self.rest.drain(..len)) {
            *to = from;
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members, read through a buffer of so few bytes that everything is cut somewhere.
    fn members(text: &str, buffer: usize) -> Result<Vec<(String, String)>, Error> {
        let mut all = Vec::new();
        let input = io::BufReader::with_capacity(buffer, text.as_bytes());
        read(input, |name, value| {
            let mut text = String::new();
            value.read_to_string(&mut text).map_err(|_| MALFORMED)?;
            all.push((name.to_owned(), text));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn members_come_as_a_parser_of_whole_documents_gives_them() {
        let text = r#" { "a" : "x\/y\n\u00e9\ud83d\ude00\"", "b":true,"c":-1.5e2 , "d":null,
            "size":"","ü":"öäü" } "#;
        let whole: serde_json::Value = serde_json::from_str(text).unwrap();
        for buffer in [1, 2, 3, 7, 4096] {
            let all = members(text, buffer).unwrap();
            let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["a", "b", "c", "size", "ü"]);
            for (name, value) in all {
                let expected = match &whole[&name] {
                    serde_json::Value::String(text) => text.clone(),
                    serde_json::Value::Bool(truth) => truth.to_string(),
                    _ => "-1.5e2".to_owned(),
                };
                assert_eq!(value, expected, "{name}");
            }
        }
        assert_eq!(members(" {} \n", 1), Ok(Vec::new()));
    }

    #[test]
    fn what_is_not_read_is_passed_over() {
        let mut names = Vec::new();
        let text = r#"{"long":"abc\"def","next":1}"#;
        read(text.as_bytes(), |name, _| {
            names.push(name.to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(names, ["long", "next"]);
    }

    #[test]
    fn what_is_no_flat_object_is_refused() {
        for text in [
            "",
            "{",
            "}",
            "[]",
            "\"a\"",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":1} x",
            "{a:1}",
            "{\"a\":\"b}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":nul}",
            "{\"a\":1.2.3}",
            "{\"a\":inf}",
            "{\"a\":\"\\u12\"}",
        ] {
            assert_eq!(members(text, 3), Err(MALFORMED), "{text}");
        }
        for text in ["{\"a\":{}}", "{\"a\":[1]}"] {
            assert_eq!(members(text, 3), Err(NESTED), "{text}");
        }
        let name = format!("{{\"{}\":1}}", "n".repeat(MAX_NAME + 1));
        assert_eq!(members(&name, 3), Err(super::super::bodies::LONG_NAME));
        let number = format!("{{\"a\":{}}}", "1".repeat(MAX_SCALAR + 1));
        assert_eq!(members(&number, 3), Err(MALFORMED));
    }
}
