//! A small HTTP/1.1 client over a plain socket: it sends what it is told to, right or wrong.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    /// The code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"]
            .as_str()
            .expect("a problem has a code")
            .to_owned()
    }

    /// Asserts that this is an error with this status and code, built as every error is
    /// (RFC 9457), and that it repeats nothing that was sent.
    pub fn assert_problem(&self, what: &str, status: u16, code: &str) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{what}: {text}");
        let head = |name| {
            self.header(name)
                .unwrap_or_else(|| panic!("{what}: no {name}"))
        };
        assert_eq!(head("content-type"), "application/problem+json", "{what}");
        assert_eq!(head("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(head("cache-control"), "no-store", "{what}");
        let problem = self.json();
        let keys: Vec<_> = problem.as_object().expect("an object").keys().collect();
        let known = ["code", "detail", "instance", "status", "title", "type"];
        assert_eq!(keys, known, "{what}");
        assert_eq!(problem["code"], code, "{what}: {text}");
        assert_eq!(problem["status"], status, "{what}");
        assert_eq!(problem["type"], format!("urn:safelight:error:{code}"));
        let title = safelight::error::CODES.iter().find(|(c, _)| *c == code);
        assert_eq!(
            problem["title"],
            title.expect("a code of the list").1,
            "{what}"
        );
        assert!(
            problem["detail"].as_str().is_some_and(|d| d.ends_with('.')),
            "{what}"
        );
        let id = head("x-request-id");
        let uuid = uuid::Uuid::parse_str(id).expect("an id is a uuid");
        assert_eq!(uuid.get_version_num(), 4, "{what}: random, not a time");
        assert_eq!(problem["instance"], format!("urn:uuid:{id}"), "{what}");
        if matches!(status, 503 | 507) {
            let seconds: u32 = head("retry-after").parse().expect("whole seconds");
            assert!((1..=60).contains(&seconds), "{what}: {seconds}");
        }
        if status == 429 {
            let seconds: u32 = head("retry-after").parse().expect("whole seconds");
            assert!((1..=86_400).contains(&seconds), "{what}: {seconds}");
        }
        if status == 401 {
            assert!(head("www-authenticate").starts_with("Bearer "), "{what}");
        }
        for (name, value) in &self.headers {
            assert!(!value.contains(CANARY), "{what}: {name} repeats the client");
        }
        assert!(!text.contains(CANARY), "{what} repeats the client: {text}");
    }

    /// The chunks of an answer whose length was not declared (RFC 9112, section 7.1), joined;
    /// `None` where its end is missing.
    pub fn joined(&self) -> Option<Vec<u8>> {
        let (mut body, mut whole) = (self.body.as_slice(), Vec::new());
        loop {
            let end = body.windows(2).position(|w| w == b"\r\n")?;
            let size = std::str::from_utf8(&body[..end]).ok()?;
            let size = usize::from_str_radix(size, 16).ok()?;
            body = &body[end + 2..];
            if size == 0 {
                return Some(whole);
            }
            whole.extend_from_slice(body.get(..size)?);
            body = body.get(size + 2..)?;
        }
    }

    /// The picture, decoded by a crate that is not ours.
    pub fn picture(&self) -> image::DynamicImage {
        test_pictures::decoded(&self.body)
    }
}

/// A word that a client sends and that no answer and no log line may hold.
pub const CANARY: &str = "zq7canary";

/// Opens a connection with time-outs that bound every test.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_write_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// Serves a page, as another origin, until the test's process ends.
pub fn serve_page(listener: TcpListener, page: String) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = page.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{page}"
            );
        }
    });
}

/// The head of a request.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if length > 0 || method == "POST" {
        head += &format!("Content-Length: {length}\r\n");
    }
    head + "Connection: close\r\n\r\n"
}

/// Sends a request and reads the whole answer.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = connect(address)?;
    stream.write_all(head(method, path, headers, body.len()).as_bytes())?;
    // A server may refuse and close before it has read all: its answer is what counts.
    let _ = stream.write_all(body);
    read(&mut stream)
}

/// Sends the head of an upload of `length` bytes, and `body`, which may be less than that.
pub fn begin(address: SocketAddr, path: &str, mime: &str, length: usize, body: &[u8]) -> TcpStream {
    let mut stream = connect(address).expect("a connection");
    let head = head("POST", path, &[("Content-Type", mime)], length);
    stream.write_all(head.as_bytes()).expect("a head is taken");
    let _ = stream.write_all(body);
    stream
}

/// Sends a body in chunks, its length undeclared (RFC 9112, section 7.1), and reads the answer.
pub fn chunked(address: SocketAddr, path: &str, mime: &str, body: &[u8]) -> io::Result<Answer> {
    let mut stream = connect(address)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {mime}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )?;
    let mut send = |part: &[u8]| -> io::Result<()> {
        write!(stream, "{:x}\r\n", part.len())?;
        stream.write_all(part)?;
        stream.write_all(b"\r\n")
    };
    // A server may refuse before it has read all: its answer is what counts.
    let mut parts = body.chunks(16 << 10).chain([b"".as_slice()]);
    let _ = parts.try_for_each(&mut send);
    read(&mut stream)
}

/// Reads an answer to its last byte, or to the end of the connection. The server keeps that open for
/// a while where it has answered before it has read all.
pub fn read(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 64 << 10];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            // A reset after the answer does not undo it.
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset && !bytes.is_empty() => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if is_whole(&bytes) {
            break;
        }
    }
    parse(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no whole answer"))
}

/// Whether as much of a body has come as its head announces.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.is_some_and(|length: usize| bytes.len() >= end + 4 + length)
}

/// Sends these bytes and returns what comes back until the connection ends, as it is. A reset after
/// an answer is an end too.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(address)?;
    // A server may refuse and close before it has read all.
    let _ = stream.write_all(bytes);
    let (mut all, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset && !all.is_empty() => {
                return Ok(all);
            }
            Err(e) => return Err(e),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<_> = lines.map(pair).collect::<Option<_>>()?;
    let body = bytes[end + 4..].to_vec();
    let declared = headers.iter().find(|(name, _)| name == "content-length");
    if let Some((_, length)) = declared {
        // A body that was cut off is no answer.
        (body.len() == length.parse::<usize>().ok()?).then_some(())?;
    }
    Some(Answer {
        status,
        headers,
        body,
    })
}

/// A multipart form.
pub struct Form {
    body: Vec<u8>,
}

const BOUNDARY: &str = "----safelight-test-boundary";

impl Form {
    /// A form without parts.
    pub fn new() -> Self {
        Self { body: Vec::new() }
    }

    /// A form with the picture as `file`.
    pub fn of(picture: &[u8]) -> Self {
        Self::new().file("file", "picture", picture)
    }

    /// Adds a file.
    pub fn file(mut self, name: &str, file_name: &str, bytes: &[u8]) -> Self {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; \
             filename=\"{file_name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a text field.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        self.body.extend_from_slice(part.as_bytes());
        self
    }

    /// The content type and the body.
    pub fn finish(mut self) -> (String, Vec<u8>) {
        self.body
            .extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        (
            format!("multipart/form-data; boundary={BOUNDARY}"),
            self.body,
        )
    }
}
