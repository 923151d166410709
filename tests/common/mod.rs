//! What the tests share: the built program as a server on a port of its own, a small HTTP client
//! that can misbehave, pictures made in code, and the line of a test that is skipped.
#![allow(dead_code, reason = "each test file uses its part of this")]
#![allow(clippy::disallowed_methods, reason = "tests read their own switches")]

pub mod faults;
mod folder;
pub mod http;
pub mod onnx;

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

#[allow(unused_imports, reason = "as above")]
pub use folder::{Folder, folder};
pub use http::{Answer, Form};
/// Pictures made in code.
pub use test_pictures as pictures;

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_safelight");

/// A running server. Dropping it ends the process that it started, and no other.
pub struct Server {
    child: Child,
    /// Address of the service.
    pub address: SocketAddr,
    /// Address of the metrics.
    pub metrics: SocketAddr,
    /// The folder of its uploads, its own.
    pub spool: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

/// Starts a server with further flags and waits until it is ready.
pub fn spawn(flags: &[&str]) -> Server {
    Server::start(Path::new(PROGRAM), flags)
}

/// How a server is started, where its flags do not say all.
#[derive(Default)]
pub struct Launch<'a> {
    /// Another program than [`PROGRAM`].
    pub program: Option<&'a Path>,
    /// A command that starts the program given to it, and becomes it: a tracer, another user.
    pub through: &'a [&'a str],
    /// The folder of its uploads; else a fresh one.
    pub spool: Option<&'a Path>,
    /// Further flags.
    pub flags: &'a [&'a str],
    /// Environment variables.
    pub variables: &'a [(&'a str, &'a str)],
}

impl Launch<'_> {
    /// Starts the server and waits until it is ready.
    pub fn start(&self) -> Server {
        Server::launched(self)
    }
}

impl Server {
    /// Starts `program` as a server.
    pub fn start(program: &Path, flags: &[&str]) -> Self {
        Self::start_with(program, flags, &[])
    }

    /// Starts `program` as a server with settings from the environment.
    pub fn start_with(program: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let launch = Launch {
            program: Some(program),
            flags,
            variables,
            ..Launch::default()
        };
        launch.start()
    }

    fn launched(launch: &Launch<'_>) -> Self {
        let spool = launch
            .spool
            .map_or_else(|| folder("spool"), Path::to_path_buf);
        let program = launch.program.unwrap_or(Path::new(PROGRAM));
        let mut command = match launch.through {
            [] => Command::new(program),
            [first, more @ ..] => {
                let mut command = Command::new(first);
                command.args(more).arg(program);
                command
            }
        };
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--metrics-listen",
                "127.0.0.1:0",
            ])
            .args(["--log-format", "json", "--spool"])
            .arg(&spool)
            .args(launch.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        without_settings(&mut command).envs(launch.variables.iter().copied());
        let mut child = command.spawn().expect("the program starts");
        let errors = BufReader::new(child.stderr.take().expect("it is piped"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = log.clone();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        let mut server = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            metrics: ([127, 0, 0, 1], 0).into(),
            spool,
            log,
        };
        let line = server.wait_for_line("\"event\":\"start\",\"message\":\"listening");
        let address = |after: &str| -> SocketAddr {
            let rest = line
                .split(after)
                .nth(1)
                .expect("the line names both addresses");
            let end = rest
                .find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)))
                .unwrap();
            rest[..end].parse().expect("an address")
        };
        server.address = address("listening on http://");
        server.metrics = address("metrics on http://");
        server.wait_for_line("\"event\":\"ready\"");
        server
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits (20 s at most) for a log line that contains `part`.
    pub fn wait_for_line(&mut self, part: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(line) = self.log().into_iter().find(|line| line.contains(part)) {
                return line;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the server ended: {ended:?}\n{}",
                self.log().join("\n")
            );
            assert!(
                Instant::now() < deadline,
                "no {part}\n{}",
                self.log().join("\n")
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Answer {
        http::request(self.address, "GET", path, &[], b"").expect("an answer")
    }

    /// `POST path` with a raw picture.
    pub fn post(&self, path: &str, mime: &str, body: &[u8]) -> Answer {
        let headers = [("Content-Type", mime)];
        http::request(self.address, "POST", path, &headers, body).expect("an answer")
    }

    /// `POST path` with a form.
    pub fn form(&self, path: &str, form: Form) -> Answer {
        let (mime, body) = form.finish();
        self.post(path, &mime, &body)
    }

    /// The metrics: full name with labels, as Prometheus prints it, to value.
    pub fn metrics(&self) -> HashMap<String, f64> {
        let answer = http::request(self.metrics, "GET", "/metrics", &[], b"").expect("metrics");
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pair = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        lines.map(pair).collect()
    }

    /// One metric; 0 where it has no sample yet.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics().get(name).copied().unwrap_or(0.0)
    }

    /// Waits (`limit` at most) until `holds` of the metrics.
    pub fn wait_until(
        &self,
        limit: Duration,
        what: &str,
        holds: impl Fn(&HashMap<String, f64>) -> bool,
    ) {
        let deadline = Instant::now() + limit;
        loop {
            let metrics = self.metrics();
            if holds(&metrics) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {what}\n{metrics:#?}"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asserts that every input that was opened is deleted and nothing is alive any more.
    pub fn assert_books_balance(&self) {
        self.wait_until(Duration::from_secs(10), "the books balance", |m| {
            let get = |name: &str| m.get(name).copied().unwrap_or(0.0);
            let deleted: f64 = m
                .iter()
                .filter(|(name, _)| name.starts_with("safelight_inputs_deleted_total"))
                .map(|(_, value)| value)
                .sum();
            get("safelight_inputs_opened_total") == deleted
                && get("safelight_inputs_live") == 0.0
                && get("safelight_leases_live") == 0.0
                && get("safelight_spool_bytes") == 0.0
                && get("safelight_memory_reserved_bytes") == 0.0
                && get("safelight_queue_depth") == 0.0
        });
        assert_eq!(
            fs::read_dir(&self.spool).unwrap().count(),
            0,
            "the spool has no names in it"
        );
    }

    /// Sends a signal by number.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid() as i32).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the process is ours");
    }

    /// Waits (`limit` at most) for the end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {limit:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.spool);
    }
}

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

/// Says that a test does not run for lack of `needs`; a failure where every test must run.
pub fn skip(test: &str, needs: &str) {
    let line = format!("skipped: needs {needs} (make test-deps) [{test}]");
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
    assert!(!all, "{line}, and SAFELIGHT_TEST_ALL=1 allows no skip");
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
