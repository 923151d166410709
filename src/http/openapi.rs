//! The OpenAPI 3.1 document, made from the specifications of the options, the list of error codes
//! and the table of routes - so that it cannot say anything else than the program does.

mod peers;
mod schemas;

use std::collections::btree_map::Entry;

use utoipa::openapi::{
    ComponentsBuilder, Content, HeaderBuilder, HttpMethod, InfoBuilder, LicenseBuilder, Object,
    ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required, ResponseBuilder,
    Schema,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{ArrayBuilder, ArrayItems},
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};

use schemas::{binary, header_schema, id_schema, problem_schema, schema, text_property};

use super::{
    due, progress, receipt,
    routes::{Route, Takes, routes},
    statuses,
};
use crate::{
    config::Compat,
    ops::{Kind, Recipe, options::Spec},
};

/// The document of a service with these contracts switched on, as JSON.
pub fn text(on: &[Compat]) -> String {
    document(on).to_pretty_json().unwrap_or_default()
}

fn document(on: &[Compat]) -> OpenApi {
    let mut paths = Paths::new();
    let routes = routes(on);
    for route in &routes {
        let method = if route.method == "POST" {
            HttpMethod::Post
        } else {
            HttpMethod::Get
        };
        let item = PathItem::new(method, operation(route, &routes));
        match paths.paths.entry(route.path.to_owned()) {
            Entry::Vacant(place) => drop(place.insert(item)),
            Entry::Occupied(mut place) => place.get_mut().merge_operations(item),
        }
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Safelight")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "An ephemeral image service. A picture is held in nameless memory until it \
                     is decoded, worked on, answered, and gone; nothing is stored.",
                ))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                ))
                .build(),
        )
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new()
                .schema("Problem", problem_schema())
                .schema("Header", header_schema())
                .schema("RembgError", peers::rembg_error())
                .schema("RemoveBgErrors", peers::remove_bg_errors())
                .schemas_from_iter(peers::switched_errors(on))
                .security_scheme(BEARER, bearer_scheme())
                .security_scheme(API_KEY, api_key_scheme())
                .build(),
        ))
        .build()
}

fn operation(route: &Route, all: &[&Route]) -> OperationBuilder {
    let mut id = route.path.trim_matches('/').replace(['/', '-', '.'], "_");
    let shares = |other: &&&Route| other.path == route.path;
    if all.iter().filter(shares).count() > 1 {
        id = format!("{id}_{}", route.method.to_ascii_lowercase());
    }
    let mut operation = OperationBuilder::new()
        .operation_id(Some(if id.is_empty() { "page".to_owned() } else { id }))
        .summary(Some(route.about));
    match route.takes {
        Takes::Nothing => {
            let ok = ResponseBuilder::new().description("The answer.");
            operation.response(
                "200",
                ok.content(route.answers, Content::new::<RefOr<Schema>>(None)),
            )
        }
        Takes::Id => {
            let id = ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some(
                    "What the client has sent as X-Progress-Id, or is about to.",
                ))
                .schema(Some(id_schema("A random UUID (version 4).")));
            let about = "Events `progress`, whose data is JSON: `step`, the name of a stage as in \
                         Server-Timing; `share`, how much of it is done, 0 to 1; `operation`, its \
                         place in a pipeline. Then one event `end`.";
            let ok = ResponseBuilder::new().description("What happens, as it happens.");
            let events = Content::new(Some(text_property(about)));
            let operation = operation.parameter(id);
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            let missing = ResponseBuilder::new()
                .description("No request of this id is in progress.")
                .content("application/problem+json", problem);
            errors(operation.response("200", ok.content(route.answers, events)))
                .response("404", missing)
        }
        Takes::Picture => {
            let schema = Ref::from_schema_name("Header");
            let ok = receipt_of(ResponseBuilder::new()).description("What the header says.");
            operation = patience(operation)
                .request_body(Some(body(&[], &[])))
                .response(
                    "200",
                    ok.content("application/json", Content::new(Some(schema))),
                );
            errors(receipt_wishes(operation))
        }
        Takes::Batch => {
            let recipe = Recipe::Pipeline;
            let specs: Vec<&Spec> = recipe.specs().collect();
            operation = patience(parameters(operation, &specs));
            let form = Content::new(Some(Schema::from(form(&specs, recipe.files(), true))));
            let body = RequestBodyBuilder::new()
                .required(Some(Required::True))
                .content("multipart/form-data", form);
            let zip = binary(
                "A numbered entry for each picture, such as `001.png`, or `002.error.json` where it \
                 failed.",
            );
            let ok = ResponseBuilder::new().description("The results, as they are done.");
            let ok = ok.content("application/zip", Content::new(Some(zip)));
            errors(
                operation
                    .request_body(Some(body.build()))
                    .response("200", ok),
            )
        }
        Takes::Operation(recipe) => own(operation, recipe),
        Takes::Shared(recipe, contract) => peers::shared(own(operation, recipe), contract),
        Takes::Compat(contract) => peers::route(operation, contract, route.method),
    }
}

/// A route of ours that works on a picture.
fn own(mut operation: OperationBuilder, recipe: Recipe) -> OperationBuilder {
    let specs: Vec<&Spec> = recipe.specs().collect();
    operation = patience(parameters(operation, &specs));
    operation = operation.request_body(Some(body(&specs, recipe.files())));
    let mut ok = receipt_of(ResponseBuilder::new()).description("The picture.");
    if matches!(recipe, Recipe::Single(Kind::Restore) | Recipe::Pipeline) {
        ok = report_of(ok);
    }
    for mime in ["image/png", "image/webp", "image/jpeg"] {
        ok = ok.content(mime, Content::new(Some(binary("The picture."))));
    }
    // `output=both` and `format=zip` answer with one.
    let zip = Content::new(Some(binary("`color.*` and `alpha.png`.")));
    ok = ok.content("application/zip", zip);
    errors(progress_wish(receipt_wishes(operation)).response("200", ok))
}

/// The header of an answer that carries a receipt.
fn receipt_of(response: ResponseBuilder) -> ResponseBuilder {
    let about = "Where the service gives receipts: a signed statement of how the input ended (JWS, \
                 compact form); the key is in /v1/transparency. Errors carry it too, where an input \
                 was received.";
    let header = HeaderBuilder::new()
        .schema(Some(text_property("A receipt.")))
        .description(Some(about));
    response.header("Deletion-Receipt", header.build())
}

/// The header by which a client says how long it waits.
fn patience(operation: OperationBuilder) -> OperationBuilder {
    let about = "Milliseconds after which the client no longer waits, 1 to 86400000. What is not done by \
                 then is given up, wherever it is, and answered 504 `deadline_passed`. Without it, and \
                 where they are shorter, the service's own limits hold.";
    let parameter = ParameterBuilder::new()
        .name(due::TIMEOUT)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .schema(Some(text_property(about)));
    operation.parameter(parameter.description(Some(about)))
}

/// The header of a restored picture whose client has asked for a report.
fn report_of(response: ResponseBuilder) -> ResponseBuilder {
    let about = "With `report=true`: what was found and done, as JSON. `found`: `noise_sigma`, \
                 `jpeg_quality`, `blocking`, `blur_sigma`, `tone` (color, tinted, monochrome), \
                 `faded`, `black`, `white`, `cast`, `scratch_share`, `faces`, as far as they were \
                 looked for; `steps`: each with its time in `ms`.";
    let header = HeaderBuilder::new()
        .schema(Some(text_property("A report.")))
        .description(Some(about));
    response.header("X-Restoration-Report", header.build())
}

/// The header by which a client names a request that it wants to watch.
fn progress_wish(operation: OperationBuilder) -> OperationBuilder {
    let about = "A random UUID (version 4), new for each request: GET /v1/progress/{id} then says how \
                 far this one is. It is held as long as the work goes on, and nowhere else.";
    let parameter = ParameterBuilder::new()
        .name(progress::ID)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .schema(Some(id_schema(about)));
    operation.parameter(parameter.description(Some(about)))
}

/// The headers by which a client says what its receipt is to hold.
fn receipt_wishes(operation: OperationBuilder) -> OperationBuilder {
    let wishes = [
        (
            receipt::NONCE,
            "A random word that the receipt repeats: 1 to 64 letters, digits, `-` and `_`. Looked at \
             where the service gives receipts.",
        ),
        (
            receipt::DIGEST,
            "`sha-256`: the receipt names the hash of each input. Looked at where the service gives \
             receipts.",
        ),
    ];
    wishes
        .into_iter()
        .fold(operation, |operation, (name, about)| {
            let parameter = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .schema(Some(text_property(about)));
            operation.parameter(parameter.description(Some(about)))
        })
}

/// Options as query parameters.
fn parameters(mut operation: OperationBuilder, specs: &[&Spec]) -> OperationBuilder {
    for spec in specs {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(spec.name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(spec.doc.trim()))
                .schema(Some(schema(spec))),
        );
    }
    operation
}

/// A form of a picture, or of many, and options.
fn form(specs: &[&Spec], files: &[(&str, &str)], many: bool) -> Object {
    let picture = binary("The picture; also accepted as `image` or `image_file`.");
    let picture = match many {
        true => {
            let items = ArrayItems::RefOrSchema(Box::new(RefOr::T(picture)));
            Schema::from(ArrayBuilder::new().items(items).build())
        }
        false => picture,
    };
    let mut form = ObjectBuilder::new()
        .property("file", picture)
        .required("file");
    for (name, about) in files {
        form = form.property(*name, binary(about));
    }
    for spec in specs {
        form = form.property(spec.name, schema(spec));
    }
    form.build()
}

/// A picture with options: as a form, or raw.
fn body(specs: &[&Spec], files: &[(&str, &str)]) -> utoipa::openapi::request_body::RequestBody {
    let form = form(specs, files, false);
    let mut body = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(
            "multipart/form-data",
            Content::new(Some(Schema::from(form))),
        );
    for mime in [
        "image/jpeg",
        "image/png",
        "image/webp",
        "application/octet-stream",
    ] {
        body = body.content(mime, Content::new(Some(binary("The picture."))));
    }
    body.build()
}

/// The names of the two ways to send a key.
const BEARER: &str = "bearer";
const API_KEY: &str = "apiKey";
/// What holds for both.
const ABOUT_KEYS: &str = "An API key. Needed where the service has keys switched on; elsewhere it is \
                          ignored. A key may be restricted to operations, a rate and megapixels.";

fn bearer_scheme() -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    SecurityScheme::Http(scheme.description(Some(ABOUT_KEYS)).build())
}

fn api_key_scheme() -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "X-API-Key",
        ABOUT_KEYS,
    )))
}

/// No key, where keys are off; or one of the two ways.
fn with_key(operation: OperationBuilder) -> OperationBuilder {
    let none: [&str; 0] = [];
    operation
        .security(SecurityRequirement::default())
        .security(SecurityRequirement::new(BEARER, none))
        .security(SecurityRequirement::new(API_KEY, none))
}

/// Every error has the same body; which statuses there are follows from the closed list of codes.
fn errors(mut operation: OperationBuilder) -> OperationBuilder {
    operation = with_key(operation);
    for (status, about) in statuses::ALL {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description(*about);
        operation = operation.response(
            *status,
            response.content("application/problem+json", content),
        );
    }
    operation
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_route_and_every_option_is_in_the_document() {
        let on = [Compat::Withoutbg, Compat::Backgroundremover];
        let document: Value = serde_json::from_str(&text(&on)).unwrap();
        for route in routes(&on) {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(operation.is_object(), "{}", route.path);
            if let Takes::Operation(recipe) = route.takes {
                let names: Vec<_> = operation["parameters"].as_array().unwrap().iter().collect();
                for spec in recipe.specs() {
                    assert!(
                        names.iter().any(|p| p["name"] == spec.name),
                        "{}",
                        spec.name
                    );
                }
            }
        }
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    }
}
