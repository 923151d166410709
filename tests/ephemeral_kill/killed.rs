//! E3: SIGKILL, which nothing can catch.

use std::{
    io::Write,
    net::SocketAddr,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    BACKGROUND, LONG, RESTORE, SOON,
    common::{
        Launch,
        faults::{Ends, Tmpfs, alone, narrow, value},
        http, skip,
    },
    noise,
};

/// Kills in all, shared by the servers that run side by side.
const KILLS: u32 = 200;
const LANES: u32 = 2;

/// What was going on when the servers were killed.
#[derive(Debug, Default)]
struct Seen {
    kills: u32,
    /// Bytes lay in the spool.
    held: u32,
    most: u64,
    /// An upload was in progress, or a complete one waited; a job ran, or an answer was sent.
    uploads: u32,
    queued: u32,
    jobs: u32,
}

/// Clients in every phase at once: one that does not end its head, some that send slowly, some that
/// wait for a worker, one that does not read its large answer.
fn load(address: SocketAddr, lane: u32, over: &AtomicBool, pictures: &[Vec<u8>; 3]) {
    let send = |mut stream: std::net::TcpStream, path: &str, body: &[u8], parts: usize| {
        let headers = [("Content-Type", "image/png")];
        let head = http::head("POST", path, &headers, body.len());
        let _ = stream.write_all(head.as_bytes());
        for part in body.chunks(body.len().div_ceil(parts)) {
            if over.load(Ordering::Relaxed) || stream.write_all(part).is_err() {
                return;
            }
            if parts > 1 {
                thread::sleep(Duration::from_millis(3));
            }
        }
        let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
        let _ = http::read(&mut stream);
    };
    let [small, large, wide] = pictures;
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = http::connect(address) else {
            return;
        };
        match lane {
            0 => {
                let _ = stream.write_all(b"POST /v1/restore HTTP/1.1\r\nHost: te");
                while !over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            1 => send(stream, BACKGROUND, large, 100),
            2 => send(stream, BACKGROUND, large, 5),
            3 | 4 => send(stream, BACKGROUND, small, 1),
            5 => send(stream, RESTORE, small, 1),
            _ => {
                // Most of the answer stays with the server.
                drop(stream);
                let mut stream = narrow(address);
                let path = "/v1/restore?strength=0&compression=fast";
                let headers = [("Content-Type", "image/png")];
                let head = http::head("POST", path, &headers, wide.len());
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(wide);
                while !over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }
}

/// Starts a server, lets it work, kills it after `moment`, and looks what is left.
fn kill(spool: &Tmpfs, baseline: u64, moment: Duration, pictures: &[Vec<u8>; 3]) -> Seen {
    let launch = Launch {
        spool: Some(&spool.folder),
        flags: &["--workers", "1"],
        ..Launch::default()
    };
    let mut server = launch.start();
    let over = AtomicBool::new(false);
    let mut seen = Seen::default();
    thread::scope(|scope| {
        let _ends = Ends(&over);
        for lane in 0..7 {
            let (address, over) = (server.address, &over);
            scope.spawn(move || load(address, lane, over, pictures));
        }
        thread::sleep(moment);
        let metrics = server.metrics();
        let used = spool.used().saturating_sub(baseline);
        server.signal(Signal::KILL);
        let _ = server.wait(LONG);
        let queued = value(&metrics, "queue_depth");
        seen = Seen {
            kills: 1,
            held: u32::from(used > 0),
            most: used,
            uploads: u32::from(value(&metrics, "inputs_live") > queued),
            queued: u32::from(queued > 0.0),
            jobs: u32::from(value(&metrics, "leases_live") > 0.0),
        };
    });
    let deadline = Instant::now() + SOON;
    while spool.used() != baseline {
        let left = spool.used() - baseline;
        assert!(
            Instant::now() < deadline,
            "{left} bytes are left after {moment:?}"
        );
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(names(&spool.folder), 0, "{moment:?}");
    seen
}

fn names(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// E3: SIGKILL at two hundred moments under load leaves no byte in the spool.
#[test]
fn a_killed_server_leaves_nothing_in_the_spool() {
    let _alone = alone();
    let pictures = [noise(200, 1), noise(800, 2), noise(1000, 3)];
    let all = Mutex::new(Seen::default());
    thread::scope(|scope| {
        for lane in 0..LANES {
            let (all, pictures) = (&all, &pictures);
            scope.spawn(move || {
                let Some(spool) = Tmpfs::mount("killed", 64) else {
                    return;
                };
                let baseline = spool.used();
                for i in (lane..KILLS).step_by(LANES as usize) {
                    // Multiples of a prime: spread over a fifth of a second, the same in each run.
                    let moment = Duration::from_millis(u64::from(i * 37 % 199));
                    let seen = kill(&spool, baseline, moment, pictures);
                    let mut all = all.lock().unwrap();
                    all.kills += seen.kills;
                    all.held += seen.held;
                    all.most = all.most.max(seen.most);
                    all.uploads += seen.uploads;
                    all.queued += seen.queued;
                    all.jobs += seen.jobs;
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    if all.kills == 0 {
        return skip("E3", "root, to mount a tmpfs");
    }
    println!("0 bytes left after {all:?}");
    assert_eq!(all.kills, KILLS);
    for (what, count) in [
        ("held bytes", all.held),
        ("an upload in progress", all.uploads),
        ("a full queue", all.queued),
        ("a running job", all.jobs),
    ] {
        assert!(count * 4 >= KILLS, "too few kills with {what}: {all:?}");
    }
}
