//! Three instances behind HAProxy, as shipped: one is killed and one is drained in the middle, every
//! client ends with its picture, and nothing is left behind.

use std::{
    cell::Cell,
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{peer::Peer, project, with};
use crate::common::{self, Server, http, pictures, spawn};

/// HAProxy with the shipped configuration, but for its port and the names of the instances.
pub fn haproxy(instances: &[SocketAddr]) -> Option<Peer> {
    let program = common::tool(&["haproxy"])?;
    let prepare = |address, folder: &_| command(&program, instances, address, folder);
    Some(Peer::start("haproxy", prepare))
}

fn command(
    program: &Path,
    instances: &[SocketAddr],
    address: SocketAddr,
    folder: &Path,
) -> Command {
    let servers: Vec<_> = instances
        .iter()
        .enumerate()
        .map(|(n, instance)| format!("server safelight{n} {instance}"))
        .collect();
    let config = project("deploy/proxy/haproxy.cfg");
    let config = with(&config, "bind :8080", &format!("bind {address}"));
    let config = with(
        &config,
        "server-template safelight 1-20 safelight:8080 resolvers dns init-addr none",
        &servers.join("\n    "),
    );
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/proxy");
    let config = with(
        &config,
        "/usr/local/etc/haproxy/unavailable",
        &format!("{shipped}/unavailable"),
    );
    fs::write(folder.join("haproxy.cfg"), config).unwrap();
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(folder.join("haproxy.cfg"));
    command
}

/// What every test with another program needs: that it does not fail for somebody else's port.
#[test]
fn a_program_whose_port_is_taken_gets_another() {
    const TEST: &str = "a_program_whose_port_is_taken_gets_another";
    let Some(program) = common::tool(&["haproxy"]) else {
        return common::skip(TEST, "HAProxy");
    };
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = somebody.local_addr().unwrap();
    let attempts = Cell::new(0);
    let proxy = Peer::start("haproxy", |address, folder| {
        attempts.set(attempts.get() + 1);
        let address = if attempts.get() == 1 { taken } else { address };
        command(&program, &[taken], address, folder)
    });
    assert_eq!(attempts.get(), 2, "{}", proxy.log());
}

#[test]
fn clients_behind_a_proxy_get_their_pictures_while_one_instance_is_killed_and_one_is_drained() {
    const TEST: &str =
        "clients_behind_a_proxy_get_their_pictures_while_one_instance_is_killed_and_one_is_drained";
    const CLIENTS: usize = 6;
    const EACH: usize = 5;
    if common::tool(&["haproxy"]).is_none() {
        return common::skip(TEST, "HAProxy");
    }
    let mut instances: Vec<Server> = (0..3).map(|_| spawn(&["--workers=1"])).collect();
    let addresses: Vec<_> = instances.iter().map(|server| server.address).collect();
    let proxy = haproxy(&addresses).expect("it is there");
    wait_until_ready(&proxy);

    let picture = pictures::jpeg(240, 180);
    let (good, unavailable) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one_client = || {
        for _ in 0..EACH {
            let deadline = Instant::now() + Duration::from_secs(60);
            while !one_request(proxy.address, &picture) {
                unavailable.fetch_add(1, Ordering::Relaxed);
                assert!(Instant::now() < deadline, "no instance for a minute");
                thread::sleep(Duration::from_millis(100));
            }
            good.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(one_client);
        }
        let deadline = Instant::now() + Duration::from_secs(120);
        let reached = |n: usize| {
            while good.load(Ordering::Relaxed) < n {
                // A client that failed never gets there.
                assert!(Instant::now() < deadline, "no {n} pictures");
                thread::sleep(Duration::from_millis(5));
            }
        };
        reached(CLIENTS * EACH / 6);
        // In the middle of its work, as far as one can tell from outside.
        instances[0].wait_until(Duration::from_secs(20), "it has work", |m| {
            m.get("safelight_in_flight").is_some_and(|n| *n > 0.0)
        });
        instances[0].signal(Signal::KILL);
        reached(CLIENTS * EACH / 2);
        instances[1].signal(Signal::TERM);
    });
    assert_eq!(good.into_inner(), CLIENTS * EACH, "every picture came back");
    // Each client can lose one request to the kill and a few to the drain.
    let unavailable = unavailable.into_inner();
    assert!(unavailable <= 6 * CLIENTS, "{unavailable} were turned away");

    assert!(!instances[0].wait(Duration::from_secs(5)).success());
    let drained = instances[1].wait(Duration::from_secs(40));
    assert!(drained.success(), "{drained}: what was in progress ended");
    for gone in &instances[..2] {
        assert_eq!(fs::read_dir(&gone.spool).unwrap().count(), 0, "no name");
    }
    let lost = instances[1].log();
    assert!(
        !lost.iter().any(|line| line.contains("server_error")),
        "{lost:#?}"
    );
    instances[2].assert_books_balance();
    let done = r#"safelight_requests_total{operation="remove-background",outcome="ok"}"#;
    assert!(instances[2].metric(done) > 0.0, "the proxy used it");
}

/// Whether a picture came back; else the answer was a clean 503.
fn one_request(proxy: SocketAddr, picture: &[u8]) -> bool {
    let headers = [("Content-Type", "image/jpeg")];
    let path = "/v1/remove-background?output=mask&format=png&refine=false";
    let answer = http::request(proxy, "POST", path, &headers, picture).expect("an answer");
    match answer.status {
        200 => {
            assert!(answer.body.starts_with(b"\x89PNG"), "a picture");
            true
        }
        503 => {
            let seconds = answer.header("retry-after").expect("when to come again");
            assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
            assert_eq!(answer.json()["status"], 503);
            false
        }
        other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
    }
}

fn wait_until_ready(proxy: &Peer) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let ready = || http::request(proxy.address, "GET", "/readyz", &[], b"");
    while ready().map_or(0, |answer| answer.status) != 200 {
        assert!(Instant::now() < deadline, "{}", proxy.log());
        thread::sleep(Duration::from_millis(50));
    }
}
