//! The interface of rembg's server (`rembg s`): `POST` and `GET /api/remove`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use serde_json::{Value as Json, json};

use super::{
    super::{
        AppState,
        body::Guarded,
        error::{head, status},
        guard::caught,
        images::{self, query_pairs, shown},
        receipt::Wanted,
        upload::Expected,
    },
    Contract, NO_URLS, SCOPE, truth,
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
};

/// The name in metrics and logs.
const NAME: &str = "rembg";

/// The models that rembg knows by name. One that is not installed here is refused as such, not as
/// a typing error.
const MODELS: &[&str] = &[
    "ben_custom",
    "birefnet-cod",
    "birefnet-dis",
    "birefnet-general",
    "birefnet-general-fp16",
    "birefnet-general-lite",
    "birefnet-hrsod",
    "birefnet-massive",
    "birefnet-portrait",
    "bria-rmbg",
    "dis_custom",
    "isnet-anime",
    "isnet-general-use",
    "sam",
    "silueta",
    "u2net",
    "u2net_cloth_seg",
    "u2net_custom",
    "u2net_human_seg",
    "u2netp",
    "withoutbg",
];
/// rembg's default, of old and since 2.0.80. Many clients send the default by its name, and mean
/// no more by it than by sending none.
const DEFAULTS: &[&str] = &["u2net", "bria-rmbg"];

const fn field(
    name: &'static str,
    default: &'static str,
    kind: options::Kind,
    doc: &'static str,
) -> Spec {
    Spec {
        name,
        default,
        kind,
        doc,
    }
}

/// Its parameters, which it takes in the form and in the query.
const FIELDS: &[Spec] = &[
    field(
        "model",
        "",
        options::Kind::Text("the name of an installed model", "u2net"),
        "Model to use; rembg's own defaults mean the default of this service.",
    ),
    field(
        "a",
        "false",
        options::Kind::Flag,
        "Alpha matting: edges are decided by the picture, within a trimap.",
    ),
    field(
        "af",
        "240",
        options::Kind::Integer(0, 255),
        "Alpha matting: mask values above it are subject.",
    ),
    field(
        "ab",
        "10",
        options::Kind::Integer(0, 255),
        "Alpha matting: mask values below it are background.",
    ),
    field(
        "ae",
        "10",
        options::Kind::Integer(0, i64::MAX),
        "Alpha matting: both are taken back by a square of so many pixels.",
    ),
    field(
        "om",
        "false",
        options::Kind::Flag,
        "Answer with the mask only.",
    ),
    field(
        "ppm",
        "false",
        options::Kind::Flag,
        "Post-process the mask: no specks, a smooth outline, two values.",
    ),
    field(
        "bgc",
        "",
        options::Kind::Text("`R,G,B,A`, each from 0 to 255", "255,255,255,255"),
        "Background colour; not with `om`.",
    ),
    field(
        "dc",
        "false",
        options::Kind::Flag,
        "Decontaminate edges; always done here.",
    ),
    field(
        "vm",
        "false",
        options::Kind::Flag,
        "Refine edges with ViTMatte; always refined here, by another method.",
    ),
    field(
        "extras",
        "",
        options::Kind::Text("JSON", "{}"),
        "Further parameters of rembg's sessions; ignored.",
    ),
];

const FILES: &[(&str, &str)] = &[("file", "The picture.")];
const ERRORS: &[(&str, &str)] = &[
    (
        "400",
        "The request is wrong, or asks for a URL to be fetched.",
    ),
    (
        "401",
        "An API key is needed, or the one sent is not known; see WWW-Authenticate.",
    ),
    ("403", "The API key does not allow this operation."),
    ("408", "The upload was too slow."),
    ("413", "The body is too large."),
    ("415", "The format is unknown or disabled."),
    (
        "422",
        "A parameter is wrong, or the picture cannot be worked on.",
    ),
    (
        "429",
        "Too fast, or the key's megapixels are used up; see Retry-After.",
    ),
    ("500", "The service failed."),
    ("503", "The service is full or stopping; see Retry-After."),
    ("504", "The work took too long."),
    ("507", "The spool is full; see Retry-After."),
];

/// `POST /api/remove`.
pub const POST: Contract = Contract {
    operation: NAME,
    scope: SCOPE,
    refuse,
    fields: FIELDS,
    query: true,
    files: FILES,
    bodies: &[],
    answers: &["image/png"],
    errors: ERRORS,
    error: "RembgError",
};
/// `GET /api/remove`, which fetches nothing.
pub const GET: Contract = Contract {
    files: &[],
    answers: &[],
    errors: &[
        ("400", "URL input is disabled on this server."),
        (
            "401",
            "An API key is needed, or the one sent is not known; see WWW-Authenticate.",
        ),
        ("403", "The API key does not allow this operation."),
        ("422", "A parameter is missing or wrong."),
        ("429", "Too fast; see Retry-After."),
    ],
    ..POST
};

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

/// One wrong parameter, in the shape of FastAPI's validation errors.
struct Invalid {
    kind: &'static str,
    place: &'static str,
    name: &'static str,
    message: String,
    context: Option<Json>,
}

impl Invalid {
    fn missing(place: &'static str, name: &'static str) -> Self {
        Self {
            kind: "missing",
            place,
            name,
            message: "Field required".to_owned(),
            context: None,
        }
    }

    /// `input` is where FastAPI repeats what was sent; this service repeats nothing.
    fn json(&self) -> Json {
        let mut json = json!({
            "type": self.kind,
            "loc": [self.place, self.name],
            "msg": self.message,
            "input": null,
        });
        if let Some(context) = &self.context {
            json["ctx"] = context.clone();
        }
        json
    }
}

/// `POST /api/remove`.
pub async fn post(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    let mut request = state.begin(NAME);
    let wanted = match Wanted::read(&http, state.signer.as_ref()) {
        Ok(wanted) => wanted,
        Err(error) => return refused(&error.into(), request),
    };
    let spool = state.spool_for(wanted.as_ref());
    let work = async { Ok(process(&http, payload, &state, &spool, &mut request).await) };
    let done = caught(work).await.unwrap_or_else(|error| Err(error.into()));
    let mut response = match done {
        Ok((answer, lease)) => {
            images::head(&answer, &request).body(Guarded::new(answer.bytes, lease, request))
        }
        Err(refusal) => refused(&refusal, request),
    };
    if let Some(wanted) = wanted {
        wanted.put_into(&mut response);
    }
    response
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
    Ok(images::carry(http, upload, (plan, Accept::Any), state, request).await?)
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

/// The parameters of a request.
struct Sent<'a> {
    query: &'a [(String, String)],
    form: &'a [(String, String)],
}

/// A parameter that was sent: where, and its text.
type Found<'a> = (&'static str, &'a str);

impl<'a> Sent<'a> {
    /// A parameter by name. A field of the form wins, of several the last one does; empty is absent.
    fn find(&self, name: &str) -> Option<Found<'a>> {
        let last = |pairs: &'a [(String, String)]| {
            let mut found = pairs.iter().rev().filter(|(sent, _)| sent == name);
            found
                .next()
                .map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        let form = last(self.form).map(|value| ("body", value));
        form.or_else(|| last(self.query).map(|value| ("query", value)))
    }

    /// What the parameters mean in options of ours; every wrong one where some are.
    fn pairs(&self, engine: &Engine) -> Result<Vec<(&'static str, String)>, Vec<Invalid>> {
        let mut invalid = Vec::new();
        let mut flag = |name| {
            self.flag(name).unwrap_or_else(|e| {
                invalid.push(e);
                false
            })
        };
        let (matting, only_mask, postprocess) = (flag("a"), flag("om"), flag("ppm"));
        // What they ask for is always done.
        let _ = (flag("dc"), flag("vm"));
        let mut whole = |name| {
            self.whole(name).unwrap_or_else(|e| {
                invalid.push(e);
                0
            })
        };
        let (subject, ground, erode) = (whole("af"), whole("ab"), whole("ae"));
        let model = self.model(engine).unwrap_or_else(|e| {
            invalid.push(e);
            None
        });
        let color = self.color().unwrap_or_else(|e| {
            invalid.push(e);
            None
        });
        if !invalid.is_empty() {
            return Err(invalid);
        }
        let mut pairs = vec![("format", "png".to_owned())];
        if let Some(model) = model {
            pairs.push(("model", model.to_owned()));
        }
        if matting {
            // A square larger than most pictures is as good as any larger one.
            let erode = erode.min(1000);
            pairs.push(("trimap", format!("{subject},{ground},{erode}")));
        }
        if postprocess {
            pairs.push(("postprocess", "true".to_owned()));
        }
        match color {
            _ if only_mask => pairs.push(("output", "mask".to_owned())),
            Some([r, g, b, a]) => {
                pairs.push(("background", format!("#{r:02x}{g:02x}{b:02x}{a:02x}")));
            }
            None => {}
        }
        Ok(pairs)
    }

    fn flag(&self, name: &'static str) -> Result<bool, Invalid> {
        let Some((place, text)) = self.find(name) else {
            return Ok(false);
        };
        truth(text).ok_or_else(|| Invalid {
            kind: "bool_parsing",
            place,
            name,
            message: "Input should be a valid boolean, unable to interpret input".to_owned(),
            context: None,
        })
    }

    fn whole(&self, name: &'static str) -> Result<i64, Invalid> {
        let spec = FIELDS.iter().find(|spec| spec.name == name);
        let (default, low, high) = match spec.map(|spec| (spec.default.parse(), spec.kind)) {
            Some((Ok(default), options::Kind::Integer(low, high))) => (default, low, high),
            _ => (0, i64::MIN, i64::MAX),
        };
        let Some((place, text)) = self.find(name) else {
            return Ok(default);
        };
        let invalid = |kind, message: String, context| Invalid {
            kind,
            place,
            name,
            message,
            context,
        };
        let parsed: Result<i64, _> = text.trim().parse();
        match parsed {
            Err(_) => Err(invalid(
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer".to_owned(),
                None,
            )),
            Ok(number) if number < low => Err(invalid(
                "greater_than_equal",
                format!("Input should be greater than or equal to {low}"),
                Some(json!({ "ge": low })),
            )),
            Ok(number) if number > high => Err(invalid(
                "less_than_equal",
                format!("Input should be less than or equal to {high}"),
                Some(json!({ "le": high })),
            )),
            Ok(number) => Ok(number),
        }
    }

    /// The model that is asked for; `None` for the default.
    fn model(&self, engine: &Engine) -> Result<Option<&'a str>, Invalid> {
        let Some((place, name)) = self.find("model") else {
            return Ok(None);
        };
        if engine.entry(Task::Cutout, Some(name)).is_ok() {
            return Ok(Some(name));
        }
        if DEFAULTS.contains(&name) {
            return Ok(None);
        }
        let installed = installed(engine).join(", ");
        let (kind, message) = match MODELS.iter().find(|known| **known == name) {
            // Its name is one of ours here, not a repetition.
            Some(known) => (
                "value_error",
                format!(
                    "The model {known} is not installed on this server. Installed are: \
                     {installed}. The operator adds one with --model {known}=FILE"
                ),
            ),
            None => (
                "string_pattern_mismatch",
                format!("There is no such model. Installed are: {installed}"),
            ),
        };
        Err(Invalid {
            kind,
            place,
            name: "model",
            message,
            context: None,
        })
    }

    fn color(&self) -> Result<Option<[u8; 4]>, Invalid> {
        let Some((place, text)) = self.find("bgc") else {
            return Ok(None);
        };
        let words: Result<Vec<u8>, _> = text.split(',').map(|word| word.trim().parse()).collect();
        match words.as_deref() {
            Ok(&[r, g, b, a]) => Ok(Some([r, g, b, a])),
            Ok(&[r, g, b]) => Ok(Some([r, g, b, 255])),
            _ => Err(Invalid {
                kind: "value_error",
                place,
                name: "bgc",
                message: "Input should be R,G,B,A, each a whole number from 0 to 255".to_owned(),
                context: None,
            }),
        }
    }
}

/// The names of the models that can be asked for.
fn installed(engine: &Engine) -> Vec<&str> {
    let models = engine.models();
    models
        .filter(|(entry, loaded, _)| *loaded && entry.task == Task::Cutout)
        .map(|(entry, ..)| entry.name.as_str())
        .collect()
}

/// The answer to a request that failed, in FastAPI's shape.
fn refused(refusal: &Refusal, mut request: Request) -> HttpResponse {
    match refusal {
        Refusal::Failed(error) => {
            request.failed(error, status(error).as_u16());
            refuse(shown(error), &request.id)
        }
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

/// An error with a sentence as its detail.
fn refuse(error: &Error, request_id: &str) -> HttpResponse {
    let detail = json!({ "detail": error.to_string() });
    head(error, status(error), request_id).json(detail)
}
