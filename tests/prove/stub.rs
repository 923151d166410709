//! A small service that keeps the promise as far as can be seen from outside, and can be told to
//! break it in one place.

mod wire;

use std::{
    collections::HashMap,
    io::{self, Cursor, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, SystemTime},
};

use safelight::{
    codec::{Encoded, Encoding, Format, PictureLimits, decode, encode, probe},
    digest,
    ephemeral::Ended,
    receipt::Signer,
};

use crate::common::pictures::{self, crafted};
use wire::{Asked, Refused, TOTAL, form};

/// The one place in which the promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leak {
    Nothing,
    NamesTheAnswerAsTheFile,
    RepeatsAValueInAnError,
    CountsByFileName,
    ShowsTheKey,
    CopiesExif,
    AppendsTheInput,
    ChangesEachTime,
    MixesNeighbours,
    ServesResultsById,
    HasADebugRoute,
    GivesOneIdTwice,
    FailsOnBrokenPictures,
    HangsOnGif,
    TakesBombsForPictures,
    NeverEndsAStalledUpload,
    HoldsLongerThanItSays,
    ClosesASlowUploadSilently,
    BreaksWhenAClientGoes,
    ForgetsToCountADeletion,
    SaysWhatItIs,
    SetsACookie,
    TagsAnswers,
    MayBeCached,
    SignsWithAnotherKey,
    RepeatsAnOldReceipt,
    SignsForLessThanItGot,
}

/// A running stub; its threads end with the tests.
pub struct Stub {
    pub address: SocketAddr,
    pub metrics: SocketAddr,
}

/// The key that every stub asks for.
pub const KEY: &str = "kq-stub-0123456789";
/// What it says of its own program.
const BUILD: &str = "a stub";
struct State {
    leak: Leak,
    opened: AtomicU64,
    deleted: AtomicU64,
    working: AtomicI64,
    calls: AtomicU64,
    broken: AtomicBool,
    kept: Mutex<HashMap<String, Vec<u8>>>,
    names: Mutex<Vec<String>>,
    signer: Signer,
    first: OnceLock<String>,
}

impl Stub {
    pub fn start(leak: Leak) -> Self {
        let state = Arc::new(State {
            leak,
            opened: 0.into(),
            deleted: 0.into(),
            working: 0.into(),
            calls: 0.into(),
            broken: false.into(),
            kept: Mutex::default(),
            names: Mutex::default(),
            signer: Signer::new(BUILD.to_owned()).unwrap(),
            first: OnceLock::new(),
        });
        let listen = |serve: fn(&State, TcpStream) -> io::Result<()>| {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let address = listener.local_addr().unwrap();
            let state = state.clone();
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let state = state.clone();
                    // A connection that breaks is its client's affair.
                    thread::spawn(move || drop(serve(&state, stream)));
                }
            });
            address
        };
        Self {
            address: listen(State::serve),
            metrics: listen(State::serve_metrics),
        }
    }
}

/// An answer: status, media type, further headers, body.
type Said = (u16, &'static str, Vec<(&'static str, String)>, Vec<u8>);

fn problem(status: u16, text: &str) -> Said {
    let body = format!("{{\"status\":{status},\"detail\":\"{text}\"}}");
    (status, "application/problem+json", Vec::new(), body.into())
}

fn document(kind: &'static str, body: &str) -> Said {
    (200, kind, Vec::new(), body.into())
}

const OPENAPI: &str = r#"{"paths":{"/v1/remove-background":{"post":{}},"/v1/restore":{"post":{}},
    "/v1/inspect":{"post":{}},"/openapi.json":{"get":{}},"/healthz":{"get":{}},
    "/v1/privacy":{"get":{}},"/v1/transparency":{"get":{}}}}"#;

impl State {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let said = match self.read(&mut stream) {
            Ok(asked) => self.answer(&asked),
            Err(Refused::With(status)) => problem(status, "refused"),
            Err(Refused::Gone) => return Ok(()),
        };
        let (status, kind, more, body) = said;
        let call = self.calls.fetch_add(1, SeqCst);
        let id = match self.leak {
            Leak::GivesOneIdTwice if call > 50 => "00000000".to_owned(),
            _ => format!("{call:08}"),
        };
        if status == 200 && kind.starts_with("image") && self.leak == Leak::ServesResultsById {
            self.kept.lock().unwrap().insert(id.clone(), body.clone());
        }
        let cached = match self.leak {
            Leak::MayBeCached => "public, max-age=60",
            _ => "no-store",
        };
        let mut head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             X-Request-Id: {id}\r\nCache-Control: {cached}\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n",
            body.len()
        );
        match self.leak {
            Leak::SaysWhatItIs => head += "Server: stub/1.0\r\n",
            Leak::SetsACookie => head += "Set-Cookie: seen=1\r\n",
            Leak::TagsAnswers => head += "ETag: \"1\"\r\n",
            _ => {}
        }
        for (name, value) in more {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all((head + "\r\n").as_bytes())?;
        stream.write_all(&body)
    }

    fn serve_metrics(&self, mut stream: TcpStream) -> io::Result<()> {
        let _ = stream.read(&mut [0; 4096])?;
        let (opened, deleted) = (self.opened.load(SeqCst), self.deleted.load(SeqCst));
        let mut text = format!(
            "safelight_inputs_opened_total {opened}\n\
             safelight_inputs_deleted_total{{reason=\"done\"}} {deleted}\n"
        );
        for gauge in [
            "inputs_live",
            "leases_live",
            "spool_bytes",
            "queue_depth",
            "in_flight",
        ] {
            text += &format!("safelight_{gauge} 0\n");
        }
        text += "safelight_memory_reserved_bytes 0\n";
        for name in self.names.lock().unwrap().iter() {
            text += &format!("safelight_requests_total{{file=\"{name}\"}} 1\n");
        }
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
    }

    fn answer(&self, asked: &Asked) -> Said {
        if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return problem(401, "no key");
        }
        if let Some(id) = asked.path.strip_prefix("/v1/results/")
            && let Some(kept) = self.kept.lock().unwrap().get(id)
        {
            return (200, "image/png", Vec::new(), kept.clone());
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/openapi.json") => document("application/json", OPENAPI),
            ("GET", "/healthz") => document("text/plain", "ok\n"),
            ("GET", "/v1/privacy") => {
                let seconds = match self.leak {
                    Leak::HoldsLongerThanItSays => 0.1,
                    _ => TOTAL.as_secs_f64(),
                };
                let figures = format!("{{\"input_held_at_most_seconds\":{seconds}}}");
                document("application/json", &format!("{{\"figures\":{figures}}}"))
            }
            ("GET", "/v1/transparency") => {
                let shown = match self.leak {
                    Leak::SignsWithAnotherKey => &Signer::new(BUILD.to_owned()).unwrap(),
                    _ => &self.signer,
                };
                let key = serde_json::to_string(shown.jwk()).unwrap();
                let build = format!("{{\"sha256\":\"{BUILD}\"}}");
                let text = format!("{{\"build\":{build},\"receipt_key\":{key}}}");
                document("application/json", &text)
            }
            ("GET", "/debug") if self.leak == Leak::HasADebugRoute => {
                document("text/plain", "no secrets here\n")
            }
            ("POST", "/v1/remove-background" | "/v1/restore" | "/v1/inspect") => {
                if self.leak == Leak::HangsOnGif && asked.body.starts_with(b"GIF8") {
                    thread::sleep(Duration::from_secs(60));
                }
                self.opened.fetch_add(1, SeqCst);
                let mut said = self.upload(asked);
                self.deleted.fetch_add(1, SeqCst);
                said.2.push(("Deletion-Receipt", self.receipt(asked)));
                said
            }
            (_, "/v1/remove-background" | "/v1/restore" | "/v1/inspect") => problem(405, "POST"),
            _ => problem(404, "no such route"),
        }
    }

    fn receipt(&self, asked: &Asked) -> String {
        let less = usize::from(self.leak == Leak::SignsForLessThanItGot);
        let hashed = asked.header("deletion-receipt-digest").is_some();
        let ended = Ended {
            bytes: asked.body.len().saturating_sub(less).max(1) as u64,
            sha256: hashed.then(|| digest::of(&asked.body)),
            in_memory: true,
            nameless: true,
            overwritten: true,
            closed_at: SystemTime::now(),
            held: Duration::ZERO,
        };
        let nonce = asked.header("deletion-receipt-nonce");
        let fresh = self.signer.sign(&[ended], nonce).unwrap();
        match self.leak {
            Leak::RepeatsAnOldReceipt => self.first.get_or_init(|| fresh).clone(),
            _ => fresh,
        }
    }

    fn upload(&self, asked: &Asked) -> Said {
        if self.broken.load(SeqCst) {
            return problem(422, "out of order");
        }
        if self.leak == Leak::ShowsTheKey && asked.query.contains("roi") {
            return problem(400, KEY);
        }
        let mut format = Encoded::Png;
        for pair in asked.query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("format", "png")) => {}
                Some(("format", "jpeg")) => format = Encoded::Jpeg,
                Some(("format", "webp")) => format = Encoded::Webp,
                Some(("strength", _)) => {}
                Some(("quality", value)) if self.leak == Leak::RepeatsAValueInAnError => {
                    return problem(400, &format!("quality cannot be {value}"));
                }
                _ => return problem(400, "an unknown option"),
            }
        }
        let kind = asked.header("content-type").unwrap_or_default();
        let (name, picture) = match kind.split_once("boundary=") {
            None => (None, asked.body.clone()),
            Some((_, boundary)) => match form(&asked.body, boundary) {
                Some((name, picture)) => (Some(name), picture),
                None => return problem(400, "a wrong form"),
            },
        };
        if let (Leak::CountsByFileName, Some(name)) = (self.leak, &name) {
            self.names.lock().unwrap().push(name.clone());
        }
        let now = self.working.fetch_add(1, SeqCst);
        let said = self.work(asked, &picture, format, now);
        self.working.fetch_sub(1, SeqCst);
        let (status, kind, mut more, body) = said;
        if let (Leak::NamesTheAnswerAsTheFile, Some(name)) = (self.leak, name) {
            more.push((
                "Content-Disposition",
                format!("inline; filename=\"{name}\""),
            ));
        }
        (status, kind, more, body)
    }

    fn work(&self, asked: &Asked, picture: &[u8], format: Encoded, now: i64) -> Said {
        let limits = PictureLimits {
            max_pixels: 1_000_000,
            max_side: 4096,
            formats: vec![Format::Jpeg, Format::Png, Format::Webp],
        };
        let broken = || match self.leak {
            Leak::FailsOnBrokenPictures => problem(500, "it broke"),
            _ => problem(422, "it is broken"),
        };
        let header = match probe(&mut Cursor::new(picture), &limits) {
            Ok(header) => header,
            Err(_) if self.leak == Leak::TakesBombsForPictures => {
                return (200, "image/png", Vec::new(), pictures::png(8, 8));
            }
            Err(_) => return broken(),
        };
        if asked.path == "/v1/inspect" {
            return document(
                "application/json",
                &format!("{{\"width\":{}}}", header.width),
            );
        }
        let Ok(mut frame) = decode(picture, &header) else {
            return broken();
        };
        if self.leak == Leak::MixesNeighbours {
            // Long enough for another to come in.
            thread::sleep(Duration::from_millis(30));
            frame.data_mut()[0] = now.max(self.working.load(SeqCst) - 1) as u8;
        }
        if self.leak == Leak::ChangesEachTime {
            frame.data_mut()[0] = self.calls.load(SeqCst) as u8;
        }
        let mut bytes = encode(&frame, &Encoding::new(format)).expect("it can be written");
        let exif = picture.windows(4).position(|window| window == b"II*\0");
        if let (Leak::CopiesExif, Some(at)) = (self.leak, exif) {
            let exif = &picture[at..picture.len().min(at + 400)];
            match format {
                Encoded::Png => bytes = crafted::with_chunk(&bytes, b"eXIf", exif),
                Encoded::Jpeg => bytes = pictures::with_segment(&bytes, 0xe1, exif),
                Encoded::Webp => {}
            }
        }
        if self.leak == Leak::AppendsTheInput {
            bytes.extend_from_slice(&picture[..9]);
        }
        (200, format.mime(), Vec::new(), bytes)
    }
}
