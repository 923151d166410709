//! The table of routes: what the router serves and what the OpenAPI document says are this list.

use actix_web::{
    Route as Handler,
    web::{self, ServiceConfig},
};

use super::{
    compat::{Contract, rembg, removebg},
    images, service,
};
use crate::ops::Kind;

/// What a route takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// No body.
    Nothing,
    /// A picture, and nothing is done with its pixels.
    Picture,
    /// A picture, and options of an operation.
    Operation(Kind),
    /// What another service's route of this path takes.
    Compat(&'static Contract),
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

const fn compat(
    method: &'static str,
    path: &'static str,
    contract: &'static Contract,
    about: &'static str,
) -> Route {
    Route {
        method,
        ..post(path, Takes::Compat(contract), about)
    }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// Every route of the service listener.
pub const ROUTES: &[Route] = &[
    post(
        "/v1/remove-background",
        Takes::Operation(Kind::RemoveBackground),
        Kind::RemoveBackground.about(),
    ),
    post(
        "/v1/restore",
        Takes::Operation(Kind::Restore),
        Kind::Restore.about(),
    ),
    post(
        "/v1/inspect",
        Takes::Picture,
        "Says what the header of a picture says; decodes nothing.",
    ),
    compat(
        "POST",
        "/api/remove",
        &rembg::POST,
        "Removes the background of a picture, as rembg's server does.",
    ),
    compat(
        "GET",
        "/api/remove",
        &rembg::GET,
        "Refuses to fetch a picture; rembg's server does.",
    ),
    compat(
        "POST",
        "/v1.0/removebg",
        &removebg::REMOVE,
        "Removes the background of a picture, as remove.bg does.",
    ),
    compat(
        "GET",
        "/v1.0/account",
        &removebg::ACCOUNT,
        "Says that there are credits, as clients of remove.bg ask.",
    ),
    compat(
        "POST",
        "/v1.0/improve",
        &removebg::IMPROVE,
        "Refuses to keep a picture; remove.bg does.",
    ),
    get("/v1/models", JSON, "Lists the models with their licences."),
    get("/openapi.json", JSON, "This document."),
    get("/healthz", TEXT, "Whether the process answers."),
    get(
        "/readyz",
        TEXT,
        "Whether every model has run and work is taken.",
    ),
    get("/", "text/html", "The demo page."),
];

/// Puts the table into the router.
pub fn configure(config: &mut ServiceConfig) {
    for (at, route) in ROUTES.iter().enumerate() {
        // The routes of a path are one resource, made where the first of them stands.
        let of_path = |other: &&Route| other.path == route.path;
        if ROUTES[..at].iter().any(|other| of_path(&other)) {
            continue;
        }
        let routes = || ROUTES.iter().filter(of_path);
        let allow: &str = match routes().map(|route| route.method).collect::<Vec<_>>()[..] {
            [one] => one,
            _ => "GET, POST",
        };
        let wrong = web::to(move || async move { service::wrong_method(allow) });
        let resource = web::resource(route.path).default_service(wrong);
        config.service(routes().fold(resource, |resource, route| resource.route(handler(route))));
    }
    for path in service::page_paths().filter(|path| *path != "/") {
        let wrong = web::to(|| async { service::wrong_method("GET") });
        config.service(
            web::resource(path)
                .route(web::get().to(service::page))
                .default_service(wrong),
        );
    }
    config.default_service(web::to(service::not_found));
}

/// What answers a route.
fn handler(route: &Route) -> Handler {
    match (route.method, route.path, route.takes) {
        (_, _, Takes::Operation(kind)) => web::post()
            .to(move |request, payload, state| images::operate(kind, request, payload, state)),
        (_, _, Takes::Picture) => web::post().to(images::inspect),
        ("POST", "/api/remove", _) => web::post().to(rembg::post),
        ("GET", "/api/remove", _) => web::get().to(rembg::get),
        (_, "/v1.0/removebg", _) => web::post().to(removebg::remove),
        (_, "/v1.0/account", _) => web::get().to(removebg::account),
        (_, "/v1.0/improve", _) => web::post().to(removebg::improve),
        (_, "/v1/models", _) => web::get().to(service::models),
        (_, "/openapi.json", _) => web::get().to(service::openapi),
        (_, "/healthz", _) => web::get().to(service::live),
        (_, "/readyz", _) => web::get().to(service::ready),
        _ => web::get().to(service::page),
    }
}
