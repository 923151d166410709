//! The routes of other services' interfaces, and their errors.

use serde_json::json;
use utoipa::openapi::{
    Content, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder, Schema,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{ArrayBuilder, SchemaType, Type},
};

use super::{
    receipt_of, receipt_wishes,
    schemas::{binary, text_property},
    with_key,
};
use crate::{
    config::Compat,
    http::compat::Contract,
    ops::options::{self, Spec},
};

/// A route of another service's interface.
pub(super) fn route(
    mut operation: OperationBuilder,
    contract: &Contract,
    method: &str,
) -> OperationBuilder {
    let url = ParameterBuilder::new()
        .name("url")
        .parameter_in(ParameterIn::Query)
        .description(Some("Not fetched."))
        .schema(Some(text_property("A URL.")));
    if contract.query {
        if method == "GET" {
            // Where the path is a page of ours too, it is no URL that is asked for.
            let needed = match contract.answers {
                [] => Required::True,
                _ => Required::False,
            };
            operation = operation.parameter(url.required(needed));
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
    if contract.takes_picture() {
        let fields = || {
            let property =
                |form: ObjectBuilder, spec: &Spec| form.property(spec.name, lenient(spec));
            contract.fields.iter().fold(ObjectBuilder::new(), property)
        };
        let file = |form: ObjectBuilder, (name, about): &(&'static str, &str)| {
            form.property(*name, binary(about))
        };
        let form = contract.files.iter().fold(fields(), file);
        let content = |object: ObjectBuilder| Content::new(Some(Schema::from(object.build())));
        let mut body = RequestBodyBuilder::new().required(Some(Required::True));
        if !contract.files.is_empty() {
            body = body.content("multipart/form-data", content(form));
        }
        for mime in contract.bodies {
            body = body.content(*mime, content(fields()));
        }
        operation = receipt_wishes(operation).request_body(Some(body.build()));
    }
    if !contract.answers.is_empty() {
        let mut ok = ResponseBuilder::new().description("The answer.");
        if contract.takes_picture() {
            ok = receipt_of(ok);
        }
        for mime in contract.answers {
            let content = match *mime {
                "application/json" | "text/html" => Content::new::<RefOr<Schema>>(None),
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

/// A route of ours whose path is another service's too: a body that only that one knows, and its
/// answers beside ours.
pub(super) fn shared(operation: OperationBuilder, contract: &Contract) -> OperationBuilder {
    let mut operation = operation.build();
    operation.description = Some(contract.about.to_owned());
    let fields = contract.fields.iter();
    let form = fields.fold(ObjectBuilder::new(), |form, spec| {
        form.property(spec.name, lenient(spec)).required(spec.name)
    });
    let form = Schema::from(form.build());
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for mime in contract.bodies {
            let content = Content::new(Some(form.clone()));
            body.content.insert((*mime).to_owned(), RefOr::T(content));
        }
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        let content = match status.as_str() {
            "200" => Content::new::<RefOr<Schema>>(None),
            _ => Content::new(Some(Ref::from_schema_name(contract.error))),
        };
        let mime = "application/json".to_owned();
        response.content.insert(mime, RefOr::T(content));
    }
    OperationBuilder::from(operation)
}

/// The errors of contracts that are switched on, by the names of their components.
pub(super) fn switched_errors(on: &[Compat]) -> Vec<(&'static str, Schema)> {
    let error = |about: &str, members: &[&str]| {
        let property = |object: ObjectBuilder, name: &&str| {
            object.property(*name, text_property("What is wrong, in a sentence."))
        };
        let object = ObjectBuilder::new().description(Some(about));
        Schema::from(members.iter().fold(object, property).build())
    };
    let of = |name: &Compat| match name {
        Compat::Withoutbg => (
            "WithoutbgError",
            error(
                "An error as withoutBG writes it: `detail` to JSON, `error` to a picture, both of \
                 its cloud's route.",
                &["detail", "error"],
            ),
        ),
        Compat::Backgroundremover => (
            "BackgroundremoverError",
            error("An error as backgroundremover writes it.", &["error"]),
        ),
    };
    on.iter().map(of).collect()
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

pub(super) fn rembg_error() -> Schema {
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

pub(super) fn remove_bg_errors() -> Schema {
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
