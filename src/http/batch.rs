//! `POST /v1/batch`: several pictures and one plan; the answer is a ZIP whose entries come as they
//! are done.
//!
//! One picture is worked on after the other, and the next one only begins when the answer before it
//! is on its way: a client that reads slowly slows its own batch down, and holds two answers at
//! most. A picture that fails becomes an entry that says why.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
    rt,
    web::{Bytes, Data, Payload},
};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, timeout_at},
};

use super::{
    AppState,
    auth::Pass,
    due::Due,
    error::{problem_text, status},
    guard::caught,
    images::{checked, failed, pairs, prepare, query_pairs, queued},
    upload::{self, Expected},
};
use crate::{
    ephemeral::{Ephemeral, Lease, Reason},
    error::Error,
    harden::stack::scrubbed,
    job::{Accept, Answer, Archive, Input},
    observe::{Request, Stages},
    ops::{Plan, Recipe},
};

/// Bytes of one chunk; as in [`super::body`].
const CHUNK: usize = 16 << 10;

/// What is too late becomes an entry that says so. For so long after the deadline such entries can
/// be handed over; then the archive breaks off.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Answers a batch.
pub async fn run(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    let mut request = state.begin("batch");
    let received = received(&http, payload, &state, &mut request);
    match caught(received).await {
        Ok(mut batch) => {
            batch.id.clone_from(&request.id);
            let (sender, receiver) = mpsc::channel(1);
            let mut response = HttpResponse::Ok();
            response
                .insert_header((header::CONTENT_TYPE, "application/zip"))
                .insert_header(("X-Request-Id", request.id.as_str()))
                .insert_header(("Server-Timing", request.stages.server_timing()));
            rt::spawn(batch.work(sender, state));
            response.body(Streamed::new(receiver, request))
        }
        Err(error) => failed(&error, request),
    }
}

/// Everything that came, and what is to be done with it.
struct Batch {
    pictures: Vec<Ephemeral>,
    files: Vec<(&'static str, Ephemeral)>,
    plan: Plan,
    accept: Accept,
    deadline: Instant,
    limit: Duration,
    setting: &'static str,
    due: Due,
    pass: Pass,
    id: String,
}

async fn received(
    http: &HttpRequest,
    payload: Payload,
    state: &Data<AppState>,
    request: &mut Request,
) -> Result<Batch, Error> {
    let due = Due::of(http)?;
    let query = query_pairs(http)?;
    let pass = Pass::of(http);
    if Recipe::Pipeline.plan(pairs(&query))?.is_some() {
        checked(Recipe::Pipeline, pairs(&query), &pass, state)?;
    }
    let permit = state.gate.admit_batch(http)?;
    let start = std::time::Instant::now();
    let expected = Expected::batch(Recipe::Pipeline.files(), &state.settings);
    let received = upload::receive(http, payload, expected, state.door(), &state.spool).await;
    drop(permit);
    request.stages.add("upload", start.elapsed());
    let mut upload = received?;
    request.bytes_in = upload.size();
    let all = pairs(&query).chain(pairs(&upload.options));
    let names: Vec<_> = upload.files.iter().map(|(name, _)| *name).collect();
    let plan = checked(Recipe::Pipeline, all, &pass, state)
        .and_then(|plan| plan.check_files(&names).map(|()| plan));
    let plan = plan.inspect_err(|error| upload.set_reason(error.into()))?;
    let limit = state.settings.long_timeout;
    let deadline = due.or((Instant::now() + limit, limit, "--long-timeout"));
    let (deadline, limit, setting) = deadline;
    Ok(Batch {
        pictures: upload.pictures,
        files: upload.files,
        plan,
        accept: Accept::of(http.headers().get(header::ACCEPT).map(|v| v.as_bytes())),
        deadline,
        limit,
        setting,
        due,
        pass,
        id: String::new(),
    })
}

impl Batch {
    /// Works until everything is done, the client is gone, or the time is over.
    async fn work(mut self, sender: Sender<Part>, state: Data<AppState>) {
        let mut archive = Archive::default();
        let last = self.deadline + LAST_WORDS;
        let pictures = std::mem::take(&mut self.pictures).into_iter().enumerate();
        let mut pictures = pictures;
        for (i, picture) in pictures.by_ref() {
            // The place of its answer, before it is worked on.
            let place = match timeout_at(last, sender.reserve()).await {
                Ok(Ok(place)) => place,
                Ok(Err(_)) => return,
                Err(_) => {
                    for (_, mut left) in pictures.chain([(i, picture)]) {
                        left.set_reason(Reason::Deadline);
                    }
                    return;
                }
            };
            let mut stages = Stages::default();
            let done = tokio::select! {
                // Dropping the job takes it out of the queue, or stops it.
                () = sender.closed() => return,
                done = self.one(picture, &mut stages, &state) => done,
            };
            place.send(self.part(i, done, stages, &mut archive));
        }
        let end = Part {
            pieces: vec![archive.finish().into()],
            last: true,
            ..Part::default()
        };
        // Where the client is gone, nobody misses it.
        let _ = timeout_at(last, sender.send(end)).await;
    }

    async fn one(
        &mut self,
        mut picture: Ephemeral,
        stages: &mut Stages,
        state: &Data<AppState>,
    ) -> Result<(Answer, Lease), Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            picture.set_reason(Reason::Deadline);
            return Err(Error::DeadlinePassed {
                limit: self.limit,
                setting: self.setting,
            });
        }
        let mut files = Vec::new();
        for (name, file) in &mut self.files {
            files.push((*name, Input::Memory(file.read_all()?)));
        }
        let (plan, accept) = (self.plan.clone(), self.accept);
        let mut job = prepare(picture, files, plan, accept, state).await?;
        let picture = job.picture();
        let charged = self.pass.charge(picture);
        charged.inspect_err(|error| job.set_reason(error.into()))?;
        let done = queued(job.within(left, self.setting), self.due, state).await;
        let result = done.and_then(|(result, times)| {
            stages.extend(&times);
            result
        });
        // The answer is a 200, whatever its entries say, so nobody else gives it back.
        if let Err(error) = &result
            && status(error).is_server_error()
        {
            self.pass.refund(picture);
        }
        result
    }

    /// The entry of a picture: its number, and what became of it.
    fn part(
        &self,
        i: usize,
        done: Result<(Answer, Lease), Error>,
        stages: Stages,
        archive: &mut Archive,
    ) -> Part {
        // Names are numbers: what a client calls its files is its own business.
        let number = i + 1;
        let (name, content, lease) = match done {
            Ok((answer, lease)) => {
                let name = format!("{number:03}.{}", answer.extension);
                (name, answer.bytes, Some(lease))
            }
            Err(error) => {
                let text = problem_text(&error, &self.id);
                (format!("{number:03}.error.json"), text.into_bytes(), None)
            }
        };
        // Its checksum passes the content through the stack of this thread.
        let head = scrubbed(|| archive.entry(&name, &content));
        Part {
            pieces: vec![content.into(), head.into()],
            lease,
            stages,
            last: false,
        }
    }
}

/// A part of the archive, with what holds it.
#[derive(Default)]
struct Part {
    /// The last piece is the first to be sent.
    pieces: Vec<Bytes>,
    lease: Option<Lease>,
    stages: Stages,
    /// Whether the archive ends with it.
    last: bool,
}

/// The archive as the body of an answer. Dropping it tells the work that nobody waits.
struct Streamed {
    receiver: Receiver<Part>,
    part: Part,
    request: Option<Request>,
}

/// The work ended before its archive did.
#[derive(Debug)]
struct Unfinished;

impl std::fmt::Display for Unfinished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the batch was not read in time")
    }
}

impl std::error::Error for Unfinished {}

impl Streamed {
    fn new(receiver: Receiver<Part>, request: Request) -> Self {
        Self {
            receiver,
            part: Part::default(),
            request: Some(request),
        }
    }

    /// The next bytes of the part, and the end of what held them with the last ones.
    fn chunk(&mut self) -> Option<Bytes> {
        let piece = self.part.pieces.last_mut()?;
        let chunk = piece.split_to(piece.len().min(CHUNK));
        if piece.is_empty() {
            self.part.pieces.pop();
        }
        if let Some(request) = &mut self.request {
            request.bytes_out += chunk.len() as u64;
        }
        if self.part.pieces.is_empty() {
            self.part.lease = None;
            if self.part.last
                && let Some(mut request) = self.request.take()
            {
                request.succeeded();
            }
        }
        Some(chunk)
    }
}

impl MessageBody for Streamed {
    type Error = Unfinished;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Unfinished>>> {
        loop {
            match self.chunk() {
                // An empty chunk would end the body.
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => return Poll::Ready(Some(Ok(chunk))),
                None if self.part.last => return Poll::Ready(None),
                None => match self.receiver.poll_recv(context) {
                    Poll::Ready(Some(part)) => {
                        if let Some(request) = &mut self.request {
                            request.stages.merge(&part.stages);
                        }
                        self.part = part;
                    }
                    Poll::Ready(None) => return Poll::Ready(Some(Err(Unfinished))),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}
