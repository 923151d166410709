//! Clients that stall, drip or go away, and the service's own count of what it took and let go.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use socket2::SockRef;

use super::{
    files,
    report::Finding,
    session::{CUT, INSPECT, Session},
    wire::{self, Request},
};
use crate::codec::Encoded;

/// Added to a stated deadline: a second for the network, and as much for a busy service.
const SLACK: Duration = Duration::from_secs(2);

/// Bytes that a slow client says it will send.
const ANNOUNCED: u64 = 50_000;

/// The longest that `GET /v1/privacy` says an upload is held, where it says so.
fn stated(session: &Session) -> Option<Duration> {
    if !session.has("GET", "/v1/privacy") {
        return None;
    }
    let notice: Value = serde_json::from_slice(&session.get("/v1/privacy").ok()?.body).ok()?;
    let seconds = notice["figures"]["input_held_at_most_seconds"].as_f64()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// E5: an upload that stalls or drips is answered 408 and let go.
pub(super) fn slow(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "slow_uploads",
        "E5",
        "An upload that stalls or drips is ended by the service with 408",
    );
    let deadline = stated(session);
    let (stalled, dripping, head) = thread::scope(|scope| {
        let stalled = scope.spawn(|| wait_for_end(session, Slow::Stalls));
        let dripping = scope.spawn(|| wait_for_end(session, Slow::Drips));
        let head = scope.spawn(|| wait_for_end(session, Slow::NeverAsks));
        (stalled.join(), dripping.join(), head.join())
    });
    for (name, ended) in [
        ("a stalled upload", stalled),
        ("an upload of two bytes a second", dripping),
        ("a head that never ends", head),
    ] {
        let patience = session.patience;
        match ended {
            Err(_) => finding.unseen(format!("{name}: the attempt failed here")),
            Ok(End::Never) if deadline.is_some_and(|deadline| deadline > patience) => {
                finding.unseen(format!("{name}: its deadline is later than --patience"));
            }
            Ok(End::Never) => finding.object(format!("{name}: not ended within {patience:?}")),
            Ok(End::Unreachable(why)) => finding.unseen(format!("{name}: {why}")),
            Ok(End::Status(408, took)) => {
                if let Some(deadline) = deadline.filter(|deadline| took > *deadline + SLACK) {
                    finding.object(format!("{name}: ended after {took:.1?}, not {deadline:?}"));
                }
            }
            Ok(End::Status(status, _)) => finding.object(format!("{name}: {status}")),
            // A head that is not whole has asked nothing yet.
            Ok(End::Closed) if name.contains("head") => {}
            Ok(End::Closed) => finding.object(format!("{name}: closed without an answer")),
        }
    }
    let said = match deadline {
        Some(deadline) => format!("/v1/privacy says {deadline:?} at most"),
        None => format!("no deadline is stated, so {:?} at most", session.patience),
    };
    finding.tried(format!(
        "a stalled upload, one that drips, a head that never ends; {said}"
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    Stalls,
    Drips,
    NeverAsks,
}

enum End {
    Status(u16, Duration),
    Closed,
    Never,
    Unreachable(String),
}

/// Sends the beginning of an upload and waits for the service to end it.
fn wait_for_end(session: &Session, slow: Slow) -> End {
    let head = upload_head(session, ANNOUNCED);
    let begin = Instant::now();
    let first: &[u8] = match slow {
        Slow::NeverAsks => &head.as_bytes()[..head.len() / 2],
        _ => head.as_bytes(),
    };
    session.count();
    let mut stream = match session.target.connect(session.patience) {
        Ok(stream) => stream,
        Err(e) => return End::Unreachable(e.to_string()),
    };
    if stream.write_all(first).is_err() {
        return End::Closed;
    }
    let mut answered = false;
    while slow == Slow::Drips && !answered && begin.elapsed() < session.patience {
        // Whether it was cut off shows when the answer is read.
        let _ = stream.write_all(b"x");
        answered = has_something(&stream, Duration::from_millis(500));
    }
    match wire::read(&mut stream, begin, session.patience) {
        Ok(answer) => {
            session.look("a slow client", &answer);
            End::Status(answer.status, begin.elapsed())
        }
        Err(e) if e.kind() == ErrorKind::TimedOut => End::Never,
        Err(_) => End::Closed,
    }
}

/// Whether something has come, or the connection has ended.
fn has_something(stream: &TcpStream, wait: Duration) -> bool {
    let _ = stream.set_read_timeout(Some(wait));
    let mut one = [0];
    !matches!(stream.peek(&mut one), Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

fn upload_head(session: &Session, length: u64) -> String {
    let request = session.with_key(Request {
        method: "POST",
        path: CUT,
        headers: vec![("Content-Type", "image/png")],
        body: b"",
    });
    session.target.head(&request, Some(length))
}

/// E6: clients that go away in every phase leave the service as it was.
pub(super) fn dropped(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "dropped_connections",
        "E6",
        "Clients that go away at any time leave the service as it was",
    );
    let picture = files::plain(Encoded::Png, 8);
    let head = upload_head(session, picture.len() as u64);
    let whole = [head.as_bytes(), &picture].concat();
    let half = head.len() + picture.len() / 2;
    let mut tried = 0;
    for reset in [false, true] {
        // In the head, after it, in the body, when all is sent, and while the answer comes.
        for (sent, reads) in [
            (head.len() / 2, false),
            (head.len(), false),
            (half, false),
            (whole.len(), false),
            (whole.len(), true),
        ] {
            tried += 1;
            session.count();
            let stream = session.target.connect(session.patience);
            let gone = stream.and_then(|mut stream| {
                stream.write_all(&whole[..sent])?;
                if reads {
                    let _ = stream.read(&mut [0; 16]);
                }
                go(stream, reset)
            });
            if let Err(e) = gone {
                finding.unseen(e.to_string());
            }
        }
    }
    for (what, answer) in [
        ("a good picture", session.post(CUT, &picture)),
        ("its header", session.post(INSPECT, &picture)),
    ] {
        match answer {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => finding.object(format!("{what} after them: {}", answer.status)),
            Err(why) => finding.object(format!("{what} after them: {why}")),
        }
    }
    finding.tried(format!(
        "{tried} connections ended by FIN and by RST; a good picture after them"
    ))
}

/// Ends a connection: by FIN, or by RST.
fn go(stream: TcpStream, reset: bool) -> std::io::Result<()> {
    if reset {
        return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
    stream.shutdown(Shutdown::Write)
}

/// Gauges that are 0 where nobody is served.
const LIVE: &[&str] = &[
    "inputs_live",
    "leases_live",
    "spool_bytes",
    "memory_reserved_bytes",
    "queue_depth",
    "in_flight",
];

/// E20: after all of this, every input that was opened is deleted, and nothing is alive.
pub(super) fn books(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "books",
        "E20",
        "Every input that was taken is deleted, and nothing of it is alive",
    );
    let tried = "the counters after all other checks";
    let mut found = Vec::new();
    let balanced = session.wait_until(|| {
        let text = match session.metrics_text() {
            Some(Ok(text)) => text,
            Some(Err(why)) => {
                found = vec![why];
                return false;
            }
            None => return true,
        };
        found = unbalanced(&samples(&text));
        found.is_empty()
    });
    if session.metrics.is_none() {
        finding.unseen("--metrics was not given");
    } else if !balanced {
        found.into_iter().for_each(|line| finding.object(line));
    }
    finding.tried(tried)
}

/// Name (without prefix and labels) to the sum of its samples.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let name = name.split('{').next().unwrap_or_default();
        let (Some(name), Ok(value)) = (name.strip_prefix("safelight_"), value.parse::<f64>())
        else {
            continue;
        };
        *sums.entry(name.to_owned()).or_insert(0.0) += value;
    }
    sums
}

/// What does not balance.
fn unbalanced(samples: &BTreeMap<String, f64>) -> Vec<String> {
    let value = |name: &str| samples.get(name).copied();
    let Some(opened) = value("inputs_opened_total") else {
        return vec!["there is no safelight_inputs_opened_total".to_owned()];
    };
    let deleted = value("inputs_deleted_total").unwrap_or(0.0);
    let mut found = Vec::new();
    if opened != deleted {
        found.push(format!("{opened} inputs were opened, {deleted} deleted"));
    }
    if opened == 0.0 {
        found.push("no input was counted: these are the metrics of another service".to_owned());
    }
    for name in LIVE {
        match value(name) {
            Some(0.0) => {}
            Some(value) => found.push(format!("safelight_{name} is {value}")),
            None => found.push(format!("there is no safelight_{name}")),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_balance_where_sums_are_equal_and_gauges_are_0() {
        let good = "# HELP x\nsafelight_inputs_opened_total 3\n\
                    safelight_inputs_deleted_total{reason=\"done\"} 2\n\
                    safelight_inputs_deleted_total{reason=\"error\"} 1\n\
                    safelight_inputs_live 0\nsafelight_leases_live 0\nsafelight_spool_bytes 0\n\
                    safelight_memory_reserved_bytes 0\nsafelight_queue_depth 0\n\
                    safelight_in_flight 0\n";
        assert!(unbalanced(&samples(good)).is_empty());
        for (part, wrong) in [
            ("opened_total 3", "opened_total 4"),
            ("inputs_live 0", "inputs_live 1"),
            ("safelight_queue_depth 0\n", ""),
        ] {
            let text = good.replace(part, wrong);
            assert_eq!(unbalanced(&samples(&text)).len(), 1, "{wrong}");
        }
        assert_eq!(unbalanced(&samples("")).len(), 1);
    }
}
