//! The routes that take a picture: receive, prepare, queue, answer.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header,
    web::{self, Data, Payload},
};
use tokio::{sync::oneshot, time::timeout};
use uuid::Uuid;

use super::{
    AppState,
    auth::{self, Pass},
    body::Guarded,
    due::Due,
    error::{problem, status},
    guard::{Gate, caught},
    receipt::receipted,
    upload::{self, Expected, Upload},
};
use crate::{
    config::Settings,
    ephemeral::{Ephemeral, Lease, Reason, Spool},
    error::Error,
    harden::{
        fault::{self, Place},
        stack::scrubbed,
    },
    job::{self, Accept, Answer, Answered, Input, Job, Site},
    observe::Request,
    ops::{self, Plan, Recipe},
    progress::Progress,
};

/// Query parameters at most; as many as form fields.
const MAX_PAIRS: usize = 32;

/// Answers a request for one operation, or for a list of them.
pub async fn operate(
    recipe: Recipe,
    http: HttpRequest,
    payload: Payload,
    state: Data<AppState>,
) -> HttpResponse {
    operate_telling(recipe, http, payload, state, |_, _| {}).await
}

/// The same, with more to `tell` in the head of a picture's answer.
pub(super) async fn operate_telling(
    recipe: Recipe,
    http: HttpRequest,
    payload: Payload,
    state: Data<AppState>,
    tell: fn(&mut HttpResponseBuilder, &Request),
) -> HttpResponse {
    let work = async |mut request: Request, spool| {
        let watched = match state.board.put_up(&http) {
            Ok(watched) => watched,
            Err(error) => return failed(&error, request),
        };
        let work = async {
            let told = &watched.progress;
            let work = process(recipe, &http, payload, &state, &spool, told, &mut request);
            let (answer, lease) = work.await?;
            let mut head = head(&answer, &request);
            tell(&mut head, &request);
            Ok((head, answer.bytes, lease))
        };
        match caught(work).await {
            Ok((mut head, bytes, lease)) => head.body(Guarded::new(bytes, lease, request)),
            Err(error) => failed(&error, request),
        }
    };
    receipted(&http, &state, recipe.name(), failed, work).await
}

async fn process(
    recipe: Recipe,
    http: &HttpRequest,
    payload: Payload,
    state: &Data<AppState>,
    spool: &Spool,
    told: &Progress,
    request: &mut Request,
) -> Result<(Answer, Lease), Error> {
    // A wrong query or header is refused before the body is read.
    Due::of(http)?;
    let query = query_pairs(http)?;
    if recipe.plan(pairs(&query))?.is_some() {
        checked(recipe, pairs(&query), &Pass::of(http), state)?;
    }
    let expected = Expected::one(recipe.files(), &state.settings);
    told.begin("upload", 0);
    let mut upload = receive(http, payload, expected, state, spool, request).await?;
    let all = query
        .iter()
        .chain(&upload.options)
        .map(|(n, v)| (n.as_str(), v.as_str()));
    let plan = checked(recipe, all, &Pass::of(http), state);
    let plan = plan.inspect_err(|error| upload.set_reason(error.into()))?;
    let accept = http.headers().get(header::ACCEPT);
    let accept = Accept::of(accept.map(|value| value.as_bytes()));
    carry(http, upload, (plan, accept), state, told, request).await
}

/// Carries what was received through preparation, the queue and a worker.
pub(super) async fn carry(
    http: &HttpRequest,
    upload: Upload,
    (plan, accept): (Plan, Accept),
    state: &Data<AppState>,
    told: &Progress,
    request: &mut Request,
) -> Result<(Answer, Lease), Error> {
    let is_long = plan.is_long();
    let (picture, files) = upload.into_inputs()?;
    let mut job = prepare(picture, files, plan, accept, state).await?;
    request.picture = Some(job.picture());
    auth::charge(http, job.picture()).inspect_err(|error| job.set_reason(error.into()))?;
    let settings = &state.settings;
    let job = match is_long {
        true => job.within(settings.long_timeout, "--long-timeout"),
        false => job.within(settings.timeout, "--timeout"),
    };
    told.begin("queue", 0);
    let job = job.telling(told.clone());
    let (result, stages) = queued(job, Due::of(http)?, state).await?;
    request.stages.extend(&stages);
    let (answer, lease) = result?;
    request.model = answer.model.as_ref().map(|(name, _)| name.clone());
    Ok((answer, lease))
}

/// The plan that the options write, if it can be run here and the key allows it.
pub(super) fn checked<'a>(
    recipe: Recipe,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
    pass: &Pass,
    state: &AppState,
) -> Result<Plan, Error> {
    let list = || Error::bad_value(ops::OPS.name, ops::OPS.kind.expects());
    let plan = recipe.plan(pairs)?.ok_or_else(list)?;
    pass.permit(&plan)?;
    plan.check(&state.engine)?;
    Ok(plan)
}

/// Admits and receives a body.
pub(super) async fn receive(
    http: &HttpRequest,
    payload: Payload,
    expected: Expected,
    state: &AppState,
    spool: &Spool,
    request: &mut Request,
) -> Result<Upload, Error> {
    let permit = state.gate.admit(http)?;
    let start = std::time::Instant::now();
    let received = upload::receive(http, payload, expected, state.door(), spool).await;
    drop(permit);
    request.stages.add("upload", start.elapsed());
    let upload = received?;
    request.bytes_in = upload.size();
    Ok(upload)
}

/// Reads the headers on a thread that may wait for memory, not on one that serves connections.
pub(super) async fn prepare(
    picture: Ephemeral,
    files: Vec<(&'static str, Input)>,
    plan: Plan,
    accept: Accept,
    state: &Data<AppState>,
) -> Result<Job, Error> {
    let state = state.clone();
    let prepare = move || {
        let limits = &state.settings.engine.limits();
        let site = Site {
            limits,
            budget: state.budget.total(),
            engine: &state.engine,
        };
        Job::prepare(Input::Spooled(picture), files, plan, accept, &site)
    };
    let prepared = web::block(|| scrubbed(prepare));
    prepared.await.map_err(|_| Error::Internal)?
}

/// Waits for the job's answer. Dropping this future takes the job out of the queue, or tells it
/// to stop at its next checkpoint; so do the end of the service and that of the client's patience,
/// which are answered when the inputs are gone: what is being decoded is decoded to its end.
pub(super) async fn queued(job: Job, due: Due, state: &AppState) -> Result<Answered, Error> {
    let (deliver, mut answered) = oneshot::channel();
    let (held, ended) = oneshot::channel::<()>();
    let job = job.holding(held);
    let ticket = state.workers.submit(job, move |answer| {
        // Where the receiver is gone nobody waits, and the answer is dropped here.
        let _ = deliver.send(answer);
    })?;
    let answer = async {
        match timeout(state.settings.queue_wait, &mut answered).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                ticket.expire(state.settings.queue_wait)?;
                Ok(answered.await)
            }
        }
    };
    let (reason, error) = tokio::select! {
        biased;
        answer = answer => return answer?.map_err(|_| Error::Internal),
        () = state.gate.closed() => (Reason::Shutdown, Error::ShuttingDown),
        error = due.passed() => (Reason::Deadline, error),
    };
    ticket.withdraw(reason);
    drop(ticket);
    // Nothing is ever sent: it ends when the job lets go of the other end.
    let _ = ended.await;
    Err(error)
}

/// The head of an answer that is a picture.
pub(super) fn head(answer: &Answer, request: &Request) -> HttpResponseBuilder {
    fault::pass(Place::Response);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, answer.mime))
        .insert_header(("X-Request-Id", request.id.as_str()))
        .insert_header(("Server-Timing", request.stages.server_timing()))
        .insert_header(("X-Image-Width", answer.width))
        .insert_header(("X-Image-Height", answer.height));
    if let Some((model, license)) = &answer.model {
        response.insert_header(("X-Model", model.as_str()));
        response.insert_header(("X-Model-License", license.as_str()));
    }
    if let Some(report) = &answer.report {
        response.insert_header(("X-Restoration-Report", report.as_str()));
    }
    if let Some(confidence) = answer.confidence {
        response.insert_header(("X-Mask-Confidence", format!("{confidence:.3}")));
    }
    response
}

/// The answer to a request that failed.
pub(super) fn failed(error: &Error, mut request: Request) -> HttpResponse {
    request.failed(error, status(error).as_u16());
    problem(shown(error), &request.id)
}

/// The error as a client is told it.
pub(super) fn shown(error: &Error) -> &Error {
    // For the books a body that breaks off is a client that is gone. Should somebody still be
    // there to read, it is one that has sent no end, or chunks that are none.
    match error {
        Error::Cancelled => {
            &Error::MalformedRequest("The body breaks off, or its chunks are broken.")
        }
        other => other,
    }
}

/// `POST /v1/inspect`: what the header of a picture says.
pub async fn inspect(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    let work = async |mut request: Request, spool| {
        let work = inspected(&http, payload, &state, &spool, &mut request);
        match caught(work).await {
            Ok(facts) => {
                let mut response = HttpResponse::Ok();
                response.insert_header(("X-Request-Id", request.id.as_str()));
                response.insert_header(("Server-Timing", request.stages.server_timing()));
                request.succeeded();
                response.json(facts)
            }
            Err(error) => failed(&error, request),
        }
    };
    receipted(&http, &state, "inspect", failed, work).await
}

async fn inspected(
    http: &HttpRequest,
    payload: Payload,
    state: &Data<AppState>,
    spool: &Spool,
    request: &mut Request,
) -> Result<serde_json::Value, Error> {
    if !query_pairs(http)?.is_empty() {
        return Err(no_options());
    }
    let permit = state.gate.admit(http)?;
    let expected = Expected::one(&[], &state.settings);
    let received = upload::receive(http, payload, expected, state.door(), spool).await;
    drop(permit);
    let mut upload = received?;
    request.bytes_in = upload.size();
    if !upload.options.is_empty() {
        upload.set_reason(Reason::Error);
        return Err(no_options());
    }
    let limits = state.settings.engine.limits();
    let (picture, _) = upload.into_inputs()?;
    let inspect = move || job::inspect(Input::Spooled(picture), &limits);
    let read = web::block(|| scrubbed(inspect));
    let (picture, facts) = read.await.map_err(|_| Error::Internal)??;
    request.picture = Some(picture);
    Ok(facts)
}

fn no_options() -> Error {
    Error::UnknownOption {
        known: "none".to_owned(),
        nearest: None,
    }
}

/// The pairs of a request's query.
pub fn query_pairs(http: &HttpRequest) -> Result<Vec<(String, String)>, Error> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(http.query_string())
        .map_err(|_| Error::MalformedRequest("The query is not well-formed."))?
        .into_inner();
    if pairs.len() > MAX_PAIRS {
        return Err(Error::TooManyFields { limit: MAX_PAIRS });
    }
    Ok(pairs)
}

pub(super) fn pairs(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

impl AppState {
    /// The guard of a request that begins now, with a random id.
    pub fn begin(&self, operation: &'static str) -> Request {
        let id = Uuid::new_v4().to_string();
        Request::begin(id, operation, self.metrics.clone(), self.log)
    }

    /// What an upload is held to: the settings, and the gate that may close over it.
    pub fn door(&self) -> (&Settings, &Gate) {
        (&self.settings, &self.gate)
    }
}
