//! Many clients at once: bounded memory, nothing but answers and "busy", and every input accounted
//! for. The figures asserted are bounds, not speeds.

mod common;

use std::{
    fs,
    io::Write,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use common::{Form, http, pictures, spawn};

/// Largest resident size so far, in MiB (proc_pid_status(5): VmHWM).
fn peak_mib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[test]
fn sixty_four_clients_with_large_pictures_get_an_answer_or_busy_within_the_memory_budget() {
    let server = spawn(&["--memory-budget", "1GiB", "--queue-wait", "5s"]);
    let (mime, body) = Form::of(&pictures::jpeg(4000, 3000)).finish();
    let (good, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let headers = [("Content-Type", mime.as_str())];
                let path = "/v1/remove-background";
                let answer = http::request(server.address, "POST", path, &headers, &body);
                let answer = answer.expect("every client is answered");
                match answer.status {
                    200 => {
                        assert!(answer.body.starts_with(b"\x89PNG"), "a picture");
                        good.fetch_add(1, Ordering::Relaxed);
                    }
                    503 => {
                        let retry: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                        assert!(retry >= 1 && answer.code() == "busy");
                        busy.fetch_add(1, Ordering::Relaxed);
                    }
                    other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
                }
            });
        }
    });
    let (good, busy) = (good.into_inner(), busy.into_inner());
    assert_eq!(good + busy, 64);
    assert!(good >= 2, "only {good} were answered");
    if let Some(peak) = peak_mib(server.pid()) {
        assert!(peak < 2048, "the peak was {peak} MiB");
        println!("{good} answered, {busy} told to come again, peak {peak} MiB");
    }
    server.assert_books_balance();
    let answer = server.form("/v1/remove-background", Form::of(&pictures::jpeg(320, 240)));
    assert_eq!(answer.status, 200, "it works on as before");
}

#[test]
fn thirty_clients_that_drip_their_upload_do_not_keep_a_normal_one_from_its_answer() {
    let server = spawn(&["--workers", "1"]);
    let picture = pictures::jpeg(640, 480);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                let mut stream = http::connect(server.address).unwrap();
                let headers = [("Content-Type", "image/jpeg")];
                let head = http::head("POST", "/v1/remove-background", &headers, picture.len());
                stream.write_all(head.as_bytes()).unwrap();
                for byte in &picture {
                    if stop.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        server.wait_until(Duration::from_secs(10), "30 uploads in progress", |m| {
            m.get("safelight_inputs_live").copied() == Some(30.0)
        });
        let answer = server.form("/v1/remove-background", Form::of(&picture));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(answer.status, 200);
    });
    server.assert_books_balance();
}
