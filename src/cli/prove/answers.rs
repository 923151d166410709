//! What comes back for pictures: only pixels, the same each time, whoever else is served.

use std::thread;

use super::{
    canaries::holds,
    files, parts,
    report::Finding,
    session::{CUT, INSPECT, PASS, Session},
    wire::Form,
};
use crate::codec::Encoded;

/// E12: no metadata of an input in an output; the same input gives the same bytes.
pub(super) fn pictures(session: &Session) -> [Finding; 2] {
    let mut bare = Finding::new(
        "no_metadata",
        "E12",
        "An answer holds pixels and nothing else of the picture that was sent",
    );
    let mut same = Finding::new("same_bytes", "E12", "The same picture gives the same bytes");
    let mut answers = 0;
    for (from, bytes) in files::tagged(&session.canaries.tagged) {
        for (path, to) in [(CUT, "png"), (CUT, "webp"), (PASS, "jpeg"), (PASS, "png")] {
            let query = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{query}format={to}");
            let what = format!("{from} to {path}");
            let answer = match session.post(&path, &bytes) {
                Ok(answer) if answer.is_picture() => answer,
                Ok(answer) => {
                    bare.unseen(format!("{what}: {} and no picture", answer.status));
                    continue;
                }
                Err(why) => {
                    bare.unseen(why);
                    continue;
                }
            };
            answers += 1;
            if holds(&answer.body, &session.canaries.tagged) {
                bare.object(format!(
                    "{what}: the picture holds a text of the input's metadata"
                ));
            }
            for part in parts::beside_pixels(&answer.body) {
                bare.object(format!("{what}: {part}"));
            }
            // Once for each kind of input is enough.
            if path.starts_with(CUT) == (from == "PNG") {
                continue;
            }
            match session.post(&path, &bytes) {
                Ok(again) if again.body == answer.body => {}
                Ok(_) => same.object(format!("{what}: other bytes the second time")),
                Err(why) => same.unseen(why),
            }
        }
        // What the header says may be told; texts may not. The session looks for them.
        if let Err(why) = session.post(INSPECT, &bytes) {
            bare.unseen(why);
        }
    }
    [
        bare.tried(format!(
            "JPEG, PNG and WebP with EXIF, GPS, XMP, IPTC, texts, a thumbnail and bytes after the \
             end; {answers} answers taken apart"
        )),
        same.tried("each kind of picture twice"),
    ]
}

/// Rounds of [`neighbours`].
const ROUNDS: u8 = 4;

/// E13: what one client sends does not show in the answer to another.
pub(super) fn neighbours(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "no_influence",
        "E13",
        "The answer to one client is the same whatever others send at the same time",
    );
    let tried = format!("a picture alone, then {ROUNDS} times beside three others and once after");
    let path = format!("{CUT}?format=png");
    let mine = files::plain(Encoded::Jpeg, 7);
    let ask = || {
        session
            .post(&path, &mine)
            .map(|answer| (answer.status, answer.body))
    };
    let (alone, again) = match (ask(), ask()) {
        (Ok(alone), Ok(again)) => (alone, again),
        (Err(why), _) | (_, Err(why)) => {
            finding.unseen(why);
            return finding.tried(tried);
        }
    };
    if alone.0 != 200 || alone != again {
        finding.unseen("alone it is not the same twice, so nothing can be compared");
        return finding.tried(tried);
    }
    for round in 0..ROUNDS {
        let beside = thread::scope(|scope| {
            let others = [0, 1, 2].map(|other| {
                let path = &path;
                scope.spawn(move || {
                    let theirs = match other {
                        0 => files::of_word(&session.canaries.pixels),
                        other => files::plain(Encoded::Png, 10 + 3 * round + other),
                    };
                    // Their own answers are looked at as all are.
                    let _ = session.post(path, &theirs);
                })
            });
            let beside = ask();
            for other in others {
                let _ = other.join();
            }
            beside
        });
        match beside {
            Ok(beside) if beside == alone => {}
            Ok(_) => finding.object(format!("round {round}: another answer beside others")),
            Err(why) => finding.unseen(why),
        }
    }
    match ask() {
        Ok(after) if after == alone => {}
        Ok(_) => finding.object("another answer after others"),
        Err(why) => finding.unseen(why),
    }
    finding.tried(tried)
}

/// E11: says things in every place that a client can fill. The session looks for them in every
/// answer of the whole run.
pub(super) fn say(session: &Session) -> Result<(), String> {
    let word = session.canaries.said.as_str();
    let picture = files::plain(Encoded::Jpeg, 4);
    let form = || Form::default().part("file", Some("a.jpg"), &picture);
    let named = |name: &str| Form::default().part("file", Some(name), &picture);
    session.form(CUT, named(&format!("{word}.jpg")))?;
    session.form(CUT, named(&format!("a.jpg\"; x=\"{word}")))?;
    session.form(INSPECT, named(&format!("../../{word}.jpg")))?;
    session.form(CUT, form().part(word, None, b"1"))?;
    session.form(CUT, Form::default().part(word, Some("a.jpg"), &picture))?;
    session.form(CUT, named("a.jpg").part("model", None, word.as_bytes()))?;
    session.form(
        CUT,
        form().part("background", None, format!("#{word}").as_bytes()),
    )?;
    for option in ["format", "roi", "quality", "crop_margin"] {
        session.post(&format!("{CUT}?{option}={word}"), &picture)?;
    }
    session.post(&format!("{CUT}?{word}=1"), &picture)?;
    session.post(&format!("{CUT}?output=mask&{word}"), &picture)?;
    session.get(&format!("/{word}"))?;
    session.get(&format!("/v1/models?{word}={word}"))?;
    let headers = [
        "User-Agent",
        "Referer",
        "Accept",
        "Cookie",
        "X-Request-Id",
        "X-Forwarded-For",
    ];
    let spoken = super::wire::Request {
        method: "POST",
        path: CUT,
        headers: headers
            .iter()
            .map(|name| (*name, word))
            .chain([("Content-Type", "image/jpeg")])
            .collect(),
        body: &picture,
    };
    session.send(spoken.clone())?;
    let kind = format!("image/{word}");
    let mut typed = spoken.clone();
    typed.headers.retain(|(name, _)| *name != "Content-Type");
    typed.headers.push(("Content-Type", &kind));
    session.send(typed)?;
    let refused = super::wire::Request {
        body: word.as_bytes(),
        ..spoken
    };
    session.send(refused)?;
    // Pixels that are words, taken and answered.
    session.post(PASS, &files::of_word(&session.canaries.pixels))?;
    Ok(())
}
