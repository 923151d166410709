//! The schemas: of an option, a file, a problem and what a header says.

use serde_json::{Value, json};
use utoipa::openapi::{
    ObjectBuilder, Schema,
    schema::{KnownFormat, SchemaFormat, SchemaType, Type},
};

use crate::{
    error::CODES,
    ops::options::{self, Spec},
};

pub(super) fn schema(spec: &Spec) -> Schema {
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

pub(super) fn binary(about: &str) -> Schema {
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .description(Some(about));
    Schema::from(object.build())
}

pub(super) fn text_property(about: &str) -> Schema {
    Schema::from(
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(about))
            .build(),
    )
}

pub(super) fn id_schema(about: &str) -> Schema {
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .description(Some(about));
    Schema::from(object.build())
}

pub(super) fn problem_schema() -> Schema {
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

pub(super) fn header_schema() -> Schema {
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
