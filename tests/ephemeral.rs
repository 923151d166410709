//! The spool, the deadlines and the books: what the contract says of inputs while they exist.
#![cfg(target_os = "linux")]

mod common;

use std::{
    fs,
    io::Write,
    mem::MaybeUninit,
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use common::{
    Form, Launch, PROGRAM, Server,
    faults::{Cut, Tmpfs, alone, deleted, root, status_kib, value},
    folder, http, pictures, skip, spawn, tool,
};
use image::ImageFormat;
use pictures::crafted;
use rustix::{
    fs::{AtFlags, CWD, inotify, linkat},
    io::Errno,
};

const BACKGROUND: &str = "/v1/remove-background";
const LONG: Duration = Duration::from_secs(60);

fn noise(side: u32, seed: u32) -> Vec<u8> {
    pictures::encoded(pictures::noise(side, side, seed), ImageFormat::Png)
}

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
        over.store(true, Ordering::Relaxed);
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

/// One system call of a trace: its thread, its name, the rest of the line.
fn calls(trace: &str) -> impl Iterator<Item = (&str, &str)> {
    trace.lines().filter_map(|line| {
        let call = line.split_once(' ')?.1.trim_start();
        let (name, rest) = call.split_once('(')?;
        Some((name, rest))
    })
}

/// E1, E4, E14: what the system calls of two requests are, and their order.
#[test]
fn the_input_is_overwritten_and_closed_before_the_first_byte_of_the_answer() {
    let _alone = alone();
    let Some(strace) = tool(&["strace"]) else {
        return skip("E1, E4, E14", "strace");
    };
    let folder = folder("trace");
    let file = folder.join("trace");
    // ONNX Runtime reports to its maker unless it is told not to, or finds itself in a test: here
    // it must be the program that tells it.
    let suppressing = ["ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS"];
    let continuous = [
        "CI",
        "GITHUB_ACTIONS",
        "TF_BUILD",
        "GITLAB_CI",
        "JENKINS_URL",
    ];
    let unset = suppressing
        .iter()
        .chain(&continuous)
        .flat_map(|name| ["-u", name]);
    let through = [
        strace.to_str().unwrap(),
        "-f",
        "-D",
        "-s",
        "64",
        "-e",
        "trace=open,openat,openat2,creat,memfd_create,write,pwrite64,writev,sendto,sendmsg,\
         socket,connect,close,link,linkat,rename,renameat2,mkdir,mkdirat,mknodat,unlink,unlinkat",
        "-o",
        file.to_str().unwrap(),
    ];
    let spool = common::folder("traced");
    let through: Vec<_> = ["env"].into_iter().chain(unset).chain(through).collect();
    let launch = Launch {
        through: &through,
        spool: Some(&spool),
        ..Launch::default()
    };
    let mut server = launch.start();
    let picture = noise(200, 2);
    assert_eq!(server.post(BACKGROUND, "image/png", &picture).status, 200);
    assert_eq!(server.form("/v1/restore", Form::of(&picture)).status, 200);
    assert_eq!(
        server.form(BACKGROUND, Form::of(&picture[..9999])).status,
        422
    );
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait(LONG).code(), Some(0));
    let trace = finished(&file);
    let calls: Vec<_> = calls(&trace).collect();

    // E14: nothing is connected to, and there is no socket to ask for a name with: the only ones
    // are the two that listen.
    let sockets: Vec<_> = calls.iter().filter(|(name, _)| *name == "socket").collect();
    assert!(
        calls.iter().all(|(name, _)| *name != "connect"),
        "{sockets:?}"
    );
    let listens = |(_, rest): &&(&str, &str)| rest.starts_with("AF_INET, SOCK_STREAM");
    assert!(
        sockets.len() == 2 && sockets.iter().all(listens),
        "{sockets:?}"
    );
    // E1: the only files that are written are nameless ones in the spool.
    let place = format!("\"{}\"", spool.display());
    let opened: Vec<usize> = (0..calls.len())
        .filter(|i| {
            let (name, rest) = calls[*i];
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"];
            name.starts_with("open") && writes.iter().any(|flag| rest.contains(flag))
        })
        .collect();
    for i in &opened {
        let rest = calls[*i].1;
        assert!(
            rest.contains(&place) && rest.contains("O_TMPFILE") && rest.contains("O_EXCL"),
            "{rest}"
        );
    }
    let named = ["creat", "memfd_create", "link", "rename", "mk", "unlink"];
    for (name, rest) in &calls {
        assert!(!named.iter().any(|n| name.starts_with(n)), "{name}({rest}");
    }
    // E4: the first one is the look at the folder when the server starts; then one a request.
    let inputs = &opened[opened.len() - 3..];
    for i in inputs {
        let fd = calls[*i].1.rsplit(' ').next().unwrap();
        let after = &calls[*i + 1..];
        let position = |what: &str, is: &dyn Fn(&str, &str) -> bool| {
            let found = after.iter().position(|(name, rest)| is(name, rest));
            found.unwrap_or_else(|| panic!("no {what} of file {fd}"))
        };
        let zeros = position("zeroing", &|name, rest| {
            name == "pwrite64" && rest.starts_with(&format!("{fd}, \"\\0\\0\\0\\0"))
        });
        let closed = position("close", &|name, rest| {
            name == "close" && rest.starts_with(&format!("{fd})"))
        });
        let answered = position("answer", &|_, rest| rest.contains("\"HTTP/1.1 "));
        assert!(
            zeros < closed && closed < answered,
            "{zeros} {closed} {answered}"
        );
    }
    let _ = fs::remove_dir_all(folder);
}

/// The trace, once the tracer has written its end.
fn finished(file: &Path) -> String {
    let deadline = Instant::now() + LONG;
    loop {
        let trace = fs::read_to_string(file).unwrap_or_default();
        if trace.contains("+++ exited with 0 +++") {
            return trace;
        }
        assert!(Instant::now() < deadline, "the trace has no end");
        thread::sleep(Duration::from_millis(20));
    }
}

/// E5: an upload that stalls or drips is ended at its deadline, and its input with it.
#[test]
fn a_slow_upload_is_ended_at_its_deadline() {
    let _alone = alone();
    let server = spawn(&[
        "--upload-idle",
        "400ms",
        "--upload-total",
        "1200ms",
        "--head-timeout",
        "500ms",
    ]);
    let picture = noise(300, 3);
    let (mime, form) = Form::of(&picture).finish();
    let mut slow = 0.0;
    let ended = |started: Instant, least: u64, answer: common::Answer| {
        let took = started.elapsed();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "upload_too_slow")
        );
        assert!(took >= Duration::from_millis(least), "{took:?}");
        // Ten times the deadline.
        assert!(took < Duration::from_secs(12), "{took:?}");
    };
    for (mime, body) in [("image/png", &picture), (mime.as_str(), &form)] {
        let started = Instant::now();
        let half = &body[..body.len() / 2];
        let mut stalled = http::begin(server.address, BACKGROUND, mime, body.len(), half);
        ended(started, 400, http::read(&mut stalled).expect("an answer"));
        let started = Instant::now();
        let mut drip = http::begin(server.address, BACKGROUND, mime, body.len(), &body[..2000]);
        let mut reader = drip.try_clone().unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for byte in &body[2000..] {
                    if over.load(Ordering::Relaxed) || drip.write_all(&[*byte]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(50));
                }
            });
            let answer = http::read(&mut reader).expect("an answer");
            over.store(true, Ordering::Relaxed);
            ended(started, 1200, answer);
        });
        slow += 2.0;
        server.wait_until(LONG, "the inputs are gone", |m| {
            value(m, "inputs_live") == 0.0
                && value(m, "oldest_input_seconds") == 0.0
                && deleted(m, "deadline") == slow
        });
    }
    let mut head = http::connect(server.address).unwrap();
    head.write_all(b"POST /v1/restore HTTP/1.1\r\nHost:")
        .unwrap();
    assert_eq!(
        http::read(&mut head).expect("an answer").status,
        408,
        "a stalled head"
    );
    // No input is older than its deadlines while many of them stall.
    let stalled: Vec<_> = (0..8)
        .map(|_| {
            http::begin(
                server.address,
                BACKGROUND,
                "image/png",
                9000,
                &picture[..500],
            )
        })
        .collect();
    let deadline = Instant::now() + LONG;
    let mut oldest = 0.0_f64;
    while server.metric(r#"safelight_inputs_deleted_total{reason="deadline"}"#) < slow + 8.0 {
        oldest = oldest.max(server.metric("safelight_oldest_input_seconds"));
        assert!(Instant::now() < deadline);
    }
    assert!((0.1..12.0).contains(&oldest), "{oldest} s");
    drop(stalled);
    server.assert_books_balance();
}

/// E10: no core file, no look into the process by its own user.
#[test]
fn nobody_of_the_same_user_can_look_into_the_process() {
    let _alone = alone();
    let server = spawn(&[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "the core limit, soft and hard");
    drop(server);

    let (Some(setpriv), true) = (tool(&["setpriv"]), root()) else {
        return skip("E10", "root and setpriv, to become another user");
    };
    // The other user has to reach the program, its library and its spool.
    let place = folder("e10");
    let user = |path: &Path| {
        let done = std::os::unix::fs::chown(path, Some(65_534), Some(65_534));
        done.expect("root may give files away");
    };
    let program = place.join("safelight");
    fs::copy(PROGRAM, &program).unwrap();
    let library = Path::new(PROGRAM).with_file_name("onnxruntime");
    let library = library.join("libonnxruntime.so");
    let library = fs::canonicalize(&library)
        .or_else(|_| {
            fs::canonicalize(Path::new(PROGRAM).join("../../onnxruntime/libonnxruntime.so"))
        })
        .expect("the library that `make runtime` fetches");
    fs::copy(library, place.join("libonnxruntime.so")).unwrap();
    let spool = folder("e10-spool");
    for path in [&place, &program, &place.join("libonnxruntime.so"), &spool] {
        user(path);
    }
    let setpriv = setpriv.to_str().unwrap();
    let as_user = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"];
    let launch = Launch {
        program: Some(&program),
        through: &as_user,
        spool: Some(&spool),
        ..Launch::default()
    };
    let server = launch.start();
    let owner = |file: &str| {
        let path = format!("/proc/{}/{file}", server.pid());
        fs::metadata(path).unwrap().uid()
    };
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    assert!(
        status.contains("Uid:\t65534\t65534\t65534\t65534"),
        "it runs as that user"
    );
    // proc(5): the files of a process that cannot be dumped belong to root.
    for file in ["mem", "maps", "environ", "fd"] {
        assert_eq!(owner(file), 0, "{file}");
    }
    let may_open = |path: String| {
        let script = "exec 3< \"$1\"";
        let mut command = Command::new(as_user[0]);
        command
            .args(&as_user[1..])
            .args(["sh", "-c", script, "sh", &path]);
        command
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    for file in ["mem", "maps", "environ"] {
        assert!(
            !may_open(format!("/proc/{}/{file}", server.pid())),
            "{file}"
        );
    }
    // The control: of an ordinary process of that user the same files can be opened.
    let mut other = Command::new(as_user[0])
        .args(&as_user[1..])
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    let control = may_open(format!("/proc/{}/mem", other.id()));
    let _ = other.kill();
    let _ = other.wait();
    assert!(control, "the control cannot be opened either");
    let answer = server.post(BACKGROUND, "image/png", &noise(64, 4));
    assert_eq!(answer.status, 200, "that user can run the service");
    drop(server);
    let _ = fs::remove_dir_all(place);
}

/// E15: bombs are refused, and cost little.
#[test]
fn bombs_are_refused_and_cost_little() {
    let _alone = alone();
    let server = spawn(&["--formats", "png,jpeg,webp,gif,bmp,tiff"]);
    let huge = |width, height| {
        let head = crafted::ihdr(width, height, 8, 2, false);
        let data = crafted::zlib_stored(&[0; 64]);
        crafted::png(&[(b"IHDR", &head), (b"IDAT", &data), (b"IEND", b"")])
    };
    let profile = [b"x\0\0".to_vec(), crafted::zlib_zeros(96)].concat();
    let scans = {
        let jpeg = pictures::jpeg(64, 64);
        let scan = jpeg.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
        let end = jpeg.len() - 2;
        let more = jpeg[scan..end].repeat(300);
        [&jpeg[..end], &more, &[0xff, 0xd9]].concat()
    };
    let sized_jpeg = {
        let mut jpeg = pictures::jpeg(16, 16);
        let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0x3e, 0x80, 0x3e, 0x80]);
        jpeg
    };
    let text = [b"a\0\0".to_vec(), crafted::zlib_zeros(64)].concat();
    // Its last word: whether it may also be answered, since nothing of the bomb is opened.
    let bombs: [(&str, Vec<u8>, bool); 10] = [
        ("PNG of 65535 x 65535", huge(65_535, 65_535), false),
        ("PNG of 2^31 - 1", huge(0x7fff_ffff, 0x7fff_ffff), false),
        ("PNG of one row", huge(2_000_000, 20), false),
        (
            "PNG with a bomb as profile",
            crafted::pixel_with(&[(b"iCCP", &profile)]),
            true,
        ),
        (
            "PNG with bombs as text",
            crafted::pixel_with(&[(b"zTXt", &text[..]); 50]),
            true,
        ),
        (
            "PNG of many chunks",
            crafted::pixel_with(&vec![(b"tEXt", b"a\0b".as_slice()); 100_000]),
            false,
        ),
        ("JPEG of 300 scans", scans, false),
        ("JPEG of 16000 x 16000", sized_jpeg, false),
        (
            "GIF of 65535 x 65535",
            crafted::gif((65_535, 65_535), (65_535, 65_535)),
            false,
        ),
        (
            "bitmap of 60000 x 60000",
            crafted::bmp(60_000, 60_000, 24, 0),
            false,
        ),
    ];
    let pid = server.pid();
    let cpu = || -> f64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let words: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        words[11..13]
            .iter()
            .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
            .sum()
    };
    // The peak of memory can be set back by root only; without that it is the whole life's.
    let reset = || fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok();
    for path in ["/v1/inspect", BACKGROUND] {
        for (what, bytes, may_pass) in &bombs {
            if !reset() {
                skip("E15", "root, to set the peak of memory back");
            }
            let before = (status_kib(pid, "VmHWM"), cpu());
            let answer = server.post(path, "image/png", bytes);
            let grown = status_kib(pid, "VmHWM").saturating_sub(before.0);
            let spent = cpu() - before.1;
            println!(
                "{path} {what}: {} +{} KiB {spent:.2} s",
                answer.status, grown
            );
            let refused = (400..500).contains(&answer.status);
            let inspected = path == "/v1/inspect" && answer.status == 200;
            assert!(
                refused || *may_pass && answer.status == 200 || inspected,
                "{what}"
            );
            assert!(grown < 64 << 10, "{what}: {grown} KiB");
            // Ten times the contract's 250 ms.
            assert!(spent < 2.5, "{what}: {spent} s");
        }
    }
    assert_eq!(
        server.post(BACKGROUND, "image/png", &noise(64, 5)).status,
        200
    );
    server.assert_books_balance();
}

/// E19: a full spool is said to be full; others go on; it recovers.
#[test]
fn a_full_spool_answers_507_and_recovers() {
    let _alone = alone();
    let Some(spool) = Tmpfs::mount("full", 8) else {
        return skip("E19", "root, to mount a tmpfs");
    };
    let launch = Launch {
        spool: Some(&spool.folder),
        flags: &["--spool-budget", "256MiB"],
        ..Launch::default()
    };
    let server = launch.start();
    let (large, small) = (vec![7; 9 << 20], noise(300, 6));
    let baseline = spool.used();
    let full = |answer: common::Answer| {
        assert_eq!((answer.status, answer.code().as_str()), (507, "spool_full"));
        let seconds: u32 = answer.header("retry-after").expect("when").parse().unwrap();
        assert!((1..=60).contains(&seconds));
    };
    full(server.post(BACKGROUND, "image/png", &large));
    full(server.form(BACKGROUND, Form::of(&large)));
    let chunked = http::chunked(server.address, BACKGROUND, "image/png", &large);
    full(chunked.expect("an answer"));
    assert_eq!(spool.used(), baseline, "nothing stays of it");
    let refused = server.metrics();
    assert_eq!(deleted(&refused, "error"), 3.0, "{refused:#?}");
    // While somebody else holds most of the room, small pictures are served.
    let part = &large[..6 << 20];
    let held = http::begin(server.address, BACKGROUND, "image/png", 7 << 20, part);
    server.wait_until(LONG, "the room is held", |m| value(m, "spool_bytes") > 6e6);
    full(server.post(BACKGROUND, "image/png", &large[..3 << 20]));
    assert_eq!(server.post(BACKGROUND, "image/png", &small).status, 200);
    drop(Cut::Rst.cut(held));
    server.wait_until(LONG, "the room is free", |m| value(m, "inputs_live") == 0.0);
    assert_eq!(spool.used(), baseline);
    // Not a picture, but taken: there is room for it again.
    assert_eq!(
        server
            .post(BACKGROUND, "image/png", &large[..7 << 20])
            .status,
        415
    );
    assert_eq!(server.form(BACKGROUND, Form::of(&small)).status, 200);
    server.assert_books_balance();
}

/// E20: after sixty requests that end in every way, every count balances.
#[test]
fn the_books_balance_after_chaos() {
    let _alone = alone();
    let server = spawn(&[
        "--upload-idle",
        "500ms",
        "--queue",
        "3",
        "--upload-permits",
        "6",
        "--spool-budget",
        "24MiB",
        "--read-timeout",
        "2s",
    ]);
    let good = noise(300, 7);
    let large = noise(1300, 8);
    let one = |i: usize| {
        let post = |body: &[u8]| {
            let headers = [("Content-Type", "image/png")];
            let _ = http::request(server.address, "POST", BACKGROUND, &headers, body);
        };
        let begin = |path, length, body: &[u8]| {
            http::begin(server.address, path, "image/png", length, body)
        };
        match i % 10 {
            0 | 1 => post(&good),
            2 => post(&good[..good.len() / 2]),
            3 => post(b"no picture at all"),
            4 => drop(Cut::Rst.cut(begin(BACKGROUND, good.len(), &good[..good.len() / 2]))),
            5 => {
                let kept = Cut::Fin.cut(begin(BACKGROUND, good.len(), &good));
                thread::sleep(Duration::from_millis(20));
                drop(kept);
            }
            6 => {
                // Stalls until it is told to go.
                let mut stream = begin(BACKGROUND, good.len(), &good[..100]);
                let _ = http::read(&mut stream);
            }
            7 => {
                let stream = begin("/v1/restore?steps=denoise", large.len(), &large);
                thread::sleep(Duration::from_millis(300));
                drop(Cut::Rst.cut(stream));
            }
            8 => {
                let (mime, form) = Form::of(&good).file("image", "b", &good).finish();
                let headers = [("Content-Type", mime.as_str())];
                let _ = http::request(server.address, "POST", BACKGROUND, &headers, &form);
            }
            _ => post(&vec![0; 25 << 20]),
        }
    };
    thread::scope(|scope| {
        for thread in 0..10 {
            let one = &one;
            scope.spawn(move || (0..6).for_each(|i| one(thread * 7 + i * 3)));
        }
    });
    server.assert_books_balance();
    let metrics = server.metrics();
    let sum = |prefix: &str| -> f64 {
        let prefix = format!("safelight_{prefix}");
        let of = metrics.iter().filter(|(name, _)| name.starts_with(&prefix));
        of.map(|(_, value)| value).sum()
    };
    assert_eq!(value(&metrics, "in_flight"), 0.0);
    assert_eq!(
        value(&metrics, "input_lifetime_seconds_count"),
        value(&metrics, "inputs_opened_total")
    );
    // Each request has one line in the log.
    let requests = sum("requests_total{");
    let lines = server.log();
    let ended = lines
        .iter()
        .filter(|line| line.contains("\"event\":\"request\""))
        .count();
    assert_eq!(ended as f64, requests);
    let outcomes: Vec<_> = metrics
        .iter()
        .filter(|(name, _)| name.contains("requests_total{") || name.contains("deleted_total{"))
        .collect();
    println!("{outcomes:#?}");
    assert!(sum("requests_total{operation=\"remove-background\",outcome=\"ok\"}") >= 1.0);
    assert!(sum("requests_total{operation=\"remove-background\",outcome=\"client_gone\"}") >= 1.0);
    assert!(sum("requests_total{operation=\"remove-background\",outcome=\"client_error\"}") >= 1.0);
    assert!(deleted(&metrics, "disconnect") >= 1.0 && deleted(&metrics, "deadline") >= 1.0);
    // It is as good as new.
    assert_eq!(server.post(BACKGROUND, "image/png", &good).status, 200);
    server.assert_books_balance();
}
