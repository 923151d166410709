//! One run against one service: sends, waits where it is told to, and looks at every answer for
//! what must not be in it.

use std::{
    io::ErrorKind,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    canaries::{Canaries, holds},
    report::Finding,
    wire::{self, Answer, Form, Request, Target},
};

/// Times that a busy service is asked again.
const AGAIN: u32 = 3;
/// The longest wait before that, whatever `Retry-After` says.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What was seen in all answers together.
#[derive(Debug)]
pub(super) struct Journal {
    /// Requests sent, broken ones included.
    pub(super) requests: usize,
    /// Answers read.
    answers: usize,
    /// Whether any answer repeated a word.
    silence: Finding,
    /// Whether every answer had the right headers.
    headers: Finding,
    /// Ids of requests, as far as they were told.
    pub(super) ids: Vec<String>,
}

/// One run.
#[derive(Debug)]
pub(super) struct Session {
    /// The service.
    pub(super) target: Target,
    /// Its metrics.
    pub(super) metrics: Option<Target>,
    /// The key that it asks for.
    key: Option<String>,
    /// The longest wait for anything.
    pub(super) patience: Duration,
    /// The words of this run.
    pub(super) canaries: Canaries,
    /// Every route that the service documents.
    pub(super) routes: Vec<Documented>,
    journal: Mutex<Journal>,
}

/// A route of the service's own document.
#[derive(Debug)]
pub(super) struct Documented {
    pub(super) method: String,
    pub(super) path: String,
    /// Whether no answer but refusals is documented.
    pub(super) refuses: bool,
}

impl Session {
    /// A run against `target`, begun with its list of routes.
    ///
    /// # Errors
    /// Where it does not answer, or not like this service.
    pub(super) fn begin(
        target: Target,
        metrics: Option<Target>,
        key: Option<&str>,
        patience: Duration,
    ) -> Result<Self, String> {
        let mut session = Self {
            target,
            metrics,
            key: key.map(|key| format!("Bearer {key}")),
            patience,
            canaries: Canaries::new(),
            routes: Vec::new(),
            journal: Mutex::new(Journal {
                requests: 0,
                answers: 0,
                silence: Finding::new(
                    "silence",
                    "E11",
                    "What a client says and sends is repeated in no answer, document or metric",
                ),
                headers: Finding::new(
                    "headers",
                    "E16",
                    "Every answer forbids caches and sniffing, and tells nothing of the server",
                ),
                ids: Vec::new(),
            }),
        };
        let document = session.get("/openapi.json")?;
        if document.status != 200 {
            return Err(format!("/openapi.json: {} (--key?)", document.status));
        }
        let document: Value = serde_json::from_slice(&document.body)
            .map_err(|_| "/openapi.json is no JSON: is this the service?".to_owned())?;
        let paths = document["paths"].as_object().into_iter().flatten();
        session.routes = paths
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().into_iter().flatten();
                methods.map(|(method, operation)| Documented {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    refuses: operation["responses"]
                        .as_object()
                        .is_some_and(|statuses| !statuses.contains_key("200")),
                })
            })
            .collect();
        match session.has("POST", CUT) {
            true => Ok(session),
            false => Err(format!(
                "/openapi.json has no POST {CUT}: is this the service?"
            )),
        }
    }

    /// Whether the service documents a route.
    pub(super) fn has(&self, method: &str, path: &str) -> bool {
        let found = |route: &Documented| route.method == method && route.path == path;
        self.routes.iter().any(found)
    }

    /// Sends a request; a service that is busy is asked again when it says so.
    ///
    /// # Errors
    /// What happened instead of an answer.
    pub(super) fn send(&self, request: Request<'_>) -> Result<Answer, String> {
        let what = format!("{} {}", request.method, self.shortened(request.path));
        let request = self.with_key(request);
        let length = (request.method != "GET" || !request.body.is_empty())
            .then_some(request.body.len() as u64);
        let head = self.target.head(&request, length);
        for _ in 0..AGAIN {
            let answer = self.raw(&what, &[head.as_bytes(), request.body])?;
            let wait = answer
                .header("retry-after")
                .and_then(|seconds| seconds.parse().ok());
            match (answer.status, wait) {
                (429 | 503 | 507, Some(seconds)) => {
                    thread::sleep(Duration::from_secs(seconds).min(LONGEST_WAIT));
                }
                _ => return Ok(answer),
            }
        }
        Err(format!("{what}: busy, {AGAIN} times"))
    }

    /// Adds the key.
    pub(super) fn with_key<'a>(&'a self, mut request: Request<'a>) -> Request<'a> {
        let key = self.key.as_deref();
        request
            .headers
            .extend(key.map(|key| ("Authorization", key)));
        request
    }

    /// `GET path`.
    pub(super) fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(Request {
            method: "GET",
            path,
            ..Request::default()
        })
    }

    /// `POST path` with a picture as the body.
    pub(super) fn post(&self, path: &str, picture: &[u8]) -> Result<Answer, String> {
        self.send(Request {
            method: "POST",
            path,
            headers: vec![("Content-Type", "image/png")],
            body: picture,
        })
    }

    /// `POST path` with a form.
    pub(super) fn form(&self, path: &str, form: Form) -> Result<Answer, String> {
        let (kind, body) = (wire::form_type(), form.finish());
        self.send(Request {
            method: "POST",
            path,
            headers: vec![("Content-Type", &kind)],
            body: &body,
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What happened instead of an answer.
    pub(super) fn raw(&self, what: &str, bytes: &[&[u8]]) -> Result<Answer, String> {
        self.count();
        let answer = wire::exchange(&self.target, bytes, self.patience);
        let answer = answer.map_err(|e| {
            format!(
                "{what}: {}",
                match e.kind() {
                    ErrorKind::TimedOut => format!("no whole answer within {:?}", self.patience),
                    ErrorKind::UnexpectedEof => "closed without an answer".to_owned(),
                    ErrorKind::InvalidData => "the answer is no HTTP".to_owned(),
                    _ => e.to_string(),
                }
            )
        })?;
        self.look(what, &answer);
        Ok(answer)
    }

    /// Text of the metrics; `None` where their URL was not given.
    ///
    /// # Errors
    /// What happened instead of an answer.
    pub(super) fn metrics_text(&self) -> Option<Result<String, String>> {
        let target = self.metrics.as_ref()?;
        let request = Request {
            method: "GET",
            path: if target.path.is_empty() {
                "/metrics"
            } else {
                ""
            },
            ..Request::default()
        };
        let head = target.head(&request, None);
        self.count();
        let answer = wire::exchange(target, &[head.as_bytes()], self.patience);
        Some(match answer {
            Ok(answer) if answer.status == 200 => {
                self.look_for_words("the metrics", &answer, true);
                Ok(String::from_utf8_lossy(&answer.body).into_owned())
            }
            Ok(answer) => Err(format!("the metrics: {}", answer.status)),
            Err(e) => Err(format!("the metrics: {e}")),
        })
    }

    /// Counts a request that does not go through here.
    pub(super) fn count(&self) {
        self.journal().requests += 1;
    }

    /// What all answers together showed.
    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The findings about all answers: silence, headers.
    pub(super) fn conclude(&self) -> [Finding; 2] {
        let journal = &mut *self.journal();
        let answers = journal.answers;
        let taken = |finding: &mut Finding| std::mem::replace(finding, Finding::new("", "", ""));
        let metrics = match self.metrics {
            Some(_) => ", and the metrics",
            None => "; not the metrics, whose URL was not given",
        };
        [
            taken(&mut journal.silence).tried(format!(
                "words of this run in file names, fields, queries, paths, headers, metadata and \
                 pixels; looked for in all {answers} answers{metrics}"
            )),
            taken(&mut journal.headers).tried(format!("all {answers} answers")),
        ]
    }

    /// Looks at an answer for what must be in none.
    pub(super) fn look(&self, what: &str, answer: &Answer) {
        // Metadata in a picture is a matter of its own: `answers::pictures` looks for it.
        self.look_for_words(what, answer, !answer.is_picture());
        let mut journal = self.journal();
        journal.answers += 1;
        if let Some(id) = answer.header("x-request-id") {
            journal.ids.push(id.to_owned());
        }
        let headers = &mut journal.headers;
        for name in [
            "server",
            "x-powered-by",
            "via",
            "set-cookie",
            "etag",
            "last-modified",
            "x-runtime",
            "x-debug",
        ] {
            if answer.header(name).is_some() {
                headers.object(format!("{what}: the answer has a header {name}"));
            }
        }
        // The server's own answers to what is no HTTP are empty and have no headers.
        if !answer.body.is_empty() {
            for (name, part) in [
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("content-security-policy", "default-src"),
            ] {
                if !answer
                    .header(name)
                    .is_some_and(|value| value.contains(part))
                {
                    headers.object(format!("{what}: {name} is not there or has no {part}"));
                }
            }
        }
    }

    fn look_for_words(&self, what: &str, answer: &Answer, all: bool) {
        let Canaries {
            said,
            tagged,
            pixels,
        } = &self.canaries;
        let mut words = vec![(said.as_str(), "what the client said")];
        // The key itself, whose scheme nobody need repeat with it.
        let key = self.key.as_deref();
        let key = key.map(|said| said.strip_prefix("Bearer ").unwrap_or(said));
        words.extend(key.map(|key| (key, "the key")));
        if all {
            words.push((tagged, "metadata of a picture"));
            words.push((pixels, "pixels of a picture"));
        }
        for (word, name) in words {
            let in_head = answer
                .headers
                .iter()
                .any(|(name, value)| holds(name.as_bytes(), word) || holds(value.as_bytes(), word));
            if in_head || holds(&answer.body, word) {
                let place = if in_head { "headers" } else { "body" };
                let line = format!("{what}: the answer's {place} repeat {name}");
                self.journal().silence.object(line);
            }
        }
    }

    /// A path for a message: queries may be long.
    fn shortened(&self, path: &str) -> String {
        let path = path.replace(&self.canaries.said, "CANARY");
        match path.char_indices().nth(60) {
            Some((end, _)) => format!("{}...", &path[..end]),
            None => path,
        }
    }

    /// Waits until `holds` or the patience ends; whether it did.
    pub(super) fn wait_until(&self, mut holds: impl FnMut() -> bool) -> bool {
        let begin = Instant::now();
        loop {
            if holds() {
                return true;
            }
            if begin.elapsed() > self.patience {
                return false;
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Background removal.
pub(super) const CUT: &str = "/v1/remove-background";
/// Restoration that changes nothing: it decodes and encodes, and runs no model.
pub(super) const PASS: &str = "/v1/restore?strength=0";
/// The header of a picture.
pub(super) const INSPECT: &str = "/v1/inspect";
