//! The routes that take no picture: health, models, documents, the page, metrics.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use uuid::Uuid;

use super::{
    AppState,
    error::{Refuse, problem},
    openapi,
};
use crate::{config::Device, engine::library::Place, error::Error};

/// What the page may load: only from here, and the pictures that it made itself.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; \
                           base-uri 'none'; form-action 'none'";

/// The page and its parts: path, media type, content.
const PAGE: &[(&str, &str, &[u8])] = &[
    (
        "/",
        "text/html; charset=utf-8",
        include_bytes!("page/index.html"),
    ),
    ("/assets/app.css", CSS, include_bytes!("page/app.css")),
    ("/assets/docs.css", CSS, include_bytes!("page/docs.css")),
    ("/assets/forms.css", CSS, include_bytes!("page/forms.css")),
    (
        "/assets/icon.svg",
        "image/svg+xml",
        include_bytes!("page/icon.svg"),
    ),
    (
        "/docs",
        "text/html; charset=utf-8",
        include_bytes!("page/docs.html"),
    ),
    ("/assets/app.js", JS, include_bytes!("page/app.js")),
    (
        "/assets/catalogue.js",
        JS,
        include_bytes!("page/catalogue.js"),
    ),
    ("/assets/compare.js", JS, include_bytes!("page/compare.js")),
    ("/assets/curl.js", JS, include_bytes!("page/curl.js")),
    ("/assets/docs.js", JS, include_bytes!("page/docs.js")),
    ("/assets/fields.js", JS, include_bytes!("page/fields.js")),
    ("/assets/files.js", JS, include_bytes!("page/files.js")),
    ("/assets/inspect.js", JS, include_bytes!("page/inspect.js")),
    ("/assets/jobs.js", JS, include_bytes!("page/jobs.js")),
    ("/assets/key.js", JS, include_bytes!("page/key.js")),
    ("/assets/notice.js", JS, include_bytes!("page/notice.js")),
    (
        "/assets/operations.js",
        JS,
        include_bytes!("page/operations.js"),
    ),
    ("/assets/options.js", JS, include_bytes!("page/options.js")),
    (
        "/assets/pipeline.js",
        JS,
        include_bytes!("page/pipeline.js"),
    ),
    (
        "/assets/progress.js",
        JS,
        include_bytes!("page/progress.js"),
    ),
    ("/assets/report.js", JS, include_bytes!("page/report.js")),
    ("/assets/upload.js", JS, include_bytes!("page/upload.js")),
    ("/assets/view.js", JS, include_bytes!("page/view.js")),
    ("/assets/words.js", JS, include_bytes!("page/words.js")),
];
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// `GET /healthz`: the process answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// `GET /readyz`: every model ran once, and the service is not about to stop.
pub async fn ready(state: Data<AppState>) -> HttpResponse {
    let (mut response, text) = match () {
        () if state.is_ready() => (HttpResponse::Ok(), "ready\n"),
        () if state.gate.is_stopping() => (HttpResponse::ServiceUnavailable(), "stopping\n"),
        () => (HttpResponse::ServiceUnavailable(), "starting\n"),
    };
    response
        .content_type("text/plain; charset=utf-8")
        .body(text)
}

/// `GET /v1/models`.
pub async fn models(state: Data<AppState>) -> HttpResponse {
    let models: Vec<_> = state
        .engine
        .models()
        .map(|model| {
            let entry = model.entry;
            serde_json::json!({
                "name": entry.name,
                "task": entry.task,
                "about": entry.about,
                "license": entry.license,
                "commercial_use": entry.commercial_use,
                "sha256": entry.sha256,
                "bytes": Some(entry.bytes).filter(|bytes| *bytes > 0),
                "input_size": entry.size,
                "factor": Some(entry.factor).filter(|factor| *factor > 1),
                "built_in": entry.built_in,
                "installed": *model.place != Place::Nowhere,
                "loaded": model.loaded,
                "default": model.default,
                "device": model.device.map(Device::name),
                "tested": entry.tested,
            })
        })
        .collect();
    HttpResponse::Ok().json(serde_json::json!({ "models": models }))
}

/// `GET /openapi.json`.
pub async fn openapi(state: Data<AppState>) -> HttpResponse {
    let text = || openapi::text(&state.settings.compat);
    let document = state.document.get_or_init(|| text().into());
    HttpResponse::Ok()
        .content_type("application/json")
        .body(document.clone())
}

/// The page and its parts.
pub async fn page(request: HttpRequest) -> HttpResponse {
    let found = PAGE.iter().find(|(path, ..)| *path == request.path());
    let Some((_, mime, content)) = found else {
        return not_found().await;
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, *mime))
        .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .body(*content)
}

/// The paths of the page.
pub fn page_paths() -> impl Iterator<Item = &'static str> {
    PAGE.iter().map(|(path, ..)| *path)
}

/// Every path that is no route.
pub async fn not_found() -> HttpResponse {
    problem(&Error::NotFound, &Uuid::new_v4().to_string())
}

/// A path that is a route, with a method that it does not take.
pub fn wrong_method(http: &HttpRequest, allow: &'static str, refuse: Refuse) -> HttpResponse {
    refuse(
        http,
        &Error::MethodNotAllowed { allow },
        &Uuid::new_v4().to_string(),
    )
}

/// `GET /metrics`, on the listener of its own.
pub async fn metrics(state: Data<AppState>) -> HttpResponse {
    state
        .metrics
        .oldest_input
        .set(state.spool.ledger().oldest_seconds());
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.text())
}
