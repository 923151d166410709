//! E2: nothing in the spool has a name.

use std::{
    fs,
    io::Write,
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use rustix::{
    fs::{AtFlags, CWD, inotify, linkat},
    io::Errno,
};

use crate::{
    BACKGROUND, LONG,
    common::{
        self, Server,
        faults::{Ends, alone, value},
        http, skip, spawn,
    },
    noise,
};

/// Sends an upload in ten parts with a pause after each, and reads the answer.
fn slowly(server: &Server, body: &[u8], pause: Duration) -> common::Answer {
    let mut stream = http::begin(server.address, BACKGROUND, "image/png", body.len(), b"");
    for part in body.chunks(body.len().div_ceil(10)) {
        let _ = stream.write_all(part);
        thread::sleep(pause);
    }
    http::read(&mut stream).expect("an answer")
}

/// E2: no name appears in the spool while sixteen uploads run, and none can be made.
#[test]
fn inputs_never_have_a_name() {
    let _alone = alone();
    let server = spawn(&[]);
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    let events = inotify::WatchFlags::CREATE
        | inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::MOVED_FROM
        | inotify::WatchFlags::DELETE;
    inotify::add_watch(&watch, &server.spool, events).unwrap();
    let picture = noise(300, 1);
    let (over, most) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let _ends = Ends(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let names = fs::read_dir(&server.spool).unwrap().count();
                assert_eq!(names, 0, "a name in the spool");
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let live = server.metric("safelight_inputs_live") as u32;
                most.fetch_max(live, Ordering::Relaxed);
            }
        });
        let uploads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| slowly(&server, &picture, Duration::from_millis(60)).status))
            .collect();
        // From outside, as root, through the server's own table of open files.
        server.wait_until(LONG, "uploads run", |m| value(m, "inputs_live") >= 8.0);
        link_every_open_file(&server);
        for upload in uploads {
            assert_eq!(upload.join().unwrap(), 200);
        }
    });
    assert!(most.into_inner() >= 8, "the uploads ran at the same time");
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    assert_eq!(
        events.next().err(),
        Some(Errno::AGAIN),
        "a name came and went"
    );
    server.assert_books_balance();
}

fn link_every_open_file(server: &Server) {
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", server.pid())) else {
        return skip("E2 from outside", "root, to see the server's open files");
    };
    let mut tried = 0;
    for entry in open.flatten().map(|entry| entry.path()) {
        let inside = fs::read_link(&entry).is_ok_and(|to| to.starts_with(&server.spool));
        if inside {
            let name = server.spool.join("linked");
            let linked = linkat(CWD, &entry, CWD, &name, AtFlags::SYMLINK_FOLLOW);
            assert!(linked.is_err(), "an input was given a name");
            tried += 1;
        }
    }
    assert!(tried > 0, "no input was open");
}
