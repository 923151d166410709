//! The OpenAPI 3.1 document, made from the specifications of the options, the list of error codes
//! and the table of routes - so that it cannot say anything else than the program does.

use std::{collections::btree_map::Entry, sync::OnceLock};

use serde_json::{Value, json};
use utoipa::openapi::{
    ComponentsBuilder, Content, HeaderBuilder, HttpMethod, InfoBuilder, LicenseBuilder, Object,
    ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required, ResponseBuilder,
    Schema,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{ArrayBuilder, ArrayItems, KnownFormat, SchemaFormat, SchemaType, Type},
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};

use super::{
    compat::Contract,
    receipt,
    routes::{ROUTES, Route, Takes},
};
use crate::{
    error::CODES,
    ops::{
        Kind, Recipe,
        options::{self, Spec},
    },
};

/// The document as JSON.
pub fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| document().to_pretty_json().unwrap_or_default())
}

fn document() -> OpenApi {
    let mut paths = Paths::new();
    for route in ROUTES {
        let method = if route.method == "POST" {
            HttpMethod::Post
        } else {
            HttpMethod::Get
        };
        let item = PathItem::new(method, operation(route));
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
                .schema("RembgError", rembg_error())
                .schema("RemoveBgErrors", remove_bg_errors())
                .security_scheme(BEARER, bearer_scheme())
                .security_scheme(API_KEY, api_key_scheme())
                .build(),
        ))
        .build()
}

fn operation(route: &Route) -> OperationBuilder {
    let mut id = route.path.trim_matches('/').replace(['/', '-', '.'], "_");
    let shares = |other: &&Route| other.path == route.path;
    if ROUTES.iter().filter(shares).count() > 1 {
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
        Takes::Picture => {
            let schema = Ref::from_schema_name("Header");
            let ok = receipt_of(ResponseBuilder::new()).description("What the header says.");
            operation = operation.request_body(Some(body(&[], &[]))).response(
                "200",
                ok.content("application/json", Content::new(Some(schema))),
            );
            errors(receipt_wishes(operation))
        }
        Takes::Batch => {
            let recipe = Recipe::Pipeline;
            let specs: Vec<&Spec> = recipe.specs().collect();
            operation = parameters(operation, &specs);
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
        Takes::Operation(recipe) => {
            let specs: Vec<&Spec> = recipe.specs().collect();
            operation = parameters(operation, &specs);
            operation = operation.request_body(Some(body(&specs, recipe.files())));
            let mut ok = receipt_of(ResponseBuilder::new()).description("The picture.");
            for mime in ["image/png", "image/webp", "image/jpeg"] {
                ok = ok.content(mime, Content::new(Some(binary("The picture."))));
            }
            if matches!(
                recipe,
                Recipe::Single(Kind::RemoveBackground) | Recipe::Pipeline
            ) {
                let zip = Content::new(Some(binary("`color.*` and `alpha.png`.")));
                ok = ok.content("application/zip", zip);
            }
            errors(receipt_wishes(operation).response("200", ok))
        }
        Takes::Compat(contract) => compat(operation, contract, route.method),
    }
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

/// A route of another service's interface.
fn compat(mut operation: OperationBuilder, contract: &Contract, method: &str) -> OperationBuilder {
    let url = ParameterBuilder::new()
        .name("url")
        .parameter_in(ParameterIn::Query)
        .required(Required::True)
        .description(Some("Not fetched."))
        .schema(Some(text_property("A URL.")));
    if contract.query {
        if method == "GET" {
            operation = operation.parameter(url);
        }
        for spec in contract.fields {
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(spec.name)
                    .parameter_in(ParameterIn::Query)
                    .required(Required::False)
                    .description(Some(spec.doc))
                    .schema(Some(lenient(spec))),
            );
        }
    }
    if !contract.files.is_empty() {
        let fields = || {
            let property = |form: ObjectBuilder, spec: &Spec| form.property(spec.name, lenient(spec));
            contract.fields.iter().fold(ObjectBuilder::new(), property)
        };
        let file = |form: ObjectBuilder, (name, about): &(&'static str, &str)| {
            form.property(*name, binary(about))
        };
        let form = contract.files.iter().fold(fields(), file);
        let content = |object: ObjectBuilder| Content::new(Some(Schema::from(object.build())));
        let mut body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("multipart/form-data", content(form));
        for mime in contract.bodies {
            body = body.content(*mime, content(fields()));
        }
        operation = receipt_wishes(operation).request_body(Some(body.build()));
    }
    if !contract.answers.is_empty() {
        let mut ok = ResponseBuilder::new().description("The answer.");
        if !contract.files.is_empty() {
            ok = receipt_of(ok);
        }
        for mime in contract.answers {
            let content = match *mime {
                "application/json" => Content::new::<RefOr<Schema>>(None),
                _ => Content::new(Some(binary("The picture."))),
            };
            ok = ok.content(*mime, content);
        }
        operation = operation.response("200", ok);
    }
    for (status, about) in contract.errors {
        let content = Content::new(Some(Ref::from_schema_name(contract.error)));
        let response = ResponseBuilder::new().description(*about);
        operation = operation.response(*status, response.content("application/json", content));
    }
    with_key(operation)
}

/// What a field of another service takes: text, also where it stands for a number or a truth value,
/// since empty text stands for none and there are many words for a truth.
fn lenient(spec: &Spec) -> Schema {
    let about = format!("{} Takes {}.", spec.doc.trim(), spec.kind.expects());
    let kinds = match spec.kind {
        options::Kind::Flag => vec![Type::Boolean, Type::String],
        options::Kind::Integer(..) => vec![Type::Integer, Type::String],
        _ => vec![Type::String],
    };
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(kinds))
        .description(Some(about))
        .default((!spec.default.is_empty()).then(|| json!(spec.default)));
    let example = match spec.kind {
        options::Kind::Text(_, example) if !example.is_empty() => Some([json!(example)]),
        _ => None,
    };
    Schema::from(object.examples(example.into_iter().flatten()).build())
}

fn rembg_error() -> Schema {
    let about = "A sentence, or a list of wrong parameters, each with `type`, `loc`, `msg` and \
                 `input`, which is always null.";
    let detail = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Array]))
        .description(Some(about));
    let object = ObjectBuilder::new()
        .description(Some("An error as FastAPI writes it."))
        .property("detail", Schema::from(detail.build()))
        .required("detail");
    Schema::from(object.build())
}

fn remove_bg_errors() -> Schema {
    let entry = ["title", "code", "detail"].iter().zip([
        "What is wrong.",
        "Its code.",
        "The limit, the figure, the setting.",
    ]);
    let entry = entry.fold(ObjectBuilder::new(), |object, (name, about)| {
        object.property(*name, text_property(about))
    });
    let entry = entry.required("title").required("code");
    let list = ArrayBuilder::new().items(entry);
    let object = ObjectBuilder::new()
        .description(Some("Errors as remove.bg writes them."))
        .property("errors", Schema::from(list.build()))
        .required("errors");
    Schema::from(object.build())
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
    const STATUSES: &[(&str, &str)] = &[
        ("400", "The request is wrong."),
        (
            "401",
            "An API key is needed, or the one sent is not known; see WWW-Authenticate.",
        ),
        ("403", "The API key does not allow this operation."),
        ("408", "The upload was too slow."),
        ("413", "The body is too large."),
        ("415", "The format is unknown or disabled."),
        ("422", "The picture cannot be worked on."),
        (
            "429",
            "Too fast, or the key's megapixels are used up; see Retry-After.",
        ),
        ("500", "The service failed."),
        ("503", "The service is full or stopping; see Retry-After."),
        ("504", "The work took too long."),
        ("507", "The spool is full; see Retry-After."),
    ];
    operation = with_key(operation);
    for (status, about) in STATUSES {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description(*about);
        operation = operation.response(
            *status,
            response.content("application/problem+json", content),
        );
    }
    operation
}

fn schema(spec: &Spec) -> Schema {
    let mut object = ObjectBuilder::new().description(Some(spec.doc.trim()));
    let words = |words: &[&'static str]| words.iter().map(|word| json!(word)).collect::<Vec<_>>();
    let number: fn(&str) -> Value = |text| text.parse::<f64>().map_or(json!(text), |n| json!(n));
    let mut default = json!(spec.default);
    object = match spec.kind {
        options::Kind::Flag => {
            default = json!(spec.default == "true");
            object.schema_type(Type::Boolean)
        }
        options::Kind::Integer(low, high) => {
            default = spec
                .default
                .parse::<i64>()
                .map_or(json!(spec.default), |n| json!(n));
            object
                .schema_type(Type::Integer)
                .minimum(Some(low as f64))
                .maximum(Some(high as f64))
        }
        options::Kind::Number(low, high) => {
            default = number(spec.default);
            object
                .schema_type(Type::Number)
                .minimum(Some(low))
                .maximum(Some(high))
        }
        options::Kind::Choice(list) => object
            .schema_type(Type::String)
            .enum_values(Some(words(list))),
        options::Kind::List(..) => object.schema_type(Type::String).description(Some(format!(
            "{} Takes {}.",
            spec.doc.trim(),
            spec.kind.expects()
        ))),
        options::Kind::Text(form, example) => object
            .schema_type(Type::String)
            .description(Some(format!("{} Takes {form}.", spec.doc.trim())))
            .examples((!example.is_empty()).then(|| json!(example))),
    };
    if !spec.default.is_empty() {
        object = object.default(Some(default));
    }
    Schema::from(object.build())
}

fn binary(about: &str) -> Schema {
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .description(Some(about));
    Schema::from(object.build())
}

fn text_property(about: &str) -> Schema {
    Schema::from(
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(about))
            .build(),
    )
}

fn problem_schema() -> Schema {
    let codes = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(
            CODES
                .iter()
                .map(|(code, _)| json!(code))
                .collect::<Vec<_>>(),
        ))
        .description(Some(
            CODES
                .iter()
                .map(|(code, about)| format!("- `{code}`: {about}\n"))
                .collect::<String>(),
        ));
    let status = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("The status."));
    let object = ObjectBuilder::new()
        .description(Some("Problem details (RFC 9457)."))
        .property("type", text_property("A URI of the kind of error."))
        .property("title", text_property("The sentence of the code."))
        .property("status", Schema::from(status.build()))
        .property("code", Schema::from(codes.build()))
        .property(
            "detail",
            text_property("The limit, the figure, the setting."),
        )
        .property("instance", text_property("The request's id, as a URI."));
    let names = ["type", "title", "status", "code", "detail", "instance"];
    Schema::from(
        names
            .into_iter()
            .fold(object, ObjectBuilder::required)
            .build(),
    )
}

fn header_schema() -> Schema {
    let typed = |kind: Type, about: &str| {
        Schema::from(
            ObjectBuilder::new()
                .schema_type(kind)
                .description(Some(about))
                .build(),
        )
    };
    let properties = [
        ("type", Type::String, "Format, by the bytes."),
        ("width", Type::Integer, "Width in pixels, upright."),
        ("height", Type::Integer, "Height in pixels, upright."),
        ("orientation", Type::Integer, "EXIF orientation, 1 to 8."),
        ("color", Type::String, "Colour type."),
        ("bits", Type::Integer, "Bits of a sample."),
        ("alpha", Type::Boolean, "Whether there is transparency."),
        (
            "megapixels",
            Type::Number,
            "Width times height, in millions.",
        ),
        (
            "animated",
            Type::Boolean,
            "Whether there is more than one frame.",
        ),
    ];
    let mut object = ObjectBuilder::new().description(Some("What a picture's header says."));
    for (name, kind, about) in properties {
        object = object.property(name, typed(kind, about)).required(name);
    }
    Schema::from(object.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_every_option_is_in_the_document() {
        let document: Value = serde_json::from_str(text()).unwrap();
        for route in ROUTES {
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
