//! A small server of files that can misbehave.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What a path does with the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Sends all of it, or the part that is asked for.
    Whole,
    /// Promises all of it, sends a third, or a third of what is left, and closes.
    BreaksOff,
    /// Sends another file of the same length.
    Other,
    /// Sends a page that is no file, with 200.
    Page,
    /// Does not say how much it is, and sends it.
    Endless,
    /// Redirects to another path.
    Redirect(&'static str),
    /// Knows no such file.
    Missing,
    /// Sends a third, and then nothing for a minute.
    Stalls,
    /// A web page, with 200, that does not say how long it is.
    Html,
    /// Sends all of it, or the part that is asked for, under another tag.
    Renewed,
    /// Breaks off three times; from then on there is a new version.
    Changing,
}

/// The server. It lives as long as the test's process.
pub struct Files {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Files {
    /// Serves `file` in each of these ways.
    pub fn new(file: &[u8], ways: &'static [(&'static str, Way)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (file, seen) = (Arc::new(file.to_vec()), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (file, seen) = (file.clone(), seen.clone());
                // A client that hangs up early is nothing to it.
                thread::spawn(move || answer(stream, &file, ways, &seen).ok());
            }
        });
        Self { address, requests }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    stream: TcpStream,
    file: &[u8],
    ways: &[(&str, Way)],
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let head = head.to_ascii_lowercase();
    seen.lock().unwrap().push(head.clone());
    if head.starts_with("connect ") {
        // As a proxy it is every host.
        (&stream).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        return answer(stream, file, ways, seen);
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let way = ways
        .iter()
        .find(|(known, _)| *known == path)
        .map_or(Way::Missing, |(_, way)| *way);
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().to_owned())
    };
    let changing = |head: &&String| head.contains("/changing ");
    let before = seen.lock().unwrap().iter().filter(changing).count();
    let way = match way {
        Way::Changing if before > 3 => Way::Renewed,
        Way::Changing => Way::BreaksOff,
        way => way,
    };
    let tag = if way == Way::Renewed {
        "\"v2\""
    } else {
        "\"v1\""
    };
    let current = field("if-range:").is_none_or(|given| given == tag);
    let start = field("range: bytes=")
        .and_then(|range| range.trim_end_matches('-').parse::<usize>().ok())
        .filter(|_| current);
    let mut out = stream;
    let plain = |out: &mut TcpStream, status: &str, more: &str, body: &[u8]| {
        let length = body.len();
        write!(
            out,
            "HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
        out.write_all(body)
    };
    match way {
        Way::Missing => return plain(&mut out, "404 Not Found", "", b"no such file"),
        Way::Page => return plain(&mut out, "200 OK", "", b"<html>Log in first</html>"),
        Way::Html => {
            write!(
                out,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
            )?;
            return out.write_all(b"<html>Log in first</html>");
        }
        Way::Other => return plain(&mut out, "200 OK", "", &vec![7; file.len()]),
        Way::Redirect(to) => {
            return plain(&mut out, "302 Found", &format!("Location: {to}\r\n"), b"");
        }
        Way::Endless => {
            write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            return out.write_all(file);
        }
        Way::Whole | Way::BreaksOff | Way::Stalls | Way::Renewed | Way::Changing => {}
    }
    let from = start.unwrap_or(0);
    let (length, rest) = (file.len(), &file[from.min(file.len())..]);
    match start {
        Some(start) => write!(
            out,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{length}\r\n",
            length - 1
        )?,
        None => write!(out, "HTTP/1.1 200 OK\r\n")?,
    }
    write!(
        out,
        "ETag: {tag}\r\nAccept-Ranges: bytes\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        rest.len()
    )?;
    match way {
        Way::BreaksOff => out.write_all(&rest[..rest.len() / 3]),
        Way::Stalls => {
            out.write_all(&rest[..rest.len() / 3])?;
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        _ => out.write_all(rest),
    }
}
