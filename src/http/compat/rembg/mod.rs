//! The interface of rembg's server (`rembg s`): `POST` and `GET /api/remove`.

mod contract;
mod sent;

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use serde_json::json;

use super::{
    super::{
        AppState,
        body::Guarded,
        error::{head, status},
        guard::caught,
        images::{self, query_pairs, shown},
        receipt::receipted,
        upload::Expected,
    },
    NO_URLS,
};
use crate::{
    engine::Engine,
    ephemeral::{Lease, Reason, Spool},
    error::Error,
    job::{Accept, Answer},
    observe::Request,
    ops::{Kind, Plan},
    progress::Progress,
};
use contract::NAME;
pub use contract::{GET, POST};
use sent::{Invalid, Sent};

/// Why a request is not answered with a picture.
enum Refusal {
    /// Parameters are wrong.
    Invalid(Vec<Invalid>),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::MissingPicture => Self::Invalid(vec![Invalid::missing("body", "file")]),
            other => Self::Failed(other),
        }
    }
}

/// `POST /api/remove`.
pub async fn post(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    let work = async |mut request: Request, spool| {
        let work = async {
            let done = process(&http, payload, &state, &spool, &mut request).await;
            Ok(done.map(|(answer, lease)| (images::head(&answer, &request), answer.bytes, lease)))
        };
        match caught(work).await.unwrap_or_else(|error| Err(error.into())) {
            Ok((mut head, bytes, lease)) => head.body(Guarded::new(bytes, lease, request)),
            Err(refusal) => refused(&refusal, request),
        }
    };
    receipted(&http, &state, NAME, failed, work).await
}

/// `GET /api/remove?url=`: nothing is fetched from anywhere.
pub async fn get(http: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let request = state.begin(NAME);
    let refusal = match query_pairs(&http) {
        Err(error) => error.into(),
        Ok(query) => {
            let sent = Sent {
                query: &query,
                form: &[],
            };
            let mut invalid = sent.pairs(&state.engine).err().unwrap_or_default();
            if sent.find("url").is_none() {
                invalid.insert(0, Invalid::missing("query", "url"));
            }
            match invalid.is_empty() {
                true => Refusal::Failed(Error::MalformedRequest(NO_URLS)),
                false => Refusal::Invalid(invalid),
            }
        }
    };
    refused(&refusal, request)
}

async fn process(
    http: &HttpRequest,
    payload: Payload,
    state: &Data<AppState>,
    spool: &Spool,
    request: &mut Request,
) -> Result<(Answer, Lease), Refusal> {
    let query = query_pairs(http)?;
    let expected = Expected::of_peer(&[], &[], &[], &state.settings);
    let mut upload = images::receive(http, payload, expected, state, spool, request).await?;
    let sent = Sent {
        query: &query,
        form: &upload.options,
    };
    let plan = plan(&sent, !upload.pictures.is_empty(), &state.engine);
    let plan = plan.inspect_err(|_| upload.set_reason(Reason::Error))?;
    Ok(images::carry(
        http,
        upload,
        (plan, Accept::Any),
        state,
        &Progress::default(),
        request,
    )
    .await?)
}

fn plan(sent: &Sent<'_>, has_picture: bool, engine: &Engine) -> Result<Plan, Refusal> {
    let (pairs, mut invalid) = match sent.pairs(engine) {
        Ok(pairs) => (pairs, Vec::new()),
        Err(invalid) => (Vec::new(), invalid),
    };
    if !has_picture {
        invalid.insert(0, Invalid::missing("body", "file"));
    }
    if !invalid.is_empty() {
        return Err(Refusal::Invalid(invalid));
    }
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let plan = Plan::single(Kind::RemoveBackground, pairs)?;
    plan.check(engine)?;
    Ok(plan)
}

/// The answer to a request that failed, in FastAPI's shape.
fn refused(refusal: &Refusal, mut request: Request) -> HttpResponse {
    match refusal {
        Refusal::Failed(error) => failed(error, request),
        Refusal::Invalid(invalid) => {
            let first = invalid.first().map_or("file", |first| first.name);
            let error = match first {
                "file" | "url" => Error::MissingPicture,
                name => Error::bad_value(name, ""),
            };
            let all: Vec<_> = invalid.iter().map(Invalid::json).collect();
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            request.failed(&error, status.as_u16());
            head(&error, status, &request.id).json(json!({ "detail": all }))
        }
    }
}

/// The same where it is not for its parameters.
fn failed(error: &Error, mut request: Request) -> HttpResponse {
    request.failed(error, status(error).as_u16());
    answered(shown(error), &request.id)
}

/// The answer to a request that is refused before its picture is looked at.
fn refuse(_: &HttpRequest, error: &Error, request_id: &str) -> HttpResponse {
    answered(error, request_id)
}

/// An error with a sentence as its detail.
fn answered(error: &Error, request_id: &str) -> HttpResponse {
    let detail = json!({ "detail": error.to_string() });
    head(error, status(error), request_id).json(detail)
}
