//! The interface of backgroundremover's server: `POST` and `GET /`, of which the latter is the demo
//! page here unless a URL is to be fetched.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use serde_json::json;

use super::{
    super::{
        AppState,
        body::Guarded,
        error::{self, head, status},
        guard::caught,
        images::{self, pairs, query_pairs, shown},
        receipt::receipted,
        service, statuses,
        upload::Expected,
    },
    Contract, NO_URLS, SCOPE, field,
};
use crate::{
    engine::{Engine, manifest::Task},
    ephemeral::{Lease, Reason, Spool},
    error::Error,
    job::{Accept, Answer},
    observe::Request,
    ops::{
        Kind, Plan,
        options::{self, Spec},
    },
    progress::Progress,
};

/// The name in metrics and logs.
const NAME: &str = "backgroundremover";
/// Its default model. Clients send it by its name, and mean no more than by sending none.
const DEFAULT: &str = "u2net";
/// A square larger than most pictures is as good as any larger one.
const MAX_ERODE: i64 = 1000;

const WHOLE: options::Kind =
    options::Kind::Text("a whole number; anything else is the default", "");
const FIELDS: &[Spec] = &[
    field(
        "model",
        DEFAULT,
        options::Kind::Text("the name of an installed model", DEFAULT),
        "Model to use; its default means the default of this service.",
    ),
    field(
        "a",
        "",
        options::Kind::Text("anything", "true"),
        "Alpha matting, where it is there: edges are decided by the picture, within a trimap.",
    ),
    field(
        "af",
        "240",
        WHOLE,
        "Alpha matting: mask values above it are subject.",
    ),
    field(
        "ab",
        "10",
        WHOLE,
        "Alpha matting: mask values below it are background.",
    ),
    field(
        "ae",
        "10",
        WHOLE,
        "Alpha matting: both are taken back by a square of so many pixels.",
    ),
    field(
        "az",
        "1000",
        WHOLE,
        "Alpha matting at this size; always at the picture's own here.",
    ),
    field(
        "mt",
        "",
        WHOLE,
        "A hard mask: what is above this value of 255, and nothing else.",
    ),
];

/// `POST /`.
pub const POST: Contract = Contract {
    operation: NAME,
    scope: SCOPE,
    refuse,
    fields: FIELDS,
    query: true,
    about: "",
    files: &[("file", "The picture.")],
    bodies: &[],
    answers: &["image/png"],
    errors: statuses::ALL,
    error: "BackgroundremoverError",
};
/// `GET /`, which fetches nothing.
pub const GET: Contract = Contract {
    refuse: error::refuse,
    fields: &[],
    files: &[],
    answers: &["text/html"],
    errors: &[("400", "URL input is disabled on this server.")],
    ..POST
};

/// `POST /`.
pub async fn post(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    let work = async |mut request: Request, spool| {
        let work = async {
            let work = process(&http, payload, &state, &spool, &mut request);
            let (answer, lease) = work.await?;
            Ok((images::head(&answer, &request), answer.bytes, lease))
        };
        match caught(work).await {
            Ok((mut head, bytes, lease)) => head.body(Guarded::new(bytes, lease, request)),
            Err(error) => refused(&error, request),
        }
    };
    receipted(&http, &state, NAME, refused, work).await
}

/// `GET /`: the demo page; with `url`, the refusal to fetch it.
pub async fn get(http: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let query = query_pairs(&http).unwrap_or_default();
    match query.iter().any(|(name, _)| name == "url") {
        true => refused(&Error::MalformedRequest(NO_URLS), state.begin(NAME)),
        false => service::page(http).await,
    }
}

async fn process(
    http: &HttpRequest,
    payload: Payload,
    state: &Data<AppState>,
    spool: &Spool,
    request: &mut Request,
) -> Result<(Answer, Lease), Error> {
    let query = query_pairs(http)?;
    let expected = Expected::of_peer(&[], &[], &[], &state.settings);
    let mut upload = images::receive(http, payload, expected, state, spool, request).await?;
    let sent: Vec<_> = pairs(&query).chain(pairs(&upload.options)).collect();
    let plan = match upload.pictures.is_empty() {
        true => Err(Error::MissingPicture),
        false => plan(&sent, &state.engine),
    };
    let plan = plan.inspect_err(|_| upload.set_reason(Reason::Error))?;
    let told = &Progress::default();
    images::carry(http, upload, (plan, Accept::Any), state, told, request).await
}

/// The plan that the parameters write. Of several of a name the first one counts, the query's
/// before the form's; a number that is none is its default, and one out of range is the nearest
/// that is in it. All that is as there.
fn plan(sent: &[(&str, &str)], engine: &Engine) -> Result<Plan, Error> {
    let find = |name: &str| {
        let mut found = sent.iter().filter(|(own, _)| *own == name);
        found.next().map(|(_, value)| value.trim())
    };
    let whole = |name: &str| find(name)?.parse::<i64>().ok();
    let within = |name, default, most| whole(name).unwrap_or(default).clamp(0, most);
    let mut pairs = vec![("format", "png".to_owned())];
    match find("model") {
        None => {}
        Some(name) if engine.entry(Task::Cutout, Some(name)).is_ok() => {
            pairs.push(("model", name.to_owned()));
        }
        Some(DEFAULT) => {}
        Some(_) => return Err(Error::bad_value("model", available(engine))),
    }
    if find("a").is_some() {
        let (subject, ground) = (within("af", 240, 255), within("ab", 10, 255));
        let erode = within("ae", 10, MAX_ERODE);
        pairs.push(("trimap", format!("{subject},{ground},{erode}")));
    }
    if let Some(value) = whole("mt") {
        // What is above the value there is from the value on here.
        let at = (value.clamp(-1, 254) + 1) as f64 / 255.0;
        pairs.push(("threshold", at.to_string()));
    }
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let plan = Plan::single(Kind::RemoveBackground, pairs)?;
    plan.check(engine)?;
    Ok(plan)
}

/// The models that can be asked for, as a list in the words of its server.
fn available(engine: &Engine) -> String {
    let models = engine.models();
    let loaded = models.filter(|model| model.loaded && model.entry.task == Task::Cutout);
    let loaded = loaded.map(|model| model.entry.name.as_str());
    let names = [DEFAULT]
        .into_iter()
        .chain(loaded.filter(|name| *name != DEFAULT));
    let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
}

/// The answer to a request that failed.
fn refused(error: &Error, mut request: Request) -> HttpResponse {
    request.failed(error, status(error).as_u16());
    answered(shown(error), &request.id)
}

/// The answer to a request that is refused before its picture is looked at.
fn refuse(_: &HttpRequest, error: &Error, request_id: &str) -> HttpResponse {
    answered(error, request_id)
}

fn answered(error: &Error, request_id: &str) -> HttpResponse {
    let text = match error {
        Error::MissingPicture => "missing post form param 'file'".to_owned(),
        Error::BadValue {
            option: "model",
            expects,
        } => format!("invalid query param 'model'. Available options are {expects}"),
        other => other.to_string(),
    };
    head(error, status(error), request_id).json(json!({ "error": text }))
}
