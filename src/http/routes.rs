//! The table of routes: what the router serves and what the OpenAPI document says are this list.

mod table;

use actix_web::{
    HttpRequest, Resource, Route as Handler,
    body::BoxBody,
    dev::ServiceRequest,
    guard,
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};

use super::{
    auth, batch,
    compat::{backgroundremover, rembg, removebg, withoutbg},
    error::{Refuse, refuse},
    images, progress, service, statements,
};
use crate::config::Compat;
use table::ROUTES;
pub use table::{Route, Takes, routes};

/// The methods of [`read`], as in an `Allow` header.
const READ: &str = "GET, HEAD";

/// A handler for GET, and for HEAD, which is GET without the body (RFC 9110, section 9.3.2).
pub fn read() -> Handler {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The paths that can be read without a key where keys are on. Everything else needs one.
const PUBLIC: [&str; 11] = [
    "/",
    "/docs",
    "/health",
    "/openapi.json",
    "/healthz",
    "/ready",
    "/readyz",
    "/v1/licenses",
    "/v1/models",
    "/v1/privacy",
    "/v1/transparency",
];

/// What stands before a route where keys are on, or a limit per address.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// What a key must have among its scopes; empty where any key will do, as on a route with a
    /// variable part.
    pub scope: &'static str,
    /// What a refused request is called in metrics and logs.
    pub operation: &'static str,
    /// How it is refused.
    pub refuse: Refuse,
}

impl Route {
    /// The door of this route; none where no key is needed.
    fn door(&self) -> Option<Door> {
        // A route is called as its operation.
        let name = || self.path.rsplit('/').next().unwrap_or_default();
        let (scope, operation) = match self.takes {
            _ if self.method == "GET" && PUBLIC.contains(&self.path) => return None,
            Takes::Compat(contract) => (contract.scope, contract.operation),
            _ if self.path.contains('{') => ("", ""),
            _ => (name(), name()),
        };
        Some(Door {
            scope,
            operation,
            refuse: self.refuse(),
        })
    }

    /// How an error is written that comes before its handler.
    fn refuse(&self) -> Refuse {
        match self.takes {
            Takes::Compat(contract) | Takes::Shared(_, contract) => contract.refuse,
            _ => refuse,
        }
    }
}

/// The operations that a key can be restricted to.
pub fn operations() -> Vec<&'static str> {
    let mut names = Vec::new();
    for scope in ROUTES.iter().filter_map(|route| Some(route.door()?.scope)) {
        if !scope.is_empty() && !names.contains(&scope) {
            names.push(scope);
        }
    }
    names
}

/// Puts the table into the router.
pub fn configure(config: &mut ServiceConfig, on: &[Compat]) {
    let all = routes(on);
    for (at, route) in all.iter().enumerate() {
        // The routes of a path are one resource, made where the first of them stands.
        let of_path = |other: &&&Route| other.path == route.path;
        if all[..at].iter().any(|other| of_path(&other)) {
            continue;
        }
        let routes = || all.iter().filter(of_path);
        let methods: Vec<_> = routes().map(|route| route.method).collect();
        let allow = match methods[..] {
            ["GET"] => READ,
            ["POST"] => "POST",
            _ => "GET, HEAD, POST",
        };
        let refuse = route.refuse();
        let wrong =
            move |http: HttpRequest| async move { service::wrong_method(&http, allow, refuse) };
        let resource = web::resource(route.path).default_service(web::to(wrong));
        match route.door() {
            // Before every method of the path, known or not.
            Some(door) => {
                let add = |resource: Resource, route: &&Route| resource.route(handler(route));
                config.service(routes().fold(resource, add).wrap(guarded!(door)))
            }
            // The first can be read by all; another may need a key.
            None => {
                let add = |resource: Resource, route: &&Route| {
                    resource.route(match route.door() {
                        None => handler(route),
                        Some(door) => handler(route).wrap(guarded!(door)),
                    })
                };
                config.service(routes().fold(resource, add))
            }
        };
    }
    let listed = |path: &&str| all.iter().any(|route| route.path == *path);
    for path in service::page_paths().filter(|path| !listed(path)) {
        let wrong = |http: HttpRequest| async move { service::wrong_method(&http, READ, refuse) };
        config.service(
            web::resource(path)
                .route(read().to(service::page))
                .default_service(web::to(wrong)),
        );
    }
    config.default_service(web::to(service::not_found));
}

/// What asks for a key before a route or a resource.
macro_rules! guarded {
    ($door:expr) => {{
        let door = $door;
        from_fn(move |request: ServiceRequest, next: Next<BoxBody>| {
            auth::check(door, request, next)
        })
    }};
}
use guarded;

/// What answers a route.
fn handler(route: &Route) -> Handler {
    match (route.method, route.path, route.takes) {
        (_, _, Takes::Operation(recipe)) => web::post()
            .to(move |request, payload, state| images::operate(recipe, request, payload, state)),
        (_, _, Takes::Shared(..)) => web::post().to(withoutbg::remove),
        (_, _, Takes::Batch) => web::post().to(batch::run),
        (_, _, Takes::Picture) => web::post().to(images::inspect),
        (_, _, Takes::Id) => read().to(progress::watch),
        ("POST", "/api/remove", _) => web::post().to(rembg::post),
        (_, "/api/remove", _) => read().to(rembg::get),
        (_, "/v1.0/removebg", _) => web::post().to(removebg::remove),
        (_, "/v1.0/account", _) => read().to(removebg::account),
        (_, "/v1.0/improve", _) => web::post().to(removebg::improve),
        (_, "/v1.0/alpha-channel-base64", _) => web::post().to(withoutbg::alpha),
        (_, "/health", _) => read().to(withoutbg::health),
        (_, "/ready", _) => read().to(withoutbg::ready),
        (_, "/v1/licenses", _) => read().to(withoutbg::licenses),
        ("POST", "/", _) => web::post().to(backgroundremover::post),
        (_, "/", Takes::Compat(_)) => read().to(backgroundremover::get),
        (_, "/v1/models", _) => read().to(service::models),
        (_, "/v1/privacy", _) => read().to(statements::privacy),
        (_, "/v1/transparency", _) => read().to(statements::transparency),
        (_, "/openapi.json", _) => read().to(service::openapi),
        (_, "/healthz", _) => read().to(service::live),
        (_, "/readyz", _) => read().to(service::ready),
        _ => read().to(service::page),
    }
}

#[cfg(test)]
mod tests {
    use super::{table::post, *};
    use crate::ops::Kind;

    fn scope(path: &'static str) -> Option<&'static str> {
        let route = ROUTES.iter().find(|route| route.path == path).unwrap();
        route.door().map(|door| door.scope)
    }

    #[test]
    fn whatever_takes_a_picture_needs_a_key_and_the_page_does_not() {
        for route in ROUTES {
            // Who watches a request is asked for a key like who sends one.
            let page = route.method == "GET" && route.path == "/";
            let asks = !matches!(route.takes, Takes::Nothing) && !page;
            assert_eq!(route.door().is_some(), asks, "{}", route.path);
        }
        let taken = |on: &[Compat]| routes(on).len();
        assert_eq!(
            taken(&[Compat::Withoutbg, Compat::Backgroundremover]) - taken(&[]),
            5,
            "two of seven take the place of ours"
        );
        let unlisted = |path| post(path, Takes::Nothing, "").door().unwrap().scope;
        assert_eq!(
            unlisted("/v1/unheard-of"),
            "unheard-of",
            "closed unless listed"
        );
        assert_eq!(unlisted("/v1/progress/{id}"), "");
        for kind in Kind::ALL {
            let named = operations().into_iter().filter(|name| *name == kind.name());
            assert_eq!(named.count(), 1, "{}", kind.name());
        }
    }

    #[test]
    fn a_peers_route_is_opened_by_the_key_that_opens_ours() {
        for route in ROUTES.iter().filter(|route| route.only.is_some()) {
            let opened = route.door().map(|door| door.scope);
            match route.method {
                "POST" => assert_eq!(opened, scope("/v1/remove-background"), "{}", route.path),
                _ => assert_eq!(opened, None, "{}", route.path),
            }
        }
        assert_eq!(scope("/api/remove"), scope("/v1/remove-background"));
        assert_eq!(scope("/v1.0/removebg"), scope("/v1/remove-background"));
        assert_eq!(scope("/v1.0/account"), Some(""), "any key");
    }
}
