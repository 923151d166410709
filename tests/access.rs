//! Who may ask, and how often: API keys, limits per key and per address, and their reload, with the
//! built program over a socket.

mod common;

#[path = "access/keys.rs"]
mod keys;
#[path = "access/limits.rs"]
mod limits;
#[path = "access/reload.rs"]
mod reload;
#[path = "access/secrecy.rs"]
mod secrecy;

use std::{fs, path::PathBuf, process::Command};

use common::{Answer, PROGRAM, Server, http, pictures};

const CUT: &str = "/v1/remove-background";
const INSPECT: &str = "/v1/inspect";

/// A keys file of a test's own, with the keys themselves.
struct Keys {
    file: PathBuf,
    text: String,
}

impl Keys {
    fn new() -> Self {
        Self {
            file: common::folder("keys").join("keys.toml"),
            text: String::new(),
        }
    }

    /// Makes a key with the program, configures it with further lines, and returns it.
    fn add(&mut self, id: &str, more: &str) -> String {
        let ran = common::run(Command::new(PROGRAM).args(["key", "new", "--id", id]), b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        self.text += &format!("{}{more}\n", ran.text());
        self.write();
        let start = ran
            .stderr
            .find(&format!("{id}."))
            .expect("the key is shown");
        let rest = &ran.stderr[start..];
        rest[..rest.find('\n').unwrap()].to_owned()
    }

    /// Replaces the file, as a whole.
    fn write(&self) {
        let new = self.file.with_extension("new");
        fs::write(&new, &self.text).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn flag(&self) -> String {
        format!("--keys={}", self.file.display())
    }

    fn spawn(&self, flags: &[&str]) -> Server {
        common::spawn(&[&["--workers=1", self.flag().as_str()], flags].concat())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.file.parent().unwrap());
    }
}

/// `POST path` of a small picture with these headers.
fn send(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    send_picture(server, path, headers, &pictures::jpeg(160, 120))
}

fn send_picture(server: &Server, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let all = [&[("Content-Type", "image/jpeg")], headers].concat();
    http::request(server.address, "POST", path, &all, body).expect("an answer")
}

/// The same with a key.
fn with_key(server: &Server, path: &str, key: &str) -> Answer {
    send(server, path, &[("X-API-Key", key)])
}

fn figure(answer: &Answer, name: &str) -> f64 {
    let value = answer.header(name).unwrap_or_else(|| panic!("no {name}"));
    value.parse().expect("a number")
}
