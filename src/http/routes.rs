//! The table of routes: what the router serves and what the OpenAPI document says are this list.

use actix_web::{
    Route as Handler, guard,
    web::{self, ServiceConfig},
};

use super::{batch, images, service, statements};
use crate::ops::{Kind, Recipe};

/// What a route takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// No body.
    Nothing,
    /// A picture, and nothing is done with its pixels.
    Picture,
    /// A picture, and options of an operation or of a list of them.
    Operation(Recipe),
    /// Several pictures, and a list of operations.
    Batch,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// The media type of its answer, where it is always the same.
    pub answers: &'static str,
}

const fn get(path: &'static str, answers: &'static str, about: &'static str) -> Route {
    Route {
        method: "GET",
        path,
        about,
        takes: Takes::Nothing,
        answers,
    }
}

const fn post(path: &'static str, takes: Takes, about: &'static str) -> Route {
    Route {
        method: "POST",
        path,
        about,
        takes,
        answers: "",
    }
}

const fn operation(path: &'static str, recipe: Recipe) -> Route {
    post(path, Takes::Operation(recipe), recipe.about())
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// Every route of the service listener.
pub const ROUTES: &[Route] = &[
    operation(
        "/v1/remove-background",
        Recipe::Single(Kind::RemoveBackground),
    ),
    operation("/v1/restore", Recipe::Single(Kind::Restore)),
    operation("/v1/transform", Recipe::Single(Kind::Transform)),
    operation("/v1/pipeline", Recipe::Pipeline),
    post(
        "/v1/batch",
        Takes::Batch,
        "Applies a list of operations to several pictures; answers with a ZIP as they are done.",
    ),
    post(
        "/v1/inspect",
        Takes::Picture,
        "Says what the header of a picture says; decodes nothing.",
    ),
    get("/v1/models", JSON, "Lists the models with their licences."),
    get(
        "/v1/privacy",
        JSON,
        "What is received, kept, logged and measured here; also as Markdown or plain text.",
    ),
    get(
        "/v1/transparency",
        JSON,
        "What runs here, in which modes, and the key of its receipts.",
    ),
    get("/openapi.json", JSON, "This document."),
    get("/healthz", TEXT, "Whether the process answers."),
    get(
        "/readyz",
        TEXT,
        "Whether every model has run and work is taken.",
    ),
    get("/docs", "text/html", "This document, to be read."),
    get("/", "text/html", "The demo page."),
];

/// The methods of [`read`], as in an `Allow` header.
const READ: &str = "GET, HEAD";

/// A handler for GET, and for HEAD, which is GET without the body (RFC 9110, section 9.3.2).
pub fn read() -> Handler {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Puts the table into the router.
pub fn configure(config: &mut ServiceConfig) {
    for route in ROUTES {
        let allow = match route.method {
            "GET" => READ,
            other => other,
        };
        let handler = match (route.path, route.takes) {
            (_, Takes::Operation(recipe)) => web::post().to(move |request, payload, state| {
                images::operate(recipe, request, payload, state)
            }),
            (_, Takes::Batch) => web::post().to(batch::run),
            (_, Takes::Picture) => web::post().to(images::inspect),
            ("/v1/models", _) => read().to(service::models),
            ("/v1/privacy", _) => read().to(statements::privacy),
            ("/v1/transparency", _) => read().to(statements::transparency),
            ("/openapi.json", _) => read().to(service::openapi),
            ("/healthz", _) => read().to(service::live),
            ("/readyz", _) => read().to(service::ready),
            _ => read().to(service::page),
        };
        let wrong = web::to(move || async move { service::wrong_method(allow) });
        config.service(
            web::resource(route.path)
                .route(handler)
                .default_service(wrong),
        );
    }
    let listed = |path: &&str| ROUTES.iter().any(|route| route.path == *path);
    for path in service::page_paths().filter(|path| !listed(path)) {
        let wrong = web::to(|| async { service::wrong_method(READ) });
        config.service(
            web::resource(path)
                .route(read().to(service::page))
                .default_service(wrong),
        );
    }
    config.default_service(web::to(service::not_found));
}
