//! The parameters of a request, in options of ours.

use serde_json::{Value as Json, json};

use super::{
    super::truth,
    contract::{DEFAULTS, FIELDS, MODELS},
};
use crate::{
    engine::{Engine, manifest::Task},
    ops::options,
};

/// The parameters of a request.
pub(super) struct Sent<'a> {
    pub(super) query: &'a [(String, String)],
    pub(super) form: &'a [(String, String)],
}

/// A parameter that was sent: where, and its text.
type Found<'a> = (&'static str, &'a str);

impl<'a> Sent<'a> {
    /// A parameter by name. A field of the form wins, of several the last one does; empty is absent.
    pub(super) fn find(&self, name: &str) -> Option<Found<'a>> {
        let last = |pairs: &'a [(String, String)]| {
            let mut found = pairs.iter().rev().filter(|(sent, _)| sent == name);
            found
                .next()
                .map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        let form = last(self.form).map(|value| ("body", value));
        form.or_else(|| last(self.query).map(|value| ("query", value)))
    }

    /// What the parameters mean in options of ours; every wrong one where some are.
    pub(super) fn pairs(
        &self,
        engine: &Engine,
    ) -> Result<Vec<(&'static str, String)>, Vec<Invalid>> {
        let mut invalid = Vec::new();
        let mut flag = |name| {
            self.flag(name).unwrap_or_else(|e| {
                invalid.push(e);
                false
            })
        };
        let (matting, only_mask, postprocess) = (flag("a"), flag("om"), flag("ppm"));
        // What they ask for is always done.
        let _ = (flag("dc"), flag("vm"));
        let mut whole = |name| {
            self.whole(name).unwrap_or_else(|e| {
                invalid.push(e);
                0
            })
        };
        let (subject, ground, erode) = (whole("af"), whole("ab"), whole("ae"));
        let model = self.model(engine).unwrap_or_else(|e| {
            invalid.push(e);
            None
        });
        let color = self.color().unwrap_or_else(|e| {
            invalid.push(e);
            None
        });
        if !invalid.is_empty() {
            return Err(invalid);
        }
        let mut pairs = vec![("format", "png".to_owned())];
        if let Some(model) = model {
            pairs.push(("model", model.to_owned()));
        }
        if matting {
            // A square larger than most pictures is as good as any larger one.
            let erode = erode.min(1000);
            pairs.push(("trimap", format!("{subject},{ground},{erode}")));
        }
        if postprocess {
            pairs.push(("postprocess", "true".to_owned()));
        }
        match color {
            _ if only_mask => pairs.push(("output", "mask".to_owned())),
            Some([r, g, b, a]) => {
                pairs.push(("background", format!("#{r:02x}{g:02x}{b:02x}{a:02x}")));
            }
            None => {}
        }
        Ok(pairs)
    }

    fn flag(&self, name: &'static str) -> Result<bool, Invalid> {
        let Some((place, text)) = self.find(name) else {
            return Ok(false);
        };
        truth(text).ok_or_else(|| Invalid {
            kind: "bool_parsing",
            place,
            name,
            message: "Input should be a valid boolean, unable to interpret input".to_owned(),
            context: None,
        })
    }

    fn whole(&self, name: &'static str) -> Result<i64, Invalid> {
        let spec = FIELDS.iter().find(|spec| spec.name == name);
        let (default, low, high) = match spec.map(|spec| (spec.default.parse(), spec.kind)) {
            Some((Ok(default), options::Kind::Integer(low, high))) => (default, low, high),
            _ => (0, i64::MIN, i64::MAX),
        };
        let Some((place, text)) = self.find(name) else {
            return Ok(default);
        };
        let invalid = |kind, message: String, context| Invalid {
            kind,
            place,
            name,
            message,
            context,
        };
        let parsed: Result<i64, _> = text.trim().parse();
        match parsed {
            Err(_) => Err(invalid(
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer".to_owned(),
                None,
            )),
            Ok(number) if number < low => Err(invalid(
                "greater_than_equal",
                format!("Input should be greater than or equal to {low}"),
                Some(json!({ "ge": low })),
            )),
            Ok(number) if number > high => Err(invalid(
                "less_than_equal",
                format!("Input should be less than or equal to {high}"),
                Some(json!({ "le": high })),
            )),
            Ok(number) => Ok(number),
        }
    }

    /// The model that is asked for; `None` for the default.
    fn model(&self, engine: &Engine) -> Result<Option<&'a str>, Invalid> {
        let Some((place, name)) = self.find("model") else {
            return Ok(None);
        };
        if engine.entry(Task::Cutout, Some(name)).is_ok() {
            return Ok(Some(name));
        }
        if DEFAULTS.contains(&name) {
            return Ok(None);
        }
        let installed = installed(engine).join(", ");
        let (kind, message) = match MODELS.iter().find(|known| **known == name) {
            // Its name is one of ours here, not a repetition.
            Some(known) => (
                "value_error",
                format!(
                    "The model {known} is not installed on this server. Installed are: \
                     {installed}. The operator adds one with --model {known}=FILE"
                ),
            ),
            None => (
                "string_pattern_mismatch",
                format!("There is no such model. Installed are: {installed}"),
            ),
        };
        Err(Invalid {
            kind,
            place,
            name: "model",
            message,
            context: None,
        })
    }

    fn color(&self) -> Result<Option<[u8; 4]>, Invalid> {
        let Some((place, text)) = self.find("bgc") else {
            return Ok(None);
        };
        let words: Result<Vec<u8>, _> = text.split(',').map(|word| word.trim().parse()).collect();
        match words.as_deref() {
            Ok(&[r, g, b, a]) => Ok(Some([r, g, b, a])),
            Ok(&[r, g, b]) => Ok(Some([r, g, b, 255])),
            _ => Err(Invalid {
                kind: "value_error",
                place,
                name: "bgc",
                message: "Input should be R,G,B,A, each a whole number from 0 to 255".to_owned(),
                context: None,
            }),
        }
    }
}

/// The names of the models that can be asked for.
fn installed(engine: &Engine) -> Vec<&str> {
    let models = engine.models();
    models
        .filter(|model| model.loaded && model.entry.task == Task::Cutout)
        .map(|model| model.entry.name.as_str())
        .collect()
}

/// One wrong parameter, in the shape of FastAPI's validation errors.
pub(super) struct Invalid {
    kind: &'static str,
    place: &'static str,
    pub(super) name: &'static str,
    message: String,
    context: Option<Json>,
}

impl Invalid {
    pub(super) fn missing(place: &'static str, name: &'static str) -> Self {
        Self {
            kind: "missing",
            place,
            name,
            message: "Field required".to_owned(),
            context: None,
        }
    }

    /// `input` is where FastAPI repeats what was sent; this service repeats nothing.
    pub(super) fn json(&self) -> Json {
        let mut json = json!({
            "type": self.kind,
            "loc": [self.place, self.name],
            "msg": self.message,
            "input": null,
        });
        if let Some(context) = &self.context {
            json["ctx"] = context.clone();
        }
        json
    }
}
