//! The list of a pipeline's operations: JSON to operations, refused as a whole with the place of
//! what is wrong.

use serde_json::Value;

use super::{in_step, unknown};
use crate::{
    error::Error,
    ops::{
        Kind, Op,
        options::{self, Options, Output, Spec},
    },
};

/// Operations of a pipeline at most.
const MAX_OPS: usize = 10;
/// Bytes of a pipeline's list at most.
pub(super) const MAX_LIST: usize = 16 << 10;

/// The option that lists the operations of a pipeline.
pub const OPS: Spec = Spec {
    name: "ops",
    default: "",
    kind: options::Kind::Text(
        "a JSON list of 1 to 10 operations: objects of `op` and its options",
        r#"[{"op":"remove-background"},{"op":"transform","width":1024}]"#,
    ),
    doc: "The operations, in their order.",
};

/// The operations of a list. The last one may also say how the result is written.
pub(super) fn operations(list: &str, output: &mut Output) -> Result<Vec<Op>, Error> {
    if list.len() > MAX_LIST {
        return Err(Error::FieldTooLong { limit: MAX_LIST });
    }
    let wrong = || Error::bad_value("ops", OPS.kind.expects());
    let Ok(Value::Array(items)) = serde_json::from_str(list) else {
        return Err(wrong());
    };
    if items.is_empty() || items.len() > MAX_OPS {
        return Err(wrong());
    }
    let last = items.len() - 1;
    let operation = |(i, item): (usize, &Value)| {
        let output = (i == last).then_some(&mut *output);
        operation(item, output).map_err(|error| in_step(i, error))
    };
    items.iter().enumerate().map(operation).collect()
}

fn operation(item: &Value, mut output: Option<&mut Output>) -> Result<Op, Error> {
    let kinds = || Kind::ALL.map(Kind::name).join(", ");
    let unnamed = || Error::bad_value("op", format!("one of {}", kinds()));
    let item = item.as_object().ok_or_else(unnamed)?;
    let name = item.get("op").and_then(Value::as_str);
    let kind = Kind::ALL.into_iter().find(|kind| Some(kind.name()) == name);
    let mut op = kind.ok_or_else(unnamed)?.with_defaults();
    for (name, value) in item.iter().filter(|(name, _)| *name != "op") {
        let text = text(value);
        // A list within a list, an object or nothing is no value of any option; as this text it
        // is refused by every one of them, with what it takes.
        let text = text.as_deref().unwrap_or("\u{0}");
        let known = op.set(name, text)?
            || match &mut output {
                Some(output) => output.set(name, text)?,
                None => false,
            };
        if !known {
            let more = if output.is_some() { Output::SPECS } else { &[] };
            return Err(unknown(name, op.kind().specs().iter().chain(more)));
        }
    }
    Ok(op)
}

/// A JSON value as an option is written elsewhere.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let flat = items.iter().filter(|item| !item.is_array()).map(text);
            let words: Vec<_> = flat.collect::<Option<_>>()?;
            (words.len() == items.len()).then(|| words.join(","))
        }
        Value::Null | Value::Object(_) => None,
    }
}
