//! HTTP/1.1 over a plain socket: whole requests, and those that a proper client would never send.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

/// Bytes of an answer at most; more is a fault of its own.
const MOST: usize = 64 << 20;

/// A place that answers HTTP.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Where it is.
    address: SocketAddr,
    /// What a request calls it.
    host: String,
    /// The path before every route, without a slash at its end.
    pub(super) path: String,
}

impl Target {
    /// What a URL names.
    ///
    /// # Errors
    /// A sentence for the person who wrote the URL.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(match url.starts_with("https://") {
                true => "https:// is not spoken here: name the service itself by http://, not the \
                         proxy in front of it, whose answers would be judged as the service's"
                    .to_owned(),
                false => "the URL begins with http://".to_owned(),
            });
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() || rest.contains(['@', '?', '#', ' ']) || !rest.is_ascii() {
            return Err("the URL is http://HOST[:PORT][/PATH]".to_owned());
        }
        let port_is_named = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let named = match port_is_named {
            true => host.to_owned(),
            false => format!("{host}:80"),
        };
        let mut found = named
            .to_socket_addrs()
            .map_err(|e| format!("{host} is not known: {e}"))?;
        let address = found.next().ok_or_else(|| format!("{host} is not known"))?;
        let path = path.trim_end_matches('/');
        Ok(Self {
            address,
            host: host.to_owned(),
            path: match path {
                "" => String::new(),
                path => format!("/{path}"),
            },
        })
    }

    /// The same for the command line, with the URL as it was written.
    pub(super) fn checked(url: &str) -> Result<(String, Self), String> {
        Ok((url.to_owned(), Self::parse(url)?))
    }

    /// A connection whose every read and write ends after `patience`.
    pub(super) fn connect(&self, patience: Duration) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The head of a request for a path of the service.
    pub(super) fn head(&self, request: &Request<'_>, length: Option<u64>) -> String {
        let Request { method, path, .. } = request;
        let mut head = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\n",
            self.path, self.host
        );
        for (name, value) in &request.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        head + "Connection: close\r\n\r\n"
    }
}

/// A request.
#[derive(Debug, Clone, Default)]
pub(super) struct Request<'a> {
    /// The method.
    pub(super) method: &'a str,
    /// The path after that of the target, and the query.
    pub(super) path: &'a str,
    /// Headers beside `Host`, `Content-Length` and `Connection`.
    pub(super) headers: Vec<(&'a str, &'a str)>,
    /// The body.
    pub(super) body: &'a [u8],
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The headers, names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// The body.
    pub(super) body: Vec<u8>,
    /// From the connection to the last byte.
    pub(super) took: Duration,
}

impl Answer {
    /// A header by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it holds a picture.
    pub(super) fn is_picture(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        self.status == 200 && kind.starts_with("image/") && !kind.contains("svg")
    }
}

/// Sends bytes as they are and reads the answer, all within `patience`.
pub(super) fn exchange(target: &Target, bytes: &[&[u8]], patience: Duration) -> io::Result<Answer> {
    let begin = Instant::now();
    let mut stream = target.connect(patience)?;
    for part in bytes {
        // A server may refuse and close before it has read all: its answer is what counts.
        if stream.write_all(part).is_err() {
            break;
        }
    }
    read(&mut stream, begin, patience)
}

/// Reads an answer to its end.
///
/// # Errors
/// `TimedOut` where it is not there in time, `UnexpectedEof` where the connection ends before it,
/// `InvalidData` where it is no HTTP.
pub(super) fn read(
    stream: &mut TcpStream,
    begin: Instant,
    patience: Duration,
) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        if let Some(answer) = whole(&bytes, false, begin)? {
            return Ok(answer);
        }
        let left = patience.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            // A reset after the answer does not undo it.
            Err(e) if e.kind() == ErrorKind::ConnectionReset && !bytes.is_empty() => break,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            Err(e) => return Err(e),
        }
        if bytes.len() > MOST {
            return Err(io::Error::other(format!(
                "the answer has more than {} MiB",
                MOST >> 20
            )));
        }
    }
    whole(&bytes, true, begin)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

/// The answer, where all of it is there.
fn whole(bytes: &[u8], ended: bool, begin: Instant) -> io::Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (status, headers) = head(&bytes[..end]).ok_or(ErrorKind::InvalidData)?;
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let rest = &bytes[end + 4..];
    let in_chunks = header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    let length = header("content-length").map(str::parse::<usize>);
    let body = match length {
        _ if in_chunks => unchunked(rest)?,
        Some(Ok(length)) => rest.get(..length).map(<[u8]>::to_vec),
        Some(Err(_)) => return Err(ErrorKind::InvalidData.into()),
        None if status == 204 || status == 304 => Some(Vec::new()),
        None => ended.then(|| rest.to_vec()),
    };
    Ok(body.map(|body| Answer {
        status,
        headers,
        body,
        took: begin.elapsed(),
    }))
}

type Headers = Vec<(String, String)>;

fn head(bytes: &[u8]) -> Option<(u16, Headers)> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n");
    let first = lines.next()?;
    first.starts_with("HTTP/1.").then_some(())?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some((status, lines.map(pair).collect::<Option<_>>()?))
}

/// A body that came in chunks (RFC 9112, section 7.1); `None` where more is to come.
fn unchunked(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
        if size == 0 {
            return Ok(Some(body));
        }
        let Some(data) = rest
            .get(end + 2..)
            .filter(|data| data.len() > size.saturating_add(1))
        else {
            return Ok(None);
        };
        body.extend_from_slice(&data[..size]);
        rest = &data[size + 2..];
    }
}

/// A multipart form (RFC 7578).
#[derive(Debug, Default)]
pub(super) struct Form {
    body: Vec<u8>,
}

/// The boundary of every form.
pub(super) const BOUNDARY: &str = "safelight-prove-5f2d";

impl Form {
    /// Adds a part with a further parameter in its head, and a file name where there is one.
    pub(super) fn part(mut self, name: &str, file_name: Option<&str>, content: &[u8]) -> Self {
        let file = file_name.map_or_else(String::new, |name| format!("; filename=\"{name}\""));
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    /// The body.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.body
            .extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.body
    }
}

/// The content type of every form.
pub(super) fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_others_are_refused_with_a_reason() {
        let target = Target::parse("http://127.0.0.1:81/base/").unwrap();
        assert_eq!(target.address.port(), 81);
        let request = Request {
            method: "GET",
            path: "/healthz",
            ..Request::default()
        };
        let head = target.head(&request, None);
        assert!(head.starts_with("GET /base/healthz HTTP/1.1\r\nHost: 127.0.0.1:81\r\n"));
        assert_eq!(
            Target::parse("http://127.0.0.1").unwrap().address.port(),
            80
        );
        for wrong in [
            "127.0.0.1:8080",
            "http://",
            "http://a@127.0.0.1/",
            "https://a",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_whole_when_its_length_or_its_last_chunk_says_so() {
        let now = Instant::now();
        let read = |text: &str, ended| whole(text.as_bytes(), ended, now).unwrap();
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", true).is_none());
        let sized = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false).unwrap();
        assert_eq!(
            (sized.status, sized.body.as_slice()),
            (200, b"abc".as_slice())
        );
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n";
        assert!(read(text, false).is_none());
        let text = format!("{text}0\r\n\r\n");
        assert_eq!(read(&text, false).unwrap().body, b"abc");
        assert!(whole(b"220 mail\r\n\r\n", true, now).is_err());
    }
}
