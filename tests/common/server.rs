//! The built program as a server on ports of its own.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::{Answer, Form, PROGRAM, folder, http, without_settings};

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
