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

use common::{Form, Server, http, pictures, spawn};

/// Largest resident size so far, in MiB (proc_pid_status(5): VmHWM).
fn peak_mib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// What came of sixty-four clients with pictures of 12 megapixels, all at once.
struct Burst {
    good: usize,
    busy: usize,
    /// The most memory that was reserved, in MiB, as far as it was seen.
    reserved: f64,
}

fn burst(server: &Server) -> Burst {
    let (mime, body) = Form::of(&pictures::jpeg(4000, 3000)).finish();
    let (good, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let left = AtomicUsize::new(64);
    let mut reserved: f64 = 0.0;
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let _over = Over(&left);
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
        while left.load(Ordering::Relaxed) > 0 {
            reserved = reserved.max(server.metric("safelight_memory_reserved_bytes"));
            thread::sleep(Duration::from_millis(5));
        }
    });
    Burst {
        good: good.into_inner(),
        busy: busy.into_inner(),
        reserved: reserved / f64::from(1 << 20),
    }
}

/// With more threads than the budget has memory for. The default queue has a place for each of them:
/// who is sent away has waited for too long. A short one has not, and says so at once.
#[test]
fn sixty_four_clients_with_large_pictures_get_an_answer_or_busy_within_the_memory_budget() {
    const BUDGET_MIB: u64 = 384;
    /// What uploads, answers and the first use of libraries and heaps take: no part of a job.
    const BESIDE_MIB: u64 = 32;
    let budget = format!("--memory-budget={BUDGET_MIB}MiB");
    // All of them are answered within half of that wait on two cores, in a slow build.
    for (queue, least, most, refused) in [
        (None, 40, 64, "queue_wait"),
        (Some("--queue=8"), 8, 63, "queue_full"),
    ] {
        let mut flags = vec!["--workers=4", &budget, "--queue-wait=45s"];
        flags.extend(queue);
        let server = spawn(&flags);
        let own = peak_mib(server.pid());
        let Burst {
            good,
            busy,
            reserved,
        } = burst(&server);
        println!("{queue:?}: {good} answered, {busy} not, {reserved:.0} MiB reserved");
        assert_eq!(good + busy, 64);
        assert!((least..=most).contains(&good), "{good} were answered");
        let rejections = server.metrics();
        let rejections = rejections.iter().filter(|(name, count)| {
            name.starts_with("safelight_rejections_total") && **count > 0.0
        });
        for (name, count) in rejections {
            assert!(name.contains(refused), "{name}");
            assert_eq!(*count, busy as f64, "{name}");
        }
        let budget = BUDGET_MIB as f64;
        assert!(reserved <= budget, "{reserved} MiB");
        assert!(reserved > 0.5 * budget, "{reserved} MiB: it was not used");
        if let (Some(own), Some(peak)) = (own, peak_mib(server.pid())) {
            println!("peak {peak} MiB, {own} of it before");
            let most = own + BUDGET_MIB + BESIDE_MIB;
            assert!(peak < most, "{peak} MiB of {most}");
        }
        server.assert_books_balance();
        let answer = server.form("/v1/remove-background", Form::of(&pictures::jpeg(320, 240)));
        assert_eq!(answer.status, 200, "it works on as before");
    }
}

/// Counts down when a client is done, and when it fails.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
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
