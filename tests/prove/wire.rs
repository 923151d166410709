//! How the stub reads a request off the wire, and the picture out of a form.

use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use super::{Leak, State};

/// The longest pause and the longest whole of an upload. Far above what a busy machine needs
/// between two pieces.
const IDLE: Duration = Duration::from_millis(1500);
pub const TOTAL: Duration = Duration::from_secs(3);

/// A request as far as it matters here.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl State {
    /// Reads a request.
    pub fn read(&self, stream: &mut TcpStream) -> Result<Asked, Refused> {
        let begin = Instant::now();
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if bytes.len() > 1 << 20 {
                return Err(Refused::With(431));
            }
            // A head that does not end is closed, as it has asked nothing.
            let more = piece(stream, begin, &mut bytes, IDLE);
            more.map_err(|_| Refused::Gone)?;
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| Refused::With(400))?;
        let mut lines = head.split("\r\n");
        let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [method, target, "HTTP/1.1"] = first[..] else {
            return Err(Refused::With(400));
        };
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let lengths: Vec<_> = headers
            .iter()
            .filter(|(name, _)| name == "content-length")
            .collect();
        let chunks = headers.iter().any(|(name, _)| name == "transfer-encoding");
        if headers.len() > 96 || head.len() > 128 << 10 {
            return Err(Refused::With(431));
        }
        if lengths.len() > 1 || chunks || target.contains('\0') {
            return Err(Refused::With(400));
        }
        let length = lengths
            .first()
            .map_or(Ok(0), |(_, length)| length.parse::<usize>());
        let length = length.map_err(|_| Refused::With(400))?;
        if length > 10 << 20 {
            return Err(Refused::With(413));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut asked = Asked {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: bytes.split_off(end + 4),
        };
        let idle = match self.leak {
            Leak::NeverEndsAStalledUpload => Duration::from_secs(60),
            _ => IDLE,
        };
        while asked.body.len() < length {
            match piece(stream, begin, &mut asked.body, idle) {
                Ok(()) => {}
                Err(ErrorKind::TimedOut) if self.leak == Leak::ClosesASlowUploadSilently => {
                    return Err(Refused::Gone);
                }
                Err(ErrorKind::TimedOut) => return Err(Refused::With(408)),
                Err(_) => {
                    self.opened.fetch_add(1, SeqCst);
                    match self.leak {
                        Leak::BreaksWhenAClientGoes => self.broken.store(true, SeqCst),
                        Leak::ForgetsToCountADeletion => return Err(Refused::Gone),
                        _ => {}
                    }
                    self.deleted.fetch_add(1, SeqCst);
                    return Err(Refused::Gone);
                }
            }
        }
        Ok(asked)
    }
}

/// Why a request is not read.
pub enum Refused {
    With(u16),
    Gone,
}

/// Reads a piece more.
fn piece(
    stream: &mut TcpStream,
    begin: Instant,
    bytes: &mut Vec<u8>,
    idle: Duration,
) -> Result<(), ErrorKind> {
    let left = TOTAL.max(idle).saturating_sub(begin.elapsed()).min(idle);
    if left.is_zero() {
        return Err(ErrorKind::TimedOut);
    }
    stream.set_read_timeout(Some(left)).map_err(|e| e.kind())?;
    let mut chunk = [0; 16 << 10];
    match stream.read(&mut chunk) {
        Ok(0) => Err(ErrorKind::UnexpectedEof),
        Ok(n) => {
            bytes.extend_from_slice(&chunk[..n]);
            Ok(())
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut),
        Err(e) => Err(e.kind()),
    }
}

/// The file name and the bytes of a form's one picture; `None` where it is any other form.
pub fn form(body: &[u8], boundary: &str) -> Option<(String, Vec<u8>)> {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
    let mark = format!("--{boundary}\r\n").into_bytes();
    let rest = body.strip_prefix(mark.as_slice())?;
    let end = find(rest, format!("\r\n--{boundary}--").as_bytes())?;
    let part = &rest[..end];
    // A second part is none that this service takes.
    if find(part, &mark).is_some() {
        return None;
    }
    let head_end = find(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&part[..head_end]).into_owned();
    let picture = part[head_end + 4..].to_vec();
    let name = head.split_once("filename=\"")?.1.split('"').next()?;
    (head.contains("name=\"file\"") && !picture.is_empty()).then(|| (name.to_owned(), picture))
}
