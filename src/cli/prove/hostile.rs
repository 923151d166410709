//! Inputs that are broken, too much, or no requests at all.

use std::time::Duration;

use super::{
    files,
    report::Finding,
    session::{CUT, INSPECT, PASS, Session},
    wire::{BOUNDARY, Form, Request, form_type},
};
use crate::codec::Encoded;

/// Bytes of an error at most.
const MOST_SAID: usize = 64 << 10;
/// A small file that takes longer is a bomb that went off. Far above the contract's 250 ms of
/// processor time, since a network and other clients lie between.
const LONGEST: Duration = Duration::from_secs(10);

/// E15 and the table of faults: 200 or 4xx, never 5xx, soon, and with a small answer.
pub(super) fn inputs(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "hostile",
        "E15",
        "Broken, oversized and hostile inputs are refused, soon and in few words",
    );
    let mut tried = 0;
    for odd in files::odd(&session.canaries.said) {
        for path in [PASS, INSPECT] {
            // A header can be right where the picture after it is not.
            let may_pass = odd.may_pass || path == INSPECT;
            tried += 1;
            judge(
                &mut finding,
                odd.name,
                may_pass,
                session.post(path, &odd.bytes),
            );
        }
    }
    for (name, body) in forms(session) {
        tried += 1;
        let kind = form_type();
        let answer = session.send(Request {
            method: "POST",
            path: CUT,
            headers: vec![("Content-Type", &kind)],
            body: &body,
        });
        judge(&mut finding, name, false, answer);
    }
    let protocol = protocol(session);
    tried += protocol.len();
    for (name, bytes) in protocol {
        match session.raw(name, &[&bytes]) {
            // What is no request need not be answered, but the connection has to end.
            Err(why) if why.contains("closed") || why.contains("reset") => {}
            answer => judge(&mut finding, name, false, answer),
        }
    }
    match session.post(CUT, &files::plain(Encoded::Jpeg, 6)) {
        Ok(answer) if answer.status == 200 => {}
        Ok(answer) => finding.object(format!("a good picture after them: {}", answer.status)),
        Err(why) => finding.object(why),
    }
    finding.tried(format!(
        "{tried} files, forms and requests; a good picture after them"
    ))
}

fn judge(
    finding: &mut Finding,
    name: &str,
    may_pass: bool,
    answer: Result<super::wire::Answer, String>,
) {
    match answer {
        Ok(answer) => {
            let status = answer.status;
            let refused = (400..500).contains(&status);
            if !(refused || may_pass && status == 200) {
                finding.object(format!("{name}: {status}"));
            }
            if refused && answer.body.len() > MOST_SAID {
                finding.object(format!("{name}: an error of {} bytes", answer.body.len()));
            }
            if answer.took > LONGEST {
                finding.object(format!("{name}: answered after {:?}", answer.took));
            }
        }
        Err(why) if why.contains("busy") => finding.unseen(why),
        Err(why) => finding.object(format!("{name}: {why}")),
    }
}

/// Forms that are wrong.
fn forms(session: &Session) -> Vec<(&'static str, Vec<u8>)> {
    let picture = files::plain(Encoded::Png, 4);
    let form = || Form::default().part("file", Some("a"), &picture);
    let many = (0..60).fold(form(), |form, i| form.part(&format!("f{i}"), None, b"1"));
    let long_head = "x".repeat(70 << 10);
    let whole = form().finish();
    vec![
        (
            "a form without a picture",
            Form::default().part("a", None, b"b").finish(),
        ),
        (
            "a form with an empty picture",
            Form::default().part("file", Some("a"), b"").finish(),
        ),
        (
            "a form with two pictures",
            form().part("image", Some("b"), &picture).finish(),
        ),
        ("a form of 60 fields", many.finish()),
        (
            "a form with a part's head of 70 KiB",
            Form::default().part(&long_head, None, b"").finish(),
        ),
        (
            "a form with a field of 8 KiB",
            form().part("model", None, &[b'x'; 8 << 10]).finish(),
        ),
        ("half a form", whole[..whole.len() / 2].to_vec()),
        (
            "a form of another boundary",
            b"--other\r\n\r\nx\r\n--other--\r\n".to_vec(),
        ),
        (
            "a form with a part that has no name",
            [
                format!("--{BOUNDARY}\r\nX-A: {}\r\n\r\n", session.canaries.said).as_bytes(),
                format!("b\r\n--{BOUNDARY}--\r\n").as_bytes(),
            ]
            .concat(),
        ),
    ]
}

/// What is no request.
fn protocol(session: &Session) -> Vec<(&'static str, Vec<u8>)> {
    let head = |more: &str, rest: &str| {
        let request = session.with_key(Request {
            method: "POST",
            path: CUT,
            headers: vec![("Content-Type", "image/png")],
            body: b"",
        });
        let head = session.target.head(&request, None);
        let head = head.trim_end();
        format!("{head}\r\n{more}\r\n{rest}").into_bytes()
    };
    let many: String = (0..200).map(|i| format!("X-{i}: 1\r\n")).collect();
    vec![
        (
            "200 headers",
            head(&format!("{many}Content-Length: 3\r\n"), "abc"),
        ),
        (
            "a header of 200 KiB",
            head(&format!("X: {}\r\n", "a".repeat(200 << 10)), ""),
        ),
        (
            "a body said to be of a tebibyte",
            head("Content-Length: 1099511627776\r\n", "abc"),
        ),
        ("a negative length", head("Content-Length: -1\r\n", "abc")),
        (
            "two lengths",
            head("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
        ),
        (
            "a length and chunks",
            head(
                "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
        ),
        (
            "a broken chunk",
            head("Transfer-Encoding: chunked\r\n", "ZZZ\r\nabc\r\n"),
        ),
        (
            "a null in the path",
            b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        ),
        (
            "a TLS hello",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".repeat(9),
        ),
    ]
}
