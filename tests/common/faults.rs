//! What goes wrong on purpose: connections that are cut, folders that are full, tests that must
//! have the machine to themselves.

use std::{
    collections::HashMap,
    fs,
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

use super::{Launch, Server};

/// Waits until no other test of this file that asked for it is running.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is root, who may mount, trace and read other processes.
pub fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The two ways in which a client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It says that it will send no more (FIN), and still listens.
    Fin,
    /// It is gone (RST).
    Rst,
}

impl Cut {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Fin, Self::Rst];

    /// Cuts a connection. What comes back keeps the listening half open.
    pub fn cut(self, stream: TcpStream) -> Option<TcpStream> {
        if self == Self::Fin {
            let _ = stream.shutdown(Shutdown::Write);
            return Some(stream);
        }
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        None
    }
}

/// A connection whose client takes little before it reads: most of a large answer stays with the
/// server.
pub fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .set_recv_buffer_size(4 << 10)
        .expect("a small window");
    socket.connect(&address.into()).expect("a connection");
    let stream = TcpStream::from(socket);
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).unwrap();
    stream.set_write_timeout(limit).unwrap();
    stream
}

/// A memory file system of a test's own. Needs root.
pub struct Tmpfs {
    /// Where it is mounted.
    pub folder: PathBuf,
}

impl Tmpfs {
    /// Mounts one of so many MiB, or says `None` where that is not allowed.
    pub fn mount(name: &str, mib: u32) -> Option<Self> {
        Self::mount_with(name, &format!("size={mib}m,mode=0700"))
    }

    /// Mounts one with these options.
    pub fn mount_with(name: &str, options: &str) -> Option<Self> {
        if !root() {
            return None;
        }
        let folder = super::folder(name);
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&folder)
            .output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self { folder });
        }
        let _ = fs::remove_dir(&folder);
        None
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        let found = rustix::fs::statvfs(&self.folder).expect("it is mounted");
        (found.f_blocks - found.f_bfree) * found.f_frsize
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.folder).status();
        let _ = fs::remove_dir(&self.folder);
    }
}

/// One of the service's metrics by its name without prefix; 0 where it has no sample yet.
pub fn value(metrics: &HashMap<String, f64>, name: &str) -> f64 {
    let name = format!("safelight_{name}");
    metrics.get(&name).copied().unwrap_or(0.0)
}

/// Inputs that ended for this reason.
pub fn deleted(metrics: &HashMap<String, f64>, reason: &str) -> f64 {
    value(
        metrics,
        &format!("inputs_deleted_total{{reason=\"{reason}\"}}"),
    )
}

/// A line of `/proc/PID/status` in KiB.
pub fn status_kib(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is running");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let words = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
    words.and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Sets a flag when it is dropped: threads that run until then end after a failed assertion too.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The program with failpoints, where `make test` has built it.
#[allow(clippy::disallowed_methods, reason = "a switch of the tests")]
pub fn hooks() -> Option<PathBuf> {
    std::env::var_os("SAFELIGHT_TEST_HOOKS_BIN").map(Into::into)
}

/// A server that fails where it is told to.
pub struct Failing {
    /// The server.
    pub server: Server,
    file: PathBuf,
}

impl Failing {
    /// Starts one; `None` where the test build is not there.
    pub fn start(flags: &[&str], spool: Option<&Path>) -> Option<Self> {
        let program = hooks()?;
        let file = super::folder("faults").join("faults");
        let launch = Launch {
            program: Some(&program),
            flags,
            spool,
            variables: &[("SAFELIGHT_TEST_FAULTS", file.to_str().unwrap())],
            ..Launch::default()
        };
        Some(Self {
            server: launch.start(),
            file,
        })
    }

    /// From now on it panics at the places named in `words`; `PLACE:wait` waits there and
    /// `PLACE:error` reports an error.
    pub fn arm(&self, words: &str) {
        fs::write(&self.file, words).unwrap();
    }

    /// From now on it works.
    pub fn disarm(&self) {
        self.arm("");
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.file.parent().unwrap());
    }
}

/// Seconds of processor time that a process has taken (proc_pid_stat(5): utime and stime, after the
/// name, which may hold spaces; a tick is 10 ms).
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is running");
    let words: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = words[11..13]
        .iter()
        .map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}
