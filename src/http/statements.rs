//! What the service says of itself: the transparency statement and the privacy notice.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use serde_json::json;

use super::AppState;
use crate::{engine::Status, privacy::Form};

/// `GET /v1/transparency`: what runs here, in which modes, and the key of its receipts.
pub async fn transparency(state: Data<AppState>) -> HttpResponse {
    let loaded = state.engine.models().filter(|model| model.loaded);
    let models: Vec<_> = loaded
        .map(|Status { entry, .. }| {
            json!({
                "name": entry.name,
                "sha256": entry.sha256,
                "license": entry.license,
            })
        })
        .collect();
    let settings = &state.settings;
    let formats: Vec<_> = settings.engine.formats.iter().map(|f| f.name()).collect();
    let compat: Vec<_> = settings.compat.iter().map(|name| name.name()).collect();
    HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "build": { "sha256": state.build.program },
        "onnxruntime": {
            "version": state.engine.runtime_version(),
            "sha256": state.build.runtime,
        },
        "models": models,
        "receipt_key": state.signer.as_ref().map(|signer| signer.jwk()),
        "modes": {
            "ephemerality": settings.ephemerality.name(),
            "ephemerality_holds": state.notice.storage_holds(),
            "receipts": state.signer.is_some(),
            "device": state.engine.device().name(),
            "formats": formats,
            "compat": compat,
        },
    }))
}

/// `GET /v1/privacy`: JSON, or Markdown or plain text where `Accept` asks for it. A browser that
/// follows a link asks for HTML before all; it is shown the plain text.
pub async fn privacy(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or("");
    let asked = |mime: &str| {
        let mut types = accept.split(',').map(|part| part.split(';').next());
        types.any(|name| name.is_some_and(|name| name.trim().eq_ignore_ascii_case(mime)))
    };
    let (form, mime) = match () {
        () if asked("application/json") => (Form::Json, "application/json"),
        () if asked("text/markdown") => (Form::Markdown, "text/markdown; charset=utf-8"),
        () if asked("text/plain") || asked("text/html") => {
            (Form::Text, "text/plain; charset=utf-8")
        }
        () => (Form::Json, "application/json"),
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, mime))
        .body(state.notice.written(form))
}
