//! No way back to what was sent, and no door that is not documented.

use super::{
    files,
    report::Finding,
    session::{CUT, Documented, Session},
    wire::Request,
};
use crate::codec::Encoded;

/// Where services of this kind keep results, with the id of a request after it.
const KEPT: &[&str] = &[
    "/",
    "/uploads/",
    "/files/",
    "/results/",
    "/jobs/",
    "/images/",
    "/download/",
    "/v1/results/",
    "/v1/jobs/",
    "/v1/images/",
    "/v1/requests/",
    "/v1/uploads/",
    "/v1/remove-background/",
    "/v1/restore/",
];

/// Doors that are for an operator, or were forgotten.
const DOORS: &[&str] = &[
    "/metrics",
    "/debug",
    "/debug/pprof",
    "/debug/vars",
    "/admin",
    "/v1/admin",
    "/status",
    "/server-status",
    "/logs",
    "/config",
    "/v1/config",
    "/log-level",
    "/trace",
    "/.env",
    "/uploads",
    "/v1/uploads",
    "/v1/history",
    "/tmp/",
    "/dev/shm/",
    "/..%2f..%2fetc/passwd",
];

/// E16: what was sent cannot be fetched, and only what is documented answers.
pub(super) fn closed(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "no_read_back",
        "E16",
        "Nothing that was sent can be fetched, and only documented routes answer",
    );
    let before = session.journal().ids.len();
    if let Err(why) = session.post(CUT, &files::plain(Encoded::Png, 5)) {
        finding.unseen(why);
    }
    let id = session
        .journal()
        .ids
        .get(before..)
        .and_then(|ids| ids.first().cloned());
    let id = id.unwrap_or_else(|| "1".to_owned());
    let guesses = KEPT.iter().map(|place| format!("{place}{id}"));
    let guesses: Vec<String> = guesses
        .chain(DOORS.iter().map(ToString::to_string))
        .collect();
    for path in &guesses {
        // `/metrics` stays closed even where it is documented: it is no business of the public.
        if session.has("GET", path) && path != "/metrics" {
            continue;
        }
        match session.get(path) {
            Ok(answer) if matches!(answer.status, 400 | 401 | 403 | 404 | 405 | 501) => {}
            Ok(answer) => finding.object(format!(
                "GET {}: {}",
                path.replace(&id, "ID"),
                answer.status
            )),
            Err(why) => finding.unseen(why),
        }
    }
    for (method, path) in [
        ("PUT", "/v1/log-level"),
        ("POST", "/debug"),
        ("DELETE", "/v1/uploads"),
        ("GET", CUT),
        ("PUT", CUT),
        ("TRACE", "/"),
        ("CONNECT", "/"),
    ] {
        let answer = session.send(Request {
            method,
            path,
            ..Request::default()
        });
        match answer {
            Ok(answer) if (400..500).contains(&answer.status) || answer.status == 501 => {}
            Ok(answer) => finding.object(format!("{method} {path}: {}", answer.status)),
            Err(why) => finding.unseen(why),
        }
    }
    let mut documents = 0;
    let gets = session.routes.iter().filter(|route| route.method == "GET");
    for Documented { path, refuses, .. } in gets.filter(|route| !route.path.contains('{')) {
        documents += 1;
        match session.get(path) {
            Ok(answer) if answer.status == 200 && !refuses => {}
            Ok(answer) if (400..500).contains(&answer.status) && *refuses => {}
            Ok(answer) => finding.object(format!("GET {path} is documented: {}", answer.status)),
            Err(why) => finding.unseen(why),
        }
    }
    let mut ids = session.journal().ids.clone();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    if ids.len() < all {
        finding.object(format!(
            "of {all} requests {} have an id of another",
            all - ids.len()
        ));
    }
    finding.tried(format!(
        "{} guesses after an upload, with its id and without; {documents} documented documents",
        guesses.len() + 7
    ))
}
