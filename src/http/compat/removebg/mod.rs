//! The interface of remove.bg, version 1.0: `POST /v1.0/removebg`, `GET /v1.0/account`,
//! `POST /v1.0/improve`.

mod fields;
mod refusal;
mod sent;
mod wishes;

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header,
    web::{Data, Payload},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    super::{
        AppState,
        body::{Guarded, Part},
        guard::caught,
        images,
        receipt::receipted,
        statuses::{FAILED, LATE, SLOW, Status, TOO_FAST, USED_UP},
        upload::Expected,
    },
    Contract, SCOPE,
    bodies::{Form, Reader},
    header_text, is_json,
};
use crate::{
    ephemeral::{Lease, Reason, Spool},
    error::Error,
    job::{Accept, Answer},
    observe::Request,
    ops::{self, Kind, Plan},
    progress::Progress,
};
use fields::FIELDS;
use refusal::{Place, Refusal};
use wishes::{Sources, Wishes};

/// The name in metrics and logs.
const NAME: &str = "removebg";
/// The field that holds the picture in base64.
const ENCODED: &str = "image_file_b64";
/// The field that holds a background.
const GROUND: &str = "bg_image_file";
const FILES: &[(&str, &str)] = &[
    ("image_file", "The picture; or as `image_file_b64`."),
    (
        GROUND,
        "A picture that the cutout is put on; it covers, centred.",
    ),
];
/// Files beside the picture itself.
const FURTHER: &[(&str, &str)] = &[(ENCODED, ""), (GROUND, "")];
/// Credits that an account is said to have, and calls that a client may make: there is nothing
/// that counts them, and clients stop where they believe that they have none.
const PLENTY: u64 = 99_999;

const NO_ENTRY: Status = (
    "403",
    "An API key is needed, is not known, or does not allow this.",
);
const ERRORS: &[Status] = &[
    (
        "400",
        "A field is wrong, or the picture cannot be worked on.",
    ),
    USED_UP,
    NO_ENTRY,
    SLOW,
    ("429", "Too fast, or the service is full; see Retry-After."),
    FAILED,
    ("503", "The service is about to stop; see Retry-After."),
    LATE,
];

/// `POST /v1.0/removebg`.
pub const REMOVE: Contract = Contract {
    operation: NAME,
    scope: SCOPE,
    refuse: refusal::before,
    fields: FIELDS,
    query: false,
    about: "",
    files: FILES,
    bodies: &Form::TYPES,
    answers: &[
        "image/png",
        "image/jpeg",
        "image/webp",
        "application/zip",
        "application/json",
    ],
    errors: ERRORS,
    error: "RemoveBgErrors",
};
/// `GET /v1.0/account`.
pub const ACCOUNT: Contract = Contract {
    scope: "",
    fields: &[],
    files: &[],
    bodies: &[],
    answers: &["application/json"],
    errors: &[NO_ENTRY, TOO_FAST],
    ..REMOVE
};
/// `POST /v1.0/improve`.
pub const IMPROVE: Contract = Contract {
    answers: &[],
    errors: &[
        NO_ENTRY,
        TOO_FAST,
        ("501", "Refused on purpose: it exists to keep pictures."),
    ],
    ..ACCOUNT
};

/// `POST /v1.0/removebg`.
pub async fn remove(http: HttpRequest, payload: Payload, state: Data<AppState>) -> HttpResponse {
    let refusal = |error: &Error| Refusal::of(error, &Place::at(&state.settings));
    let work = async |mut request: Request, spool| {
        let work = async {
            let done = process(&http, payload, &state, &spool, &mut request).await;
            Ok(done.map(|(answer, lease, wishes)| {
                let (head, around) = head(&http, &answer, &wishes, &request);
                (head, around, answer.bytes, lease)
            }))
        };
        let done = caught(work).await;
        match done.unwrap_or_else(|error| Err(refusal(&error))) {
            Ok((mut head, around, bytes, lease)) => head.body(match around {
                None => Guarded::new(bytes, lease, request),
                Some((before, after)) => {
                    let parts = [before.into(), Part::encoded(bytes), after.into()];
                    Guarded::of(parts, lease, request)
                }
            }),
            Err(refusal) => refusal.answer(request),
        }
    };
    let refuse = |error: &Error, request| refusal(error).answer(request);
    receipted(&http, &state, NAME, refuse, work).await
}

async fn process(
    http: &HttpRequest,
    payload: Payload,
    state: &Data<AppState>,
    spool: &Spool,
    request: &mut Request,
) -> Result<(Answer, Lease, Wishes), Refusal> {
    let place = Place::at(&state.settings);
    let other = |error| Refusal::of(&error, &place);
    let expected = Expected::of_peer(FURTHER, &[ENCODED], &Form::TYPES, &state.settings);
    let mut upload = images::receive(http, payload, expected, state, spool, request)
        .await
        .map_err(other)?;
    if upload.files.iter().any(|(name, _)| *name != GROUND) {
        let reader = Reader {
            form: match is_json(http) {
                true => Form::Json,
                false => Form::Pairs,
            },
            encoded: ENCODED,
            spool: spool.clone(),
            limit: state.settings.max_upload.0,
        };
        let read = reader.read(upload).await;
        upload = read.map_err(|error| Refusal::of(&error, &place.with_header()))?;
    }
    let options = std::mem::take(&mut upload.options);
    let decoded = upload.take(ENCODED);
    let ground = upload.files.iter_mut().find(|(name, _)| *name == GROUND);
    let sources = Sources {
        picture: !upload.pictures.is_empty(),
        encoded: decoded.is_some(),
        ground: ground.is_some(),
    };
    if let Some((name, _)) = ground {
        *name = ops::BACKGROUND;
    }
    upload.pictures.extend(decoded);
    let plan = Wishes::read(&options, &sources).and_then(|wishes| {
        let plan = Plan::single(Kind::RemoveBackground, wishes.pairs()).map_err(other)?;
        plan.check(&state.engine).map_err(other)?;
        let plan = match wishes.says_type {
            true => plan.naming_the_kind(),
            false => plan,
        };
        Ok((plan, wishes))
    });
    let (plan, wishes) = plan.inspect_err(|_| upload.set_reason(Reason::Error))?;
    let carried = images::carry(
        http,
        upload,
        (plan, Accept::PngOrJpeg),
        state,
        &Progress::default(),
        request,
    )
    .await;
    let (answer, lease) = carried.map_err(|error| {
        let mut place = place;
        place.region = wishes.region;
        place.has_header = request.picture.is_some();
        Refusal::of(&error, &place)
    })?;
    Ok((answer, lease, wishes))
}

/// The head of a picture's answer, and what stands around it where it is sent in JSON.
fn head(
    http: &HttpRequest,
    answer: &Answer,
    wishes: &Wishes,
    request: &Request,
) -> (HttpResponseBuilder, Option<(String, String)>) {
    let mut response = images::head(answer, request);
    let (max_width, max_height) = wishes.full_size(answer.full_size);
    rate_limit(&mut response)
        .insert_header(("X-Width", answer.width))
        .insert_header(("X-Height", answer.height))
        .insert_header(("X-Max-Width", max_width))
        .insert_header(("X-Max-Height", max_height))
        .insert_header(("X-Credits-Charged", 0));
    if let Some(kind) = answer.kind {
        response.insert_header(("X-Type", kind));
    }
    let foreground = answer.subject.map(|subject| {
        [
            ("Top", subject.y),
            ("Left", subject.x),
            ("Width", subject.width),
            ("Height", subject.height),
        ]
    });
    for (side, pixels) in foreground.iter().flatten() {
        response.insert_header((format!("X-Foreground-{side}"), *pixels));
    }
    if !wants_json(header_text(http, header::ACCEPT)) {
        return (response, None);
    }
    response.insert_header((header::CONTENT_TYPE, "application/json"));
    let sides = foreground.iter().flatten();
    let sides = sides
        .map(|(side, pixels)| format!(",\"foreground_{}\":{pixels}", side.to_ascii_lowercase()));
    let after = format!("\"{}}}}}", sides.collect::<String>());
    let before = "{\"data\":{\"result_b64\":\"".to_owned();
    (response, Some((before, after)))
}

/// Whether a client asks for JSON. One that would also take anything else, as browsers and some
/// libraries do, is sent the picture.
fn wants_json(accept: &str) -> bool {
    let mut types = accept
        .split(',')
        .map(|part| part.split(';').next().unwrap_or_default().trim());
    let named = types
        .clone()
        .any(|mime| mime.eq_ignore_ascii_case("application/json"));
    named && !types.any(|mime| mime == "*/*")
}

/// What clients read to pace themselves. There is no rate to tell of where no keys are.
fn rate_limit(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let reset = now.map_or(0, |now| now.as_secs() + 60);
    response
        .insert_header(("X-RateLimit-Limit", PLENTY))
        .insert_header(("X-RateLimit-Remaining", PLENTY))
        .insert_header(("X-RateLimit-Reset", reset))
}

/// `GET /v1.0/account`.
pub async fn account() -> HttpResponse {
    let credits = json!({
        "total": PLENTY,
        "subscription": PLENTY,
        "payg": PLENTY,
        "enterprise": PLENTY,
    });
    let api = json!({ "free_calls": PLENTY, "sizes": "all" });
    let attributes = json!({ "credits": credits, "api": api });
    let mut response = HttpResponse::Ok();
    rate_limit(&mut response).json(json!({ "data": { "attributes": attributes } }))
}

/// `POST /v1.0/improve`. Nothing of the body is read.
pub async fn improve(http: HttpRequest) -> HttpResponse {
    let error = Error::RefusedByDesign(
        "This route exists to keep pictures for training, and this service keeps none.",
    );
    refusal::before(&http, &error, &Uuid::new_v4().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_to_who_asks_for_nothing_else() {
        for accept in [
            "application/json",
            "Application/JSON; q=0.9",
            "text/html,application/json",
        ] {
            assert!(wants_json(accept), "{accept}");
        }
        for accept in ["", "*/*", "image/png", "application/json, text/plain, */*"] {
            assert!(!wants_json(accept), "{accept}");
        }
    }
}
