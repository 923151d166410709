//! Another program that a test starts on a port of its own: Prometheus, HAProxy, nginx.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common;

/// An address that nobody listened on a moment ago; for programs that cannot say which port they
/// were given.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().unwrap()
}

/// A running program with a folder of its own. Dropping it ends the process and removes the folder.
pub struct Peer {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its folder.
    pub folder: PathBuf,
}

impl Peer {
    /// Starts `command` and waits until somebody listens at `address`.
    pub fn start(command: &mut Command, address: SocketAddr, folder: PathBuf) -> Self {
        let log = fs::File::create(folder.join("peer.log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().expect("the program starts");
        let mut peer = Self {
            child,
            address,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = peer.child.try_wait().unwrap();
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "{ended:?}\n{}", peer.log());
            thread::sleep(Duration::from_millis(20));
        }
        peer
    }

    /// What it has written to its output so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("peer.log")).unwrap_or_default()
    }

    /// Ends it in its own way and waits for that.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a process id");
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Gently first: a server of several processes takes the others along.
        self.stop();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `GET path` by HTTP/1.0, whose answers come in one piece, parsed as JSON.
pub fn get_json(address: SocketAddr, path: &str) -> serde_json::Value {
    let mut stream = common::http::connect(address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{path}: {answer}"))
}
