//! The interface of withoutBG: its server's `POST /v1/remove-background`, which is a route of ours
//! too, `/health`, `/ready` and `/v1/licenses`, and its cloud's `POST /v1.0/alpha-channel-base64`.

mod contract;
mod refusal;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header,
    web::{Data, Payload},
};
use serde_json::json;

use super::{
    super::{
        AppState,
        body::{Guarded, Part},
        guard::caught,
        images::{self, query_pairs},
        receipt::receipted,
        upload::Expected,
    },
    bodies::{Form, Reader},
    is_json,
};
use crate::{
    engine::manifest::Task,
    ephemeral::{Lease, Reason, Spool},
    error::Error,
    job::{Accept, Answer},
    observe::Request,
    ops::{Kind, Plan, Recipe},
    progress::Progress,
};
pub use contract::{ALPHA, REMOVE};
use contract::{IMAGE, IMAGE_BASE64, NAME};
use refusal::refused;

/// Where the terms of this program and of its models are.
const LICENSE: (&str, &str) = ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0");

/// A request that is withoutBG's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// JSON in, cutout and matte in JSON out.
    Json,
    /// A picture in, a PNG out: the matte, or the cutout.
    Binary { matte: bool },
    /// The cloud's: JSON in, the matte in JSON out.
    Cloud,
}

impl Shape {
    /// What a request to `POST /v1/remove-background` is; none where a client of ours could have
    /// sent it. That route of ours takes no JSON, and its `output` has neither of these words.
    fn of(http: &HttpRequest) -> Option<Self> {
        if is_json(http) {
            return Some(Self::Json);
        }
        let query = query_pairs(http).ok()?;
        let [(name, value)] = query.as_slice() else {
            return None;
        };
        match value.to_ascii_lowercase().as_str() {
            _ if name != "output" => None,
            "matte" => Some(Self::Binary { matte: true }),
            "processed" => Some(Self::Binary { matte: false }),
            _ => None,
        }
    }

    /// The member of a JSON body that holds the picture, where one does.
    fn encoded(self) -> Option<&'static str> {
        match self {
            Self::Json => Some(IMAGE),
            Self::Cloud => Some(IMAGE_BASE64),
            Self::Binary { .. } => None,
        }
    }

    /// The plan, and what is written.
    fn plan(self) -> Result<(Plan, Accept), Error> {
        let (output, format, accept) = match self {
            Self::Json => ("cutout", "auto", Accept::PngAndMatte),
            Self::Binary { matte: false } => ("cutout", "png", Accept::Any),
            Self::Binary { matte: true } | Self::Cloud => ("mask", "png", Accept::Any),
        };
        let pairs = [("output", output), ("format", format)];
        Ok((Plan::single(Kind::RemoveBackground, pairs)?, accept))
    }
}

/// `POST /v1/remove-background`: as withoutBG's server where the request can only be meant for it,
/// else as ours, with one header more.
pub async fn remove(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    match Shape::of(&http) {
        Some(shape) => answer(shape, http, payload, state).await,
        None => {
            let recipe = Recipe::Single(Kind::RemoveBackground);
            images::operate_telling(recipe, http, payload, state, tell_latency).await
        }
    }
}

/// `POST /v1.0/alpha-channel-base64`.
pub async fn alpha(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    answer(Shape::Cloud, http, payload, state).await
}

async fn answer(
    shape: Shape,
    http: HttpRequest,
    payload: Payload,
    state: Data<AppState>,
) -> HttpResponse {
    let refuse = |error: &Error, request| refused(shape, error, request);
    let work = async |mut request: Request, spool| {
        let work = async {
            let work = process(shape, &http, payload, &state, &spool, &mut request);
            let (answer, lease) = work.await?;
            let mut head = images::head(&answer, &request);
            tell_latency(&mut head, &request);
            Ok((head, answer, lease))
        };
        match caught(work).await {
            Ok((head, answer, lease)) => written(shape, head, answer, lease, request),
            Err(error) => refuse(&error, request),
        }
    };
    receipted(&http, &state, NAME, refuse, work).await
}

async fn process(
    shape: Shape,
    http: &HttpRequest,
    payload: Payload,
    state: &Data<AppState>,
    spool: &Spool,
    request: &mut Request,
) -> Result<(Answer, Lease), Error> {
    let (plan, accept) = shape.plan()?;
    plan.check(&state.engine)?;
    let whole = match shape {
        Shape::Binary { .. } => &[],
        Shape::Json | Shape::Cloud => &Form::TYPES[..1],
    };
    let expected = Expected::of_peer(&[], &[], whole, &state.settings);
    let mut upload = images::receive(http, payload, expected, state, spool, request).await?;
    if let Some(encoded) = shape.encoded() {
        if !is_json(http) {
            upload.set_reason(Reason::Error);
            return Err(Error::MalformedRequest("The body is not application/json."));
        }
        let reader = Reader {
            form: Form::Json,
            encoded,
            spool: spool.clone(),
            limit: state.settings.max_upload.0,
        };
        upload = reader.read(upload).await?;
        let decoded = upload.take(encoded);
        upload.pictures.extend(decoded);
    }
    let told = &Progress::default();
    images::carry(http, upload, (plan, accept), state, told, request).await
}

/// The answer in its shape.
fn written(
    shape: Shape,
    mut head: HttpResponseBuilder,
    answer: Answer,
    lease: Lease,
    request: Request,
) -> HttpResponse {
    const URL: &str = "data:image/png;base64,";
    let parts: Vec<Part> = match shape {
        Shape::Binary { .. } => return head.body(Guarded::new(answer.bytes, lease, request)),
        Shape::Cloud => vec![
            "{\"alpha_base64\":\"".to_owned().into(),
            Part::encoded(answer.bytes),
            "\"}".to_owned().into(),
        ],
        Shape::Json => vec![
            format!("{{\"processed\":\"{URL}").into(),
            Part::encoded(answer.bytes),
            format!("\",\"alphaMatte\":\"{URL}").into(),
            Part::encoded(answer.matte.unwrap_or_default()),
            format!("\",\"latencyMs\":{}}}", latency_ms(&request)).into(),
        ],
    };
    head.insert_header((header::CONTENT_TYPE, Form::TYPES[0]));
    head.body(Guarded::of(parts, lease, request))
}

/// Milliseconds of work on a picture, without its upload and its wait.
fn latency_ms(request: &Request) -> u128 {
    let stages = request.stages.iter();
    let work = stages.filter(|(name, _)| !["upload", "queue"].contains(name));
    let time: std::time::Duration = work.map(|(_, time)| time).sum();
    time.as_millis()
}

fn tell_latency(head: &mut HttpResponseBuilder, request: &Request) {
    head.insert_header(("X-Latency-Ms", latency_ms(request).to_string()));
}

/// `GET /health`.
pub async fn health(state: Data<AppState>) -> HttpResponse {
    let model = state.engine.entry(Task::Cutout, None);
    HttpResponse::Ok().json(json!({
        "status": "ok",
        "model": model.map_or("none", |entry| entry.name.as_str()),
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

/// `GET /ready`.
pub async fn ready(state: Data<AppState>) -> HttpResponse {
    match state.is_ready() {
        true => HttpResponse::Ok().json(json!({ "status": "ready" })),
        false => HttpResponse::ServiceUnavailable().json(json!({ "status": "not_ready" })),
    }
}

/// `GET /v1/licenses`.
pub async fn licenses(state: Data<AppState>) -> HttpResponse {
    let loaded = state.engine.models().filter(|model| model.loaded);
    let components: Vec<_> = loaded
        .map(|model| {
            json!({
                "name": model.entry.name,
                "license": model.entry.license,
                "links": [],
                "note": model.entry.about,
            })
        })
        .collect();
    let (license, url) = LICENSE;
    HttpResponse::Ok().json(json!({
        "product_version": env!("CARGO_PKG_VERSION"),
        "product_license": license,
        "product_license_url": url,
        "upstream_components": components,
        "third_party_notices_path": "/v1/models",
    }))
}
