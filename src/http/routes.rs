//! The table of routes: what the router serves and what the OpenAPI document says are this list.

use actix_web::{
    Route as Handler,
    body::BoxBody,
    dev::ServiceRequest,
    guard,
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};

use super::{auth, batch, images, progress, service, statements};
use crate::ops::{Kind, Recipe};

/// What a route takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// No body.
    Nothing,
    /// No body; the path names a request.
    Id,
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
    operation("/v1/enhance", Recipe::Single(Kind::Enhance)),
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
    Route {
        takes: Takes::Id,
        ..get(
            "/v1/progress/{id}",
            "text/event-stream",
            "How far a request is whose client chose a random id for it, as server-sent events.",
        )
    },
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

/// The routes that need no key where keys are on. Every other one does.
const PUBLIC: [&str; 8] = [
    "/",
    "/docs",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/v1/models",
    "/v1/privacy",
    "/v1/transparency",
];

/// The operation for which a key is asked on this route; none where no key is needed, and an empty
/// name where any key will do, as on a route with a variable part.
fn guarded(path: &'static str) -> Option<&'static str> {
    let name = match path {
        _ if PUBLIC.contains(&path) => return None,
        _ if path.contains('{') => "",
        // A route is called as its operation.
        _ => path.rsplit('/').next().unwrap_or_default(),
    };
    Some(name)
}

/// The operations that a key can be restricted to.
pub fn operations() -> Vec<&'static str> {
    let names = ROUTES.iter().filter_map(|route| guarded(route.path));
    names.filter(|name| !name.is_empty()).collect()
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
            (_, Takes::Id) => read().to(progress::watch),
            ("/v1/models", _) => read().to(service::models),
            ("/v1/privacy", _) => read().to(statements::privacy),
            ("/v1/transparency", _) => read().to(statements::transparency),
            ("/openapi.json", _) => read().to(service::openapi),
            ("/healthz", _) => read().to(service::live),
            ("/readyz", _) => read().to(service::ready),
            _ => read().to(service::page),
        };
        let wrong = web::to(move || async move { service::wrong_method(allow) });
        let resource = web::resource(route.path)
            .route(handler)
            .default_service(wrong);
        match guarded(route.path) {
            None => config.service(resource),
            Some(operation) => config.service(resource.wrap(from_fn(
                move |request: ServiceRequest, next: Next<BoxBody>| {
                    auth::check(operation, request, next)
                },
            ))),
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_takes_a_picture_needs_a_key_and_the_page_does_not() {
        for route in ROUTES {
            // Who watches a request is asked for a key like who sends one.
            let asks = !matches!(route.takes, Takes::Nothing);
            assert_eq!(guarded(route.path).is_some(), asks, "{}", route.path);
        }
        assert_eq!(
            guarded("/v1/unheard-of"),
            Some("unheard-of"),
            "closed unless listed"
        );
        assert_eq!(guarded("/v1/progress/{id}"), Some(""));
        for kind in Kind::ALL {
            assert!(operations().contains(&kind.name()), "{}", kind.name());
        }
    }
}
