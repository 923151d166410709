//! The routes as data: what each takes, answers and is for.

use super::super::compat::{Contract, backgroundremover, rembg, removebg, withoutbg};
use crate::{
    config::Compat,
    ops::{Kind, Recipe},
};

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
    /// What another service's route of this path takes.
    Compat(&'static Contract),
    /// What a route of ours takes, and another service's route of the same path.
    Shared(Recipe, &'static Contract),
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
    /// The setting that it needs to be switched on by; none where it is always served.
    pub only: Option<Compat>,
}

const fn get(path: &'static str, answers: &'static str, about: &'static str) -> Route {
    Route {
        method: "GET",
        path,
        about,
        takes: Takes::Nothing,
        answers,
        only: None,
    }
}

pub(super) const fn post(path: &'static str, takes: Takes, about: &'static str) -> Route {
    Route {
        method: "POST",
        path,
        about,
        takes,
        answers: "",
        only: None,
    }
}

const fn operation(path: &'static str, recipe: Recipe) -> Route {
    post(path, Takes::Operation(recipe), recipe.about())
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

/// A route that `--compat` switches on; it takes the place of one that has its method and path.
const fn switched(only: Compat, route: Route) -> Route {
    Route {
        only: Some(only),
        ..route
    }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// Every route of the service listener; see [`routes`].
pub(super) const ROUTES: &[Route] = &[
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
    switched(
        Compat::Withoutbg,
        post(
            "/v1/remove-background",
            Takes::Shared(Recipe::Single(Kind::RemoveBackground), &withoutbg::REMOVE),
            "Removes the background of a picture, or replaces it; or does so as withoutBG's server.",
        ),
    ),
    switched(
        Compat::Withoutbg,
        compat(
            "POST",
            "/v1.0/alpha-channel-base64",
            &withoutbg::ALPHA,
            "Gives the matte of a picture, as withoutBG's cloud does.",
        ),
    ),
    switched(
        Compat::Withoutbg,
        get(
            "/health",
            JSON,
            "Whether the process answers, as withoutBG's server says it.",
        ),
    ),
    switched(
        Compat::Withoutbg,
        get(
            "/ready",
            JSON,
            "Whether every model has run, as withoutBG's server says it.",
        ),
    ),
    switched(
        Compat::Withoutbg,
        get(
            "/v1/licenses",
            JSON,
            "The licences of the program and its models, as withoutBG's server lists them.",
        ),
    ),
    switched(
        Compat::Backgroundremover,
        compat(
            "POST",
            "/",
            &backgroundremover::POST,
            "Removes the background of a picture, as backgroundremover's server does.",
        ),
    ),
    switched(
        Compat::Backgroundremover,
        compat(
            "GET",
            "/",
            &backgroundremover::GET,
            "The demo page; refuses to fetch a picture, which backgroundremover's server does.",
        ),
    ),
];

/// The routes that are served with these contracts switched on.
pub fn routes(on: &[Compat]) -> Vec<&'static Route> {
    let mut routes: Vec<&'static Route> = Vec::new();
    let served = |route: &&Route| route.only.is_none_or(|name| on.contains(&name));
    for route in ROUTES.iter().filter(served) {
        let same = |own: &&mut &Route| (own.method, own.path) == (route.method, route.path);
        match routes.iter_mut().find(same) {
            Some(own) => *own = route,
            None => routes.push(route),
        }
    }
    routes
}
