//! What the tests share: the built program as a server on a port of its own, a small HTTP client
//! that can misbehave, pictures made in code, and the line of a test that is skipped.
#![allow(dead_code, reason = "each test file uses its part of this")]
#![allow(clippy::disallowed_methods, reason = "tests read their own switches")]

pub mod faults;
mod folder;
pub mod http;
pub mod onnx;
mod server;

use std::{
    fs::OpenOptions,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[allow(unused_imports, reason = "as above")]
pub use folder::{Folder, folder};
pub use http::{Answer, Form};
#[allow(unused_imports, reason = "as above")]
pub use server::{Launch, Server, spawn};
/// Pictures made in code.
#[allow(unused_imports, reason = "as above")]
pub use test_pictures as pictures;

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_safelight");

/// A setting of whoever runs the tests must not reach what they run.
fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SAFELIGHT_") {
            command.env_remove(name);
        }
    }
    // Nor may the models that they have pulled.
    command.env("SAFELIGHT_MODELS_DIR", "/nonexistent/models")
}

/// What became of a program that was run to its end.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("text")
    }
}

/// Runs a command with this standard input to its end, or ends it after two minutes.
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    let piped = without_settings(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut pipes = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program may end without reading its input.
            let _ = stdin.write_all(input);
        });
        let stdout = scope.spawn(move || {
            let mut bytes = Vec::new();
            pipes.0.read_to_end(&mut bytes).map(|_| bytes)
        });
        let stderr = scope.spawn(move || {
            let mut bytes = Vec::new();
            pipes.1.read_to_end(&mut bytes).map(|_| bytes)
        });
        let deadline = Instant::now() + Duration::from_secs(120);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let stdout = stdout.join().unwrap().unwrap();
        let stderr = String::from_utf8_lossy(&stderr.join().unwrap().unwrap()).into_owned();
        let status = status.unwrap_or_else(|| panic!("still running after two minutes: {stderr}"));
        Ran {
            code: status.code(),
            stdout,
            stderr,
        }
    })
}

/// The folder `shared` beside the project, where it is there; its pictures are not part of it.
pub fn shared(below: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(below);
    path.exists().then_some(path)
}

/// Says that a test does not run for lack of `needs`; a failure where every test must run, unless it
/// is data below `../shared`, which those who have only the project cannot get.
pub fn skip(test: &str, needs: &str) {
    let data = needs.starts_with("../shared");
    let remedy = if data {
        "not part of the project"
    } else {
        "make test-deps"
    };
    let line = format!("skipped: needs {needs} ({remedy}) [{test}]");
    println!("{line}");
    if let Some(log) = std::env::var_os("SAFELIGHT_SKIP_LOG") {
        let mut log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(log)
            .unwrap();
        writeln!(log, "{line}").unwrap();
    }
    let all = std::env::var_os("SAFELIGHT_TEST_ALL").is_some_and(|value| value == "1");
    assert!(
        !all || data,
        "{line}, and SAFELIGHT_TEST_ALL=1 allows no skip"
    );
}

/// A program of the tests' Python environment (`make test-deps`).
pub fn python_tool(name: &str) -> Option<PathBuf> {
    let python = std::env::var_os("SAFELIGHT_TEST_PYTHON").map(PathBuf::from)?;
    Some(python.parent()?.join(name)).filter(|path| path.is_file())
}

/// A program on the path.
pub fn tool(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)))
        .find(|p| p.is_file())
}

/// The folder of the tests' npm packages.
pub fn node_modules() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("SAFELIGHT_TEST_NODE")?).join("node_modules");
    folder.is_dir().then_some(folder)
}

/// Makes a certificate for a host that is nobody's but this test's: `tls.key` and `tls.crt`.
pub fn certify(openssl: &Path, folder: &Path, host: &str) {
    let mut command = Command::new(openssl);
    command
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "1"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-subj", &format!("/CN={host}")])
        .args(["-addext", &format!("subjectAltName=DNS:{host}")])
        .args(["-keyout", "tls.key", "-out", "tls.crt"]);
    let made = run(command.current_dir(folder), b"");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
}
