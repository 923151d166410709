//! Another program that a test starts on a port of its own: Prometheus, HAProxy, nginx.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common;

/// How often a program is started whose port another one was quicker to take.
const ATTEMPTS: u32 = 5;

/// An address that nobody listened on a moment ago; for programs that cannot say which port they
/// were given.
fn free_address() -> SocketAddr {
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
    /// Starts the command that `prepare` makes for an address and for a folder of its own, and waits
    /// until somebody listens there.
    pub fn start(name: &str, prepare: impl Fn(SocketAddr, &Path) -> Command) -> Self {
        for _ in 0..ATTEMPTS {
            let (address, folder) = (free_address(), common::folder(name));
            let mut command = prepare(address, &folder);
            if let Some(peer) = Self::started(&mut command, address, folder) {
                return peer;
            }
        }
        panic!("{name}: {ATTEMPTS} times another program had its port");
    }

    /// `None` where it ended because another program has its port.
    fn started(command: &mut Command, address: SocketAddr, folder: PathBuf) -> Option<Self> {
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
        loop {
            let there = TcpStream::connect(address).is_ok();
            let ended = peer.child.try_wait().unwrap();
            let taken = peer.log().to_lowercase().contains("address already in use");
            match ended {
                // Whoever is there, it is not this one, which goes on trying, or does not.
                _ if taken => return None,
                None if there => return Some(peer),
                None => assert!(Instant::now() < deadline, "{}", peer.log()),
                Some(_) => panic!("{ended:?}\n{}", peer.log()),
            }
            thread::sleep(Duration::from_millis(20));
        }
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
